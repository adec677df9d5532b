"""Engines on loopback for the tests of what speaks to clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import deployed as deployments
from cluster.deployed import KINDS, Kill, in_process
from cluster.scenario import ENGINES, Project, project
from cluster.servers.argo import Argo
from cluster.servers.contract import VARIABLE, contracts_folder
from cluster.servers.kfp import Kfp
from cluster.servers.kubernetes import Kubernetes, write_kubeconfig
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster
from cluster.world import QUICK, SPEC, World
from local import loaded, pipeline_of
from msgspec.structs import replace

from compiler.cluster import connect
from compiler.ir import Pipeline
from compiler.settings import EngineSettings


@pytest.fixture(scope="session")
def contracts() -> None:
    """Skips where the engines' contracts are not at hand."""
    if contracts_folder() is None:
        pytest.skip(f"the engines' contracts are not at hand: {VARIABLE} names no folder")


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kill]:
    """Commands run in this process, on a clock of its own, and may be killed at a request."""
    with in_process(monkeypatch) as kill:
        yield kill


@pytest.fixture(params=KINDS)
def deployed(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    contracts: None,  # noqa: ARG001
    kill: Kill,
) -> Iterator[deployments.World]:
    """A project and an engine of each kind to deploy it to."""
    with deployments.world(tmp_path, request.param, kill.clock) as found:
        yield found


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


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    path = tmp_path_factory.mktemp("spec") / "doc_type.yaml"
    path.write_text(SPEC)
    return pipeline_of(loaded(path))


@pytest.fixture(params=["kfp", "argo", "kubernetes"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    kind = request.param
    server: Server = request.getfixturevalue(kind)
    settings = EngineSettings(
        name="training",
        kind="kfp" if kind == "kfp" else "argo",
        url=server.url,
        namespace="default",
        via="kubernetes" if kind == "kubernetes" else "server",
        kubeconfig=str(write_kubeconfig(tmp_path / "config", server.url)),
    )
    if kind == "kfp":
        settings = replace(settings, kubeconfig=None)
        finish = server.app.finish  # type: ignore[attr-defined]
    else:
        cluster = request.getfixturevalue("cluster")

        def finish(name: str) -> object:
            return cluster.finish("default", name)

    engine = connect(settings, patience=QUICK)
    yield World(engine, server, finish)
    engine.close()


@pytest.fixture(params=ENGINES)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path, request.param) as found:
        yield found
