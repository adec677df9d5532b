"""Where a task finds what an expression stands for."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from compiler.expr import (
    ArtifactType,
    EachRef,
    Expr,
    Literal,
    Operation,
    ParamRef,
    PipelineInputRef,
    RunField,
    RunRef,
    StepOutputRef,
    Type,
)
from compiler.ir import Step
from compiler.launch import Launch
from compiler.targets import Support
from compiler.targets.kfp.levels import Part, Path, UnfitError
from compiler.targets.kfp.names import Names
from compiler.targets.kfp.plan import (
    Around,
    ArtifactInput,
    Constant,
    Field,
    FromScope,
    Otherwise,
    ParameterInput,
    ParameterType,
)
from compiler.targets.kfp.schemas import parameter_type, schema
from compiler.targets.kfp.scopes import Frame, Key, Kind, Source
from compiler.targets.uses import impossible
from compiler.values import to_text

# What the driver puts in for a field of the run, as a whole constant (driver/resolve.go).
_RUN_FIELDS: dict[RunField, str] = {
    "id": "{{$.pipeline_job_uuid}}",
    "name": "{{$.pipeline_job_name}}",
    "scheduled_at": "{{$.pipeline_job_schedule_time_utc}}",
}


class Context(Struct):
    """What is known while a part of a pipeline is planned; steps and launches are of all parts.

    `refused` is found on the way, `twins` are the steps that the cache can't tell apart. `items`
    says what the rounds of a loop get, for each of its lists, or for all together where `tables`
    holds the loop: an object with a field for each.
    """

    part: Part
    names: Names
    image: str
    steps: dict[str, Step]
    launches: dict[str, Launch]
    refused: list[Support] = field(default_factory=list)
    twins: frozenset[str] = frozenset()
    tables: set[str] = field(default_factory=set)
    items: dict[Key, Kind] = field(default_factory=dict)

    def refuse(self, where: str, found: UnfitError) -> None:
        """Note what KFP has no way for, once."""
        use = impossible(found.field, where, found.span, found.reason)
        if use not in self.refused:
            self.refused.append(use)

    def kind(self, step: str, output: str, loops: int = 0) -> Kind:
        """What an output is, seen from outside of so many loops."""
        found = kind_of(self.steps[step].output(output).type)
        return found.collected() if loops else found


class Given(Struct, frozen=True):
    """A value on its way into a task; `wanted` is a name for the input."""

    wanted: str
    kind: Kind
    source: Source
    selection: Field | Otherwise | Around | None = None

    def port(self, name: str) -> ParameterInput | ArtifactInput:
        port = self.kind.input(name, self.source)
        if isinstance(port, ParameterInput) and self.selection is not None:
            return ParameterInput(name, port.type, port.source, self.selection)
        return port

    def of_type(self, type_: ParameterType) -> Given:
        return replace(self, kind=Kind(parameter=type_))


def kind_of(type_: Type) -> Kind:
    if isinstance(type_, ArtifactType):
        return Kind(schema=schema(type_.kind), is_list=type_.is_list)
    return Kind(parameter=parameter_type(type_))


def given(context: Context, frame: Frame, expression: Expr, path: Path) -> Given:
    """What an expression without `??` on outputs stands for, for a task in a DAG.

    Raises UnfitError.
    """
    match expression:
        case ParamRef(name=name):
            kind = kind_of(expression.type)
            return Given(name, kind, frame.find(("param", name), name, kind))
        case Operation(sign="??", operands=(ParamRef() as param, Literal(value=value))):
            # A param that may be null is text, and so is what stands for it.
            return replace(given(context, frame, param, path), selection=Otherwise(to_text(value)))
        case PipelineInputRef(name=name):
            kind = kind_of(expression.type)
            return Given(name, kind, frame.find(("import", name), name, kind))
        case RunRef(field="status"):
            kind = Kind(parameter="STRING")
            found = frame.find(("run", "status"), "run_status", kind)
            return Given("run_status", kind, found)
        case RunRef(field=run_field):
            constant = Constant(_RUN_FIELDS[run_field])
            return Given(f"run_{run_field}", Kind(parameter="STRING"), constant)
        case EachRef():
            return _item(context, frame, expression)
        case StepOutputRef(step=step, output=output):
            shared, node = context.part.place(expression, path)
            wanted = f"{step}_{output.partition(' ')[0]}".replace(".", "_")
            kind = kind_of(expression.type)
            key = ("output", "/".join(shared), node, step, output)
            source = frame.find(key, wanted, kind)
            if kind.schema is not None and kind.is_list and isinstance(source, FromScope):
                # A DAG knows one artifact by each name (GetInputArtifactsByExecutionID).
                reason = (
                    "KFP hands one file of a list into a loop or a choice, and drops the others; "
                    "read the list in a step outside, which nobody takes with `??`"
                )
                raise UnfitError(expression, reason, "foreach")
            return Given(wanted, kind, source)
    reason = (
        "KFP has no way to work out a value; let the step do it, or a step before it"
        if isinstance(expression, Operation)
        else "KFP can't put together a list; let a step do it"
    )
    raise UnfitError(expression, reason, "expressions")


def _item(context: Context, frame: Frame, ref: EachRef) -> Given:
    in_table = ref.loop in context.tables
    path = (ref.name, *ref.path) if in_table else ref.path
    key = ("each", ref.loop) if in_table else ("each", ref.loop, ref.name)
    # DAGs on the way get the item as it is: the driver of a loop would select twice.
    whole = context.items[key]
    source = frame.find(key, item_name(key), whole)
    name = "_".join(("each", ref.name, *ref.path))
    if path:
        return Given(name, kind_of(ref.type), source, Field(path))
    return Given(name, whole, source)


def item_name(key: Key) -> str:
    """What an item is called in a DAG."""
    return key[2] if len(key) > 2 else "item"


def cel_name(name: str) -> str:
    """An input of a task in one of its conditions."""
    return f"inputs.parameter_values['{name}']"
