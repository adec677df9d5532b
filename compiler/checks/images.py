"""Images: how they are named, whether the name stays the same image, whether a step can run in
it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, Span, error, listing, warning
from compiler.ir import Pipeline, Python, Script, Step
from compiler.settings import Project

# github.com/distribution/reference, regexp.go: its grammar without the anchors.
_HOST = (
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_MOST_NAME = 255
_MOST_REFERENCE = 600
_SCHEME = re.compile(r"(?i)[a-z][a-z0-9+.-]*://")
# What people push again and again by one name.
_MOVING = {
    *("latest", "main", "master", "trunk", "develop", "dev", "head"),
    *("edge", "nightly", "snapshot"),
}
# Images of Docker Hub in which there is no such program, in no tag of them.
_WITHOUT_PYTHON = {
    *("alpine", "alpine/curl", "bash", "busybox", "curlimages/curl", "debian"),
    *("hello-world", "ubuntu"),
}
_WITHOUT_BASH = {"alpine", "alpine/curl", "busybox", "curlimages/curl", "hello-world"}
_HUB = re.compile(r"(?:(?:index\.)?docker\.io/)?(?:library/)?(?P<name>.+)")


def images(pipeline: Pipeline, _: Project) -> Iterator[Diagnostic]:
    """Each image once, however many steps have it."""
    seen: dict[tuple[str, Span], re.Match[str] | None] = {}
    for step in pipeline.steps:
        if step.image is None or step.image_span is None:
            continue
        key = step.image, step.image_span
        if key not in seen:
            seen[key] = _parsed(step.image)
            yield from _named(step.image, step.image_span, seen[key], pipeline)
        found = seen[key]
        if found:
            yield from _lacking(step, found["name"], step.image_span)


def missing_images(pipeline: Pipeline, project: Project) -> Iterator[Diagnostic]:
    """Steps without an image in a project that is compiled for engines, all of which need one."""
    lacking = [step for step in pipeline.steps if step.image is None]
    if not lacking or not project.names_targets:
        return
    names = project.default_targets
    need = f"{listing(names)} {'need' if len(names) > 1 else 'needs'}"
    if len(lacking) == len(pipeline.steps):
        message = f"no step has an image, which {need}"
        hint = "add one at the top, for all steps: `image: …`"
        yield warning("MLC641", message, pipeline.span, hint=hint)
        return
    for step in lacking:
        message = f"step `{step.name}` has no image, which {need}"
        yield warning("MLC641", message, step.span, hint="add `image: …` to it, or at the top")


def _parsed(image: str) -> re.Match[str] | None:
    found = _REFERENCE.fullmatch(image) if len(image) <= _MOST_REFERENCE else None
    return found if found and len(found["name"]) <= _MOST_NAME else None


def _named(
    image: str, span: Span, found: re.Match[str] | None, pipeline: Pipeline
) -> Iterator[Diagnostic]:
    if found is None:
        yield error("MLC610", f"`{image}` is no name of an image", span, hint=_mending(image))
        return
    tag, digest = found["tag"], found["digest"]
    if digest:
        return
    hint = "name a version, or the commit: `:${{ git.short_commit }}`"
    if "/" not in found["name"]:
        # An image that others build.
        hint = f"name a version, as `{found['name']}:1.2`, or a digest"
    if tag is None:
        message = f"`{image}` has no tag, so it is whatever `latest` is when a step starts"
        yield warning("MLC611", message, span, hint=hint)
    elif tag.lower() in _MOVING:
        message = f"the tag `{tag}` moves: two runs, or two steps of one, may get different images"
        yield warning("MLC611", message, span, hint=hint)
    elif _follows_branch(tag, pipeline):
        message = "the tag follows the branch: each commit moves it, and runs before can't be had"
        hint = "name the commit: `${{ git.short_commit }}`, with the branch beside it or without"
        yield warning("MLC612", message, span, hint=hint)


def _follows_branch(tag: str, pipeline: Pipeline) -> bool:
    """Whether a tag has the branch in it and not the commit."""
    branch, commit = pipeline.git_branch, pipeline.git_commit
    if not branch or re.search(rf"(?<!\w){re.escape(branch)}(?!\w)", tag) is None:
        return False
    return not commit or commit[:8] not in tag


def _mending(image: str) -> str:
    """What a text that names no image should be."""
    scheme = _SCHEME.match(image)
    if scheme:
        rest = image[scheme.end() :]
        return f"write `{rest}`, without the scheme" if _parsed(rest) else "leave the scheme out"
    if any(letter.isspace() for letter in image):
        rest = ":".join(image.split())
        if _parsed(rest) and re.fullmatch(r"\S+\s+v?\d\S*", image):
            return f"write `{rest}`"
        rest = "".join(image.split())
        return f"write `{rest}`, without spaces" if _parsed(rest) else "leave the spaces out"
    before, colon, tag = image.rpartition(":")
    if colon and _parsed(before) and "@" not in image:
        if not tag:
            return "give a tag after the `:`"
        bad = next((letter for letter in tag if not re.fullmatch(r"[\w.-]", letter, re.A)), None)
        if bad == "/":
            return "a tag takes no `/`, which branches may have: name the commit"
        if bad:
            return f"a tag takes letters, digits, `_`, `.` and `-`, found `{bad}`"
        return "a tag has 128 characters at most and starts with a letter, a digit or `_`"
    if "@" in image:
        return "a digest is `@sha256:` and 64 hexadecimal digits"
    host, slash, path = image.partition("/")
    lower = f"{host}/{path.lower()}" if slash and _parsed(f"{host}/x") else image.lower()
    if lower != image and _parsed(lower):
        return f"names are in lower case: `{lower}`"
    return "write `registry/name:tag`"


def _lacking(step: Step, name: str, span: Span) -> Iterator[Diagnostic]:
    """A step whose program is surely not in its image."""
    program = ""
    if isinstance(step.program, Python):
        program = "Python"
    elif isinstance(step.program, Script):
        program = {"python": "Python", "bash": "bash"}.get(step.program.shell, "")
    if not program:
        return
    hub = _HUB.fullmatch(name)
    image = hub["name"] if hub else name
    lacking = {"Python": _WITHOUT_PYTHON, "bash": _WITHOUT_BASH}.get(program, set())
    if image in lacking:
        message = f"step `{step.name}` needs {program}, and the image `{name}` has none"
        hint = "`python:3.12-slim` has it" if program == "Python" else "leave `shell` out for `sh`"
        yield warning("MLC613", message, span, hint=hint)
