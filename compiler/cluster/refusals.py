"""What an engine refuses of one algorithm, kept so that the others go on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from compiler.cluster.errors import EngineError
from compiler.diagnostics import MlcError, listing


class Refusals:
    """The reasons by algorithm, or by a schedule that is tidied away, in the order in which they
    came."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    @contextmanager
    def of(self, algorithm: str) -> Iterator[None]:
        """What is refused inside is kept.

        Raises:
            EngineError: it is of no algorithm alone: no one is let in, the server is gone, or
                someone else deploys.
        """
        try:
            yield
        except EngineError as problem:
            if not problem.is_of_one:
                raise
            self.reasons.setdefault(algorithm, str(problem))

    def __str__(self) -> str:
        told = (f"{algorithm}: {reason}" for algorithm, reason in self.reasons.items())
        return "\n  ".join(told)

    def check(self) -> None:
        """
        Raises:
            MlcError: something was refused.
        """
        if self.reasons:
            names = listing(list(self.reasons))
            raise MlcError(
                f"the engine refused something of {names}:\n  {self}\n"
                "what it did not refuse is done; mend this and run the command again"
            )


@contextmanager
def gathered() -> Iterator[Refusals]:
    """The refusals of some work, told at its end, and where something else ends it.

    Raises:
        MlcError: something was refused.
    """
    refusals = Refusals()
    try:
        yield refusals
    except BaseException:
        if refusals.reasons:
            sys.stderr.write(f"refused until then:\n  {refusals}\n")
        raise
    refusals.check()
