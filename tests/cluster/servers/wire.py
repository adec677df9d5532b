"""One HTTP server on loopback around an engine, with faults and checks between."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from .access import Access
from .faults import Fault, Faults


@dataclass(frozen=True)
class Request:
    """What came: the path is decoded, names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    # Every value of each query key, for keys that may stand several times.
    queries: tuple[tuple[str, str], ...] = ()

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Answer:
    """A status with a body: bytes as they are, anything else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    # Newline-delimited JSON, as grpc-gateway streams.
    stream: bool = False

    def encode(self) -> tuple[bytes, str]:
        if isinstance(self.body, bytes):
            return self.body, self.headers.get("Content-Type", "text/plain; charset=utf-8")
        if self.stream:
            lines = [json.dumps(one) + "\n" for one in self.body]
            return "".join(lines).encode(), "application/json"
        return json.dumps(self.body).encode(), "application/json"


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """An engine's refusal, raised from anywhere below `App.answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body}")
        self.answer = answer


class App(Protocol):
    """An engine: its state, who may speak to it, and what it answers."""

    access: Access
    # A `Contract`, or what has its two checks; None checks nothing.
    contract: Any
    page_limit: int | None
    # Whether also an overload is answered in the engine's own way.
    answers_alone: bool

    def answer(self, request: Request) -> Answer: ...

    def unauthorized(self) -> Answer: ...

    def failure(self, status: int, message: str) -> Answer: ...


# What a proxy or a load balancer answers by itself.
FROM_PROXIES = (413, 429, 502, 503, 504)

Watcher = Callable[[Any, Request, Answer], None]


class Server:
    """An engine served from a thread; `with Server(app) as server: server.url`.

    Leaving the block, or `check()`, fails on what broke the contract or a watcher.
    """

    def __init__(self, app: App, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        # Any: tests reach for what the engine they chose has.
        self.app: Any = app
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, int]] = []
        self.watchers: list[Watcher] = []
        self.problems: list[str] = []
        self.lock: Any = getattr(app, "lock", None) or threading.RLock()
        self._tls = tls
        self._http = _Listener(("127.0.0.1", port), _handler(self))
        if tls is not None:
            self._http.socket = tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher(app, request, answer)` after each request, before its answer leaves."""
        self.watchers.append(watcher)

    def count(self, pattern: str) -> int:
        """How many requests had `METHOD /path` matching the pattern."""
        return sum(n for call, n in self.calls.items() if re.search(pattern, call))

    def check(self) -> None:
        problems, self.problems = self.problems, []
        if problems:
            raise AssertionError("\n".join(problems))

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        if kind is None:
            self.check()

    def serve(self, request: Request) -> tuple[Answer, Fault | None]:
        """The answer and what shall happen to it on its way."""
        call = f"{request.method} {request.path}"
        with self.lock:
            self.calls[call] += 1
            fault = self.faults.draw(call)
        if fault is not None and fault.kind == "delay":
            time.sleep(fault.seconds)
        with self.lock:
            answer = self._before(request, fault) or self._act(request)
            self.log.append((call, answer.status))
            for watcher in self.watchers:
                try:
                    watcher(self.app, request, answer)
                except AssertionError as broken:
                    self.problems.append(f"after {call}: {broken}")
        return answer, fault

    def _before(self, request: Request, fault: Fault | None) -> Answer | None:
        """A fault that keeps the engine from acting."""
        if fault is None or fault.acts:
            return None
        if fault.kind == "expired":
            self.app.access.rotate()
            return None
        if fault.kind == "html":
            page = b"<!DOCTYPE html><html><head><title>Log in</title></head><body></body></html>"
            return Answer(200, page, {"Content-Type": "text/html; charset=utf-8"})
        if fault.kind == "drop":
            return Answer(0)
        status = int(fault.kind)
        app: App = self.app
        text = f"injected {status} for {request.path}"
        if status in FROM_PROXIES and not app.answers_alone:
            answer = Answer(status, text.encode())
        else:
            answer = app.failure(status, text)
        if status == 429:
            answer.headers["Retry-After"] = f"{fault.seconds:g}"
        return answer

    def _act(self, request: Request) -> Answer:
        app: App = self.app
        contract = app.contract
        if not app.access.knows(request.path, request.headers):
            return app.unauthorized()
        if contract is not None and (broken := contract.check_request(request)):
            self.problems += broken
            return app.failure(500, "; ".join(broken))
        try:
            app.page_limit = self.faults.page_size
            answer = app.answer(request)
        except Refused as refused:
            answer = refused.answer
        except Exception as error:  # a defect of the server must not look like the engine's refusal
            self.problems.append(f"{request.method} {request.path}: {error!r}")
            raise
        if contract is not None and (broken := contract.check_answer(request, answer)):
            self.problems += broken
            return app.failure(500, "; ".join(broken))
        return answer


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up or are killed are everyday here."""


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `Server.log`."""

        def setup(self) -> None:
            if isinstance(self.request, ssl.SSLSocket):
                self.request.settimeout(10)
                self.request.do_handshake()
            super().setup()
            # The headers and the body go out in two writes.
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def handle_any(self) -> None:
            request = _read(self)
            answer, fault = server.serve(request)
            kind = fault.kind if fault is not None else ""
            if kind in ("drop", "lose"):
                self._hang_up()
                return
            body, content_type = answer.encode()
            if kind == "truncated" and answer.status == 200:
                body = body[: max(1, len(body) // 2)]
            if kind == "unknown-field" and answer.status == 200:
                body = _with_unknown_field(body)
            self.send_response(answer.status)
            headers = {"Content-Type": content_type} | answer.headers
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if kind == "cut" and answer.status == 200:
                self.wfile.write(body[: len(body) // 2])
                self._hang_up()
            elif self.command != "HEAD":
                self.wfile.write(body)

        def _hang_up(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

    return Handler


def _read(handler: BaseHTTPRequestHandler) -> Request:
    parts = urlsplit(handler.path)
    queries = tuple(parse_qsl(parts.query, keep_blank_values=True))
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        body = b"".join(_chunks(handler))
    else:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    headers = {name.lower(): value for name, value in handler.headers.items()}
    return Request(
        handler.command or "", unquote(parts.path), dict(queries), headers, body, queries
    )


def _chunks(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        yield handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()


def _with_unknown_field(body: bytes) -> bytes:
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not isinstance(value, dict):
        return body
    return json.dumps({**value, "field_of_a_later_version": {"of": ["any", 1]}}).encode()
