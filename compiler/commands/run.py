"""`mlc run`: runs a spec here, now, for real."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from compiler import frontend
from compiler.commands import console
from compiler.commands.show import print_results
from compiler.diagnostics import error
from compiler.engine.events import Listener, RunResult
from compiler.engine.history import find, open_history
from compiler.engine.progress import PlainProgress, failures
from compiler.engine.run import Options, run
from compiler.git import UNKNOWN, checkout
from compiler.nodes import Mapping as Node
from compiler.nodes import Scalar

_LAST_LINES = 12


def run_spec(
    spec: str,
    *,
    profiles: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    params_file: str | None = None,
    jobs: int | None = None,
    use_cache: bool = True,
    style: str = "text",
    quiet: bool = False,
    verbose: bool = False,
) -> int:
    """Run a spec on this machine.

    `overrides` gives parameters their values as text, and inputs their path or URI. Progress and
    failures go to stderr; what came of the run goes to stdout, as text or with `style` json as
    the document that `mlc show` prints.
    """
    gc.enable()
    document = frontend.held_to_no_policy(console.document(spec))
    root, given = document.project.root, dict(overrides or {})
    names = _input_names(document, profiles) if given or params_file else []
    inputs = {name: _from_here(given.pop(name), root) for name in names if name in given}
    values, found, file = console.values_file(params_file)
    if file is not None and found:
        console.report(found, {file.path: file}, style)
        return console.FAILED
    for name in names if values else ():
        entry = values.entries.pop(name, None) if values else None
        if entry is None:
            continue
        if not isinstance(entry.value, Scalar) or not entry.value.text:
            wrong = error("MLC103", f"`{name}` takes a path or a URI", entry.key.span)
            console.report([wrong], {entry.key.file.path: entry.key.file}, style)
            return console.FAILED
        inputs.setdefault(name, _from_here(entry.value.text, root))
    # The process runner uses no image, so a folder that is no git checkout need not stop it.
    git = checkout(document.project.root) or UNKNOWN
    loaded = frontend.build(document, profiles, given, values, git=git)
    console.report(loaded.diagnostics, loaded.sources, style if loaded.pipeline is None else "text")
    if loaded.pipeline is None:
        return console.FAILED
    options = Options(jobs=jobs, use_cache=use_cache, inputs=inputs)
    with _progress(quiet, verbose) as listener:
        result = run(loaded.pipeline, loaded.project, {}, options, listener)
    if result.run is None:
        console.report(result.diagnostics, loaded.sources, style)
        return console.FAILED
    _print(result, result.run, loaded.project.root, style, quiet)
    return {"succeeded": console.OK, "interrupted": console.INTERRUPTED}.get(
        result.status, console.FAILED
    )


def _print(result: RunResult, run: str, root: Path, style: str, quiet: bool) -> None:
    failed = failures(result, root, _LAST_LINES)
    if failed:
        sys.stderr.write(f"{failed}\n")
    if style == "text" and quiet:
        return
    connection = open_history(root)
    assert connection is not None
    recorded = find(connection, run)
    connection.close()
    print_results(recorded, root, style)


def _from_here(uri: str, root: Path) -> str:
    """A path that a person gives is relative to where they stand; the engine starts at the root."""
    if "://" in uri:
        return uri
    path = Path(uri).expanduser().absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _input_names(document: frontend.Document, profiles: Sequence[str]) -> list[str]:
    """The inputs of the pipeline; some are those of algorithms that it uses."""
    pipeline = frontend.build(document, profiles, git=UNKNOWN).pipeline
    if pipeline is not None:
        return [given.name for given in pipeline.inputs]
    inputs = document.root.get("inputs") if document.root else None
    return list(inputs.entries) if isinstance(inputs, Node) else []


@contextmanager
def _progress(quiet: bool, verbose: bool) -> Iterator[Listener]:
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from compiler.engine.live import LiveProgress

        live = LiveProgress(sys.stderr, verbose, console.coloured(True))
        try:
            yield live
        finally:
            live.close()
    else:
        yield PlainProgress(sys.stderr, verbose)
