"""A project in a git repository with an engine on loopback, and `mlc` by the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from checkouts import Checkout, make, variables
from cluster import forked
from cluster.servers.argo import Argo
from cluster.servers.kfp import Kfp
from cluster.servers.kubernetes import Kubernetes, write_kubeconfig
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster

ENGINES = ("kfp", "argo", "kubernetes")
BASE = """\
apiVersion: mlc/v1
kind: Base
image: registry.example.com/ia:1
resources: {cpu: 1}
"""
SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: NAME
description: Learns.
extends: ../bases/common.yaml
params:
  epochs: {type: integer, default: 3, minimum: 1, description: Rounds.}
  solver: {type: string, default: lbfgs, enum: [lbfgs, saga]}
steps:
  fit:
    command: [fit, "${{ params.epochs }}", "${{ params.solver }}", "${{ outputs.model }}"]
    outputs: {model: Model}
  evaluate:
    command: [evaluate, "${{ steps.fit.outputs.model }}", "${{ outputs.metrics }}"]
    outputs: {metrics: Metrics}
"""
# Steps that a run goes on with each look at it: `--wait` pauses between looks.
PACE = 4
TOKEN = "a-token-that-nobody-may-see-5f1c"


@dataclass
class Project:
    """The checkout, the engine's server and what is behind it."""

    checkout: Checkout
    server: Server
    kind: str
    # What python is told to run.
    program: tuple[str, ...] = ("-m", "compiler")

    def mlc(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *self.program, *arguments],
            cwd=self.checkout.folder,
            env=variables() | {"ENGINE_TOKEN": TOKEN} | env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert TOKEN not in done.stdout + done.stderr
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *self.program, *arguments],
            cwd=self.checkout.folder,
            env=variables() | {"ENGINE_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            # What runs in the background of a shell inherits that Ctrl-C is for others.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def fork(self, *arguments: str) -> ForkServerProcess:
        """As `start`, quicker; what it prints is in `said`."""
        env = variables() | {"ENGINE_TOKEN": TOKEN}
        return forked.start(arguments, self.checkout.folder, env, self.said)

    @property
    def said(self) -> Path:
        return self.checkout.folder.parent / "said.txt"

    def data(self, *arguments: str) -> Any:
        done = self.mlc(*arguments, "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    @property
    def app(self) -> Any:
        return self.server.app

    @property
    def script(self) -> Any:
        """What becomes of runs."""
        return self.app.script if self.kind == "kfp" else self.app.cluster.script

    def run_names(self) -> list[str]:
        """The runs on the server, in their order."""
        if self.kind == "kfp":
            return [run.display_name for run in self.app.runs.values()]
        return [name for plural, _, name in self.app.cluster.all if plural == "workflows"]

    def kubernetes(self) -> tuple[Cluster, Server]:
        """What there is of Kubernetes itself; of KFP's one is made and named in the settings."""
        if self.kind == "kubernetes":
            return self.app.cluster, self.server
        cluster = Cluster()
        server = Server(Kubernetes(cluster))
        folder = self.checkout.folder
        path = write_kubeconfig(folder.parent / "kubeconfig", server.url)
        file = folder / "mlc.toml"
        line = 'token_env = "ENGINE_TOKEN"\n'
        file.write_text(file.read_text().replace(line, f'{line}kubeconfig = "{path}"\n'))
        return cluster, server

    def delete_runs(self) -> None:
        """What someone else does meanwhile."""
        if self.kind == "kfp":
            self.app.runs.clear()
            return
        for plural, namespace, name in list(self.app.cluster.all):
            if plural == "workflows":
                self.app.cluster.delete(plural, namespace, name)


@contextmanager
def project(folder: Path, kind: str) -> Iterator[Project]:
    """A project with the algorithms `doc_type` and `other`, on `main` and pushed."""
    checkout = make(folder)
    with serve(kind) as server:
        checkout.write_all(
            {
                "mlc.toml": settings(kind, server, folder),
                "bases/common.yaml": BASE,
                "algorithms/doc_type.yaml": SPEC.replace("NAME", "doc_type"),
                "algorithms/other.yaml": SPEC.replace("NAME", "other").replace(
                    "extends: ../bases/common.yaml\n", "image: registry.example.com/ia:1\n"
                ),
            }
        )
        checkout.commit("Two algorithms")
        checkout.git("push", "--quiet")
        found = Project(checkout, server, kind)
        found.script.pace = PACE
        yield found


@contextmanager
def serve(kind: str) -> Iterator[Server]:
    app: Any = Kfp() if kind == "kfp" else (Argo if kind == "argo" else Kubernetes)(Cluster())
    app.access.token = TOKEN
    with Server(app) as server:
        yield server


def settings(kind: str, server: Server, folder: Path) -> str:
    lines = ['name = "ia-algorithms"', "[engines.training]"]
    if kind == "kubernetes":
        kubeconfig = write_kubeconfig(folder / "kubeconfig", server.url, token=TOKEN)
        lines += ['kind = "argo"', 'via = "kubernetes"', f'kubeconfig = "{kubeconfig}"']
        lines += ['namespace = "default"']
    else:
        lines += [f'kind = "{kind}"', f'url = "{server.url}"', 'token_env = "ENGINE_TOKEN"']
        lines += ['namespace = "default"'] if kind == "argo" else []
    lines += ["[targets.argo]", 'accept = ["params.constraints", "params.enum", "cache"]']
    lines += ["[targets.kfp]", 'accept = ["params.constraints"]']
    return "\n".join([*lines, ""])
