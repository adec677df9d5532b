"""`mlc schema`: the JSON Schema of specs or of the configuration, for editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath

from compiler import files, project, source
from compiler.commands.specs import specs_below
from compiler.diagnostics import MlcError, has_errors
from compiler.editing import Known, editor_schema
from compiler.nodes import text
from compiler.settings import Project

# Only so many specs are read and suggested.
_MOST_SPECS = 500


def print_schema(name: str, output: str | None = None) -> int:
    """Print a schema with what the project of the working folder knows, or write it to a file.

    Raises:
        MlcError: the file is there and is no schema of mlc's, or the configuration is wrong.
    """
    found, problems, config = project.find(Path.cwd())
    if has_errors(problems):
        shown = config.path if config else "configuration"
        raise MlcError(f"the project's {shown} has errors: mlc validate tells them")
    written = json.dumps(editor_schema(name, _known(found)), indent=2, ensure_ascii=False) + "\n"
    if output in (None, "-"):
        sys.stdout.write(written)
        return 0
    path = Path(str(output))
    if path.exists() and not _is_ours(path):
        raise MlcError(f"{output} is there and is no schema of mlc's: name another file")
    files.write_all({path: written})
    return 0


def _known(found: Project) -> Known:
    root = found.root.resolve()
    folder = root / "algorithms" if (root / "algorithms").is_dir() else root
    specs: dict[str, list[PurePosixPath]] = {}
    for path in specs_below(folder)[:_MOST_SPECS] if found.config else ():
        parsed, _, _ = source.read(path, path.as_posix())
        kind = text(parsed.get("kind")) if parsed is not None else None
        if kind is not None:
            relative = PurePosixPath(path.relative_to(root).as_posix())
            specs.setdefault(kind, []).append(relative)
    return Known(tuple(found.gpus), specs)


def _is_ours(path: Path) -> bool:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and str(data.get("$id", "")).startswith("urn:mlc:")
