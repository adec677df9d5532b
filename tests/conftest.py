"""Options and what all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Rewrite expected files instead of comparing."
    )


def pytest_configure() -> None:
    contracts = os.environ.get("MLC_ENGINE_CONTRACTS", "")
    if os.environ.get("MLC_JUDGES") == "required" and not Path(contracts, "argo-4.1").is_dir():
        raise pytest.UsageError(
            f"MLC_JUDGES=required, and MLC_ENGINE_CONTRACTS={contracts} holds no contracts"
        )


def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: many tests wait, for other processes or for time to pass."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a group share what takes minutes to make. xdist keeps a group on one worker by what
    it adds to the names of its tests, which some versions of pytest do not let it do."""
    if config.getoption("loadgroup", False):
        grouped = [item for item in items if item.get_closest_marker("xdist_group")]
        assert all("@" in item.nodeid for item in grouped), "pytest-xdist keeps no groups"


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    update = bool(request.config.getoption("--update-golden"))
    if update and os.environ.get("CI"):
        pytest.fail("golden files are never rewritten in CI")
    return update
