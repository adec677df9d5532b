"""What can run next: the order of a run, told by what waits for what, without doing anything.

Tasks may be added while others run, since a loop or a used algorithm knows its own only once what
it takes is there. A failed task stops those that depend on it and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Schedule:
    """Tasks by their key: waiting, ready, taken, ended."""

    def __init__(self) -> None:
        self._waits_for: dict[str, set[str]] = {}
        self._dependants: dict[str, list[str]] = {}
        self._ready: dict[str, None] = {}
        self._taken: set[str] = set()
        self._succeeded: dict[str, bool] = {}

    @property
    def unfinished(self) -> bool:
        return bool(self._waits_for or self._ready or self._taken)

    def add(self, key: str, after: Iterable[str]) -> None:
        """Add a task that waits for others: none that failed, but some may be added later."""
        waits = {other for other in after if not self._succeeded.get(other, False)}
        for other in sorted(waits):
            self._dependants.setdefault(other, []).append(key)
        if waits:
            self._waits_for[key] = waits
        else:
            self._ready[key] = None

    def take(self, fits: Callable[[str], bool]) -> str | None:
        """The first ready task that fits, in the order of adding and of getting ready."""
        for key in self._ready:
            if fits(key):
                del self._ready[key]
                self._taken.add(key)
                return key
        return None

    def give_back(self, key: str) -> None:
        """Make a taken task ready again, for another try."""
        self._taken.remove(key)
        self._ready[key] = None

    def end(self, key: str, succeeded: bool) -> list[str]:
        """End a task. The tasks that can't run any more, which are ended with it."""
        self._taken.discard(key)
        self._ready.pop(key, None)
        self._succeeded[key] = succeeded
        if succeeded:
            for other in self._dependants.pop(key, []):
                self._stop_waiting(other, key)
            return []
        stopped = []
        failed = [key]
        while failed:
            for other in self._dependants.pop(failed.pop(), []):
                if self._waits_for.pop(other, None) is not None:
                    self._succeeded[other] = False
                    stopped.append(other)
                    failed.append(other)
        return stopped

    def _stop_waiting(self, key: str, other: str) -> None:
        waits = self._waits_for.get(key)
        if waits is None:  # stopped already, by the failure of another
            return
        waits.remove(other)
        if not waits:
            del self._waits_for[key]
            self._ready[key] = None

    def abandon(self) -> list[str]:
        """End all that is not taken, as the run stops."""
        left = [*self._ready, *self._waits_for]
        for key in left:
            self._succeeded[key] = False
        self._ready.clear()
        self._waits_for.clear()
        return left
