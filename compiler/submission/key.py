"""What a submission is known by: the digest of its spec, its key, and names for engines.

All of these are functions of what is submitted alone, so that any machine comes to the same ones
and a submission that is repeated finds what the first attempt made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from compiler.git import UNKNOWN
from compiler.ir import Pipeline, Required
from compiler.slugs import KUBERNETES_LIMIT, MARK_DIGITS, is_marked, joined, mark, slug
from compiler.values import JsonValue

# Characters that KFP takes in names.
KFP_LIMIT = 127
# Changes whenever what is digested does, so that digests of different meaning never look alike.
_FORM = "mlc spec digest 1"
_DIGITS = 32
# As many as fit into the few characters of a description that KFP keeps.
_KEY_DIGITS = 24
# Of the pipeline: where it is written, what is compared by itself (schedules, gates), what only the
# local cache and `mlc changed` go by (sources), and names of what is in the steps by now.
_NOT_DIGESTED = {
    "Pipeline": {
        *("source", "sources", "schedules", "profiles", "git_commit", "git_branch", "gates"),
    }
}
# Fields whose order means nothing.
_UNORDERED = {
    "Pipeline": {"params", "inputs", "nodes", "finally_nodes", "outputs", "labels"},
    "Step": {"inputs", "outputs", "needs", "volumes"},
    "Loop": {"body", "needs"},
    "Pod": {"labels", "annotations", "node_selector"},
    "Gpu": {"node_selector"},
}


def spec_digest(pipeline: Pipeline) -> str:
    """32 hexadecimal digits that are the same for pipelines of the same meaning.

    `pipeline` is made with the checkout `compiler.git.UNKNOWN` and without overrides: the commit,
    the branch and the values of a run are no part of the spec. What counts is everything that is
    run or shown on a cluster, profiles included; not files, places, comments, the order of steps
    and params, schedules and `sources`.

    Raises:
        ValueError: the pipeline has a commit in it.
    """
    if pipeline.git_commit not in (None, UNKNOWN.commit):
        raise ValueError("a spec is digested without a commit: build it with git.UNKNOWN")
    return _digest([_FORM, data_of(pipeline)])[:_DIGITS]


def images_of_commit(built: Pipeline, neutral: Pipeline) -> tuple[str, ...]:
    """The steps of a pipeline whose image is named by git: where it differs from that of the same
    pipeline made with the checkout `compiler.git.UNKNOWN`."""
    there = {step.name: step.image for step in neutral.steps}
    return tuple(step.name for step in built.steps if there.get(step.name) != step.image)


def submission_key(
    spec: str,
    params: Mapping[str, JsonValue],
    commit: str,
    attempt: int = 1,
    *,
    experiment: str = "",
) -> str:
    """24 hexadecimal digits that tell one submission from all others.

    `spec` is a digest, `params` all values of the run by name, in any order. Branches may stand at
    the same commit: `experiment` keeps their runs apart. `attempt` counts up to run the same again.
    """
    values = {name: _value(value) for name, value in params.items()}
    return _digest(["mlc submission 1", spec, values, commit, attempt, experiment])[:_KEY_DIGITS]


def version_name(branch: str, commit: str, spec: str) -> str:
    """The name of a pipeline's version: readable, a DNS label, its own for each branch, commit and
    spec digest."""
    tail = f"{commit[:8]}-{spec[:8]}"
    return joined(slug(branch, KUBERNETES_LIMIT - len(tail) - 1), tail)


def run_name(algorithm: str, branch: str, key: str) -> str:
    """The name of a run, a DNS label with 12 digits of its key at the end."""
    tail = key[:12]
    head = slug(algorithm.replace("_", "-"), 28)
    room = KUBERNETES_LIMIT - len(head) - len(tail) - 2
    return joined(head, slug(branch, room), tail)


def experiment_name(branch: str) -> str:
    """The branch itself, as far as KFP takes it: cut with a digest where it is too long."""
    looks_cut = len(branch) == KFP_LIMIT and is_marked(branch)
    if len(branch) <= KFP_LIMIT and not looks_cut:
        return branch
    return f"{branch[: KFP_LIMIT - MARK_DIGITS - 1]}-{mark(branch)}"


def _digest(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def data_of(value: Any) -> Any:
    """The IR as JSON. Fields that are as by default are left out, so that a new one changes no
    digest of specs that do without it."""
    if isinstance(value, Required):
        return {"required": True}
    if isinstance(value, (list, dict)):
        return {"value": _value(value)}
    if isinstance(value, Struct):
        fields = asdict(value)
        with_defaults = value.__struct_fields__[-len(value.__struct_defaults__) :]
        defaults = dict(zip(with_defaults, value.__struct_defaults__, strict=False))
        return _fields(type(value).__name__, fields, defaults)
    if isinstance(value, tuple):
        return [data_of(item) for item in value]
    return _value(value)


def _fields(kind: str, fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"": kind}
    for name, value in fields.items():
        if name.endswith(("span", "spans")):
            continue
        if name in _NOT_DIGESTED.get(kind, ()) or (name in defaults and value == defaults[name]):
            continue
        found = data_of(value)
        if name in _UNORDERED.get(kind, ()):
            found = sorted(found, key=_digest)
        data[name] = found
    return data


def _value(value: JsonValue) -> JsonValue:
    """A value as it is told apart from others: `3.0` and `3` are the same number."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_value(item) for item in value]
        case dict():
            return {name: _value(item) for name, item in value.items()}
    return value
