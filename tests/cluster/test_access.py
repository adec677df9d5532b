"""Ways to be let in, and to be kept out, by the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from checkouts import make
from cluster.proxy import Proxy
from cluster.scenario import SPEC, TOKEN, Project
from cluster.servers.argo import Argo
from cluster.servers.authority import Authority, make_authority
from cluster.servers.kfp import Kfp
from cluster.servers.kubernetes import Kubernetes, write_kubeconfig
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster

pytestmark = pytest.mark.usefixtures("contracts")


def test_a_refusal_names_the_setting_that_says_who_one_is(there: Project) -> None:
    named = "the token in the variable ENGINE_TOKEN (`token_env`)"
    if there.kind == "kubernetes":
        named = f"the user in {there.checkout.folder.parent / 'kubeconfig'}"
    there.app.access.namespaces = frozenset()
    if there.kind != "kfp":  # whose one user has all of it
        done = there.mlc("runs", "--engine", "training")
        assert done.returncode == 3
        assert "HTTP 403" in done.stderr
        assert f"one is known there by {named}, but has no right to this" in done.stderr
    there.app.access.token = "another"
    done = there.mlc("runs", "--engine", "training")
    assert done.returncode == 3
    assert "HTTP 401" in done.stderr
    assert f"{named} may be wrong or too old: get a new one" in done.stderr


@contextmanager
def reached(folder: Path, server: Server, settings: str) -> Iterator[Project]:
    """A project whose engine has these settings."""
    checkout = make(folder)
    spec = SPEC.replace("NAME", "doc_type").replace(
        "extends: ../bases/common.yaml\n", "image: x/y:1\n"
    )
    text = f'name = "ia"\n[engines.training]\n{settings}\nnamespace = "default"\n'
    checkout.write_all({"mlc.toml": text, "algorithms/doc_type.yaml": spec})
    checkout.commit("An algorithm")
    checkout.git("push", "--quiet")
    with server:
        yield Project(checkout, server, "kfp" if isinstance(server.app, Kfp) else "argo")


def gets_in(there: Project, **env: str) -> str:
    """Submit a run, and what was told of it."""
    done = there.mlc("submit", "algorithms/doc_type.yaml", "--verbose", **env)
    assert done.returncode == 0, done.stderr
    assert len(there.run_names()) == 1
    return done.stderr


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "certificates")


def test_a_client_certificate_lets_in(tmp_path: Path, authority: Authority) -> None:
    """Over TLS with the company's own authority; nobody without a certificate gets in."""
    server = Server(Kfp(), tls=authority.context(ask_client=True))
    certificate, key = authority.client
    settings = f'kind = "kfp"\nurl = "{server.url}"\nca_file = "{authority.ca}"'
    with reached(tmp_path, server, settings) as there:
        without = there.mlc("runs", "--engine", "training")
        assert (without.returncode, "can't list runs" in without.stderr) == (3, True)
        file = there.checkout.folder / "mlc.toml"
        named = f'client_cert = "{certificate}"\nclient_key = "{key}"\n'
        file.write_text(file.read_text() + named)
        gets_in(there)
        file.write_text(file.read_text().replace(f'ca_file = "{authority.ca}"', ""))
        strange = there.mlc("runs", "--engine", "training")
        assert (strange.returncode, "`ca_file`" in strange.stderr) == (3, True)


def test_a_certificate_that_is_past_its_time_is_told(tmp_path: Path) -> None:
    expired = make_authority(tmp_path / "certificates", expired=True)
    server = Server(Kfp(), tls=expired.context())
    settings = f'kind = "kfp"\nurl = "{server.url}"\nca_file = "{expired.ca}"'
    with reached(tmp_path, server, settings) as there:
        done = there.mlc("runs", "--engine", "training")
        assert done.returncode == 3
        assert "TLS with https://127.0.0.1" in done.stderr
        assert "expired" in done.stderr


def test_a_kubeconfig_with_certificates_lets_in(tmp_path: Path, authority: Authority) -> None:
    server = Server(Kubernetes(Cluster()), tls=authority.context(ask_client=True))
    path = write_kubeconfig(
        tmp_path / "config", server.url, ca=authority.ca, certificate=authority.client
    )
    settings = f'kind = "argo"\nvia = "kubernetes"\nkubeconfig = "{path}"'
    with reached(tmp_path, server, settings) as there:
        gets_in(there)


PLUGIN = """\
import json, pathlib, sys
count = pathlib.Path(sys.argv[1])
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
token = sys.argv[2 + min(number, len(sys.argv) - 3)]
print(json.dumps({
    "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
    "status": {"token": token},
}))
"""


def test_a_program_of_the_kubeconfig_gives_a_token(tmp_path: Path) -> None:
    """As the clouds' kubeconfigs have it; it is run again when its token is not taken."""
    app = Kubernetes(Cluster())
    app.access.token = TOKEN
    server = Server(app)
    path = write_kubeconfig(tmp_path / "config", server.url)
    program = tmp_path / "plugin.py"
    program.write_text(PLUGIN)
    config = yaml.safe_load(path.read_text())
    counted = tmp_path / "count"
    config["users"][0]["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program), str(counted), "one-that-is-too-old", TOKEN],
        "interactiveMode": "Never",
    }
    path.write_text(yaml.safe_dump(config))
    settings = f'kind = "argo"\nvia = "kubernetes"\nkubeconfig = "{path}"'
    with reached(tmp_path, server, settings) as there:
        gets_in(there)
        # Once more when its token was not taken, and for the connection that asks for needs.
        assert int(counted.read_text()) == 3
        program.write_text("raise SystemExit('log in first')")
        done = there.mlc("runs", "--engine", "training")
        assert done.returncode == 3
        assert "no token for Kubernetes: exec: process returned 1. log in first" in done.stderr
        assert "ERROR:root" not in done.stderr


# Where Kubernetes puts what a pod has is no setting of its client's.
IN_POD = """\
import pathlib, sys
from kubernetes.config import incluster_config as pod
from compiler.cli import main
from compiler.cluster import kubernetes
folder = pathlib.Path(sys.argv.pop(1))
pod.SERVICE_TOKEN_FILENAME, pod.SERVICE_CERT_FILENAME = str(folder / "token"), str(folder / "ca")
kubernetes._NAMESPACE = folder / "namespace"
main()
"""


def test_a_pod_of_the_cluster_gets_in(tmp_path: Path, authority: Authority) -> None:
    """By its service account's token, certificate and namespace."""
    app = Kubernetes(Cluster())
    app.access.token = TOKEN
    server = Server(app, tls=authority.context())
    pod = tmp_path / "pod"
    pod.mkdir()
    (pod / "token").write_text(TOKEN)
    (pod / "ca").write_bytes(authority.ca.read_bytes())
    (pod / "namespace").write_text("default")
    where = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    settings = 'kind = "argo"\nvia = "kubernetes"\nin_cluster = true'
    with reached(tmp_path, server, settings) as there:
        there.program = ("-c", IN_POD, str(pod))
        gets_in(there, **where)
        (pod / "token").unlink()
        done = there.mlc("runs", "--engine", "training", **where)
        assert done.returncode == 3
        assert "can't read the pod's service account" in done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("by", ["settings", "environment"])
def test_a_proxy_stands_between(tmp_path: Path, authority: Authority, scheme: str, by: str) -> None:
    """The proxy wants a name and a password, which no output shows; TLS goes through it whole."""
    tls = authority.context() if scheme == "https" else None
    server = Server(Argo(Cluster()), tls=tls)
    secret = "pr0xy-p%40ss"
    with Proxy("me", "pr0xy-p@ss") as proxy:
        settings = f'kind = "argo"\nurl = "{server.url}"\nca_file = "{authority.ca}"'
        address = f"http://me:{secret}@127.0.0.1:{proxy.port}"
        env = {f"{scheme}_proxy": address, "no_proxy": "", "NO_PROXY": ""}
        if by == "settings":
            settings += f'\nproxy = "http://127.0.0.1:{proxy.port}"'
            env = {"no_proxy": "", "NO_PROXY": ""}
            proxy.is_open = True
        with reached(tmp_path, server, settings) as there:
            told = gets_in(there, **env)
            assert proxy.seen
            kinds = {line.split()[0] for line in proxy.seen}
            assert kinds == {"CONNECT"} if scheme == "https" else "CONNECT" not in kinds
            assert "pr0xy" not in told
            proxy.password, proxy.is_open = "another", False
            done = there.mlc("runs", "--engine", "training", **env)
            assert done.returncode == 3
            assert "proxy" in done.stderr
            assert "pr0xy-p" not in done.stderr
