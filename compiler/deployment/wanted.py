"""What a spec wants of an engine: its pipeline of a commit, and by what that is known again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from compiler import __version__, frontend
from compiler.binding import Git
from compiler.cluster.compiled import schedules
from compiler.cluster.records import Marks, ScheduleSpec
from compiler.frontend import Document, Loaded
from compiler.git import UNKNOWN
from compiler.ir import Pipeline
from compiler.nodes import to_value
from compiler.resolve import resolve
from compiler.settings import TargetSettings
from compiler.submission.key import spec_digest, version_name
from compiler.values import JsonValue

# What of a spec is compared by itself, or reaches no engine.
_ASIDE = ("apiVersion", "kind", "name", "schedules", "profiles", "sources", "gates", "extends")


class Wanted(Struct, frozen=True):
    """An algorithm as a spec has it. `neutral` is its pipeline without a commit, `digest` of that;
    `words` is the spec as it counts, as plain data."""

    spec: str
    document: Document
    neutral: Pipeline
    digest: str
    words: Mapping[str, JsonValue]
    schedules: tuple[ScheduleSpec, ...]

    @property
    def algorithm(self) -> str:
        return self.neutral.name

    @property
    def target_of(self) -> Callable[[str], TargetSettings]:
        return self.document.project.target

    def at(self, git: Git) -> Pipeline:
        """The pipeline of a commit."""
        if not _names_git(self.document):
            return self.neutral
        built = frontend.build(self.document, git=git).pipeline
        assert built is not None, "what is sound without a commit is so with one"
        return built

    @property
    def of_commit(self) -> bool:
        """Whether each commit makes another pipeline, as where an image is named by git."""
        if not _names_git(self.document):
            return False
        other = self.at(Git("1" * 40, UNKNOWN.branch))
        return replace(other, git_commit=None) != replace(self.neutral, git_commit=None)

    def scheduled(self, account: str | None) -> tuple[ScheduleSpec, ...]:
        """Its schedules on an engine whose settings give runs this service account."""
        return tuple(replace(one, service_account=account) for one in self.schedules)

    def marks(self, project: str, git: Git) -> Marks:
        """Those of the version of a commit."""
        return Marks(
            project=project,
            algorithm=self.algorithm,
            version=version_name(git.branch, git.commit, self.digest),
            commit=git.commit,
            branch=git.branch,
            digest=self.digest,
            mlc=__version__,
        )


def want(spec: str, document: Document) -> tuple[Wanted | None, Loaded]:
    """What a spec says, None where it has errors."""
    loaded = frontend.build(document, git=UNKNOWN)
    if loaded.pipeline is None or document.root is None:
        return None, loaded
    resolved, _ = resolve(document.root, ())
    words = to_value(resolved.spec)
    assert isinstance(words, dict)
    pipeline = loaded.pipeline
    wanted = Wanted(
        spec=spec,
        document=document,
        neutral=pipeline,
        digest=spec_digest(pipeline),
        words={key: value for key, value in words.items() if key not in _ASIDE},
        schedules=schedules(pipeline),
    )
    return wanted, loaded


def _names_git(document: Document) -> bool:
    return any("git." in file.text for file in document.sources.values())


def plain(value: Any) -> Any:
    """A value as it is compared with what an engine gives back, which may know text alone."""
    match value:
        case bool() | None:
            return value
        case float() if value.is_integer():
            return int(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return value
