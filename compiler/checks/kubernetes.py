"""What no Kubernetes takes, whatever is compiled for it: names, labels, tolerations.

The rules are apimachinery's (pkg/util/validation) and those of core/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, Related, Span, error
from compiler.expr import SecretRef
from compiler.ir import Pairs, Pod, Step, Toleration
from compiler.settings import Project

_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_OBJECT = re.compile(rf"{_PART}(?:\.{_PART})*")
_MOST_OBJECT = 253
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_LABEL_NAME = re.compile(
    rf"(?:{_PART}(?:\.{_PART})*/)?[A-Za-z0-9](?:[-\w.]{{0,61}}[A-Za-z0-9])?", re.A
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?", re.A)
_MOST_ANNOTATION_BYTES = 256 * 1024
_FOR_NAMES = "lower-case letters, digits, `-` and `.`, a letter or digit at both ends"
_FOR_LABELS = "at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends"


def objects(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Names of volumes' sources, secrets, accounts and classes that nothing can have."""
    pod, places = step.pod, dict(step.pod.value_spans)
    for volume in step.volumes:
        if volume.source is not None:
            kind = volume.kind.replace("_", " ")
            place = dict(volume.value_spans).get(volume.kind, volume.span)
            yield from _object(kind, volume.source, place)
    for variable in step.env:
        secret = variable.value
        if isinstance(secret, SecretRef):
            yield from _object("secret", secret.name, secret.span)
            if not _SECRET_KEY.fullmatch(secret.key):
                message = f"no secret can have a key `{secret.key}`"
                hint = "a key has letters, digits, `-`, `_` and `.`"
                yield error("MLC711", message, secret.span, hint=hint)
    for key, name in (
        ("service_account", pod.service_account),
        ("priority_class", pod.priority_class),
        *((f"pull_secrets.{number}", name) for number, name in enumerate(pod.pull_secrets)),
    ):
        if name is not None:
            kind = "secret" if key.startswith("pull_secrets") else key.replace("_", " ")
            yield from _object(kind, name, places.get(key, step.span))


def labels(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Labels, annotations and node selectors that the pod would be refused for."""
    pod = step.pod
    for key, pairs in (
        ("labels", pod.labels),
        ("annotations", pod.annotations),
        ("node_selector", pod.node_selector),
    ):
        if pairs:
            yield from _pairs(key, pairs, pod, step.span)


def tolerations(step: Step, _: Project) -> Iterator[Diagnostic]:
    """Tolerations whose parts contradict each other."""
    for number, toleration in enumerate(step.pod.tolerations):
        message, hint = _contradiction(toleration)
        if message:
            place = dict(step.pod.value_spans).get(f"tolerations.{number}", step.span)
            yield error("MLC712", message, place, hint=hint)


def user(step: Step, _: Project) -> Iterator[Diagnostic]:
    """A pod that has to run as root and must not."""
    security = step.pod.security
    if security and security.run_as_non_root and security.run_as_user == 0:
        message = "user 0 is root, and `run_as_non_root` forbids root: the pod never starts"
        places = dict(step.pod.value_spans)
        place = places.get("security.run_as_user", step.span)
        related = (Related("root is forbidden here", places["security.run_as_non_root"]),)
        hint = "name another user, or take one of the two out"
        yield error("MLC713", message, place, hint=hint, related=related)


def _object(kind: str, name: str, span: Span) -> Iterator[Diagnostic]:
    if len(name) <= _MOST_OBJECT and _OBJECT.fullmatch(name):
        return
    hint = f"names of Kubernetes have {_FOR_NAMES}"
    mended = re.sub(r"[\s_]+", "-", name.lower()).strip("-.")
    if len(mended) <= _MOST_OBJECT and _OBJECT.fullmatch(mended):
        hint += f": is it `{mended}`?"
    yield error("MLC711", f"no {kind} can be called `{_cut(name)}`", span, hint=hint)


def _pairs(key: str, pairs: Pairs, pod: Pod, span: Span) -> Iterator[Diagnostic]:
    keys, values = dict(pod.key_spans), dict(pod.value_spans)
    singular = {"labels": "label", "annotations": "annotation"}.get(key, "label of a node")
    for name, value in pairs:
        if not _is_label_name(name):
            message = f"`{_cut(name)}` is no name of a {singular}"
            hint = f"`name` or `domain/name`; a name has {_FOR_LABELS}"
            message = message.replace("a annotation", "an annotation")
            yield error("MLC710", message, keys.get(f"{key}.{name}", span), hint=hint)
        elif key != "annotations" and not _LABEL_VALUE.fullmatch(value):
            message = f"`{name}` can't have the value `{_cut(value)}`"
            hint = f"a value has {_FOR_LABELS}"
            if key == "labels":
                hint += "; other texts fit into `annotations`"
            yield error("MLC710", message, values.get(f"{key}.{name}", span), hint=hint)
    if key == "annotations":
        size = sum(len(name.encode()) + len(value.encode()) for name, value in pairs)
        if size > _MOST_ANNOTATION_BYTES:
            message = f"the annotations have {size:,} bytes"
            hint = f"a pod has {_MOST_ANNOTATION_BYTES:,} at most"
            yield error("MLC710", message, dict(pod.spans).get(key, span), hint=hint)


def _is_label_name(name: str) -> bool:
    domain, _, _ = name.rpartition("/")
    fits = len(domain) <= _MOST_OBJECT and len(name) <= _MOST_OBJECT + 64
    return fits and _LABEL_NAME.fullmatch(name) is not None


def _contradiction(toleration: Toleration) -> tuple[str, str]:
    shown = f"`{toleration.key}`" if toleration.key else "a toleration without a key"
    if toleration.key and not _is_label_name(toleration.key):
        return f"{shown} is no key of a taint", f"`name` or `domain/name`; a name has {_FOR_LABELS}"
    if toleration.operator == "Equal" and not toleration.key:
        return f"{shown} tolerates every taint, so it has no value", "take `value` and `Equal` out"
    if toleration.operator == "Exists" and toleration.value:
        hint = "take `value` out, or write `operator: Equal`"
        return f"{shown} is tolerated whatever its value, and a value is given", hint
    if toleration.seconds is not None and toleration.effect != "NoExecute":
        hint = "add `effect: NoExecute`, or take `seconds` out"
        return f"`seconds` of {shown} is for the effect NoExecute", hint
    return "", ""


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"
