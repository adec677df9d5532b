"""Who may speak to a server: bearer tokens, cookies, and the namespaces that each may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path


@dataclass
class Access:
    """Open to all until a token or a cookie is set.

    `token_file` is where the current token is kept for the client, as kubelet keeps one for a pod;
    `namespaces` are the ones that the user may use (None: all).
    """

    token: str | None = None
    cookie: str | None = None
    token_file: Path | None = None
    namespaces: frozenset[str] | None = None
    # Asked for without a token, as on the engines themselves.
    public: frozenset[str] = frozenset({"/apis/v2beta1/healthz", "/version"})
    _numbers: count[int] = field(default_factory=lambda: count(1), repr=False)

    def __post_init__(self) -> None:
        self._keep()

    @property
    def open(self) -> bool:
        return self.token is None and self.cookie is None

    def knows(self, path: str, headers: Mapping[str, str]) -> bool:
        if self.open or path.rstrip("/") in self.public:
            return True
        if self.token is not None and headers.get("authorization") == f"Bearer {self.token}":
            return True
        return self.cookie is not None and self.cookie in headers.get("cookie", "")

    def may_use(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces

    def rotate(self) -> None:
        """Let the token expire; the next one is in `token_file`. Without a file nothing expires."""
        if self.token is None or self.token_file is None:
            return
        self.token = f"{self.token.split('~')[0]}~{next(self._numbers)}"
        self._keep()

    def _keep(self) -> None:
        if self.token_file is None or self.token is None:
            return
        # A whole new file at once, as kubelet writes it.
        fresh = self.token_file.with_name(self.token_file.name + ".new")
        fresh.write_text(self.token)
        fresh.replace(self.token_file)
