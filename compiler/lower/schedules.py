"""Schedules: when an algorithm runs by itself, and with which values."""

from __future__ import annotations

from typing import Literal, cast

from compiler import ir, mending
from compiler.diagnostics import Diagnostic, Related, error, listing, nearest
from compiler.nodes import Mapping, Scalar, mapping, text
from compiler.params import unknown_param, unquoted, value_of, value_problem
from compiler.values import JsonValue


def lower_schedules(
    spec: Mapping,
    params: dict[str, ir.Param],
    inputs: tuple[ir.PipelineInput, ...],
    broken: frozenset[str],
    diagnostics: list[Diagnostic],
) -> tuple[ir.Schedule, ...]:
    """The schedules of a resolved spec."""
    profiles = mapping(spec.get("profiles"))
    found = []
    for name, entry in mapping(spec.get("schedules")) or ():
        node = entry.value
        cron = text(node.get("cron")) if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or cron is None:
            continue
        profile_name = node.get("profile")
        profile = _profile(profile_name, profiles, diagnostics)
        values: dict[str, JsonValue] = {}
        for given in (profile and profile.get("params"), node.get("params")):
            values |= _values(mapping(given), params, broken, diagnostics)
        catch_up, enabled = node.get("catch_up"), node.get("enabled")
        found.append(
            ir.Schedule(
                name=name,
                cron=" ".join(cron.split()),
                timezone=text(node.get("timezone")),
                profile=text(profile_name),
                params=tuple(values.items()),
                enabled=not isinstance(enabled, Scalar) or enabled.value is True,
                overlap=cast(Literal["allow", "forbid"], text(node.get("overlap")) or "forbid"),
                catch_up=isinstance(catch_up, Scalar) and catch_up.value is True,
                sets_steps=profile is not None and bool(profile.entries.keys() - {"params"}),
                span=entry.key.span,
                cron_span=node.entries["cron"].value.span,
            )
        )
        if not node.broken:
            diagnostics += _missing(found[-1], params, inputs)
    return tuple(found)


def _profile(
    name: object, profiles: Mapping | None, diagnostics: list[Diagnostic]
) -> Mapping | None:
    if not isinstance(name, Scalar):
        return None
    profile = mapping(profiles.get(name.text)) if profiles else None
    if profile is None and (profiles is None or name.text not in profiles.broken):
        known = list(profiles.entries) if profiles else []
        near = nearest(name.text, known)
        hint = f"did you mean `{near}`?" if near else "the spec has no `profiles`"
        if known and not near:
            hint = f"the spec has {listing(known)}"
        message = f"there is no profile `{name.text}`"
        fix = mending.respelled(name.file, name.span, name.text, known, near)
        diagnostics.append(error("MLC312", message, name.span, hint=hint, fix=fix))
    return profile


def _values(
    given: Mapping | None,
    params: dict[str, ir.Param],
    broken: frozenset[str],
    diagnostics: list[Diagnostic],
) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name, entry in given or ():
        param = params.get(name)
        if param is None and name in broken:
            continue
        if param is None:
            key = entry.key
            diagnostics.append(unknown_param(name, params, key.span, key.file))
            continue
        value = value_of(entry.value, param.kind)
        problem = value_problem(param, value)
        if problem:
            related = (Related(f"`{name}` is declared here", param.span),)
            message = f"bad value for `{name}`: {problem}"
            fix = unquoted(param, entry.value)
            place = entry.value.span
            diagnostics.append(error("MLC505", message, place, related=related, fix=fix))
        else:
            found[name] = value
    return found


def _missing(
    schedule: ir.Schedule, params: dict[str, ir.Param], inputs: tuple[ir.PipelineInput, ...]
) -> list[Diagnostic]:
    """What a run that nobody starts by hand would lack."""
    given = dict(schedule.params)
    missing = [
        p for p in params.values() if isinstance(p.default, ir.Required) and p.name not in given
    ]
    lacking: list[ir.Param | ir.PipelineInput] = [*missing]
    lacking += [i for i in inputs if i.default is None]
    return [
        error(
            "MLC319",
            f"schedule `{schedule.name}` gives no value for `{one.name}`, which has no default",
            schedule.span,
            hint="add it to the schedule's `params`" if one in missing else "give it a default",
            related=(Related(f"`{one.name}` is declared here", one.span),),
        )
        for one in lacking
    ]
