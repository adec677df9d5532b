"""mlc: one YAML file per algorithm, checked, compiled to Kubeflow Pipelines and Argo Workflows,
and run on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from compiler.frontend import Loaded

__version__ = "0.1.0"
# What it compiles to; the words of `--target` and of `[tool.mlc]`.
TARGET_NAMES = ("kfp", "kfp-dsl", "argo")


def load(
    path: Path, profiles: Sequence[str] = (), overrides: Mapping[str, str] | None = None
) -> Loaded:
    """Read and check a spec: its pipeline where there was no error, and everything found.

    `overrides` are parameter values as text. Compile-time names of git come from the checkout
    that the spec lies in.
    """
    from compiler import frontend
    from compiler.git import checkout

    return frontend.load(path, profiles, overrides, checkout(path.parent))
