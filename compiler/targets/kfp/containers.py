"""What a step's container runs on KFP, with the launch's placeholders bound to component inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from compiler.expr import ArtifactType, Expr
from compiler.ir import Command, Python, Script, Step
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
    ExecutorInput,
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


def unnamed(_: Expr) -> InputValue:
    """Stands for the input of an amount where only the size of a container counts."""
    return InputValue("amount")


def container(
    step: Step,
    launch: Launch,
    inputs: dict[str, str],
    amount: Callable[[Expr], InputValue] = unnamed,
) -> Container:
    """The container; `inputs` names the component input of each capture, and `amount` that of an
    amount that is known only at run time."""
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
        resources=_resources(step, amount),
    )


def needs_shell(step: Step, launch: Launch) -> tuple[str, ...]:
    """The fields for which KFP needs /bin/sh in the step's image."""
    return (*launch.reasons, *(["workdir"] if step.workdir else []))


def has_shell(step: Step) -> bool:
    return not isinstance(step.program, Command) or step.program.has_shell


def _arguments(step: Step, launch: Launch, inputs: dict[str, str]) -> tuple[Word, ...]:
    """The argument vector; KFP has no field for a working folder, so a shell goes there."""
    artifacts = {o.name for o in step.outputs if isinstance(o.type, ArtifactType)}
    lists = {
        capture.name
        for capture in launch.captures
        if isinstance(capture.type, ArtifactType) and capture.type.is_list
    }
    argv = launch.argv
    if step.workdir:
        call = ("/bin/sh", "-c", _CHANGE_FOLDER, "mlc", step.workdir)
        argv = (*((LaunchText(text),) for text in call), *argv)

    def part(slot: Slot, before: bool, after: bool) -> Part:
        match slot:
            case LaunchText(text=text):
                return _text(text, before, after)
            case ValueOf(capture=name):
                return InputValue(inputs[name])
            case PathOf(capture=name):
                return (ExecutorInput if name in lists else InputPath)(inputs[name])
            case OutputPathOf(output=name):
                return OutputPath(name) if name in artifacts else OutputFile(name)

    def filled(word: ArgumentWord) -> Word:
        if len(word) == 1 and type(word[0]) is LaunchText:
            return _whole(word[0].text)
        return tuple([part(s, at > 0, at + 1 < len(word)) for at, s in enumerate(word)])

    return tuple(map(filled, argv))


# Most words are texts that stand in the containers of other steps too.
@lru_cache(maxsize=4096)
def _whole(text: str) -> Word:
    return (_text(text, False, False),)


@lru_cache(maxsize=4096)
def _text(text: str, before: bool, after: bool) -> Text:
    escaped = escape_text(text, before=before, after=after)
    return Text(escaped if before else no_clause(escaped))


def no_clause(text: str) -> str:
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


def _resources(step: Step, amount: Callable[[Expr], InputValue]) -> Resources:
    cpu, memory, gpu = step.resources.cpu, step.resources.memory, step.resources.gpu

    def spelled(given: str | Expr | None, spell: Callable[[str], str]) -> str | InputValue | None:
        if given is None or isinstance(given, str):
            return spell(given) if given else None
        return amount(given)

    accelerator = None
    if gpu:
        count = gpu.count if isinstance(gpu.count, int) else amount(gpu.count)
        accelerator = (gpu.resource, count)
    return Resources(
        cpu_request=spelled(cpu.request, amounts.cpu) if cpu else None,
        cpu_limit=spelled(cpu.limit, amounts.cpu) if cpu else None,
        memory_request=spelled(memory.request, amounts.memory) if memory else None,
        memory_limit=spelled(memory.limit, amounts.memory) if memory else None,
        accelerator=accelerator,
    )
