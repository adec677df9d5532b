"""The specs that a command was asked for: files, and folders that are searched for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compiler import project, source
from compiler.diagnostics import MlcError, nearest
from compiler.nodes import Scalar, SourceFile

if TYPE_CHECKING:
    from compiler.checks import Named

_SPEC = re.compile(
    r"^(apiVersion:\s*[\"']?mlc/|kind:\s*[\"']?(Algorithm|Component|Base)\b)", re.MULTILINE
)
_PART = re.compile(r"^kind:\s*[\"']?(Component|Base)\b", re.MULTILINE)
_NAME = re.compile(r"^name:\s*[\"']?([a-z0-9_-]+)", re.MULTILINE)
_NOT_SEARCHED = {"build", "dist", "node_modules", "__pycache__"}


def find_specs(paths: tuple[str, ...], *, only_specs: bool = False) -> list[str]:
    """Files as they are given, and the specs of folders; without any, of the project's
    `algorithms/`. With `only_specs` files that are no specs are passed over.

    Raises:
        MlcError: a folder has none.
    """
    if not paths:
        folder = project.find(Path.cwd())[0].root / "algorithms"
        shown = source.shown_path(folder)
        if not folder.is_dir():
            raise MlcError(f"there is no folder {shown}: name the specs to check")
        paths = (shown,)
    found: list[str] = []
    for given in paths:
        path = Path(given)
        if given != "-" and path.is_dir():
            below = [p.as_posix() for p in specs_below(path)]
            if not below:
                raise MlcError(f"there is no spec in {given}")
            found += below
        elif given == "-" or not only_specs or looks_like_spec(path):
            found.append(given)
    return found


def find_algorithms(paths: tuple[str, ...]) -> tuple[str, ...]:
    """As `find_specs`, but without the components and bases of folders, which come to nothing by
    themselves."""
    found = []
    for path in paths or ("",):
        specs = find_specs((path,) if path else ())
        if not path or (path != "-" and Path(path).is_dir()):
            specs = [spec for spec in specs if not _PART.search(_text(Path(spec)))]
        found += specs
    return tuple(dict.fromkeys(found))


def neighbours(specs: Sequence[str], names: Collection[str]) -> dict[Named, SourceFile]:
    """The other algorithms of the projects of some files that have one of `names`, as Kubernetes
    sees them: in `algorithms/`, and beside the files. Only those are parsed that may be it."""
    from compiler.checks import Named

    given = {Path(spec).resolve() for spec in specs if spec != "-"}
    folders = {path.parent for path in given}
    found: dict[Path, None] = {}
    for root in sorted({project.find(folder)[0].root.resolve() for folder in folders}):
        below = _below(root / "algorithms") if (root / "algorithms").is_dir() else ()
        found |= dict.fromkeys(path.resolve() for path in below)
    for folder in sorted(folders):
        if folder.is_dir():
            beside = (p for p in sorted(folder.iterdir()) if p.suffix in (".yaml", ".yml"))
            found |= dict.fromkeys(path.resolve() for path in beside)
    alike = {}
    for path in found:
        text = _text(path)
        name = _NAME.search(text)
        if path in given or name is None or name[1].replace("_", "-") not in names:
            continue
        parsed, file, _ = source.read(path, source.shown_path(path))
        node = parsed.get("name") if parsed is not None else None
        if isinstance(node, Scalar) and is_spec(text) and not _PART.search(text):
            alike[Named(node.text, file.path, node.span)] = file
    return alike


def check_algorithm(name: str, root: Path, ran: Collection[str]) -> None:
    """Tell a slip in the name of an algorithm that nothing is found of. One that is like none is
    let through: its spec may be anywhere.

    Raises:
        MlcError: the project's `algorithms/`, or what `ran`, has a name that is meant.
    """
    folder = root / "algorithms"
    texts = [_text(path) for path in specs_below(folder)] if folder.is_dir() else []
    named = (_NAME.search(text) for text in texts if not _PART.search(text))
    known = sorted({*ran, *(found[1] for found in named if found)})
    if name.replace("_", "-") in {one.replace("_", "-") for one in known}:
        return
    near = nearest(name, known)
    if near:
        raise MlcError(f"there is no algorithm {name} in this project; did you mean {near}?")


def specs_below(folder: Path) -> list[Path]:
    """The specs of a folder and the folders in it, in order."""
    return [path for path in _below(folder) if looks_like_spec(path)]


def looks_like_spec(path: Path) -> bool:
    """Whether a file says that it is for mlc; one that can't be read is told of later."""
    try:
        return is_spec(_read(path))
    except OSError:
        return True


def is_spec(text: str) -> bool:
    """Whether a text has the version or a kind of the language at its top level."""
    return _SPEC.search(text) is not None


def _text(path: Path) -> str:
    try:
        return _read(path)
    except OSError:
        return ""


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(1 << 20)


def _below(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder, but for what is hidden, built or installed."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.startswith(".") or path.name in _NOT_SEARCHED:
            continue
        if path.is_dir() and not path.is_symlink() and not (path / "pyvenv.cfg").exists():
            yield from _below(path)
        elif path.suffix in (".yaml", ".yml"):
            yield path
