"""Titles of tickets, from servers on loopback that answer as the systems do, or don't."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from compiler.submission.tickets import Provider, Ticket, find_ticket, ticket_key

TOKEN = "s3cr3t-t0ken-of-mine"
DONE = threading.Event()


class Source(NamedTuple):
    provider: Provider
    url: str | None = None
    project: str | None = None
    token_env: str | None = "TICKETS_TOKEN"
    pattern: str | None = None


class Handler(BaseHTTPRequestHandler):
    """Knows one ticket in each system, for who has the token; other paths go wrong by name."""

    def do_GET(self) -> None:
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        let_in = (
            self.headers["Authorization"] in (f"Bearer {TOKEN}", f"Basic {basic}")
            or self.headers["PRIVATE-TOKEN"] == TOKEN
        )
        jira = "/rest/api/2/issue/IA-1742?fields=summary"
        known = {
            jira: {"key": "IA-1742", "fields": {"summary": "DOC TYPE"}},
            "/api/v4/projects/ia%2Falgorithms/issues/123": {
                "iid": 123,
                "title": "Häufige\n Wörter",
            },
            "/api/v3/repos/ia/algorithms/issues/123": {"number": 123, "title": "Frequent words"},
        }
        trouble, _, rest = self.path[1:].partition("/")
        if self.path in known:
            data = json.dumps(known[self.path]).encode()
            self.answer(200 if let_in else 401, data if let_in else b'{"message": "no"}')
        elif trouble == "status":
            self.answer(int(rest.partition("/")[0]), TOKEN.encode())
        elif trouble == "moved":
            self.send_response(302)
            self.send_header("Location", f"http://login.example.com/?t={TOKEN}")
            self.end_headers()
        elif trouble == "page":
            self.answer(200, b"<html>Log in</html>")
        elif trouble == "empty":
            self.answer(200, b'{"fields": {"summary": " "}}')
        elif trouble == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"fields"')
        elif trouble == "hang":
            DONE.wait()
        elif trouble == "drip":
            self.send_response(200)
            self.end_headers()
            while not DONE.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()
        else:
            self.answer(404, b"{}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    DONE.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    DONE.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETS_TOKEN", f"{TOKEN}\n")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize(
    ("provider", "branch", "pattern", "key"),
    [
        ("jira", "IA-1742-doc-type", None, "IA-1742"),
        ("jira", "feature/IA-1742", None, "IA-1742"),
        ("jira", "IA-1742/IA-2", None, "IA-1742"),
        ("jira", "MEDIA-3x", None, "MEDIA-3"),
        ("jira", "ia-1742-doc-type", None, None),
        ("jira", "main", None, None),
        ("jira", "ia-1742", r"(?i)ia-\d+", "ia-1742"),
        ("jira", "ticket_17_x", r"ticket_(\d+)", "17"),
        ("jira", "main", r"x*", None),
        ("jira", "main", r"(", None),
        ("gitlab", "123-frequent-words", None, "123"),
        ("github", "feature/123_words", None, "123"),
        ("github", "123", None, "123"),
        ("gitlab", "#123-x", None, "123"),
        ("gitlab", "123rd-try", None, None),
        ("gitlab", "words-123", None, None),
        ("gitlab", "", None, None),
    ],
)
def test_the_key_in_a_branch(
    provider: Provider, branch: str, pattern: str | None, key: str | None
) -> None:
    assert ticket_key(branch, provider, pattern) == key


@pytest.mark.parametrize(
    ("provider", "branch", "description"),
    [
        ("jira", "IA-1742-doc-type", "[IA-1742] DOC TYPE"),
        ("gitlab", "123-words", "[#123] Häufige Wörter"),
        ("github", "fix/123-words", "[#123] Frequent words"),
    ],
)
def test_the_title_of_a_ticket(url: str, provider: Provider, branch: str, description: str) -> None:
    ticket = find_ticket(Source(provider, f"{url}/", "ia/algorithms"), branch, seconds=60)
    assert ticket is not None
    assert (ticket.description, ticket.warning) == (description, "")


def test_jira_in_the_cloud_takes_a_name_with_the_token(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETS_TOKEN", f"me:{TOKEN}")
    assert find_ticket(Source("jira", url), "IA-1742", seconds=60) == Ticket("IA-1742", "DOC TYPE")


def test_a_branch_without_a_key_asks_nobody() -> None:
    assert find_ticket(Source("jira", "http://127.0.0.1:1"), "main") is None


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/nothing", "there is none for the token in TICKETS_TOKEN"),
        ("/status/401", "HTTP 401 for the token in TICKETS_TOKEN"),
        ("/status/403", "HTTP 403 for the token in TICKETS_TOKEN"),
        ("/status/500", "HTTP 500"),
        ("/status/429", "HTTP 429"),
        ("/moved", "it sends to another address, of login.example.com; look at `url`"),
        ("/page", "the answer has no title in it"),
        ("/empty", "the answer has no title in it"),
        ("/cut", "127.0.0.1 broke the connection off"),
    ],
)
def test_what_goes_wrong_is_a_warning(url: str, path: str, told: str) -> None:
    ticket = find_ticket(Source("jira", url + path), "IA-1742", seconds=60)
    assert ticket == Ticket("IA-1742", "", f"no title of ticket IA-1742 from Jira: {told}")
    assert ticket.description == "[IA-1742]"
    assert TOKEN not in repr(ticket)


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_system_that_does_not_answer_is_left(url: str, path: str) -> None:
    """Neither answer ends before the test does."""
    ticket = find_ticket(Source("jira", url + path), "IA-1742", seconds=0.5)
    assert ticket is not None
    assert ticket.warning.endswith("no answer within 0.5 s")


def test_a_system_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ticket = find_ticket(Source("jira", f"http://127.0.0.1:{port}"), "IA-1742", seconds=60)
    assert ticket is not None
    assert ticket.warning.endswith("127.0.0.1 can't be connected to")
    ticket = find_ticket(Source("jira", "http://no.such.host.invalid"), "IA-1742", seconds=60)
    assert ticket is not None
    assert ticket.warning
    monkeypatch.setenv("TICKETS_TOKEN", f"{TOKEN}\nX-Other: 1")
    ticket = find_ticket(Source("jira", "http://127.0.0.1:1"), "IA-1742")
    assert ticket is not None
    assert ticket.warning.endswith("TICKETS_TOKEN holds what no header can")


def test_a_token_that_is_missing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKETS_TOKEN")
    ticket = find_ticket(Source("jira", url), "IA-1742", seconds=60)
    assert ticket is not None
    assert ticket.warning.endswith("HTTP 401; TICKETS_TOKEN is not set")
    ticket = find_ticket(Source("jira", url, token_env=None), "IA-1742", seconds=60)
    assert ticket is not None
    assert ticket.warning.endswith("if it takes a token, name its variable as `token_env`")
