"""`mlc get`: one output of a run, to a file or to stdout."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from compiler.commands import console
from compiler.commands.show import asked_for
from compiler.diagnostics import MlcError, listing
from compiler.engine.history import NotFoundError, step_of
from compiler.values import to_text


def get_output(root: Path, run: str, output: str, *, target: str | None = None) -> int:
    """Copy `STEP.OUTPUT` of a run to the path `target`, which must not exist.

    Without a target, a parameter or an artifact that is a file goes to stdout as it is.
    """
    found = asked_for(root, run)
    if found is None:
        return console.FAILED
    name, dot, key = output.partition(".")
    if not dot:
        all_outputs = [f"{s.name}.{o}" for s in found.steps for o in (*s.outputs, *s.artifacts)]
        return _refuse(f"write STEP.OUTPUT; {found.id} has {listing(all_outputs) or 'none'}")
    try:
        step = step_of(found, name)
    except NotFoundError as problem:
        return _refuse(str(problem))
    destination = Path(target) if target is not None and target != "-" else None
    if destination is not None and destination.exists():
        return _refuse(f"{destination} is there already; nothing was written")
    if key in step.outputs:
        text = to_text(step.outputs[key])
        if destination is None:
            sys.stdout.write(f"{text}\n")
        else:
            try:
                destination.write_text(text, encoding="utf-8")
            except OSError as problem:
                raise MlcError(f"can't write {destination}: {problem.strerror}") from problem
        return console.OK
    if key not in step.artifacts:
        known = listing([*step.outputs, *step.artifacts]) or "none"
        return _refuse(f"step {name} has no output `{key}` in {found.id}; it has {known}")
    return _copy(root / step.artifacts[key].path, destination, output)


def _copy(source: Path, destination: Path | None, output: str) -> int:
    if not source.exists():
        return _refuse(f"{source} is gone")
    if destination is not None:
        try:
            if source.is_dir():
                shutil.copytree(source, destination)
            else:
                shutil.copyfile(source, destination)
        except OSError as problem:
            raise MlcError(f"can't write {destination}: {problem.strerror}") from problem
    elif source.is_dir():
        return _refuse(f"{output} is a folder: say where it goes, with -o PATH")
    else:
        with source.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return console.OK


def _refuse(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return console.FAILED
