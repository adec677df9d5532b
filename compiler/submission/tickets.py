"""The ticket that a branch is for: its key from the branch's name, its title from the system.

A title is a nicety: whatever goes wrong on the way to it is a warning, after a few seconds at
most. No text in here ever holds the token.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from msgspec import Struct

from compiler.settings import TicketSettings

Provider = Literal["jira", "gitlab", "github"]

_KEYS: dict[Provider, str] = {
    "jira": r"(?<![A-Za-z0-9])[A-Z][A-Z0-9]+-\d+",
    "gitlab": r"(?:^|/)#?(\d+)(?![^-_/])",
    "github": r"(?:^|/)#?(\d+)(?![^-_/])",
}
_PUBLIC = {"gitlab": "https://gitlab.com", "github": "https://api.github.com", "jira": ""}
_SYSTEMS = {"jira": "Jira", "gitlab": "GitLab", "github": "GitHub"}
_PATIENCE = 3.0
_MOST_BYTES = 1 << 20
_LONGEST_TITLE = 200


class Ticket(Struct, frozen=True):
    """A ticket; `title` is empty where it can't be had, and `warning` says why."""

    key: str
    title: str = ""
    warning: str = ""

    @property
    def description(self) -> str:
        """`[IA-1742] DOC TYPE`, for an experiment."""
        shown = f"#{self.key}" if self.key.isdigit() else self.key
        return f"[{shown}] {self.title}".rstrip()


class Request(Struct, frozen=True):
    url: str
    headers: dict[str, str]


class _NoAnswerError(Exception):
    """Why there is no title, in words for the user."""


def find_ticket(
    source: TicketSettings, branch: str, *, seconds: float = _PATIENCE
) -> Ticket | None:
    """The ticket whose key a branch's name has, with its title where the system gives it within
    some seconds; None for names without a key."""
    key = ticket_key(branch, source.provider, source.pattern)
    if key is None:
        return None
    token = (os.environ.get(source.token_env, "") if source.token_env else "").strip()
    try:
        if not (token.isascii() and token.isprintable()):
            raise _NoAnswerError(f"{source.token_env} holds what no header can")
        request = title_request(source, key, token)
        return Ticket(key, title_in(source.provider, _get(request, source, seconds)))
    except _NoAnswerError as problem:
        system = _SYSTEMS[source.provider]
        return Ticket(key, "", f"no title of ticket {key} from {system}: {problem}")


def ticket_key(branch: str, provider: Provider, pattern: str | None = None) -> str | None:
    """The key in a branch's name: `IA-1742` for Jira, a number that a part of the name begins with
    for the others; or the first group of `pattern`, or else its whole match."""
    try:
        found = re.search(pattern or _KEYS[provider], branch)
    except re.error:  # told of with the configuration
        return None
    if found is None:
        return None
    groups = [group for group in found.groups() if group]
    return (groups or [found[0]])[0] or None


def title_request(source: TicketSettings, key: str, token: str = "") -> Request:
    """What asks for a ticket's title. A token of Jira that is `name:token` is sent as a name and
    a password, as Jira's cloud wants it."""
    base = (source.url or _PUBLIC[source.provider]).rstrip("/")
    key = quote(key, safe="")
    headers = {"Accept": "application/json", "User-Agent": "mlc"}
    project = source.project or ""
    match source.provider:
        case "jira":
            url = f"{base}/rest/api/2/issue/{key}?fields=summary"
            if ":" in token:
                headers["Authorization"] = f"Basic {base64.b64encode(token.encode()).decode()}"
            elif token:
                headers["Authorization"] = f"Bearer {token}"
        case "gitlab":
            url = f"{base}/api/v4/projects/{quote(project, safe='')}/issues/{key}"
            if token:
                headers["PRIVATE-TOKEN"] = token
        case "github":
            url = f"{_github(base)}/repos/{quote(project)}/issues/{key}"
            headers["Accept"] = "application/vnd.github+json"
            if token:
                headers["Authorization"] = f"Bearer {token}"
    return Request(url, headers)


def _github(base: str) -> str:
    """The address of the API: servers of one's own have it in a folder."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    if host in ("github.com", "www.github.com"):
        return _PUBLIC["github"]
    return base if host.startswith("api.") or parts.path else f"{base}/api/v3"


def title_in(provider: Provider, body: bytes) -> str:
    """The title in an answer, on one line."""
    try:
        data: Any = json.loads(body)
        title = data["fields"]["summary"] if provider == "jira" else data["title"]
    except (ValueError, KeyError, TypeError, RecursionError):
        title = None
    if not isinstance(title, str) or not title.strip():
        raise _NoAnswerError("the answer has no title in it")
    plain = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    return plain if len(plain) <= _LONGEST_TITLE else f"{plain[: _LONGEST_TITLE - 1]}…"


def _get(request: Request, source: TicketSettings, seconds: float) -> bytes:
    """The body of an answer. In a thread, as neither the look-up of a host's name nor a server
    that sends a byte now and then keep to a timeout; one that is left behind ends with mlc."""
    import threading

    outcome: list[bytes | _NoAnswerError] = []

    def ask() -> None:
        try:
            outcome.append(_fetch(request, source, seconds))
        except _NoAnswerError as problem:
            outcome.append(problem)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise _NoAnswerError(f"no answer within {seconds:g} s")
    if isinstance(outcome[0], _NoAnswerError):
        raise outcome[0]
    return outcome[0]


def _fetch(request: Request, source: TicketSettings, seconds: float) -> bytes:
    import urllib3
    from urllib3.exceptions import (
        HTTPError,
        NameResolutionError,
        NewConnectionError,
        ProxyError,
        SSLError,
        TimeoutError,
    )

    host = urlsplit(request.url).hostname or ""
    try:
        # No redirects: they would take the token to who knows where.
        answer = _pool(request.url).request(
            "GET",
            request.url,
            headers=request.headers,
            timeout=urllib3.Timeout(total=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        body = answer.read(_MOST_BYTES)
        answer.close()
    except NameResolutionError:
        raise _NoAnswerError(f"there is no host {host}") from None
    except NewConnectionError:
        raise _NoAnswerError(f"{host} can't be connected to") from None
    # Those above are kinds of this one.
    except TimeoutError:
        raise _NoAnswerError(f"no answer within {seconds:g} s") from None
    except ProxyError:
        raise _NoAnswerError("the proxy can't be connected to") from None
    except SSLError:
        raise _NoAnswerError(f"the certificate of {host} is not trusted") from None
    except (HTTPError, OSError, ValueError):
        raise _NoAnswerError(f"{host} broke the connection off") from None
    if answer.status != 200:
        raise _NoAnswerError(_refusal(answer.status, answer.headers, source))
    return bytes(body)


def _pool(url: str) -> Any:
    """Connections to an address, by the proxy that the environment names for it."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _refusal(status: int, headers: Mapping[str, str], source: TicketSettings) -> str:
    name = source.token_env
    if 300 <= status < 400:
        to = urlsplit(headers.get("Location", "")).hostname
        return "it sends to another address" + (f", of {to}; look at `url`" if to else "")
    if status in (401, 403, 404):
        said = "there is none" if status == 404 else f"HTTP {status}"
        if name is None:
            return f"{said}; if it takes a token, name its variable as `token_env`"
        if not os.environ.get(name):
            return f"{said}; {name} is not set"
        return f"{said} for the token in {name}"
    return f"HTTP {status}"
