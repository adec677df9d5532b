"""Where the package's data files lie: in the wheel under `_data`, else at the checkout's root."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_DATA = _PACKAGE / "_data"


def folder(name: str) -> Path:
    """The folder `schemas`, `templates` or `docs`."""
    installed = _DATA / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def read_text(name: str) -> str:
    """A data file's text, by its path from the root, like `schemas/language.schema.json`."""
    top, _, rest = name.partition("/")
    return (folder(top) / rest).read_text(encoding="utf-8")
