"""The one way over HTTP to any server: who one is, TLS, proxies, timeouts, and what is tried again.

A request that only reads, or that comes out the same however often it is made, is tried again
with growing pauses. One that makes something is tried again only where it is certain that the
server has not acted; else the caller gets `Lost` and looks first.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from compiler.cluster.answers import Shape
from compiler.cluster.auth import Credentials
from compiler.cluster.calls import Call, Patience, Response
from compiler.cluster.connections import Tls, connections, tls_of
from compiler.cluster.errors import (
    EngineError,
    host_of,
    is_page,
    login_hint,
    refusal,
    said_in,
    short,
)
from compiler.cluster.failures import after, broken, is_unsent, lost
from compiler.settings import EngineSettings

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# The server, or what stands before it, says that it has not acted.
_NOT_DONE = frozenset({429})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 60.0


class Transport:
    """Requests to the server at `base`; `engine` is its name in the settings."""

    def __init__(
        self,
        engine: str,
        base: str,
        credentials: Credentials,
        tls: Tls = Tls(),  # noqa: B008
        proxy: str | None = None,
        *,
        patience: Patience | None = None,
        verbose: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.engine = engine
        self.base = base.rstrip("/")
        self.credentials = credentials
        self.patience = patience or Patience()
        self.verbose = verbose
        self._sleep = sleep
        self._random = random.Random()
        self._tls = tls
        self._proxy = proxy
        self._opened: urllib3.PoolManager | None = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.clear()
            self._opened = None

    def json(
        self,
        doing: str,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        *,
        creates: bool = False,
        repeatable: bool = False,
        shape: Shape = "mapping",
    ) -> Any:
        """The data that a request for JSON brings, by its shape; see `Call`.

        Raises:
            EngineError: as it says.
        """
        call = Call(doing, creates, repeatable)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        return self.request(call, method, self._url(path, query), data, headers).json(shape)

    def lines(
        self,
        doing: str,
        path: str,
        query: Mapping[str, str] | None = None,
        read: float = 600.0,
        tries: int | None = None,
    ) -> Iterator[str]:
        """The lines of an answer as they come; `read` seconds of silence end it with an error."""
        call = Call(doing)
        answer = self.request(
            call, "GET", self._url(path, query), None, {}, stream=True, read=read, tries=tries
        )
        yield from self.streamed(call, answer)

    def streamed(self, call: Call, answer: Response) -> Iterator[str]:
        """The lines of an answer that was asked for as a stream."""
        rest = b""
        try:
            for chunk in answer.data.stream(65536):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield self._line(line)
        except (HTTPError, OSError) as problem:
            raise broken(call, problem, self.base, self.patience, self.mask) from None
        finally:
            answer.data.release_conn()
        if rest:
            yield self._line(rest)

    def file(
        self,
        doing: str,
        path: str,
        query: Mapping[str, str] | None = None,
        tries: int | None = None,
    ) -> bytes:
        """The bytes of a file."""
        answer = self.request(
            Call(doing), "GET", self._url(path, query), None, {}, wants_json=False, tries=tries
        )
        return bytes(answer.data)

    def request(
        self,
        call: Call,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        fields: Sequence[Any] | None = None,
        stream: bool = False,
        wants_json: bool = True,
        read: float | None = None,
        tries: int | None = None,
    ) -> Response:
        """An answer that is a success, tried for as `Call` allows.

        Raises:
            EngineError: as it says; Lost where something may have been made.
        """
        may_repeat = method in _REPEATABLE or call.repeatable
        renewed, failed, started = False, 0, time.monotonic()
        while True:
            failed += 1
            is_last = failed >= (tries or self.patience.tries)
            try:
                answer = self._once(method, url, body, headers, fields, stream, read)
            except (HTTPError, OSError) as problem:
                error = broken(call, problem, url, self.patience, self.mask)
                self._told(method, url, error.reason, started)
                if error.reason in ("tls", "dns", "proxy") or is_last:
                    raise lost(call, error, problem) from None
                if not may_repeat and not is_unsent(problem):
                    raise lost(call, error, problem) from None
                self._pause(failed, None)
                continue
            self._told(method, url, str(answer.status), started)
            if answer.status == 401 and not renewed and self.credentials.renew():
                renewed, failed = True, failed - 1
                continue
            if 200 <= answer.status < 300:
                found = self._success(call, answer, url, stream, wants_json)
                if isinstance(found, Response):
                    found.asked, found.call = f"{method} {self.mask(urlsplit(url).path)}", call
                    return found
                if is_last or not may_repeat or found.reason == "login page":
                    raise after(call, found, answer.status)
                self._pause(failed, None)
                continue
            found = self._refused(call, answer, url, stream)
            passes = answer.status in _PASSING and (may_repeat or answer.status in _NOT_DONE)
            if is_last or not passes:
                raise after(call, found, answer.status)
            self._pause(failed, answer.headers.get("Retry-After"))

    def mask(self, text: str) -> str:
        return self.credentials.mask(text)

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")

    def _line(self, line: bytes) -> str:
        return self.mask(line.decode("utf-8", "replace").rstrip("\r"))

    def _once(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        fields: Sequence[Any] | None,
        stream: bool,
        read: float | None,
    ) -> urllib3.BaseHTTPResponse:
        own = self.credentials.headers()
        taken = {name.lower() for name in own}
        sent = {"Accept": "application/json", "User-Agent": "mlc"}
        sent |= {name: value for name, value in headers.items() if name.lower() not in taken}
        sent |= {name: secret.reveal() for name, secret in own.items()}
        given: dict[str, Any] = {"body": body} if fields is None else {"fields": fields}
        return self._pool(url).request(
            method,
            url,
            headers=sent,
            timeout=urllib3.Timeout(self.patience.connect, read or self.patience.read),
            retries=False,
            redirect=False,
            preload_content=not stream,
            **given,
        )

    def _success(
        self, call: Call, answer: urllib3.BaseHTTPResponse, url: str, stream: bool, wants_json: bool
    ) -> Response | EngineError:
        kind = answer.headers.get("Content-Type", "")
        if stream:
            if "text/html" in kind.lower():
                answer.release_conn()
                return self._login_page(call, url)
            return Response(answer.status, answer.reason or "", answer.headers, answer)
        data = self.credentials.mask_bytes(answer.data)
        if wants_json:
            if is_page(data, kind):
                return self._login_page(call, url)
            try:
                found = json.loads(data or b"{}")
            except (ValueError, RecursionError):
                size = len(data)
                return EngineError(
                    f"can't {call.doing}: the answer of {host_of(url)} is broken off or no "
                    f"JSON ({size} bytes)",
                    "garbled",
                    answer.status,
                    hint="run the command again; if it stays so, look at what stands between "
                    "here and the server",
                )
            if b"\\ud" in data.lower():
                # Half a character, which no terminal and no file takes.
                data = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        return Response(answer.status, answer.reason or "", answer.headers, data)

    def _refused(
        self, call: Call, answer: urllib3.BaseHTTPResponse, url: str, stream: bool
    ) -> EngineError:
        try:
            body = self.credentials.mask_bytes(answer.read() if stream else answer.data)
        except (HTTPError, OSError):
            body = b""
        if 300 <= answer.status < 400:
            to = urlsplit(answer.headers.get("Location", ""))
            shown = (
                f"{to.scheme}://{to.netloc.rpartition('@')[2]}{to.path}" if to.netloc else to.path
            )
            return EngineError(
                f"can't {call.doing}: {host_of(url)} sends to {self.mask(short(shown))}",
                "login page",
                answer.status,
                hint=login_hint(self.credentials.origin),
            )
        kind = answer.headers.get("Content-Type", "")
        said = self.mask(said_in(body, kind))
        if answer.status == 403 and is_page(body, kind):
            said += " of something between here and the server"
        return refusal(call.doing, answer.status, said, self.base, self.credentials.origin)

    def _login_page(self, call: Call, url: str) -> EngineError:
        return EngineError(
            f"can't {call.doing}: {host_of(url)} answers with a web page, such as a login",
            "login page",
            200,
            hint=login_hint(self.credentials.origin),
        )

    def _pause(self, failed: int, retry_after: str | None) -> None:
        """Wait between half and all of a pause that doubles, or as long as the server wants."""
        longest = min(self.patience.pause * 2 ** (failed - 1), self.patience.longest)
        wanted = _seconds(retry_after)
        pause = self._random.uniform(longest / 2, longest) if wanted is None else wanted
        self._sleep(min(pause, _LONGEST_WAIT))

    def _told(self, method: str, url: str, outcome: str, started: float) -> None:
        if self.verbose:
            took = time.monotonic() - started
            sys.stderr.write(f"{self.mask(f'{method} {url}')} {outcome} {took:.3f} s\n")

    def _pool(self, url: str) -> urllib3.PoolManager:
        if self._opened is None:
            self._opened = connections(self.engine, url, self.credentials, self._tls, self._proxy)
        return self._opened


def transport(
    settings: EngineSettings,
    credentials: Credentials,
    verbose: bool = False,
    patience: Patience | None = None,
) -> Transport:
    """The way to the server of the settings."""
    return Transport(
        settings.name,
        settings.url or "",
        credentials,
        tls_of(settings),
        settings.proxy,
        patience=patience,
        verbose=verbose,
    )


def _seconds(text: str | None) -> float | None:
    """What a `Retry-After` says, in seconds from now."""
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
