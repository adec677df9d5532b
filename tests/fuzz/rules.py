"""What holds whatever a spec says: each rule is tried on a mutant by going mlc's whole way with it.

An exception is for the caller to catch: it is a broken rule as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from types import FrameType
from typing import Any

from consumers import compiled

from compiler import project, source
from compiler.checks import python, signatures
from compiler.codes import CODES
from compiler.commands import fixes
from compiler.commands.checking import Checked, check
from compiler.commands.console import document
from compiler.commands.resolve import printed
from compiler.commands.specs import is_spec
from compiler.commands.validate import validate
from compiler.diagnostics import Diagnostic, Span, has_errors
from compiler.layout import CantLayOutError, formatted
from compiler.nodes import SourceFile
from compiler.reports import REPORTS, gather
from compiler.resolve import resolve

# Of processor time, for each stage of the way; specs of up to 20 kB.
SECONDS = 1.0
_READERS = {
    "json": json.loads,
    "gitlab": json.loads,
    "sarif": json.loads,
    "junit": ElementTree.fromstring,
}
_OF_PYTHON = re.compile(
    r"NoneType|<class |object at 0x|Traceback|\b(dict|list|tuple|str|int) object"
)


class TooSlowError(BaseException):
    """Not an Exception, so that no code of mlc's takes it for one."""


@contextlib.contextmanager
def watched(stage: str) -> Iterator[None]:
    """Raise where a stage takes longer than it may; the traceback shows where."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"{stage} takes more than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def forget() -> None:
    """What one process may remember of files, since none changes while it runs."""
    project.forget()
    for remembered in (python._found, python._modules, signatures.read_module):
        remembered.cache_clear()


def broken_rules(entry: str, *, thorough: bool) -> list[str]:
    """What does not hold for a spec, by its path from the working folder; `thorough` takes in
    what is slow: the command with its exit code, fixes, the layout."""
    forget()
    with watched("checking"):
        checked = check(document(entry))
    broken = list(_findings(checked))
    with watched("reporting"):
        broken += _reports(checked)
    broken += _way_on(checked)
    if thorough:
        broken += _command(entry, checked)
        broken += _layout(checked)
        broken += _fixes(entry, checked)
    return broken


def digest(entry: str) -> str:
    """A text that is the same where all that comes of a spec is."""
    forget()
    checked = check(document(entry))
    loaded = checked.loaded
    findings = gather(loaded.diagnostics, loaded.sources, [entry])
    parts = [report(findings) for report in REPORTS.values()]
    if loaded.pipeline is not None:
        parts.append(repr(compiled(loaded.pipeline, loaded.project)))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _findings(checked: Checked) -> Iterator[str]:
    diagnostics, sources = checked.loaded.diagnostics, checked.loaded.sources
    keys = [(d.span, d.code, d.message) for d in diagnostics]
    if keys != sorted(keys):
        yield "findings are not sorted"
    if len(set(keys)) != len(keys):
        yield "a finding is told twice"
    if (checked.loaded.pipeline is None) != has_errors(diagnostics) and (
        checked.document.kind == "Algorithm" and not checked.document.profiles
    ):
        yield "a pipeline and errors, or neither"
    for finding in diagnostics:
        for span in _spans(finding):
            problem = _misplaced(span, sources)
            if problem:
                yield f"{finding.code} {span}-{span.end_line}:{span.end_column} {problem}"
        if finding.code not in CODES:
            yield f"{finding.code} is no code"
        told = [finding.message, finding.hint, finding.label, *(r.message for r in finding.related)]
        if not finding.message or any(_OF_PYTHON.search(text) for text in told):
            yield f"{finding.code} speaks of Python, or says nothing: {told}"


def _spans(finding: Diagnostic) -> Iterator[Span]:
    yield finding.span
    yield from (related.span for related in finding.related)
    yield from (edit.span for edit in (finding.fix.edits if finding.fix else ()))


def _misplaced(span: Span, sources: dict[str, SourceFile]) -> str:
    file = sources.get(span.path)
    if file is None:
        return "lies in a file that is not known"
    lines = file.lines()
    for line, column in ((span.line, span.column), (span.end_line, span.end_column)):
        if not 1 <= line <= len(lines) or not 1 <= column <= len(lines[line - 1]) + 1:
            return "lies outside of its file"
    if (span.line, span.column) > (span.end_line, span.end_column):
        return "ends before it starts"
    return ""


def _reports(checked: Checked) -> Iterator[str]:
    loaded = checked.loaded
    findings = gather(loaded.diagnostics, loaded.sources, [checked.document.path])
    for name, report in REPORTS.items():
        text = report(findings)
        try:
            text.encode()
            _READERS.get(name, str)(text)
        except (ValueError, ElementTree.ParseError) as problem:
            yield f"the {name} report can't be read: {problem}"


def _way_on(checked: Checked) -> Iterator[str]:
    """What resolve and the targets make of a sound spec."""
    loaded, root = checked.loaded, checked.document.root
    if loaded.pipeline is None or root is None:
        return
    with watched("resolving"):
        resolved, _ = resolve(root, ())
        text = printed(resolved)
        again, problems = source.parse(SourceFile("resolved.yaml", text))
    if again is None or problems:
        yield f"the resolved spec can't be read: {problems}"
    with watched("compiling"):
        made = compiled(loaded.pipeline, loaded.project)
    for name, one in made.items():
        try:
            one.text.encode()
        except UnicodeEncodeError as problem:
            yield f"what {name} gets can't be written: {problem}"


def _command(entry: str, checked: Checked) -> Iterator[str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), watched("validating"):
        code = validate((entry,), "text")
    wrong = "error[" in err.getvalue()
    if code != int(wrong) or (has_errors(checked.loaded.diagnostics) and not wrong):
        yield f"mlc validate ends with {code}:\n{err.getvalue()}"


def _layout(checked: Checked) -> Iterator[str]:
    file = checked.loaded.sources[checked.document.path]
    root, problems = source.parse(file)
    if root is None or problems or not is_spec(file.text):
        return
    with contextlib.suppress(CantLayOutError), watched("laying out"):
        laid = formatted(file)
        if formatted(SourceFile(file.path, laid)) != laid:
            yield "the layout does not settle"


def _fixes(entry: str, checked: Checked) -> Iterator[str]:
    root = checked.document.root
    if root is None or not any(finding.fix for finding in checked.loaded.diagnostics):
        return

    def check_again(spec: str, texts: Any) -> Checked:
        with watched("checking what is fixed"):
            return check(document(spec, texts))

    mended = fixes.mend([entry], check_again, lambda _: [])
    if mended.checked[entry].document.root is None:
        yield "fixes leave a file that can't be read"


def warm_up(entry: str) -> None:
    """Go the way once, so that no stage's time has imports in it."""
    os.environ.pop("FORCE_COLOR", None)
    checked = check(document(entry))
    assert checked.loaded.pipeline is not None
    compiled(checked.loaded.pipeline, checked.loaded.project)
    broken_rules(entry, thorough=True)
