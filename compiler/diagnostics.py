"""What mlc has to say about a spec: places and diagnostics.

Every phase returns diagnostics beside its result; only the command line shows them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sized
from enum import StrEnum
from typing import NamedTuple


class MlcError(Exception):
    """Root of the exceptions that mlc raises for a broken environment, never for a bad spec.

    The message says what failed and what to do; the command line prints it and exits with 3.
    """


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Span(NamedTuple):
    """A half-open range of a file; lines and columns count from 1, columns in characters."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Related(NamedTuple):
    """A second place that explains a diagnostic."""

    message: str
    span: Span


class Edit(NamedTuple):
    """Text that takes the place of a range of a file."""

    span: Span
    text: str


class Fix(NamedTuple):
    """The one right mending of a finding: edits that are made together or not at all."""

    title: str
    edits: tuple[Edit, ...]


class Diagnostic(NamedTuple):
    """One finding: what was found, where, and what to do about it.

    `code` is permanent (see `compiler.codes`), `label` stands beside the carets, `hint` says how
    to mend it, `fix` does it where there is one right way.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    label: str = ""
    hint: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None


def error(
    code: str,
    message: str,
    span: Span,
    *,
    label: str = "",
    hint: str = "",
    related: tuple[Related, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, label, hint, related, fix)


def warning(
    code: str,
    message: str,
    span: Span,
    *,
    label: str = "",
    hint: str = "",
    related: tuple[Related, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    return Diagnostic(code, Severity.WARNING, message, span, label, hint, related, fix)


def short(text: str) -> str:
    """A text in a message: one line, not too long."""
    line = text.replace("\n", "⏎")
    return line if len(line) <= 40 else line[:37] + "…"


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by place, then code, and drop what says the same of the same place."""
    found: dict[tuple[Span, str, str], Diagnostic] = {}
    for diagnostic in sorted(diagnostics, key=_rank):
        found.setdefault((diagnostic.span, diagnostic.code, diagnostic.message), diagnostic)
    return list(found.values())


def _rank(diagnostic: Diagnostic) -> tuple[object, ...]:
    code, severity, message, span, label, hint, related, fix = diagnostic
    # What can be mended and tells more comes first, since the first of two is kept.
    return (
        span,
        code,
        message,
        fix is None,
        -len(related),
        severity,
        label,
        hint,
        related,
        fix or (),
    )


_MANY = 100
# So many names are those of a generated or hostile file: looking through them for each of as many
# wrong ones would take minutes.
_TOO_MANY = 2000
_FAR = 3
_NO_DIGITS = str.maketrans("", "", "0123456789")


def is_too_many(known: Iterable[str]) -> bool:
    """Whether so many names are known that none is looked for that is near."""
    return isinstance(known, Sized) and len(known) > _TOO_MANY


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely means, or None."""
    if is_too_many(known):
        return None
    candidates = sorted(set(known))
    if len(candidates) > _MANY:
        # Comparing with each would take long where a whole generated spec is wrong.
        candidates = [c for c in candidates if c[:1] == name[:1] and abs(len(c) - len(name)) < _FAR]
    by_folded = {c.casefold().replace("-", "_"): c for c in candidates}
    folded = name.casefold().replace("-", "_")
    if folded in by_folded:
        return by_folded[folded]
    # `train1` and `train2` are different things, and neither is the other misspelt.
    bare = folded.translate(_NO_DIGITS)
    candidates = [c for f, c in by_folded.items() if f.translate(_NO_DIGITS) != bare]
    # Here, since most runs find nothing wrong.
    import difflib

    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def listing(names: Iterable[str], *, most: int = 12) -> str:
    """Names for a message: "`a`, `b` and `c`", cut after `most`."""
    every = names if isinstance(names, Sized) else tuple(names)
    quoted = [f"`{n}`" for n in itertools.islice(every, most + 1)]
    if len(quoted) > most:
        return ", ".join(quoted[:most]) + f" and {len(every) - most} more"
    if len(quoted) < 2:
        return "".join(quoted)
    return ", ".join(quoted[:-1]) + " and " + quoted[-1]
