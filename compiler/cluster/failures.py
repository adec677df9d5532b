"""Requests without an answer, in words: what stands in the way, and what to do about it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from compiler.cluster.calls import Call, Patience
from compiler.cluster.errors import EngineError, Lost, host_of, short

_TLS = (
    "where the company has its own certificates, name them with `ca_file`; look at the host's "
    "name in `url` too"
)


def broken(
    call: Call, problem: Exception, url: str, patience: Patience, mask: Callable[[str], str]
) -> EngineError:
    """The error of a request that brought no answer."""
    host, said = host_of(url), mask(short(str(problem)))
    what = f"can't {call.doing}: "
    if isinstance(problem, ProxyError):
        cause = mask(short(str(problem.original_error)))
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
            f"{what}{host} does not answer within {patience.connect:g} s",
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


def lost(call: Call, error: EngineError, problem: Exception) -> EngineError:
    """The error of no answer; `Lost` where something may have been made."""
    if not call.creates or is_unsent(problem):
        return error
    return Lost(f"can't tell whether it worked to {call.doing}: {_first(error)}")


def after(call: Call, error: EngineError, status: int) -> EngineError:
    """The error of an answer; of a server that fell over while making something, `Lost`."""
    unknown = status >= 500 or status == 408 or error.reason == "garbled"
    if call.creates and unknown:
        return Lost(f"can't tell whether it worked to {call.doing}: {_first(error)}")
    return error


def is_unsent(problem: Exception) -> bool:
    """Whether a request certainly never reached the server."""
    if isinstance(problem, ProxyError):
        problem = problem.original_error
    return isinstance(problem, (NewConnectionError, ConnectTimeoutError, SSLError))


def _first(error: EngineError) -> str:
    return str(error).partition(": ")[2].rpartition("; ")[0] or str(error)
