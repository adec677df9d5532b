"""What can run next among the nodes of one level: told by what waits for what, doing nothing.

A level are the pipeline's own nodes, those of `finally`, or one round of a loop. Each node starts
when all that it waits for has ended, and only if none of that failed or, but for what it can do
without, was skipped (`compiler.graph.Waits`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from compiler.graph import Waits

Outcome = Literal["succeeded", "failed", "skipped", "omitted"]


class Unrun(Struct, frozen=True):
    """A node that ended without a start, because of another: the failed one where it is omitted,
    the skipped one where it is skipped."""

    name: str
    outcome: Literal["skipped", "omitted"]
    because: str


class Schedule:
    """Nodes by name: waiting, ready, started, ended. Linear in nodes and edges."""

    def __init__(self, waits: Mapping[str, Waits]) -> None:
        self._waits = waits
        self._left: dict[str, int] = {}
        self._users: dict[str, list[str]] = {}
        self._ready: dict[str, None] = {}
        self._ended: dict[str, Outcome] = {}
        for name, wait in waits.items():
            others = dict.fromkeys(wait.all)
            for other in others:
                self._users.setdefault(other, []).append(name)
            if others:
                self._left[name] = len(others)
            else:
                self._ready[name] = None

    @property
    def ready(self) -> list[str]:
        """The nodes that can start, in the order in which they got ready."""
        return list(self._ready)

    @property
    def unfinished(self) -> bool:
        return len(self._ended) < len(self._waits)

    def start(self, name: str) -> None:
        del self._ready[name]

    def end(self, name: str, outcome: Outcome) -> tuple[list[str], list[Unrun]]:
        """End a started node: the nodes that get ready by it, and those that end with it."""
        self._ended[name] = outcome
        ready: list[str] = []
        unrun: list[Unrun] = []
        causes = deque([(name, name)])
        while causes:
            ended, cause = causes.popleft()
            stops = self._ended[ended] in ("failed", "omitted")
            for user in self._users.get(ended, ()):
                if user not in self._left:  # omitted already, because of another
                    continue
                self._left[user] -= 1
                if self._left[user] and not stops:
                    continue
                del self._left[user]
                skipped = None if stops else self._skipped(user)
                if stops:
                    unrun.append(Unrun(user, "omitted", cause))
                elif skipped is not None:
                    unrun.append(Unrun(user, "skipped", skipped))
                else:
                    ready.append(user)
                    continue
                self._ended[user] = unrun[-1].outcome
                causes.append((user, cause))
        self._ready.update(dict.fromkeys(ready))
        return ready, unrun

    def _skipped(self, user: str) -> str | None:
        """The first node that was skipped of those that a node can't do without."""
        strict, _, joins = self._waits[user]
        groups = (*((name,) for name in strict), *joins)
        return next(
            (group[0] for group in groups if all(self._ended[n] == "skipped" for n in group)), None
        )

    def abandon(self) -> list[str]:
        """End all that has not started, as the run stops: the names of these nodes."""
        left = [*self._ready, *self._left]
        self._ended.update(dict.fromkeys(left, "omitted"))
        self._ready.clear()
        self._left.clear()
        return left
