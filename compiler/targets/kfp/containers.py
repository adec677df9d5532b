"""What a step's container runs on KFP, with the launch's placeholders bound to component inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from compiler.expr import ArtifactType
from compiler.ir import Amount, Command, Python, Script, Step
from compiler.launch import (
    ArgumentWord,
    Dialect,
    Launch,
    OutputPathOf,
    PathOf,
    Slot,
    ValueOf,
    launch,
)
from compiler.launch import Text as LaunchText
from compiler.targets.kfp import amounts
from compiler.targets.kfp.plan import (
    Container,
    InputPath,
    InputValue,
    OutputFile,
    OutputPath,
    Part,
    Resources,
    Text,
    Word,
)
from compiler.targets.kubelet import ESCAPES, escape_text

# Of KFP's own (driver/util.go, component/launcher_v2.go): the driver leaves the environment as it
# is, a missing artifact passes, a string output keeps its newline, and what a value may not hold is
# expanded or filled in on its way.
DIALECT = Dialect(
    native_env=False,
    metrics_metadata=True,
    requires_artifacts=False,
    checks_values=True,
    keeps_newline=True,
    forbidden=("{{", "$$", "$(", "\x7f"),
)
# Tells apart what the backend would otherwise take for one component: it knows a component by the
# hash of its container, whatever its inputs and outputs are (argocompiler/argo.go).
STEP_VARIABLE = "MLC_STEP"
# How a conditional argument begins (driver/util.go).
_CLAUSE = '{"IfPresent":'
_CHANGE_FOLDER = 'cd -- "$1" && shift && exec "$@"'


def launched(step: Step) -> Launch:
    return launch(step, DIALECT)


def container(step: Step, launch: Launch, inputs: dict[str, str]) -> Container:
    """The container; `inputs` names the component input of each capture."""
    words = _arguments(step, launch, inputs)
    split = _program_words(step, launch, words)
    variables = [(name, _constant(word)) for name, word in launch.env]
    texts = [*_texts(words), *(value for _, value in variables)]
    escapes = ESCAPES if any("$(MLC_" in text for text in texts) else ()
    return Container(
        image=step.image or "",
        command=words[:split],
        args=words[split:],
        env=(*escapes, (STEP_VARIABLE, step.name), *variables),
        resources=_resources(step),
    )


def needs_shell(step: Step, launch: Launch) -> tuple[str, ...]:
    """The fields for which KFP needs /bin/sh in the step's image."""
    return (*launch.reasons, *(["workdir"] if step.workdir else []))


def has_shell(step: Step) -> bool:
    return not isinstance(step.program, Command) or step.program.has_shell


def _arguments(step: Step, launch: Launch, inputs: dict[str, str]) -> tuple[Word, ...]:
    """The argument vector; KFP has no field for a working folder, so a shell goes there."""
    artifacts = {o.name for o in step.outputs if isinstance(o.type, ArtifactType)}
    argv = launch.argv
    if step.workdir:
        call = ("/bin/sh", "-c", _CHANGE_FOLDER, "mlc", step.workdir)
        argv = (*((LaunchText(text),) for text in call), *argv)

    def part(slot: Slot, before: bool, after: bool) -> Part:
        match slot:
            case LaunchText(text=text):
                escaped = escape_text(text, before=before, after=after)
                return Text(escaped if before else _no_clause(escaped))
            case ValueOf(capture=name):
                return InputValue(inputs[name])
            case PathOf(capture=name):
                return InputPath(inputs[name])
            case OutputPathOf(output=name):
                return OutputPath(name) if name in artifacts else OutputFile(name)

    return tuple(
        tuple(part(slot, at > 0, at + 1 < len(word)) for at, slot in enumerate(word))
        for word in argv
    )


def _no_clause(text: str) -> str:
    """The beginning of a word, kept apart from what the driver parses as a condition."""
    clause = text.lstrip().startswith(_CLAUSE)
    return text.replace("{", "{$(MLC_E)", 1) if clause else text


def _program_words(step: Step, launch: Launch, words: tuple[Word, ...]) -> int:
    """How many words are the program, KFP's `command`; the others are its `args`.

    The two are one to the launcher, and apart for those who read them.
    """
    if step.workdir or launch.wrapped:
        return 4  # /bin/sh -c TEXT mlc
    match step.program:
        case Python():
            return 5  # python3 -c SHIM FUNCTION SPEC
        case Script():
            return len(words)
        case Command():
            given = (i for i, word in enumerate(words) if i and _is_argument(word))
            return next(given, len(words))


def _is_argument(word: Word) -> bool:
    return any(not isinstance(p, Text) or p.text.startswith("--") for p in word)


def _constant(word: ArgumentWord) -> str:
    """The value of a variable: literal, as `DIALECT` sends all else through the wrapper."""
    return "".join(escape_text(part.text) for part in word if isinstance(part, LaunchText))


def _texts(words: tuple[Word, ...]) -> list[str]:
    return [part.text for word in words for part in word if isinstance(part, Text)]


def _resources(step: Step) -> Resources:
    wanted = step.resources
    return Resources(
        cpu_request=_amount(wanted.cpu, "request", amounts.cpu),
        cpu_limit=_amount(wanted.cpu, "limit", amounts.cpu),
        memory_request=_amount(wanted.memory, "request", amounts.memory),
        memory_limit=_amount(wanted.memory, "limit", amounts.memory),
        accelerator=(wanted.gpu.resource, wanted.gpu.count) if wanted.gpu else None,
    )


def _amount(
    amount: Amount | None, side: Literal["request", "limit"], spell: Callable[[str], str]
) -> str | None:
    text = None if amount is None else amount.request if side == "request" else amount.limit
    return spell(text) if text else None
