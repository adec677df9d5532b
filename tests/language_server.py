"""The real yaml-language-server, from npm: installed once for this machine, driven over stdio."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = "1.25.0"
PACKAGE = "yaml-language-server"
SECONDS = 60
# Nothing but what a test gives it: no catalogue of schemas from the network.
SETTINGS = {
    "yaml": {
        "schemaStore": {"enable": False, "url": ""},
        "kubernetesCRDStore": {"enable": False, "url": ""},
        "completion": True,
        "hover": True,
        "validate": True,
    }
}


def installed() -> Path | str:
    """The server's program, or why there is none."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return "there is no node with npm here"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "mlc-tests" / f"{PACKAGE}-{VERSION}"
    program = folder / "node_modules" / PACKAGE / "bin" / PACKAGE
    if not program.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            command = [npm, "install", "--prefix", fresh, "--no-audit", "--no-fund"]
            command += ["--ignore-scripts", f"{PACKAGE}@{VERSION}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                return f"npm can't install {PACKAGE}: {done.stderr.strip()[-300:]}"
            if not folder.exists():
                shutil.copytree(fresh, folder, symlinks=True)
    return program


class Server:
    """A running server; places are lines and characters from 0, as the protocol has them."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.count = self.opened = 0
        self.inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.reported: dict[str, list[dict[str, Any]]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                self.inbox.put(None)
                return
            self.inbox.put(json.loads(stream.read(length)))

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.process.stdin.flush()

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        self.count += 1
        self._send({"id": self.count, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self.count and "method" not in message:
                assert "error" not in message, message
                return message.get("result")

    def _next(self) -> dict[str, Any]:
        """The next message; what the server asks of an editor is answered on the way."""
        message = self.inbox.get(timeout=SECONDS)
        assert message is not None, "the server has ended"
        if message.get("method") == "textDocument/publishDiagnostics":
            self.reported[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            asked = [item.get("section") for item in message["params"]["items"]]
            self._send({"id": message["id"], "result": [SETTINGS.get(a, {}) for a in asked]})
        elif "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def open(self, path: Path, text: str) -> str:
        """Open a text as if it were a file beside `path`. Each has a name of its own, since what
        the server says of a file comes when it likes."""
        self.opened += 1
        uri = path.with_name(f"{path.stem}-{self.opened}{path.suffix}").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def close(self, uri: str) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def diagnostics(self, texts: list[tuple[Path, str]]) -> list[list[dict[str, Any]]]:
        """What the editor would underline in each of some texts."""
        uris = [self.open(path, text) for path, text in texts]
        while not self.reported.keys() >= set(uris):
            self._next()
        found = [self.reported[uri] for uri in uris]
        for uri in uris:
            self.close(uri)
        return found

    def completions(self, path: Path, text: str) -> dict[str, dict[str, Any]]:
        """What is offered where `|` stands in the text, by label."""
        text, place = _cursor(text)
        uri = self.open(path, text)
        found = self.request(
            "textDocument/completion", {"textDocument": {"uri": uri}, "position": place}
        )
        self.close(uri)
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"]: item for item in items}

    def hover(self, path: Path, text: str) -> str:
        """What is shown where `|` stands in the text."""
        text, place = _cursor(text)
        uri = self.open(path, text)
        found = self.request(
            "textDocument/hover", {"textDocument": {"uri": uri}, "position": place}
        )
        self.close(uri)
        shown: str = found["contents"]["value"] if found else ""
        return shown


@contextmanager
def running(program: Path, root: Path) -> Iterator[Server]:
    """A server that is initialized for a folder."""
    # An address that refuses: no test takes anything from the network.
    nowhere = "http://127.0.0.1:9"
    environment = {**os.environ, "http_proxy": nowhere, "https_proxy": nowhere}
    process = subprocess.Popen(
        ["node", str(program), "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    server = Server(process)
    try:
        markdown = ["markdown", "plaintext"]
        item = {"snippetSupport": True, "documentationFormat": markdown}
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "completion": {"completionItem": item},
                "hover": {"contentFormat": markdown},
                "publishDiagnostics": {},
            },
        }
        folders = [{"uri": root.as_uri(), "name": root.name}]
        asked = {"processId": os.getpid(), "rootUri": root.as_uri(), "workspaceFolders": folders}
        server.request("initialize", {**asked, "capabilities": capabilities})
        server.notify("initialized", {})
        server.notify("workspace/didChangeConfiguration", {"settings": SETTINGS})
        yield server
        server.request("shutdown", None)
        server.notify("exit", None)
        process.wait(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()


def _cursor(text: str) -> tuple[str, dict[str, int]]:
    before, cursor, after = text.partition("|")
    assert cursor, "mark the place with |"
    line = before.count("\n")
    return before + after, {"line": line, "character": len(before) - before.rfind("\n") - 1}
