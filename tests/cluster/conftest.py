"""Engines on loopback for the tests of what speaks to clusters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster.servers.argo import Argo
from cluster.servers.contract import VARIABLE, contracts_folder
from cluster.servers.kfp import Kfp
from cluster.servers.kubernetes import Kubernetes
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster


@pytest.fixture(scope="session")
def contracts() -> None:
    """Skips where the engines' contracts are not at hand."""
    if contracts_folder() is None:
        pytest.skip(f"the engines' contracts are not at hand: {VARIABLE} names no folder")


@pytest.fixture
def kfp(contracts: None) -> Iterator[Server]:  # noqa: ARG001
    with Server(Kfp()) as server:
        yield server


@pytest.fixture
def cluster() -> Cluster:
    """The objects that `argo` and `kubernetes` share."""
    return Cluster()


@pytest.fixture
def argo(contracts: None, cluster: Cluster) -> Iterator[Server]:  # noqa: ARG001
    with Server(Argo(cluster)) as server:
        yield server


@pytest.fixture
def kubernetes(contracts: None, cluster: Cluster) -> Iterator[Server]:  # noqa: ARG001
    with Server(Kubernetes(cluster)) as server:
        yield server
