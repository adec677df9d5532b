"""The one way over HTTP to any server: who one is, TLS, proxies, timeouts, and what is tried again.

A request that only reads, or that comes out the same however often it is made, is tried again
with growing pauses. One that makes something is tried again only where it is certain that the
server has not acted; else the caller gets `Lost` and looks first.
"""

from __future__ import annotations

import json
import random
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from compiler.cluster import answers
from compiler.cluster.answers import Garbled, Shape
from compiler.cluster.auth import Credentials
from compiler.cluster.errors import (
    EngineError,
    Lost,
    is_page,
    login_hint,
    refusal,
    said_in,
    short,
)
from compiler.settings import EngineSettings

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# The server, or what stands before it, says that it has not acted.
_NOT_DONE = frozenset({429})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 60.0


class Patience(NamedTuple):
    """How often and how long: tries in all, the first pause, the longest, and timeouts, in s."""

    tries: int = 6
    pause: float = 0.3
    longest: float = 15.0
    connect: float = 10.0
    read: float = 60.0


class Call(NamedTuple):
    """What a request is for: `doing` completes "can't …"; `creates` what must not be made twice;
    `repeatable` a POST that comes out the same however often it is made; `streams` an answer that
    is read line by line."""

    doing: str
    creates: bool = False
    repeatable: bool = False
    streams: bool = False


_UNSAID = Call("ask the server")
CALL: ContextVar[Call] = ContextVar("call", default=_UNSAID)


@contextmanager
def calling(
    doing: str, *, creates: bool = False, repeatable: bool = False, streams: bool = False
) -> Iterator[None]:
    """What the requests inside are for; for generated clients, which can't be told."""
    token = CALL.set(Call(doing, creates, repeatable, streams))
    try:
        yield
    finally:
        CALL.reset(token)


@dataclass(slots=True)
class Response:
    """An answer that is a success, as generated clients want it too."""

    status: int
    reason: str
    headers: Mapping[str, str]
    data: Any
    asked: str = ""
    call: Call = _UNSAID

    @property
    def response(self) -> Response:
        """What newer generated clients give back where they are not to read an answer."""
        return self

    def getheaders(self) -> Mapping[str, str]:
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self.headers.get(name, default)

    def json(self, shape: Shape = "mapping") -> Any:
        """The data by its shape; an empty answer is an empty mapping.

        Raises:
            EngineError: it is not as its shape; Lost where something was to be made by it.
        """
        try:
            return answers.read(shape, json.loads(self.data) if self.data else {})
        except Garbled as problem:
            what = f"the server's answer to {self.asked} is garbled: {problem}"
            if self.call.creates:
                what = f"can't tell whether it worked to {self.call.doing}: {what}"
                raise Lost(what) from None
            hint = "look whether mlc or the server is the older one, and what stands between them"
            raise EngineError(what, "misshapen", self.status, hint) from None


class Tls(NamedTuple):
    """Files in PEM; a server name where the certificate's is another than the address's."""

    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True
    server_name: str | None = None


def tls_of(settings: EngineSettings) -> Tls:
    def path(name: str | None) -> str | None:
        return str(settings.file(name)) if name else None

    return Tls(path(settings.ca_file), path(settings.client_cert), path(settings.client_key))


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
            raise self._broken(call, problem, self.base) from None
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
                error = self._broken(call, problem, url)
                self._told(method, url, error.reason, started)
                if error.reason in ("tls", "dns", "proxy") or is_last:
                    raise self._lost(call, error, problem) from None
                if not may_repeat and not _is_unsent(problem):
                    raise self._lost(call, error, problem) from None
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
                    raise self._after(call, found, answer.status)
                self._pause(failed, None)
                continue
            found = self._refused(call, answer, url, stream)
            passes = answer.status in _PASSING and (may_repeat or answer.status in _NOT_DONE)
            if is_last or not passes:
                raise self._after(call, found, answer.status)
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
                    f"can't {call.doing}: the answer of {self._host(url)} is broken off or no "
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
                f"can't {call.doing}: {self._host(url)} sends to {self.mask(short(shown))}",
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
            f"can't {call.doing}: {self._host(url)} answers with a web page, such as a login",
            "login page",
            200,
            hint=login_hint(self.credentials.origin),
        )

    def _lost(self, call: Call, error: EngineError, problem: Exception) -> EngineError:
        if not call.creates or _is_unsent(problem):
            return error
        return Lost(f"can't tell whether it worked to {call.doing}: {_first(error)}")

    def _after(self, call: Call, error: EngineError, status: int) -> EngineError:
        """The error of an answer; of a server that fell over while making something, `Lost`."""
        unknown = status >= 500 or status == 408 or error.reason == "garbled"
        if call.creates and unknown:
            return Lost(f"can't tell whether it worked to {call.doing}: {_first(error)}")
        return error

    def _broken(self, call: Call, problem: Exception, url: str) -> EngineError:
        host, said = self._host(url), self.mask(short(str(problem)))
        what = f"can't {call.doing}: "
        if isinstance(problem, ProxyError):
            cause = self.mask(short(str(problem.original_error)))
            if isinstance(problem.original_error, SSLError):
                return EngineError(f"{what}TLS with the proxy fails: {cause}", "tls", hint=_TLS)
            return EngineError(
                f"{what}the proxy does not let through to {host}: {cause}",
                "proxy",
                hint="look at `proxy`, HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
            )
        if isinstance(problem, (SSLError, ssl.SSLError)):
            return EngineError(f"{what}TLS with {host} fails: {said}", "tls", hint=_TLS)
        if isinstance(problem, NameResolutionError):
            return EngineError(
                f"{what}there is no host {urlsplit(url).hostname}",
                "dns",
                hint="look at `url`, the network and the VPN",
            )
        if isinstance(problem, NewConnectionError):
            return EngineError(
                f"{what}{host} refuses the connection",
                "connection",
                hint="look at `url` and whether the server, or the port-forward to it, is up",
            )
        if isinstance(problem, ConnectTimeoutError):
            return EngineError(
                f"{what}{host} does not answer within {self.patience.connect:g} s",
                "timeout",
                hint="look at the network, the VPN and the proxy",
            )
        if isinstance(problem, ReadTimeoutError):
            return EngineError(
                f"{what}{host} took the request and did not answer",
                "timeout",
                hint="the server is slow: run the command again",
            )
        return EngineError(
            f"{what}the connection to {host} broke: {said}",
            "connection",
            hint="run the command again",
        )

    def _host(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

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
            context = self._context() if urlsplit(url).scheme == "https" else None
            name = self._tls.server_name
            more: dict[str, Any] = {"server_hostname": name} if name else {}
            proxy = self._proxy or _environment_proxy(url)
            if proxy:
                self._opened = self._through(proxy, context, more)
            else:
                self._opened = urllib3.PoolManager(maxsize=8, ssl_context=context, **more)
        return self._opened

    def _through(
        self, proxy: str, context: ssl.SSLContext | None, more: Mapping[str, Any]
    ) -> urllib3.PoolManager:
        parts = urlsplit(proxy)
        headers = None
        if parts.username is not None:
            from urllib.parse import unquote

            name, password = unquote(parts.username), unquote(parts.password or "")
            headers = urllib3.make_headers(proxy_basic_auth=f"{name}:{password}")
            for secret in (password, parts.password, headers["proxy-authorization"]):
                if secret:
                    self.credentials.hide(secret)
            proxy = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        try:
            return urllib3.ProxyManager(
                proxy, maxsize=8, ssl_context=context, proxy_headers=headers, **more
            )
        except HTTPError:
            raise EngineError(
                f"engine `{self.engine}`: mlc can't go through the proxy {self._host(proxy)}",
                "proxy",
                hint="name one by http:// or https://",
            ) from None

    def _context(self) -> ssl.SSLContext:
        tls = self._tls
        path = tls.ca_file
        try:
            context = ssl.create_default_context(cafile=path)
            path = tls.client_cert
            if path:
                context.load_cert_chain(path, tls.client_key)
        except OSError as problem:
            why = problem.strerror or short(str(problem))
            raise EngineError(
                f"can't read the certificates of engine `{self.engine}` from {path}: {why}",
                "configuration",
                hint="they have to be in PEM; look at `ca_file`, `client_cert` and `client_key`",
            ) from None
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


_TLS = (
    "where the company has its own certificates, name them with `ca_file`; look at the host's "
    "name in `url` too"
)


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


def _is_unsent(problem: Exception) -> bool:
    """Whether a request certainly never reached the server."""
    if isinstance(problem, ProxyError):
        problem = problem.original_error
    return isinstance(problem, (NewConnectionError, ConnectTimeoutError, SSLError))


def _first(error: EngineError) -> str:
    return str(error).partition(": ")[2].rpartition("; ")[0] or str(error)


def _environment_proxy(url: str) -> str | None:
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


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
