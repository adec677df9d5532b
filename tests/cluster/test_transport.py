"""The transport against a server on loopback that does as it is told."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from compiler.cluster import connect
from compiler.cluster.auth import Credentials, Secret, credentials
from compiler.cluster.calls import Patience
from compiler.cluster.connections import Tls
from compiler.cluster.errors import EngineError, Lost
from compiler.cluster.transport import Transport, transport
from compiler.settings import EngineSettings

TOKEN = "tok3n-that-no-one-may-see"
QUICK = Patience(tries=3, pause=0.01, longest=0.02, connect=1.0, read=0.5)
Reply = Callable[[BaseHTTPRequestHandler], None]


class Loopback:
    """Answers by the replies that a test gives, the last one for ever; keeps what came."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                return

            def serve(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append((self.command, self.path, headers))
                reply = outer.replies[0] if len(outer.replies) == 1 else outer.replies.pop(0)
                reply(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = serve  # noqa: N815

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"


def answer(status: int = 200, body: Any = None, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Loopback()
    yield found
    found.http.shutdown()
    found.http.server_close()


def to(server: Loopback | str, **given: Any) -> Transport:
    url = server if isinstance(server, str) else server.url
    known = Credentials(lambda: {"Authorization": Secret(f"Bearer {TOKEN}")})
    return Transport("training", url, known, patience=QUICK, **given)


def test_what_only_reads_is_tried_again(server: Loopback) -> None:
    server.replies = [hang_up, answer(503), answer(200, b'{"a": '), answer(200, {"a": 1})]
    way = Transport("training", server.url, Credentials(dict), patience=replace(QUICK, tries=4))
    assert way.json("read", "GET", "/x") == {"a": 1}
    assert len(server.seen) == 4


@pytest.mark.parametrize("reply", [hang_up, answer(500), answer(503), answer(200, b'{"a": ')])
def test_what_makes_something_is_asked_once(server: Loopback, reply: Reply) -> None:
    server.replies = [reply]
    with pytest.raises(Lost, match="can't tell whether it worked to create the run"):
        to(server).json("create the run", "POST", "/x", {}, creates=True)
    assert len(server.seen) == 1


def test_what_was_not_taken_is_made_later(server: Loopback) -> None:
    """A busy server says that it has not acted."""
    server.replies = [answer(429, Retry_After="0"), answer(200, {"id": 1})]
    assert to(server).json("create", "POST", "/x", {}, creates=True) == {"id": 1}


def test_the_server_says_how_long_to_wait(server: Loopback) -> None:
    pauses: list[float] = []
    server.replies = [answer(503, Retry_After="7"), answer(503), answer(200)]
    to(server, sleep=pauses.append).json("read", "GET", "/x")
    assert pauses[0] == 7 and 0 < pauses[1] <= QUICK.longest


@pytest.mark.parametrize(
    ("status", "reason", "hint"),
    [
        (400, "refused", ""),
        (401, "unauthenticated", "nothing says who one is"),
        (403, "forbidden", "a role in the namespace"),
        (404, "not found", "`namespace`"),
        (409, "conflict", "run the command again"),
        (413, "too large", "split the spec"),
        (429, "too many requests", "wait a little"),
        (500, "server", "a problem of its own"),
        (504, "server", "a problem of its own"),
    ],
)
def test_refusals_tell_why_and_what_to_do(
    server: Loopback, status: int, reason: str, hint: str
) -> None:
    server.replies = [answer(status, {"message": "so it is"})]
    with pytest.raises(EngineError) as caught:
        to(server).json("list runs", "GET", "/x")
    assert (caught.value.reason, caught.value.status) == (reason, status)
    assert str(caught.value).startswith(f"can't list runs: HTTP {status}: so it is")
    assert hint in str(caught.value)


def test_a_login_is_known_for_what_it_is(server: Loopback) -> None:
    page = b"<!doctype html><title>Log in</title>"
    server.replies = [answer(200, page, Content_Type="text/html")]
    with pytest.raises(EngineError, match="answers with a web page, such as a login") as caught:
        to(server).json("list runs", "GET", "/x")
    assert caught.value.reason == "login page"
    server.replies = [answer(302, Location="https://dex.example.com/auth?state=abc")]
    with pytest.raises(EngineError, match=r"sends to https://dex\.example\.com/auth;") as caught:
        to(server).json("list runs", "GET", "/x")
    assert caught.value.reason == "login page"


def test_no_one_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineError, match=f"http://127.0.0.1:{port} refuses the conn") as caught:
        to(f"http://127.0.0.1:{port}").json("list runs", "GET", "/x")
    assert caught.value.reason == "connection"
    with pytest.raises(EngineError, match="refuses the connection") as caught:
        # Nothing was sent, so nothing can have been made.
        to(f"http://127.0.0.1:{port}").json("make a run", "POST", "/x", {}, creates=True)
    assert not isinstance(caught.value, Lost)
    with pytest.raises(EngineError, match=r"there is no host nowhere\.invalid") as caught:
        to("http://nowhere.invalid").json("list runs", "GET", "/x")
    assert caught.value.reason == "dns"


def test_a_server_that_does_not_answer(server: Loopback) -> None:
    server.replies = [lambda _: threading.Event().wait(2)]  # type: ignore[list-item]
    with pytest.raises(EngineError, match="took the request and did not answer") as caught:
        to(server).json("list runs", "GET", "/x")
    assert caught.value.reason == "timeout"


def test_plain_http_where_tls_is_wanted(server: Loopback) -> None:
    with pytest.raises(EngineError, match=r"TLS with https://127\.0\.0\.1") as caught:
        to(server.url.replace("http:", "https:")).json("list runs", "GET", "/x")
    assert caught.value.reason == "tls" and "`ca_file`" in str(caught.value)


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing\n")
    for path in (file, tmp_path / "gone.pem"):
        with pytest.raises(EngineError, match=f"from {path}") as caught:
            to("https://127.0.0.1:1", tls=Tls(str(path))).json("list runs", "GET", "/x")
        assert caught.value.reason == "configuration"


def test_a_proxy_that_is_not_there(server: Loopback) -> None:
    way = to(server, proxy=f"http://user:{TOKEN}@127.0.0.1:9")
    with pytest.raises(EngineError, match="the proxy does not let through") as caught:
        way.json("list runs", "GET", "/x")
    assert caught.value.reason == "proxy" and TOKEN not in str(caught.value)


def test_a_token_that_was_replaced_is_read_again(server: Loopback, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old-token\n")
    settings = EngineSettings("training", "kfp", server.url, token_file=str(file))
    way = transport(settings, credentials(settings), patience=QUICK)
    server.replies = [answer(200)]
    way.json("read", "GET", "/x")
    file.write_text("new-token\n")
    server.replies = [answer(401), answer(200, {"a": 1})]
    # It was refused, so it was not made.
    assert way.json("create", "POST", "/x", {}, creates=True) == {"a": 1}
    sent = [headers["authorization"] for _, _, headers in server.seen]
    assert sent == ["Bearer old-token", "Bearer old-token", "Bearer new-token"]


def test_cookies_and_a_token_by_name(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EngineSettings("training", "kfp", server.url, token_env="MLC_T", cookies_env="MLC_C")
    way = transport(settings, credentials(settings), patience=QUICK)
    with pytest.raises(EngineError, match="variable MLC_T is not set; `token_env` of engine"):
        way.json("read", "GET", "/x")
    monkeypatch.setenv("MLC_T", TOKEN)
    monkeypatch.setenv("MLC_C", "authservice_session=s3ssion")
    server.replies = [answer(200)]
    way.json("read", "GET", "/x")
    (_, _, headers) = server.seen[0]
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["cookie"] == "authservice_session=s3ssion"
    monkeypatch.setenv("MLC_T", "a\nb")
    assert not server.seen[1:]
    with pytest.raises(EngineError, match="hold what no header can"):
        transport(settings, credentials(settings)).json("read", "GET", "/x")


def test_no_secret_comes_out(
    server: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in messages, tracebacks, reprs, the lines of logs, nor in what --verbose tells."""
    monkeypatch.setenv("MLC_T", TOKEN)
    monkeypatch.setenv("MLC_C", f"first=1; session={TOKEN}-c")
    settings = EngineSettings("training", "kfp", server.url, token_env="MLC_T", cookies_env="MLC_C")
    known = credentials(settings)
    way = transport(settings, known, verbose=True, patience=QUICK)
    said: list[str] = []
    echo = {"message": f"bad header Bearer {TOKEN}, {TOKEN}-c"}
    replies = [
        answer(403, echo), answer(500, echo), answer(404, f"<html>{TOKEN}".encode()),
        answer(302, Location=f"https://x.example/{TOKEN}?t={TOKEN}"), hang_up,
        answer(200, f'{{"{TOKEN}'.encode()),
    ]  # fmt: skip
    for reply in replies:
        server.replies = [reply]
        for creates in (False, True):
            with pytest.raises(EngineError) as caught:
                method = "POST" if creates else "GET"
                way.json("read", method, f"/x?t={TOKEN}", creates=creates)
            said += traceback.format_exception(caught.value)
    server.replies = [answer(200, {"log": TOKEN})]
    assert way.json("read", "GET", "/x") == {"log": "***"}
    said += way.lines("read", "/x")
    said += [repr(known), repr(known.headers()), str(known.headers()["Cookie"]), repr(settings)]
    said += [f"{known.headers()['Authorization']}", *capsys.readouterr()]
    whole = "\n".join(said)
    assert TOKEN not in whole and "***" in whole and "GET http://" in whole


@pytest.mark.parametrize("kind", ["kfp", "argo"])
def test_a_server_that_is_too_old(server: Loopback, kind: Any) -> None:
    old = {"tag_name": "2.4.1", "version": "v3.5.11"}
    server.replies = [answer(200, old)]
    engine = connect(EngineSettings("training", kind, server.url), patience=QUICK)
    with pytest.raises(EngineError, match=r"is (2\.4\.1|v3\.5\.11), and what mlc") as caught:
        engine.check()
    assert caught.value.reason == "version"
