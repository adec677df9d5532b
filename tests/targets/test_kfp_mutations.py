"""Documents for KFP, each with one thing wrong: all of them are found by a judge that is here.

The judges are the messages of kfp-pipeline-spec, `kfp_spec.dangling` and `kfp_rules.broken`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import ParseError
from kfp_rules import broken
from kfp_spec import dangling, read
from local import loaded, pipeline_of

from compiler.settings import TargetSettings
from compiler.targets import kfp

Tree = dict[str, Any]

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: judged
image: mlc/conformance:1
params: {go: true, sizes: [1, 2], rate: 0.5, word: here, maybe: {type: integer, default: null}}
inputs: {reports: {type: Dataset, default: "s3://bucket/words.txt"}}
steps:
  plan:
    command: [sh, -c, 'echo "[2, 3]" > "$1"; echo 2 > "$2"', sh]
    args: ["${{ outputs.l }}", "${{ outputs.n }}"]
    outputs: {l: {type: array, items: {type: integer}}, n: integer}
    retry: {max: 1, backoff: 1s}
  read:
    when: ${{ steps.plan.outputs.n > 1 && params.word == 'here' }}
    command: [cp, "${{ inputs.reports }}", "${{ outputs.m }}"]
    outputs: {m: Dataset}
  other:
    needs: [plan]
    command: [sh, -c, 'echo other > "$1"', sh, "${{ outputs.m }}"]
    outputs: {m: Dataset}
  sweep:
    foreach: {size: "${{ steps.plan.outputs.l }}"}
    steps:
      fit:
        command: [sh, -c, 'echo "$1" > "$2"', sh, "${{ each.size }}", "${{ outputs.n }}"]
        outputs: {n: integer}
      more:
        when: ${{ steps.fit.outputs.n == 3 }}
        command: [sh, -c, 'echo 100 > "$1"', sh, "${{ outputs.n }}"]
        outputs: {n: integer}
      sum:
        args:
          - ${{ steps.more.outputs.n ?? steps.fit.outputs.n }}
          - ${{ params.maybe ?? 1 }}
          - ${{ outputs.n }}
        command: [sh, -c, 'echo $(($1 + $2)) > "$3"', sh]
        outputs: {n: integer}
  grid:
    foreach: {point: [{a: {b: 1}}, {a: {b: 2}}]}
    command: [sh, -c, 'echo "$1" > "$2"', sh, "${{ each.point.a.b }}", "${{ outputs.n }}"]
    outputs: {n: integer}
  join:
    command: [cat, "${{ steps.read.outputs.m ?? steps.other.outputs.m }}"]
  last:
    command: [sh, -c, 'echo "$1" "$2" > "$3"', sh]
    args: ["${{ steps.sum.outputs.n }}", "${{ steps.grid.outputs.n }}", "${{ outputs.s }}"]
    outputs: {s: string}
  alone: {command: [echo, "${{ params.rate }}"], needs: [join]}
finally:
  tell: {command: [echo, "${{ run.status }}"]}
outputs: {said: "${{ steps.last.outputs.s }}"}
"""


def _tasks(spec: Tree, dag: str = "comp-all-steps") -> Tree:
    found: Tree = (
        spec["root"]["dag"]["tasks"] if dag == "root" else spec["components"][dag]["dag"]["tasks"]
    )
    return found


def _container(spec: Tree, step: str) -> Tree:
    found: Tree = spec["deploymentSpec"]["executors"][f"exec-{step}"]["container"]
    return found


def _rename(spec: Tree, old: str, new: str) -> None:
    """A task of the main part by another name, wherever it is named."""
    tasks = _tasks(spec)
    tasks[new] = tasks.pop(old)
    tasks[new]["taskInfo"]["name"] = new
    for task in tasks.values():
        names = task.get("dependentTasks", [])
        names[:] = [new if name == old else name for name in names]


def _exit_tasks(spec: Tree) -> None:
    tasks = _tasks(spec, "root")
    tasks["finally-2"] = copy.deepcopy(tasks["finally"])
    tasks["finally-2"]["taskInfo"]["name"] = "finally-2"
    tasks["finally-2"]["componentRef"]["name"] = "comp-finally-2"
    made = spec["components"]["comp-finally-2"] = copy.deepcopy(spec["components"]["comp-finally"])
    made["dag"]["tasks"]["tell"]["componentRef"]["name"] = "comp-tell-2"
    spec["components"]["comp-tell-2"] = {
        **spec["components"]["comp-tell"],
        "executorLabel": "exec-tell-2",
    }
    executors = spec["deploymentSpec"]["executors"]
    executors["exec-tell-2"] = copy.deepcopy(executors["exec-tell"])
    executors["exec-tell-2"]["container"]["env"] = [{"name": "MLC_STEP", "value": "tell-2"}]


def _of_a_dag(spec: Tree) -> None:
    output = spec["components"]["comp-choose-sweep"]["dag"]["outputs"]["parameters"]["sum_n"]
    output["valueFromOneof"]["parameterSelectors"][0] = {
        "producerSubtask": "if-sweep",
        "outputParameterKey": "sum_n",
    }


def _cycle(spec: Tree) -> None:
    tasks = _tasks(spec, "comp-for-grid")
    tasks["again"] = {
        "taskInfo": {"name": "again"},
        "componentRef": {"name": "comp-for-grid"},
        "inputs": {"parameters": {"point": {"componentInputParameter": "point"}}},
    }


MUTATIONS: tuple[tuple[str, Callable[[Tree], object]], ...] = ()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("judged")
    (folder / "mlc.toml").touch()
    (folder / "spec.yaml").write_text(SPEC)
    return kfp.emit(pipeline_of(loaded(folder / "spec.yaml")), TargetSettings())


def judged(text: str) -> list[str]:
    try:
        written = read(text)
    except ParseError as problem:
        return [str(problem)]
    return dangling(written) or broken(written)


def test_what_is_right_is_taken(document: str) -> None:
    assert judged(document) == []


@pytest.mark.parametrize(("name", "change"), MUTATIONS, ids=[name for name, _ in MUTATIONS])
def test_what_is_wrong_is_found(name: str, change: Callable[[Tree], object], document: str) -> None:
    documents = list(yaml.safe_load_all(document))
    before = copy.deepcopy(documents[0])
    change(documents[0])
    assert documents[0] != before
    assert judged(yaml.safe_dump_all(documents, sort_keys=False)) != [], name
