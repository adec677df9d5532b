"""How a KFP API server refuses (backend/src/common/util/error.go, grpc-gateway v2)."""

from __future__ import annotations

from .wire import Answer, Refused

# gRPC codes and the HTTP status that the gateway gives for each.
INVALID, NOT_FOUND, EXISTS, DENIED, PRECONDITION, ABORTED, INTERNAL, UNAUTHENTICATED = (
    (3, 400),
    (5, 404),
    (6, 409),
    (7, 403),
    (9, 400),
    (10, 409),
    (13, 500),
    (16, 401),
)


def status(code: tuple[int, int], message: str, inner: str = "") -> Answer:
    """The gateway's body: `message` carries the whole chain, the details the outer sentence."""
    number, http = code
    detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": number, "message": message}
    body = {"code": number, "message": inner or message, "details": [detail]}
    return Answer(http, body)


def refuse(code: tuple[int, int], message: str, inner: str = "") -> Refused:
    return Refused(status(code, message, inner))


def invalid(message: str) -> Refused:
    return refuse(INVALID, message, f"Invalid input error: {message}")


def missing(kind: str, name: str) -> Refused:
    text = f"{kind} {name} not found"
    return refuse(NOT_FOUND, text, f"ResourceNotFoundError: {text}")


def exists(message: str) -> Refused:
    return refuse(EXISTS, message, f"Already exist error: {message}")


def internal(message: str, cause: str) -> Refused:
    """Upstream wraps many a user's mistake so: a 500, the cause in the text."""
    return refuse(INTERNAL, message, f"InternalServerError: {message}: {cause}")


def upload_refusal(http: int, message: str) -> Refused:
    """The upload handlers are plain HTTP and have a body of their own."""
    return Refused(Answer(http, {"error_message": message, "error_details": message}))


def too_long(field: str, limit: int) -> Refused:
    """The upload handlers say this one in plain text."""
    text = f"Invalid input error: {field} length cannot exceed {limit}\n"
    return Refused(Answer(400, text.encode()))
