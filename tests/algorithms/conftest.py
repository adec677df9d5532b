"""The algorithms' steps as the engines start them: `python -m MODULE …`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ALGORITHMS = Path(__file__).resolve().parents[2] / "algorithms"
Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Runs a module in `tmp_path`; keyword arguments are environment variables."""

    def start(module: str, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ALGORITHMS), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return start
