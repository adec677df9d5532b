"""What goes wrong on the way: by script, or by a seeded draw, always the same for a seed."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

# Nothing was done on the server.
BEFORE = ("drop", "500", "502", "503", "429", "409", "html", "expired")
# It was done; the client may not know.
AFTER = ("lose", "truncated", "cut", "unknown-field")
KINDS = (*BEFORE, *AFTER, "delay")
# What a client must come through by itself; a 409 that is not so is no hiccup.
HICCUPS = tuple(kind for kind in KINDS if kind != "409")


@dataclass
class Fault:
    """One kind of trouble for calls `METHOD /path` that match `on`.

    drop: hang up before acting; lose: act, then hang up; cut: half a body, then hang up;
    truncated: half of the JSON as if it were all; html: a proxy's login page; expired: the
    token is replaced, the old one gets 401; delay: wait `seconds`; a number: that status, of
    which 502 to 504, 413 and 429 come as text, from what stands before the engine.
    """

    kind: str
    on: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS and not self.kind.isdigit():
            raise ValueError(f"no fault is called `{self.kind}`; there are {', '.join(KINDS)}")

    @property
    def acts(self) -> bool:
        return self.kind in AFTER or self.kind == "delay"


class Faults:
    """The faults of one server. `page_size` caps every page, whatever was asked for."""

    def __init__(self) -> None:
        self.script: list[Fault] = []
        self.page_size: int | None = None
        self.happened: list[tuple[str, str]] = []
        self._random: random.Random | None = None
        self._rate = 0.0
        self._kinds: tuple[str, ...] = ()
        self._on = ""
        self._row = 0
        self._most_in_a_row = 0

    def add(self, kind: str, on: str = "", **options: Any) -> None:
        self.script.append(Fault(kind, on, **options))

    def at_random(
        self,
        seed: int,
        rate: float,
        kinds: tuple[str, ...] = HICCUPS,
        *,
        on: str = "",
        most_in_a_row: int = 2,
    ) -> None:
        """From now on each call fails with the chance `rate`, never more than so often in a row."""
        self._random, self._rate, self._kinds = random.Random(seed), rate, kinds
        self._on, self._row, self._most_in_a_row = on, 0, most_in_a_row

    def clear(self) -> None:
        self.script.clear()
        self._random, self.page_size = None, None

    def draw(self, call: str) -> Fault | None:
        fault = self._scripted(call) or self._drawn(call)
        if fault is not None:
            self.happened.append((call, fault.kind))
        return fault

    def _scripted(self, call: str) -> Fault | None:
        for fault in self.script:
            if fault.times <= 0 or not re.search(fault.on, call):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None

    def _drawn(self, call: str) -> Fault | None:
        if self._random is None or not re.search(self._on, call):
            return None
        # Both numbers are drawn each time, so that one fault more does not move all later ones.
        chance, kind = self._random.random(), self._random.choice(self._kinds)
        if chance >= self._rate or self._row >= self._most_in_a_row:
            self._row = 0
            return None
        self._row += 1
        return Fault(kind, seconds=0.05 if kind == "delay" else 0.0)
