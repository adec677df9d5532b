"""A project's policy, from nodes of its configuration. `checks.policy` holds specs to it,
`ignores` gives findings the severities that it wants."""

from __future__ import annotations

from compiler.codes import CODES, WHERE_CODES_ARE, is_fixed, meant
from compiler.diagnostics import Diagnostic, Severity, Span, error
from compiler.nodes import Mapping, Node, Scalar, Sequence, mapping, text, texts
from compiler.settings import Ceiling, Policy


def read_policy(node: Mapping | None) -> tuple[Policy, list[Diagnostic]]:
    """The policy of a `[policy]` table that has passed the schema check, and what is wrong."""
    if node is None:
        return Policy(), []
    problems: list[Diagnostic] = []
    places = {key: entry.key.span for key, entry in node}
    ceilings = mapping(node.get("ceilings"))
    policy = Policy(
        registries=tuple(_registry(entry) for entry in texts(node.get("registries"))),
        pinned_images=_is(node.get("pinned_images"), True),
        privileged=not _is(node.get("privileged"), False),
        service_accounts=texts(node.get("service_accounts")),
        required=texts(node.get("required")),
        ceilings={
            key: Ceiling(entry.value.text, entry.key.span)
            for key, entry in ceilings or ()
            if isinstance(entry.value, Scalar)
        },
        severity=_severities(mapping(node.get("severity")), problems),
        enforced=frozenset(_enforced(node.get("enforced"), problems)),
        places=places,
    )
    return policy, problems


def repository(image: str) -> tuple[str, ...]:
    """The segments of an image's name without tag and digest, the host of its registry first.

    Names without a host are Docker Hub's, as for every container runtime
    (github.com/distribution/reference, splitDockerDomain): `python` is `docker.io/library/python`.
    """
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    segments = f"{head}{slash}{last.partition(':')[0]}".split("/")
    if len(segments) == 1 or not _is_host(segments[0]):
        segments = ["docker.io", *(["library"] if len(segments) == 1 else []), *segments]
    host = segments[0].lower()
    return ("docker.io" if host == "index.docker.io" else host, *segments[1:])


def _registry(entry: str) -> tuple[str, ...]:
    """The segments of a registry, or of a repository in one."""
    entry = entry.rstrip("/")
    if "/" not in entry and _is_host(entry):
        return repository(f"{entry}/x")[:1]
    return repository(entry)


def _is_host(segment: str) -> bool:
    return "." in segment or ":" in segment or segment == "localhost"


def _is(node: Node | None, value: bool) -> bool:
    return isinstance(node, Scalar) and node.value is value


def _severities(node: Mapping | None, problems: list[Diagnostic]) -> dict[str, Severity | None]:
    found: dict[str, Severity | None] = {}
    for code, entry in node or ():
        wanted = text(entry.value)
        problem = _unknown(code, entry.key.span)
        if problem is None and is_fixed(code) and wanted != "error":
            message = f"{code} ({CODES[code]}) is an error of the language, which stays one"
            hint = "take the line out: a spec with this in it has no meaning to go on with"
            problem = error("MLC901", message, entry.key.span, hint=hint)
        if problem is not None:
            problems.append(problem)
        elif wanted is not None:
            found[code] = None if wanted == "off" else Severity(wanted)
    return found


def _enforced(node: Node | None, problems: list[Diagnostic]) -> list[str]:
    found = []
    for item in node.items if isinstance(node, Sequence) else ():
        code = text(item) or ""
        problem = _unknown(code, item.span)
        if problem is not None:
            problems.append(problem)
        else:
            found.append(code)
    return found


def _unknown(code: str, span: Span) -> Diagnostic | None:
    if code in CODES:
        return None
    near = meant(code)
    hint = f"did you mean `{near}`, {CODES[near]}?" if near else WHERE_CODES_ARE
    return error("MLC901", f"there is no diagnostic `{code}`", span, hint=hint)
