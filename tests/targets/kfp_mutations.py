"""Documents with one thing wrong in each, and what upstream says of it.

What upstream says was seen with KFP 2.17.0's own code: who refuses the document (the API server's
check of a spec, the backend's compiler, Argo's validator on what that makes), or, where all of them
take it, what becomes of the run (its driver and launcher, on a store of metadata in memory). Only
read: that the upload refuses a name, that nothing is retried, that one of two containers is kept.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

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
    script: echo "[2, 3]" > "$OUTPUT_L"; echo 2 > "$OUTPUT_N"
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
        inputs:
          n: ${{ steps.more.outputs.n ?? steps.fit.outputs.n }}
          k: ${{ params.maybe ?? 1 }}
        script: echo $((INPUT_N + INPUT_K)) > "$OUTPUT_N"
        outputs: {n: integer}
  grid:
    foreach: {point: [{a: {b: 1}}, {a: {b: 2}}]}
    command: [sh, -c, 'echo "$1" > "$2"', sh, "${{ each.point.a.b }}", "${{ outputs.n }}"]
    outputs: {n: integer}
  join:
    command: [cat, "${{ steps.read.outputs.m ?? steps.other.outputs.m }}"]
  last:
    inputs: {sum_n: "${{ steps.sum.outputs.n }}", grid_n: "${{ steps.grid.outputs.n }}"}
    script: echo "$INPUT_SUM_N" "$INPUT_GRID_N" > "$OUTPUT_S"
    outputs: {s: string}
  alone: {command: [echo, "${{ params.rate }}"], needs: [join]}
finally:
  tell: {command: [echo, "${{ run.status }}"]}
outputs: {said: "${{ steps.last.outputs.s }}"}
"""


class Mutation(NamedTuple):
    """`change` is made to the PipelineSpec, `upstream` is what was seen. What catches it here: the
    messages of kfp-pipeline-spec (`strict`), the SDK's loader (`sdk`), or `kfp_spec` and
    `kfp_rules`, which say `ours`."""

    name: str
    change: Callable[[Tree], object]
    upstream: str
    strict: bool = False
    sdk: bool = False
    ours: str = ""


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


def _condition(spec: Tree, text: str) -> None:
    _tasks(spec, "comp-choose-read")["read"]["triggerPolicy"]["condition"] = text


def _list_into_a_dag(spec: Tree) -> None:
    components = spec["components"]
    components["comp-import-reports"]["outputDefinitions"]["artifacts"]["artifact"][
        "isArtifactList"
    ] = True
    for name in ("comp-choose-read", "comp-read"):
        components[name]["inputDefinitions"]["artifacts"]["reports"]["isArtifactList"] = True


def _twice(spec: Tree) -> None:
    inputs = _tasks(spec)["choose-read"]["inputs"]["artifacts"]
    inputs["reports"] = inputs["other_m"]


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


def _of_a_round(spec: Tree) -> None:
    output = spec["components"]["comp-for-sweep"]["dag"]["outputs"]["parameters"]
    one = {"producerSubtask": "sum", "outputParameterKey": "n"}
    other = {"producerSubtask": "fit", "outputParameterKey": "n"}
    output["sum_n"] = {"valueFromOneof": {"parameterSelectors": [one, other]}}


def _cycle(spec: Tree) -> None:
    tasks = _tasks(spec, "comp-for-grid")
    tasks["again"] = {
        "taskInfo": {"name": "again"},
        "componentRef": {"name": "comp-for-grid"},
        "inputs": {"parameters": {"point": {"componentInputParameter": "point"}}},
    }


MUTATIONS = (
    Mutation(
        "no dependency on a producer",
        lambda s: _tasks(s)["last"]["dependentTasks"].clear(),
        "taken: the compiler adds it",
        ours="last.sum_n comes from choose-sweep, which it does not wait for",
    ),
    Mutation(
        "an unknown dependency",
        lambda s: _tasks(s)["last"]["dependentTasks"].append("nobody"),
        "refused by Argo's validator",
        ours="last waits for {'nobody'}",
    ),
    Mutation(
        "a circle of tasks",
        lambda s: _tasks(s)["plan"].update(dependentTasks=["last"]),
        "refused by Argo's validator",
        ours="wait for each other",
    ),
    Mutation(
        "an unknown component",
        lambda s: _tasks(s)["last"]["componentRef"].update(name="comp-nobody"),
        "refused by the compiler",
        ours="components [",
    ),
    Mutation(
        "another task's component",
        lambda s: _tasks(s)["last"]["componentRef"].update(name="comp-join"),
        "the step fails",
        ours="components [",
    ),
    Mutation(
        "an unknown executor",
        lambda s: s["components"]["comp-last"].update(executorLabel="exec-nobody"),
        "refused by the compiler",
        ours="executors [",
    ),
    Mutation(
        "a component that holds itself",
        _cycle,
        "the compiler never ends, and takes all memory",
        ours="components [",
    ),
    Mutation(
        "an input not surfaced",
        lambda s: _tasks(s, "root")["main"]["inputs"]["parameters"].pop("word"),
        "the driver fails",
        ours="main gets {",
    ),
    Mutation(
        "an input not declared on the way",
        lambda s: s["components"]["comp-all-steps"]["inputDefinitions"]["parameters"].pop("word"),
        "taken",
        ours="choose-read.word comes from {'componentInputParameter': 'word'}",
    ),
    Mutation(
        "an input not given",
        lambda s: _tasks(s)["alone"]["inputs"]["parameters"].clear(),
        "the driver fails",
        ours="alone gets set()",
    ),
    Mutation(
        "a producer of another DAG",
        lambda s: _tasks(s)["last"]["inputs"]["parameters"]["sum_n"]["taskOutputParameter"].update(
            producerTask="sum"
        ),
        "refused by the compiler",
        ours="last.sum_n comes from sum, which it does not wait for",
    ),
    Mutation(
        "an unknown output",
        lambda s: _tasks(s)["last"]["inputs"]["parameters"]["sum_n"]["taskOutputParameter"].update(
            outputParameterKey="nothing"
        ),
        "the driver panics",
        ours="last.sum_n comes from {",
    ),
    Mutation(
        "another output",
        lambda s: _tasks(s)["choose-sweep"]["inputs"]["parameters"]["plan_l"][
            "taskOutputParameter"
        ].update(outputParameterKey="n"),
        "the driver fails",
        ours="choose-sweep.plan_l is LIST and comes from NUMBER_INTEGER",
    ),
    Mutation(
        "an unknown task to hand on from",
        lambda s: s["components"]["comp-all-steps"]["dag"]["outputs"]["parameters"]["said"][
            "valueFromParameter"
        ].update(producerSubtask="nobody"),
        "the driver fails where it is taken",
        ours="output said comes from nobody",
    ),
    Mutation(
        "an unknown field of a task",
        lambda s: _tasks(s)["last"].update(timeout="3s"),
        "refused by the API server",
        strict=True,
        sdk=True,
    ),
    Mutation(
        "an unknown field of a container",
        lambda s: _container(s, "last").update(timeout="3s"),
        "taken, and the field dropped",
        strict=True,
    ),
    Mutation(
        "no value in a constant",
        lambda s: _tasks(s)["alone"]["inputs"]["parameters"].update(rate={"runtimeValue": {}}),
        "the driver fails",
        ours="alone.rate is no value",
    ),
    Mutation(
        "a value without runtimeValue",
        lambda s: _tasks(s)["alone"]["inputs"]["parameters"].update(rate={"constant": 0.5}),
        "refused by the API server",
        strict=True,
        sdk=True,
    ),
    Mutation(
        "a condition of the wrong type",
        lambda s: _condition(s, "inputs.parameter_values['word'] > 1.0"),
        "the driver fails",
        ours="read tests inputs",
    ),
    Mutation(
        "a condition that is no boolean",
        lambda s: _condition(s, "inputs.parameter_values['word']"),
        "the driver fails",
        ours="which is no boolean",
    ),
    Mutation(
        "a condition that is no CEL",
        lambda s: _condition(s, "inputs.parameter_values['word'] = 'here'"),
        "the driver fails",
        ours="Failed to parse",
    ),
    Mutation(
        "a condition on an unknown input",
        lambda s: _condition(s, "inputs.parameter_values['ward'] == 'here'"),
        "the driver fails",
        ours="read tests ward, which it does not get",
    ),
    Mutation(
        "a condition on an importer",
        lambda s: _tasks(s)["import-reports"].update(triggerPolicy={"condition": "true"}),
        "refused by the compiler",
        ours="import-reports, an importer, has a condition",
    ),
    Mutation(
        "a condition on a loop",
        lambda s: _tasks(s)["for-grid"].update(triggerPolicy={"condition": "false"}),
        "what takes from the loop runs, and fails",
        ours="for-grid, a loop, has a condition",
    ),
    Mutation(
        "an iterator over artifacts",
        lambda s: _tasks(s)["join"].update(
            artifactIterator={"itemInput": "read_m", "items": {"inputArtifact": "read_m"}}
        ),
        "refused by the compiler",
        ours="join loops over artifacts",
    ),
    Mutation(
        "a loop over no list",
        lambda s: _tasks(s)["for-grid"]["parameterIterator"]["items"].update(raw="{}"),
        "the driver fails",
        ours="for-grid loops over no list",
    ),
    Mutation(
        "a loop over broken JSON",
        lambda s: _tasks(s)["for-grid"]["parameterIterator"]["items"].update(raw="[1,"),
        "the driver fails",
        ours="for-grid loops over no list",
    ),
    Mutation(
        "a selector on a loop",
        lambda s: _tasks(s, "comp-if-sweep")["for-sweep"]["inputs"]["parameters"]["plan_l"].update(
            parameterExpressionSelector="parseJson(string_value)"
        ),
        "the driver of each round fails",
        ours="for-sweep.plan_l is selected from what is selected already",
    ),
    Mutation(
        "a selector that is no CEL",
        lambda s: _tasks(s, "comp-for-grid")["grid"]["inputs"]["parameters"][
            "each_point_a_b"
        ].update(parameterExpressionSelector="parseJson(string_value)[a"),
        "the driver fails",
        ours="which is no CEL",
    ),
    Mutation("a choice of DAGs", _of_a_dag, "the driver fails", ours="sum_n is a choice of DAGs"),
    Mutation(
        "a choice as the output of a round",
        _of_a_round,
        "the driver fails",
        ours="sum_n is a choice that is collected",
    ),
    Mutation(
        "a list of artifacts into a DAG",
        _list_into_a_dag,
        "taken, and all but one of the artifacts dropped",
        ours="choose-read.reports is a list, of which a DAG gets one",
    ),
    Mutation(
        "an artifact twice",
        _twice,
        "the driver fails",
        ours="choose-read takes one artifact as other_m and reports",
    ),
    Mutation(
        "two exit tasks",
        _exit_tasks,
        "taken, and one of them dropped",
        ours="two exit tasks of main",
    ),
    Mutation(
        "a task with a bad name",
        lambda s: _rename(s, "alone", "Alone_too"),
        "refused by Argo's validator",
        ours="Alone_too is no name for a task",
    ),
    Mutation(
        "a task with the name of a driver",
        lambda s: _rename(s, "alone", "other-driver"),
        "refused by Argo's validator",
        ours="other-driver has the name of a driver",
    ),
    Mutation(
        "a task shown as another",
        lambda s: _tasks(s)["import-reports"]["taskInfo"].update(name="other"),
        "the driver fails",
        ours="import-reports is shown as another task",
    ),
    Mutation(
        "a pipeline with a bad name",
        lambda s: s["pipelineInfo"].update(name="Judged!"),
        "taken by the check of the spec; the upload of a pipeline refuses it",
        ours="pipeline name Judged!",
    ),
    Mutation(
        "another version of the schema",
        lambda s: s.update(schemaVersion="2.2.0"),
        "refused by the API server",
        ours="schema version 2.2.0",
    ),
    Mutation(
        "a retry without all its fields",
        lambda s: _tasks(s)["plan"]["retryPolicy"].pop("backoffMaxDuration"),
        "taken, and nothing is retried",
        ours="plan is retried without all four fields",
    ),
    Mutation(
        "a placeholder of an unknown input",
        lambda s: _container(s, "alone").update(args=["{{$.inputs.parameters['nobody']}}"]),
        "the driver fails",
        ours="alone uses {{$.inputs.parameters['nobody']}}",
    ),
    Mutation(
        "two containers alike",
        lambda s: _container(s, "run-succeeds").update(_container(s, "run-begins")),
        "taken: the compiler keeps one of them",
        ours="the containers of exec-run-begins and exec-run-succeeds are one",
    ),
)


def mutated(text: str, mutation: Mutation) -> str:
    """A document of `SPEC` after a mutation."""
    documents = list(yaml.safe_load_all(text))
    mutation.change(documents[0])
    return yaml.safe_dump_all(documents, sort_keys=False)
