"""From the pipeline to what KFP is told of it (`compiler.targets.kfp.plan`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from compiler.expr import (
    ArtifactKind,
    ArtifactType,
    PipelineInputRef,
    RunRef,
    StepOutputRef,
    ValueType,
    walk,
)
from compiler.ir import (
    REQUIRED,
    Param,
    Pipeline,
    PipelineInput,
    PipelineOutput,
    Required,
)
from compiler.launch import Launch
from compiler.settings import TargetSettings
from compiler.targets import Support
from compiler.targets.kfp.artifacts import twice
from compiler.targets.kfp.cachekey import twins
from compiler.targets.kfp.carrying import plain, readable
from compiler.targets.kfp.containers import launched
from compiler.targets.kfp.helpers import IMAGE, Helper, Written
from compiler.targets.kfp.levels import Part, UnfitError
from compiler.targets.kfp.names import Names
from compiler.targets.kfp.nodes import build
from compiler.targets.kfp.plan import (
    ArtifactOutput,
    DagOutput,
    FromTask,
    Parameter,
    ParameterOutput,
    Plan,
    Task,
)
from compiler.targets.kfp.schemas import parameter_type
from compiler.targets.kfp.scopes import Frame, Kind
from compiler.targets.kfp.sources import Context, given, kind_of
from compiler.targets.uses import impossible
from compiler.values import JsonValue, to_text

# Schemes that the importer knows (backend/src/v2/component/importer_launcher.go); oci holds models.
_IMPORTED = re.compile(r"(gs|s3|minio|oci)://.+", re.DOTALL)
_STATUS = Kind(parameter="STRING")


class Draft(Struct, frozen=True):
    """A plan, and what KFP has no way for in it: with anything in `refused` it is no use.

    `launches` are by the names of the steps; `main` and `last` what the plan was made of.
    """

    plan: Plan
    refused: list[Support]
    launches: dict[str, Launch]
    main: Part
    last: Part


def draft(pipeline: Pipeline, settings: TargetSettings) -> Draft:
    """The plan of a pipeline as far as there can be one."""
    part = Part(pipeline.nodes, tuple(output.value for output in pipeline.outputs))
    finals = Part(pipeline.finally_nodes)
    steps = {step.name: step for step in pipeline.steps}
    launches = {name: launched(step) for name, step in steps.items()}
    names = Names(steps, _imported(pipeline, (part, finals)))
    image = settings.helper_image or IMAGE
    same = twins((steps[name], launches[name]) for name in sorted(_writers(part)))
    main = Context(part, names, image, steps, launches, twins=same)
    root = Frame(names, holds_imports=not pipeline.finally_nodes)
    outputs: list[DagOutput] = []
    refused = main.refused
    if pipeline.finally_nodes:
        last = Context(finals, names, image, steps, launches, refused)
        outputs = _with_finally(pipeline, root, main, last)
    else:
        build(main, root, ())
        outputs = [
            DagOutput(_port(output), (source,))
            for output in pipeline.outputs
            for source in _output(main, root, output)
        ]
    scope = root.scope()
    for cycle in root.cycles:
        reason = (
            f"on KFP a step waits for the value that stands for its own, and {', '.join(cycle)} "
            "would wait for each other; take that value in a step of its own"
        )
        refused.append(impossible("??", "the algorithm", pipeline.span, reason))
    for task, artifact in [] if refused else twice(scope):
        reason = (
            f"`{artifact}` may come into it twice, and KFP can give an artifact to a task once; "
            "let a step copy it for one of the two uses"
        )
        node = task.step if isinstance(task, Task) else task.node
        span = steps[node].span if node in steps else pipeline.span
        refused.append(impossible("inputs", f"step {node}", span, reason))
    planned = Plan(
        pipeline.kubernetes_name,
        _description(pipeline),
        (*map(_parameter, pipeline.params), *map(_uri, pipeline.inputs)),
        scope,
        tuple(outputs),
        pipeline.limits.timeout,
        None if pipeline.limits.ttl is None else max(pipeline.limits.ttl, 1),
    )
    return Draft(planned, refused, launches, part, finals)


def importable(uri: str, kind: ArtifactKind) -> bool:
    """Whether KFP can import an artifact of this type from a URI."""
    found = _IMPORTED.fullmatch(uri)
    return found is not None and (found[1] != "oci" or kind == "Model")


def uses_status(last: Part) -> bool:
    """Whether a step of `finally` looks at the run's status."""
    return any(
        isinstance(part, RunRef) and part.field == "status"
        for expression in last.expressions()
        for part in walk(expression)
    )


def _with_finally(pipeline: Pipeline, root: Frame, main: Context, last: Context) -> list[DagOutput]:
    """The main part as a DAG, and `finally` as one that is run at its end, which becomes the exit
    hook of the first: of these the backend keeps one (argocompiler/dag.go).

    What MLMD says of a DAG's state is not to be relied on. So for `run.status` a container that
    runs in any case writes `failed` and one that runs after the main part `succeeded`.
    """
    names = main.names
    outer = watched = root.within("main", "main")
    if uses_status(last.part):
        watched = outer.within("main", "all-steps")
        begin, end = (
            Helper(name, names.component(name), "", main.image, cached=False)
            for name in (names.task("run-begins"), names.task("run-succeeds"))
        )
        begin.write("status", _STATUS, Written("failed"))
        end.write("status", _STATUS, Written("succeeded"))
        end.needs = (watched.name,)
        outer.drafts += [begin, end]
        sources = (FromTask(end.name, "status"), FromTask(begin.name, "status"))
        root.own["run", "status"] = outer.hand_out("status", _STATUS, *sources)
    watched.holds_imports = True
    build(main, watched, ())
    outputs = []
    for output in pipeline.outputs:
        for source in _output(main, watched, output):
            for frame in [watched] if watched is outer else [watched, outer]:
                source = frame.hand_out(output.name, kind_of(output.type), source)
            outputs.append(DagOutput(_port(output), (source,)))
    exit_ = root.within("exit", "finally")
    exit_.holds_imports = True
    exit_.needs = (outer.name,)
    build(last, exit_, ())
    return outputs


def _output(context: Context, frame: Frame, output: PipelineOutput) -> list[FromTask]:
    """Where an output of the algorithm is found; empty where KFP has no way for it."""
    try:
        value = given(context, frame, context.part.plain(output.value, ()), ())
        if isinstance(value.source, FromTask) and value.selection is None:
            return [value.source]
        raise UnfitError(output.value, "KFP can hand on outputs of steps only", "outputs")
    except UnfitError as found:
        context.refuse(f"output {output.name}", found)
    return []


def _writers(part: Part) -> set[str]:
    """The steps that others take artifacts of."""
    return {
        ref.step
        for expression in part.expressions()
        for ref in walk(expression)
        if isinstance(ref, StepOutputRef) and isinstance(ref.type, ArtifactType)
    }


def _port(output: PipelineOutput) -> ParameterOutput | ArtifactOutput:
    return kind_of(output.type).output(output.name, plain(output.description))


def _imported(pipeline: Pipeline, parts: Iterable[Part]) -> list[str]:
    """The inputs of the pipeline that some step takes, in their order."""
    taken = {
        part.name
        for of in parts
        for expression in of.expressions()
        for part in walk(expression)
        if isinstance(part, PipelineInputRef)
    }
    return [given_input.name for given_input in pipeline.inputs if given_input.name in taken]


def _description(pipeline: Pipeline) -> str:
    """The description, and what else is said of the algorithm that KFP's spec has no field for."""
    labels = ", ".join(f"{name}={value}" for name, value in pipeline.labels)
    more = [
        f"{title}: {text}"
        for title, text in (
            ("Owner", pipeline.owner),
            ("Tags", ", ".join(pipeline.tags)),
            ("Labels", labels),
        )
        if text
    ]
    text = readable("\n\n".join(filter(None, (pipeline.description, "\n".join(more)))))
    # Without one the SDK takes the first line of a docstring for it.
    return text or f"The algorithm {pipeline.name}."


def _parameter(param: Param) -> Parameter:
    value_type = ValueType(param.kind, param.nullable)
    literals = param.enum if not param.nullable else _with_null(param.enum)
    default = param.default
    if param.nullable and not isinstance(default, Required):
        default = to_text(default)
    return Parameter(
        param.name, parameter_type(value_type), default, literals, plain(param.description)
    )


def _with_null(enum: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
    return tuple(dict.fromkeys(("", *map(to_text, enum)))) if enum else ()


def _uri(given: PipelineInput) -> Parameter:
    """The parameter for the URI; a path of the author's machine is no default for a cluster."""
    usable = given.default is not None and importable(given.default, given.type.kind)
    return Parameter(
        given.name, "STRING", given.default if usable else REQUIRED, (), plain(given.description)
    )
