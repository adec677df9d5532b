"""Making a thing once, however often the answer to the request is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from compiler.cluster.calls import Patience
from compiler.cluster.errors import EngineError, Lost

_T = TypeVar("_T")
# Looks after a lost answer, with so many of the first pause before each: the server may still be
# at it.
_LOOKS = (0, 2, 5)


def once(
    find: Callable[[], _T | None],
    create: Callable[[], _T],
    patience: Patience,
    sleep: Callable[[float], None],
) -> _T:
    """What `find` finds, or what `create` makes.

    Raises:
        Lost: answers were lost too often, and nothing was found.
        EngineError: the server refuses it, and it is not there.
    """
    number = 0
    while True:
        number += 1
        found = find()
        if found is not None:
            return found
        try:
            return create()
        except EngineError as problem:
            # By any of these a server may say that it is there already.
            if problem.reason not in ("conflict", "lost", "server", "refused"):
                raise
            for pause in _LOOKS if isinstance(problem, Lost) else _LOOKS[:1]:
                sleep(pause * patience.pause)
                found = find()
                if found is not None:
                    return found
            if not isinstance(problem, Lost) or number >= patience.tries:
                raise
