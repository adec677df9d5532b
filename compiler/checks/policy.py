"""What a project's policy asks of specs: where images come from, how much a step may have, what
has to be said. Findings show the line of the policy beside that of the spec."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from decimal import Decimal

from msgspec import Struct

from compiler.diagnostics import Diagnostic, Related, Span, error, listing, nearest, warning
from compiler.expr import EachRef, Expr, InputRef, Literal, Operation, ParamRef
from compiler.ir import Loop, Node, Param, Pipeline, Pod, Required, Step
from compiler.policy import repository
from compiler.quantities import duration, duration_text, quantity
from compiler.settings import Ceiling, Policy, Project
from compiler.values import JsonValue, to_text

# Annotations that choose what the kernel lets a container do.
_PROFILES = (
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
)


def allowed_images(pipeline: Pipeline, project: Project) -> Iterator[Diagnostic]:
    """Images from elsewhere than the allowed registries, or that no digest pins."""
    policy = project.policy
    for step in pipeline.steps:
        image, span = step.image, step.image_span
        if image is None or span is None:
            continue
        name = repository(image)
        if policy.registries and not any(name[: len(r)] == r for r in policy.registries):
            message = f"the policy allows no images from `{'/'.join(name[:-1])}`"
            hint = f"allowed are {listing('/'.join(r) for r in policy.registries)}"
            yield error("MLC910", message, span, hint=hint, related=_asked(policy, "registries"))
        if policy.pinned_images and "@" not in image:
            message = "the image has no digest, and the policy wants images pinned"
            hint = "put `@sha256:…` after it; `docker buildx imagetools inspect` prints its digest"
            related = _asked(policy, "pinned_images")
            yield error("MLC911", message, span, hint=hint, related=related)


def ceilings(pipeline: Pipeline, project: Project) -> Iterator[Diagnostic]:
    """Amounts and timeouts above their ceiling, and amounts that a run could set above it."""
    policy = project.policy
    if not policy.ceilings:
        return
    known = _Known(
        {param.name: param for param in pipeline.params},
        dict(_axes((*pipeline.nodes, *pipeline.finally_nodes))),
    )
    for step in pipeline.steps:
        resources = step.resources
        for key, amount in (
            ("cpu", resources.cpu),
            ("memory", resources.memory),
            ("disk", resources.disk),
        ):
            if amount is not None and key in policy.ceilings:
                place = amount.value_span or amount.span
                for given in amount.sides:
                    found = known.values(given, step)
                    yield from _amount(key, found, policy.ceilings[key], place)
        gpu = resources.gpu
        if gpu is not None and "gpu" in policy.ceilings:
            found = known.values(gpu.count, step)
            yield from _amount("gpu", found, policy.ceilings["gpu"], gpu.count_span or gpu.span)
    yield from _timeouts(pipeline, policy)


def pods(pipeline: Pipeline, project: Project) -> Iterator[Diagnostic]:
    """Privileges and service accounts that are not allowed."""
    policy = project.policy
    for step in pipeline.steps:
        spans = dict(step.pod.value_spans)
        for place, asked in _privileges(step.pod) if not policy.privileged else ():
            message = f"the policy does not allow {listing(asked)}"
            span = spans.get(place, step.span)
            related = _asked(policy, "privileged")
            yield error("MLC916", message, span, hint="take it out", related=related)
        account = step.pod.service_account
        if account and policy.service_accounts and account not in policy.service_accounts:
            near = nearest(account, policy.service_accounts)
            hint = f"allowed are {listing(policy.service_accounts)}"
            hint = f"did you mean `{near}`? {hint[:1].upper()}{hint[1:]}" if near else hint
            message = f"the policy does not allow the service account `{account}`"
            span = spans.get("service_account", step.span)
            related = _asked(policy, "service_accounts")
            yield error("MLC917", message, span, hint=hint, related=related)


def _privileges(pod: Pod) -> Iterator[tuple[str, list[str]]]:
    """What a pod wants beyond a container in its bounds, by the place of the first of it."""
    security = pod.security
    if security is not None:
        wanted = {
            "privileged": security.privileged,
            "allow_escalation": security.allow_escalation,
            "add_capabilities": security.add_capabilities,
            "run_as_user: 0": security.run_as_user == 0,
            "run_as_non_root: false": security.run_as_non_root is False,
        }
        asked = [key for key, value in wanted.items() if value]
        if asked:
            yield f"security.{asked[0].partition(':')[0]}", asked
    for key, value in pod.annotations:
        if value == "unconfined" and key.startswith(_PROFILES):
            yield f"annotations.{key}", [f"{key}: {value}"]


_FOR_ALL = " here, or once at the top for all steps"


def required(pipeline: Pipeline, project: Project, flawed: Collection[str]) -> Iterator[Diagnostic]:
    """What the policy wants said and the algorithm does not say. Of steps in `flawed` it is not
    known what they say."""
    policy = project.policy
    wanted, related = set(policy.required), _asked(policy, "required")

    def missing(subject: str, key: str, span: Span, example: str, where: str = "") -> Diagnostic:
        message = f"{subject} has no `{key}`, which the policy requires"
        return error("MLC915", message, span, hint=f"add `{example}`{where}", related=related)

    for key, said, example in (
        ("owner", pipeline.owner, "owner: team-ia"),
        ("description", pipeline.description, "description: What it is for."),
    ):
        if key in wanted and not said.strip():
            yield missing("the algorithm", key, pipeline.span, example)
    if "limits.timeout" in wanted and pipeline.limits.timeout is None:
        yield missing("the algorithm", "limits.timeout", pipeline.span, "limits: {timeout: 12h}")
    for param in pipeline.params if "params.description" in wanted else ():
        if not param.description.strip():
            yield missing(f"param `{param.name}`", "description", param.span, "description: …")
    for step in pipeline.steps:
        if step.name in flawed:
            continue
        subject = f"step `{step.name}`"
        if "timeout" in wanted and step.timeout is None:
            yield missing(subject, "timeout", step.span, "timeout: 2h", _FOR_ALL)
        for key, amount, example in (
            ("cpu", step.resources.cpu, "cpu: 1"),
            ("memory", step.resources.memory, "memory: 2Gi"),
        ):
            if f"resources.{key}" in wanted and (amount is None or amount.limit is None):
                what = f"resources.{key}" if amount is None else f"resources.{key}.limit"
                yield missing(subject, what, step.span, f"resources: {{{example}}}", _FOR_ALL)


class _Values(Struct, frozen=True):
    """What an amount can be: `certain` where nobody says otherwise, `possible` by who does;
    `open` where that has no end, for the reason `why`. `place` is that of the param, `given` of a
    value that is written out."""

    certain: tuple[JsonValue, ...] = ()
    possible: tuple[JsonValue, ...] = ()
    open: bool = False
    why: str = ""
    hint: str = ""
    place: Span | None = None
    given: Span | None = None


class _Known(Struct, frozen=True):
    params: dict[str, Param]
    axes: dict[tuple[str, str], Expr]

    def values(self, given: str | int | Expr, step: Step) -> _Values:
        match given:
            case str() | int():
                return _certain(given)
            case Literal(value=value, span=span):
                return _Values((value,), given=span)
            case ParamRef(name=name) if name in self.params:
                return _of_param(self.params[name])
            case InputRef(name=name):
                bound = next((i.value for i in step.inputs if i.name == name), None)
                # What was given to it is wrong, and told: then nothing is known of it.
                if bound is None or isinstance(bound, InputRef):
                    return _Values()
                return self.values(bound, step)
            case EachRef(loop=loop, name=name, path=path):
                items = self.axes.get((loop, name))
                if isinstance(items, Literal) and isinstance(items.value, list):
                    return _certain(*(_field(item, path) for item in items.value))
            case Operation(sign="??", operands=(left, right)):
                first, second = self.values(left, step), self.values(right, step)
                place, hint = first.place or second.place, first.hint or second.hint
                return _Values(
                    first.certain + second.certain,
                    first.possible + second.possible,
                    first.open or second.open,
                    first.why or second.why,
                    hint,
                    place,
                )
        hint = "take it from a param with a `maximum`, or of some amounts in an `enum`"
        return _Values(open=True, why="it is known only in the run", hint=hint)


def _certain(*values: JsonValue) -> _Values:
    return _Values(certain=values)


def _field(item: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for name in path:
        item = item.get(name) if isinstance(item, dict) else None
    return item


def _of_param(param: Param) -> _Values:
    default = () if isinstance(param.default, Required) else (param.default,)
    most = param.maximum
    if param.exclusive_maximum is not None:
        below = param.exclusive_maximum
        if param.kind == "integer":
            below = math.ceil(below) - 1
        most = below if most is None else min(most, below)
    why = f"`params.{param.name}` may be more"
    if param.enum:
        hint = "take the larger ones out of its `enum`"
        return _Values(default, param.enum, False, why, hint, param.span)
    if most is not None:
        return _Values(default, (most,), False, why, "lower its `maximum`", param.span)
    word = "maximum" if param.kind in ("integer", "number") else "enum"
    hint = "give it one: `maximum: …`" if word == "maximum" else "give it one: `enum: […]`"
    why = f"`params.{param.name}` has no `{word}`"
    return _Values(default, (), True, why, hint, param.span)


def _amount(key: str, found: _Values, ceiling: Ceiling, span: Span) -> Iterator[Diagnostic]:
    most = quantity(ceiling.text)
    if most is None:
        return
    related: tuple[Related, ...] = (Related("the policy's ceiling", ceiling.span),)
    above = _above(found.certain, most)
    if above is not None:
        message = f"`{key}` of {above} is above the policy's ceiling of {ceiling.text}"
        if found.place is not None:
            related = (Related("its default", found.place), *related)
        if found.given is not None and found.given[:2] != span[:2]:
            # What gives it to a component is what has to change.
            related = (Related("what it is for", span), *related)
            span = found.given
        yield error("MLC912", message, span, hint=f"{ceiling.text} at most", related=related)
    elif found.open or _above(found.possible, most) is not None:
        message = f"`{key}` may go above the policy's ceiling of {ceiling.text}: {found.why}"
        if found.place is not None:
            related = (Related("it comes from here", found.place), *related)
        yield warning("MLC913", message, span, hint=found.hint, related=related)


def _above(values: tuple[JsonValue, ...], most: Decimal) -> str | None:
    """The largest of values above a ceiling."""
    amounts = [
        (amount, to_text(value))
        for value in values
        if value is not None and (amount := quantity(to_text(value))) is not None and amount > most
    ]
    return max(amounts)[1] if amounts else None


def _timeouts(pipeline: Pipeline, policy: Policy) -> Iterator[Diagnostic]:
    ceiling = policy.ceilings.get("timeout")
    most = duration(ceiling.text) if ceiling else None
    if ceiling is None or most is None:
        return
    related = (Related("the policy's ceiling", ceiling.span),)
    places = [(step.timeout.seconds, step.timeout.place) for step in pipeline.steps if step.timeout]
    limits = pipeline.limits
    if limits.timeout is not None:
        places.append((limits.timeout, dict(limits.value_spans).get("timeout", pipeline.span)))
    for seconds, span in places:
        if seconds > most:
            shown = duration_text(seconds)
            message = f"a timeout of {shown} is above the policy's ceiling of {ceiling.text}"
            hint = f"{ceiling.text} at most"
            yield error("MLC914", message, span, hint=hint, related=related)


def _axes(nodes: tuple[Node, ...]) -> Iterator[tuple[tuple[str, str], Expr]]:
    for node in nodes:
        if isinstance(node, Loop):
            yield from (((node.name, axis.name), axis.items) for axis in node.axes)
            yield from _axes(node.body)


def _asked(policy: Policy, key: str) -> tuple[Related, ...]:
    """The line of the policy that wants it."""
    place = policy.places.get(key)
    return (Related("the policy", place),) if place else ()
