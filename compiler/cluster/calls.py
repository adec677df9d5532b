"""What a request is for, how patient one is, and what it brings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

from compiler.cluster import answers
from compiler.cluster.answers import Garbled, Shape
from compiler.cluster.errors import EngineError, Lost


class Patience(Struct, frozen=True):
    """How often and how long: tries in all, the first pause, the longest, and timeouts, in s."""

    tries: int = 6
    pause: float = 0.3
    longest: float = 15.0
    connect: float = 10.0
    read: float = 60.0


class Call(Struct, frozen=True):
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


class Response(Struct):
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
