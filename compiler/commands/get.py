"""`mlc get`: one output of a run, to a file or to stdout."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from compiler.commands import console
from compiler.commands.show import asked_for
from compiler.diagnostics import MlcError, listing
from compiler.engine.history import NotFoundError, RecordedStep, Run, step_of
from compiler.values import to_text


def get_output(root: Path, run: str, output: str, *, target: str | None = None) -> int:
    """Copy `STEP.OUTPUT`, or an output of the algorithm, to the path `target`, not yet there.

    Without a target, a parameter or an artifact that is a file goes to stdout as it is.
    """
    found = asked_for(root, run)
    destination = Path(target) if target is not None and target != "-" else None
    if destination is not None and destination.exists():
        return _refuse(f"{destination} is there already; nothing was written")
    try:
        owner, key = _owner(found, output)
    except NotFoundError as problem:
        return _refuse(str(problem))
    if key in owner.outputs:
        text = to_text(owner.outputs[key])
        if destination is None:
            sys.stdout.write(f"{text}\n")
        else:
            try:
                destination.write_text(text, encoding="utf-8")
            except OSError as problem:
                raise MlcError(f"can't write {destination}: {problem.strerror}") from problem
        return console.OK
    return _copy(root / owner.artifacts[key].path, destination, output)


def _owner(run: Run, output: str) -> tuple[Run | RecordedStep, str]:
    """Whose output it is, the algorithm's or a step's, and its name there.

    Raises:
        NotFoundError: there is none such.
    """
    if output in run.outputs or output in run.artifacts:
        return run, output
    name, dot, key = output.rpartition(".")
    if not dot:
        own = [*run.outputs, *run.artifacts]
        known = own + [f"{s.name}.{o}" for s in run.steps for o in (*s.outputs, *s.artifacts)]
        raise NotFoundError(f"write STEP.OUTPUT; {run.id} has {listing(known) or 'none'}")
    step = step_of(run, name)
    if key not in step.outputs and key not in step.artifacts:
        known = [*step.outputs, *step.artifacts]
        message = f"step {name} has no output `{key}` in {run.id}; it has {listing(known)}"
        raise NotFoundError(message if known else f"step {name} has no outputs in {run.id}")
    return step, key


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
