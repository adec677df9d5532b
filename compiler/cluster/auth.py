"""Who one is to a server: tokens and cookies, by the names of variables and files in the settings.

They are read when they are needed and read anew when a server no longer takes them, as tokens of
service accounts rotate.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct, field

from compiler.cluster.errors import EngineError
from compiler.settings import EngineSettings

MASK = "***"
# What is shorter says nothing, and would take half of a text with it.
_LEAST = 4
_KFP_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"
_KFP_TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"
_KUBERNETES_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Secret:
    """A text that no message, `repr` or traceback shows; `reveal` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written down")


Reader = Callable[[], Mapping[str, Secret]]


class Credentials(Struct):
    """Headers that say who one is, by a function that reads them; and every secret ever read.

    `origin` says in words where they come from; it is empty where nothing says who one is.
    """

    read: Reader
    origin: str = ""
    _headers: Mapping[str, Secret] | None = None
    _seen: dict[Secret, None] = field(default_factory=dict)

    def headers(self) -> Mapping[str, Secret]:
        """
        Raises:
            EngineError: a variable or file that the settings name is not there.
        """
        if self._headers is None:
            self._remember(self.read())
        assert self._headers is not None
        return self._headers

    def renew(self) -> bool:
        """Read again; whether something else came out."""
        before = self._headers
        self._remember(self.read())
        return self._headers != before

    def hide(self, secret: str) -> None:
        """Another text that is never to be shown."""
        self._seen[Secret(secret)] = None

    def mask(self, text: str) -> str:
        """The text without any secret that was ever sent."""
        for secret in self._hidden():
            text = text.replace(secret, MASK)
        return text

    def mask_bytes(self, data: bytes) -> bytes:
        """As `mask`."""
        for secret in self._hidden():
            data = data.replace(secret.encode(), MASK.encode())
        return data

    def _remember(self, headers: Mapping[str, Secret]) -> None:
        self._headers = headers
        for secret in headers.values():
            for part in _parts(secret.reveal()):
                self._seen[Secret(part)] = None

    def _hidden(self) -> list[str]:
        return sorted((secret.reveal() for secret in self._seen), key=len, reverse=True)


def _parts(value: str) -> Iterator[str]:
    """What is secret in a header: the token of `Bearer TOKEN`, the values of cookies."""
    pieces = [value, value.partition(" ")[2]]
    pieces += [cookie.partition("=")[2].strip() for cookie in value.split(";") if "=" in cookie]
    for piece in pieces:
        if len(piece) >= _LEAST:
            yield piece
            if quote(piece, safe="") != piece:
                yield quote(piece, safe="")


def credentials(settings: EngineSettings) -> Credentials:
    """What the settings say of a server's token and cookies; none where they say nothing."""
    return Credentials(lambda: _headers(settings), origin(settings))


def origin(settings: EngineSettings) -> str:
    """What of the settings says who one is, in words for a message."""
    found = []
    if settings.token_env:
        found.append(f"the token in the variable {settings.token_env} (`token_env`)")
    elif settings.token_file:
        found.append(f"the token in {settings.file(settings.token_file)} (`token_file`)")
    elif settings.in_cluster:
        found.append(f"the pod's token in {_pod_token(settings)} (`in_cluster`)")
    if settings.cookies_env:
        found.append(f"the cookies in the variable {settings.cookies_env} (`cookies_env`)")
    if settings.client_cert:
        found.append(f"the certificate {settings.file(settings.client_cert)} (`client_cert`)")
    return " and ".join(found)


def _headers(settings: EngineSettings) -> Mapping[str, Secret]:
    found: dict[str, Secret] = {}
    token = _token(settings)
    if token:
        bare = token.removeprefix("Bearer ").strip()
        found["Authorization"] = Secret(f"Bearer {_sendable(bare, settings)}")
    if settings.cookies_env:
        cookies = _variable(settings, "cookies_env", settings.cookies_env)
        found["Cookie"] = Secret(_sendable(cookies.strip(), settings))
    return found


def _sendable(value: str, settings: EngineSettings) -> str:
    if not value or not value.isascii() or not value.isprintable():
        raise EngineError(
            f"the token or cookies of engine `{settings.name}` hold what no header can",
            "configuration",
            hint="look at the variable or file that the settings name: a line end, perhaps, or "
            "nothing in it",
        )
    return value


def _token(settings: EngineSettings) -> str:
    if settings.token_env:
        return _variable(settings, "token_env", settings.token_env)
    if settings.token_file:
        return _file(settings, settings.file(settings.token_file))
    if settings.in_cluster:
        return _file(settings, _pod_token(settings))
    return ""


def _pod_token(settings: EngineSettings) -> Path:
    if settings.kind == "kfp":
        return Path(os.environ.get(_KFP_TOKEN_VARIABLE) or _KFP_TOKEN)
    return Path(_KUBERNETES_TOKEN)


def _variable(settings: EngineSettings, key: str, name: str) -> str:
    value = os.environ.get(name)
    if value:
        return value
    state = "not set" if value is None else "empty"
    raise EngineError(
        f"the environment variable {name} is {state}; `{key}` of engine `{settings.name}` names it",
        "configuration",
        hint=f"set it: export {name}=…",
    )


def _file(settings: EngineSettings, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is no text"
        raise EngineError(
            f"can't read the token of engine `{settings.name}` from {path}: {why}",
            "configuration",
            hint="look at `token_file`"
            if settings.token_file
            else "`in_cluster` needs a pod with a projected token",
        ) from None
