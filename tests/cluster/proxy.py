"""A proxy on loopback: it lets through what shows a name and a password, and notes each request."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Proxy:
    """`is_open` lets in everybody; `seen` has the first line of each request."""

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        self.password = password
        self.is_open = False
        self.seen: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def lets_in(self, shown: str | None) -> bool:
        pair = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return self.is_open or shown == f"Basic {pair}"


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Tests read `Proxy.seen`."""

        def _is_refused(self) -> bool:
            proxy.seen.append(self.requestline)
            if proxy.lets_in(self.headers.get("Proxy-Authorization")):
                return False
            self.send_response(407)
            self.send_header("Proxy-Authenticate", "Basic realm=proxy")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return True

        def do_CONNECT(self) -> None:
            if self._is_refused():
                return
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
                back.start()
                _pump(self.connection, there)
            self.close_connection = True

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self._is_refused():
                return
            parts = urlsplit(self.path)
            headers = {
                name: value
                for name, value in self.headers.items()
                if not name.lower().startswith("proxy-")
            }
            there = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
            there.request(
                self.command, parts._replace(scheme="", netloc="").geturl(), body, headers
            )
            answer = there.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type", ""))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            there.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815

    return Handler


def _pump(source: socket.socket, target: socket.socket) -> None:
    """All bytes one way, until one of both hangs up."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
