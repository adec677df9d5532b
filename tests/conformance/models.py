"""Plays what the targets write on models of the engines, so that a run can be compared.

Argo's model runs the containers' own programs on this machine, the wrapper and all, with `/mlc` and
`/mlc-in` in a folder; KFP's knows the echo program of the random specs.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kfp_model
from argo_model import Argo, Leaf, Result
from expectation import Outcome, trace_of
from kfp_spec import read

from compiler.expr import ArtifactType, Type, ValueType
from compiler.graph import Graph
from compiler.ir import Loop, Node, Pipeline
from compiler.quantities import quantity
from compiler.targets.argo.names import task_names
from compiler.values import JsonValue, from_text, to_text

Ran = Counter[tuple[str, str, str]]
_RAN = "succeeded", "failed"
# What needs a skipped step is omitted there.
_STATES = {"Succeeded": "succeeded", "Failed": "failed", "Skipped": "not run", "Omitted": "not run"}


def on_argo(
    pipeline: Pipeline, text: str, params: Mapping[str, JsonValue], folder: Path
) -> Outcome:
    """A run of a manifest; its containers start in `folder`."""
    containers = _Containers(folder)
    model = Argo(text)
    given = {name: to_text(value) for name, value in params.items()}
    phase = model.run(given, containers.act)
    named = _named(pipeline)
    homes = {**Graph(pipeline.nodes).home, **Graph(pipeline.finally_nodes).home}
    states = {}
    for key, ended in model.phases.items():
        task, *rounds = key.split(".")
        if task in named:
            name = named[task]
            is_step = len(homes.get(name, ("no step",) * 9)) == len(rounds)
            if is_step or ended in ("Skipped", "Omitted"):
                states[".".join((name, *rounds))] = _STATES[ended]

    def instance(key: str) -> str:
        task, *rounds = key.split(".")
        return ".".join((named[task], *rounds))

    types = {(s.name, o.name): o.type for s in pipeline.steps for o in s.outputs}
    handed_on = {output.name: output.type for output in pipeline.outputs}
    return Outcome(
        status=phase.lower(),
        states=states,
        traces={instance(key): trace for key, trace in containers.traces.items()},
        outputs={
            instance(key): {
                name: _value(value, types[named[key.split(".")[0]], name])
                for name, value in {**result.parameters, **result.artifacts}.items()
                if (named[key.split(".")[0]], name) in types
            }
            for key, result in containers.results.items()
        },
        times={instance(key): times for key, times in containers.times.items()},
        tries=None,
        result={name: _value(model.outputs[name], kind) for name, kind in handed_on.items()}
        if phase == "Succeeded"
        else {},
        tells_unrun=False,
        has_clock=False,
    )


class _Containers:
    """Runs containers one after the other. `times` are such that one starts when all that must
    have ended before has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.traces: dict[str, Any] = {}
        self.results: dict[str, Result] = {}
        self.times: dict[str, tuple[float, float]] = {}
        self.numbers = itertools.count()

    def act(self, leaf: Leaf) -> Result | None:
        root = self.folder / f"pod-{next(self.numbers)}"
        written = root / "mlc"
        written.mkdir(parents=True)
        if any(quantity(amount) is None for amount in _amounts(leaf.patch)):
            return None  # the API server refuses the pod
        start = max((self.times[other][1] for other in leaf.before), default=0.0)
        self.times[leaf.instance] = (start, start + 1)

        def here(text: str) -> str:
            return text.replace("/mlc-in/", f"{root}/mlc-in/").replace("/mlc/", f"{root}/mlc/")

        for artifact in leaf.template.get("inputs", {}).get("artifacts", []):
            if artifact["name"] in leaf.artifacts:
                _place(leaf.artifacts[artifact["name"]], Path(here(artifact["path"])))
        variables = {name: here(value) for name, value in leaf.container["env"].items()}
        try:
            done = subprocess.run(
                [here(word) for word in leaf.container["command"]],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], **variables},
                capture_output=True,
                text=True,
                timeout=leaf.template.get("activeDeadlineSeconds"),
            )
        except subprocess.TimeoutExpired:
            return None
        self.traces[leaf.instance] = trace_of(done.stdout)
        outputs = leaf.template.get("outputs", {})
        parameters = {
            p["name"]: Path(here(p["valueFrom"]["path"]))
            for p in outputs.get("parameters", [])
            if "path" in p.get("valueFrom", {})
        }
        artifacts = {a["name"]: Path(here(a["path"])) for a in outputs.get("artifacts", [])}
        if done.returncode or not all(p.exists() for p in (parameters | artifacts).values()):
            return None
        texts = {name: path.read_text().removesuffix("\n") for name, path in parameters.items()}
        self.results[leaf.instance] = Result(texts, artifacts)
        return self.results[leaf.instance]


def on_kfp(text: str, pipeline: Pipeline) -> tuple[str, Ran, dict[str, Any]]:
    """How a run with the defaults ends, which steps ended how with which outputs, the result."""
    defaults = {p.name: "" if p.default is None else p.default for p in pipeline.params}
    found = kfp_model.run(read(text), defaults)
    ran = Counter((name, state, written(outputs)) for name, state, outputs in found.containers)
    return found.status, ran, found.outputs


def ran_of(outcome: Any) -> Ran:
    """What ran in a prediction, as `on_kfp` says it."""
    return Counter(
        (
            ".".join(part for part in name.split(".") if not part.isdigit()),
            state,
            written(outcome.outputs.get(name, {})),
        )
        for name, state in outcome.states.items()
        if state in _RAN
    )


def written(outputs: Mapping[str, Any]) -> str:
    return repr(sorted((name, to_text(value)) for name, value in outputs.items()))


def _amounts(patch: Any) -> Iterator[str]:
    for container in (patch or {}).get("containers", ()):
        for amounts in container.get("resources", {}).values():
            yield from amounts.values()


def _place(found: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(found, Mapping):
        for name, inner in found.items():
            _place(inner, path / name)
    elif found.is_dir():
        shutil.copytree(found, path)
    else:
        shutil.copyfile(found, path)


def _value(found: Any, kind: Type) -> Any:
    if isinstance(kind, ArtifactType):
        return found.read_text() if found.is_file() else None
    assert isinstance(kind, ValueType)
    if kind.kind in (None, "string"):
        return found
    return from_text(found.strip(), kind.kind)


def _named(pipeline: Pipeline) -> dict[str, str]:
    def walk(nodes: tuple[Node, ...]) -> list[str]:
        below = [(n.name, *walk(n.body)) if isinstance(n, Loop) else (n.name,) for n in nodes]
        return [name for names in below for name in names]

    names = task_names(walk((*pipeline.nodes, *pipeline.finally_nodes)))
    return {task: name for name, task in names.items()}
