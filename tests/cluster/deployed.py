"""A project that is deployed to an engine on loopback, and what has to hold there all the time."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from checkouts import Checkout, make, variables
from cluster.holdings import Owners
from cluster.moments import Account, Clock
from cluster.servers.argo import Argo
from cluster.servers.kfp import Kfp
from cluster.servers.kfp_records import ACTIVE
from cluster.servers.kubernetes import Kubernetes, write_kubeconfig
from cluster.servers.wire import Request, Server
from cluster.servers.workflows import CRON_LABEL, FINISHED, Cluster
from msgspec import Struct

import compiler.cluster
from compiler import project
from compiler.cli import cli
from compiler.cluster import marks
from compiler.cluster.transport import Patience, Transport
from compiler.deployment import apply, quiet
from compiler.diagnostics import MlcError

KINDS = ("kfp", "argo", "kubernetes")
PROJECT = "ia-algorithms"
QUICK = Patience(tries=5, pause=0.001, longest=0.002, connect=5.0, read=10.0)


class Algorithm(Struct, frozen=True):
    """What of a spec the tests change."""

    image: str = "registry.example.com/ia:1"
    epochs: int = 3
    schedules: tuple[tuple[str, str, int, bool], ...] = (("nightly", "0 2 * * *", 5, True),)
    toy: bool = True
    gates: tuple[str, ...] = ()

    def spec(self, name: str) -> str:
        lines = [
            "apiVersion: mlc/v1", "kind: Algorithm", f"name: {name}", "description: Learns.",
            f"image: {self.image}", "params:",
            f"  epochs: {{type: integer, default: {self.epochs}, description: Rounds.}}",
            "steps:",
            "  fit:",
            '    command: [fit, "${{ params.epochs }}", "${{ outputs.metrics }}"]',
            "    outputs: {metrics: Metrics}",
        ]  # fmt: skip
        if self.gates:
            lines += ["gates:", *(f"  - {gate}" for gate in self.gates)]
        if self.toy:
            lines += ["profiles:", "  toy:", "    params: {epochs: 1}"]
        if self.schedules:
            lines.append("schedules:")
        for schedule, cron, epochs, enabled in self.schedules:
            lines.append(
                f'  {schedule}: {{cron: "{cron}", params: {{epochs: {epochs}}}, '
                f"enabled: {str(enabled).lower()}}}"
            )
        return "\n".join([*lines, ""])


class Killed(BaseException):
    """The process is gone, in the middle of a request."""


@dataclass
class Invariants:
    """Watches the server after each request. `wanted` are the schedules, as (algorithm, name),
    that have to be enabled once they were; `writers` how many deploy at once. Where a schedule
    can't be changed in place, the account tells whether one more meanwhile did harm."""

    kind: str
    owners: Owners
    wanted: set[tuple[str, str]] = field(default_factory=set)
    writers: int = 1
    once: set[tuple[str, str]] = field(default_factory=set)
    account: Account | None = None

    def __call__(self, app: Any, request: Request, _: Any) -> None:  # noqa: ARG002
        if self.account is not None:
            self.account.wanted = self.wanted
            self.account.clock()
            self.account.look()
        counts = self.owners.enabled()
        for key in self.wanted:
            count = counts.get(key, 0)
            if count:
                self.once.add(key)
            assert count or key not in self.once, f"{key} is missing"
            # On KFP the new one is made before the old one is disabled.
            more = self.writers if self.kind == "kfp" else 0
            assert count <= 1 + more, f"{key} {count} times"
        killed = app.killed if self.kind == "kfp" else app.cluster.killed
        assert not killed, f"deleted while it ran: {killed}"
        self.owners.check()

    def settled(self) -> None:
        """After a deploy that ended well."""
        counts = self.owners.enabled()
        assert {key: counts.get(key, 0) for key in self.wanted} == dict.fromkeys(self.wanted, 1)
        assert not [key for key, count in counts.items() if count and key not in self.wanted]
        if self.account is not None:
            self.account.check()
            self.account.excused = False


@dataclass
class World:
    """The checkout, the server, and what is watched there."""

    checkout: Checkout
    server: Server
    kind: str
    invariants: Invariants
    algorithms: dict[str, Algorithm] = field(default_factory=dict)

    @property
    def app(self) -> Any:
        return self.server.app

    @property
    def owners(self) -> Owners:
        return self.invariants.owners

    @property
    def script(self) -> Any:
        """What becomes of runs."""
        return self.app.script if self.kind == "kfp" else self.app.cluster.script

    def write(self, algorithms: Mapping[str, Algorithm]) -> str:
        """Commit these specs and no others, and say what they want."""
        folder = self.checkout.folder / "algorithms"
        for path in folder.glob("*.yaml"):
            path.unlink()
        for name, one in algorithms.items():
            self.owners.write(name, (schedule for schedule, *_ in one.schedules))
        self.algorithms = dict(algorithms)
        files = {f"algorithms/{name}.yaml": one.spec(name) for name, one in algorithms.items()}
        self.checkout.write_all(files)
        return self.checkout.commit()

    def want(self, algorithms: Mapping[str, Algorithm]) -> set[tuple[str, str]]:
        return {
            (name, schedule)
            for name, one in algorithms.items()
            for schedule, _, _, is_enabled in one.schedules
            if is_enabled
        }

    def expect(self) -> None:
        self.invariants.once &= self.invariants.wanted
        self.invariants.wanted = self.want(self.algorithms)

    def mlc(self, *arguments: str) -> tuple[int, str]:
        """`mlc` in this process: its exit code, and what it printed in all."""
        with contextlib.chdir(self.checkout.folder):
            return said(*arguments)

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "compiler", *arguments],
            cwd=cwd or self.checkout.folder,
            env=variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            # What runs in the background of a shell inherits that Ctrl-C is for others.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def deploy(self, *arguments: str) -> str:
        """One that has to end well."""
        self.expect()
        code, printed = self.mlc("deploy", "--yes", "--allow-dirty", *arguments)
        assert code == 0, printed
        self.invariants.settled()
        self.server.check()
        return printed

    def left_alone(self) -> None:
        """After a deploy that may have died: where two are enabled, both start runs from now on
        until the next deploy, for there is no one to disable one of them."""
        account = self.invariants.account
        if account is not None:
            account.excused = any(count > 1 for count in self.owners.enabled().values())

    def trigger_all(self) -> None:
        """Let each schedule start a run."""
        with self.server.lock:
            for (_, *id), _ in list(self.owners.schedules()):
                (self.app if self.kind == "kfp" else self.app.cluster).trigger(*id)

    def finish_all(self) -> None:
        with self.server.lock:
            if self.kind == "kfp":
                for run in self.app.runs.values():
                    if run.state in ACTIVE:
                        self.app.finish(run.id)
            else:
                for one in self.app.cluster.of("workflows"):
                    meta = one["metadata"]
                    if one.get("status", {}).get("phase") not in FINISHED:
                        self.app.cluster.finish(meta["namespace"], meta["name"])

    def runs_of_schedules(self) -> int:
        if self.kind == "kfp":
            return sum(bool(run.recurring_run_id) for run in self.app.runs.values())
        labelled = (w["metadata"].get("labels", {}) for w in self.app.cluster.of("workflows"))
        return sum(CRON_LABEL in labels for labels in labelled)

    def add_foreign(self) -> None:
        """Things of others, one of them of another project of mlc."""
        with self.server.lock, self.owners.others():
            self._add_foreign()

    def _add_foreign(self) -> None:
        if self.kind == "kfp":
            theirs = marks.description(
                "Nightly.", marks.Marks("another", "fit", schedule="nightly")
            )
            experiment = next(iter(self.app.experiments.values()))
            body = {
                "display_name": "theirs", "description": "Mine.", "mode": "ENABLE",
                "experiment_id": experiment.id, "max_concurrency": "1",
                "trigger": {"cron_schedule": {"cron": "0 0 1 * * *"}},
                "pipeline_spec": _INLINE,
            }  # fmt: skip
            for given in (body, body | {"display_name": "fit--nightly", "description": theirs}):
                self._post("/apis/v2beta1/recurringruns", given)
        else:
            spec = {
                "schedules": ["0 1 * * *"],
                "workflowSpec": {"workflowTemplateRef": {"name": "theirs"}},
            }
            own = marks.Marks("another", "fit", schedule="nightly")
            theirs = {"annotations": marks.notes(own), "labels": marks.labels(own)}
            for name, more in (("theirs", {}), ("another-fit-nightly", theirs)):
                body = {"metadata": {"name": name, **more}, "spec": spec}
                self.app.cluster.create("cronworkflows", "default", body)

    def _post(self, path: str, body: Any) -> None:
        answer = self.app.answer(Request("POST", path, body=json.dumps(body).encode()))
        assert answer.status == 200, answer.body


_INLINE = {
    "pipelineInfo": {"name": "theirs"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "root": {
        "dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}
    },
    "components": {"comp-a": {"executorLabel": "exec-a"}},
    "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "a"}}}},
}


def run(arguments: tuple[str, ...]) -> int:
    """As `compiler.cli.main` does, in this process."""
    # A command of its own process knows no project of a folder that it was not in.
    project.forget()
    try:
        return cli.main(list(arguments), prog_name="mlc", standalone_mode=False) or 0
    except click.ClickException as problem:
        problem.show(sys.stderr)
        return problem.exit_code
    except MlcError as problem:
        sys.stderr.write(f"mlc: {problem}\n")
        return 3


def said(*arguments: str) -> tuple[int, str]:
    """`mlc` in the current folder: its exit code, and what it printed in all."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        return run(arguments), printed.getvalue()


@contextmanager
def world(
    folder: Path, kind: str, clock: Clock | None = None, *, checked: bool = True
) -> Iterator[World]:
    """A checkout on `main` with an empty project, and an empty engine; without `clock` its time is
    the real one, and what schedules start is not accounted for."""
    checkout = make(folder)
    ticking = clock or time.time
    if kind == "kfp":
        app: Any = Kfp(checked=checked, clock=ticking)
    else:
        app = (Argo if kind == "argo" else Kubernetes)(Cluster(ticking))
    with Server(app) as server:
        plain = "kfp" if kind == "kfp" else "argo"
        invariants = Invariants(plain, Owners(plain, app))
        server.watch(invariants)
        if kind == "kfp" and clock is not None:
            account = invariants.account = Account(app, clock, invariants.owners)

            def look() -> None:
                with server.lock:
                    account.look()

            clock.listeners.append(look)
        checkout.write_all({"mlc.toml": settings(kind, server, folder)})
        checkout.commit("An engine")
        yield World(checkout, server, invariants.kind, invariants)


def settings(kind: str, server: Server, folder: Path) -> str:
    lines = [f'name = "{PROJECT}"', "[engines.training]"]
    if kind == "kubernetes":
        kubeconfig = write_kubeconfig(folder / "kubeconfig", server.url)
        lines += ['kind = "argo"', 'via = "kubernetes"', f'kubeconfig = "{kubeconfig}"']
    else:
        lines += [f'kind = "{kind}"', f'url = "{server.url}"']
    lines += [] if kind == "kfp" else ['namespace = "default"']
    return "\n".join([*lines, ""])


@contextmanager
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kill]:
    """Commands in this process are impatient, and can be killed at any request."""
    for name in os.environ.keys() - variables().keys():
        monkeypatch.delenv(name)
    for name, value in variables().items():
        monkeypatch.setenv(name, value)
    plain = compiler.cluster.connect

    def connect(settings: Any, verbose: bool = False) -> Any:
        engine = plain(settings, verbose, QUICK)
        engine._sleep = lambda _: None  # type: ignore[attr-defined]
        return engine

    monkeypatch.setattr(compiler.cluster, "connect", connect)
    kill = Kill()
    monkeypatch.setattr(quiet, "time", kill.clock)
    monkeypatch.setattr(apply, "time", kill.clock)
    once = Transport._once

    def killed(self: Transport, *given: Any) -> Any:
        kill.before()
        answer = once(self, *given)
        kill.after()
        return answer

    monkeypatch.setattr(Transport, "_once", killed)
    yield kill


class Kill:
    """After so many requests of this thread the process is gone, before or after the server has
    acted; None for never. The process lives by `clock`."""

    def __init__(self) -> None:
        self.left = threading.local()
        self.clock = Clock()

    def set(self, requests: int | None, when: str = "before") -> None:
        self.left.number, self.left.when = requests, when

    def before(self) -> None:
        self._count("before")

    def after(self) -> None:
        self._count("after")

    def _count(self, when: str) -> None:
        number = getattr(self.left, "number", None)
        if number is None or self.left.when != when:
            return
        if number <= 0:
            self.left.number = None
            raise Killed
        self.left.number = number - 1
