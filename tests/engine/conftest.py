"""Each test has a project folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import Bench

from compiler.settings import LocalSettings, Project


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Project(tmp_path, local=LocalSettings()))
