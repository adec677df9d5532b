"""Which engine a command means, and how it is reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from compiler import project
from compiler.diagnostics import MlcError, listing, nearest
from compiler.settings import EngineSettings, Project

if TYPE_CHECKING:
    from compiler.cluster import Engine


def here() -> Project:
    """The project of the current folder.

    Raises:
        MlcError: its configuration has errors.
    """
    found, diagnostics, _ = project.find(Path.cwd())
    if diagnostics:
        first = diagnostics[0]
        raise MlcError(f"{first.span.path}:{first.span.line}: {first.message}")
    return found


def settings_of(project: Project, name: str | None) -> EngineSettings:
    """The engine that is called `name`, or the one that is meant without.

    Raises:
        MlcError: there is none such, or which of several is not said.
    """
    engines = project.engines
    table = f"[{project.table_prefix}engines.NAME]"
    if not engines:
        raise MlcError(
            f"this project names no engine; add one to its configuration as {table}, with `kind` "
            "and `url` (docs/clusters.md)"
        )
    wanted = name or project.default_engine
    if wanted is None and len(engines) == 1:
        return next(iter(engines.values()))
    if wanted is None:
        raise MlcError(
            f"there are several engines: name one of {listing(list(engines))} with --engine, or "
            "set `default_engine`"
        )
    if wanted in engines:
        return engines[wanted]
    # `--engine kfp` will do where one engine alone is of that kind.
    alike = [settings for settings in engines.values() if settings.kind == wanted]
    if len(alike) == 1:
        return alike[0]
    if alike:
        names = listing([settings.name for settings in alike])
        raise MlcError(f"`{wanted}` is the kind of {names}: name one of them")
    near = nearest(wanted, list(engines))
    hint = f"did you mean `{near}`?" if near else f"there are {listing(list(engines))}"
    raise MlcError(f"there is no engine `{wanted}`; {hint}")


@contextmanager
def connected(settings: EngineSettings, verbose: bool = False) -> Iterator[Engine]:
    """An engine, given back at the end."""
    from compiler.cluster import connect

    engine = connect(settings, verbose)
    try:
        yield engine
    finally:
        engine.close()
