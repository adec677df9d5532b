"""What goes wrong between here and an engine, told with its reason and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from compiler.diagnostics import MlcError

Reason = Literal[
    "unauthenticated",
    "forbidden",
    "not found",
    "conflict",
    "too large",
    "refused",
    "too many requests",
    "server",
    "tls",
    "dns",
    "connection",
    "timeout",
    "proxy",
    "login page",
    "garbled",
    "misshapen",
    "version",
    "configuration",
    "lost",
]
_MOST = 300
# What a server says of one thing, and may not say of another.
_OF_ONE: frozenset[Reason] = frozenset(
    {"forbidden", "not found", "conflict", "too large", "refused", "server", "misshapen"}
)
# Said by what stands before a server that is gone.
_GONE = (502, 503, 504)
_OF_STATUS: dict[int, Reason] = {
    400: "refused",
    401: "unauthenticated",
    403: "forbidden",
    404: "not found",
    407: "proxy",
    408: "timeout",
    409: "conflict",
    413: "too large",
    422: "refused",
    429: "too many requests",
}


class EngineError(MlcError):
    """An engine can't be reached, or says no.

    `reason` is for code, `status` that of HTTP (0 where nothing came back); the message says what
    was tried, what came back, why, and what to do, without any secret.
    """

    def __init__(self, message: str, reason: Reason, status: int = 0, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.reason: Reason = reason
        self.status = status

    @property
    def is_of_one(self) -> bool:
        """Whether it may be of this one thing alone, so that another may fare better."""
        return self.reason in _OF_ONE and self.status not in _GONE


class Lost(EngineError):  # noqa: N818
    """The answer to a request that makes something was lost: look whether it is there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "lost", hint="run the command again: it looks before it makes")


def of_status(status: int) -> Reason:
    """What a status that is no success means."""
    return _OF_STATUS.get(status, "server" if status >= 500 else "refused")


def refusal(what: str, status: int, said: str, url: str, origin: str = "") -> EngineError:
    """The error of an answer that is no success.

    `what` is what was tried, `said` what the server said of it, `url` its address, `origin` where
    comes from who one is (`Credentials.origin`).
    """
    reason = of_status(status)
    told = f": {said}" if said else ""
    return EngineError(
        f"can't {what}: HTTP {status}{told}", reason, status, _hint(reason, url, origin)
    )


def login_hint(origin: str) -> str:
    """What to do where a server wants a person to log in."""
    which = f"{origin} may be too old" if origin else "nothing says who one is"
    return f"it wants a login of people: {which}, or give the address of the API itself as `url`"


def _hint(reason: Reason, url: str, origin: str) -> str:
    match reason:
        case "unauthenticated" if origin:
            return f"{origin} may be wrong or too old: get a new one"
        case "unauthenticated":
            return (
                "nothing says who one is: name a variable or a file with `token_env`, "
                "`token_file` or `cookies_env`"
            )
        case "forbidden":
            by = f" by {origin}" if origin else ""
            return (
                f"one is known there{by}, but has no right to this: ask who runs the cluster for "
                "a role in the namespace, or look whether `namespace` is the right one"
            )
        case "not found":
            return (
                f"look whether it was deleted, and whether `url` ({url}) and `namespace` are right"
            )
        case "conflict":
            return "someone else changed or made it meanwhile: run the command again"
        case "too large":
            return (
                "the manifest is larger than the server or a proxy before it takes: split the "
                "spec, or ask who runs the cluster for a higher limit"
            )
        case "too many requests":
            return "the server has too much to do: wait a little and run the command again"
        case "proxy":
            return "a proxy stands between: look at `proxy`, HTTPS_PROXY and NO_PROXY"
        case "timeout":
            return "the server is slow: run the command again"
        case "server":
            return "the server has a problem of its own: try again later, or look at its log"
        case _:
            return ""


def said_in(body: bytes, content_type: str = "") -> str:
    """What a server says in the body of an error, short; the empty text where it says nothing.

    KFP answers `{"error", "message", "details"}`, Argo `{"code", "message"}`, Kubernetes a Status
    with a `message`; proxies answer pages.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if isinstance(data, Mapping):
        for key in ("message", "error_message", "error", "reason", "detail"):
            found = data.get(key)
            if isinstance(found, Mapping):
                found = found.get("message")
            if isinstance(found, str) and found:
                return short(found)
        return ""
    if is_page(body, content_type):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return f"a web page, {short(title[1])}" if title else "a web page"
    return short(text)


def is_page(body: bytes, content_type: str = "") -> bool:
    """Whether an answer is a page for people and no data."""
    start = body[:512].lstrip().lower()
    return "text/html" in content_type.lower() or start.startswith((b"<!doctype html", b"<html"))


def host_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def short(text: str) -> str:
    """One line of at most a few hundred characters, without what moves a terminal's cursor."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MOST else f"{line[:_MOST]} …"
