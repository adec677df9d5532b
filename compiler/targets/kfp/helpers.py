"""Small containers of mlc's own, which write or copy outputs where KFP has no way of its own."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct, field

from compiler.targets.kfp.containers import STEP_VARIABLE, no_clause
from compiler.targets.kfp.plan import (
    ArtifactOutput,
    Condition,
    Container,
    InputPath,
    InputValue,
    OutputFile,
    OutputPath,
    ParameterOutput,
    ParameterType,
    Platform,
    Resources,
    Task,
    Text,
    Word,
)
from compiler.targets.kfp.scopes import Inputs, Kind, order
from compiler.targets.kubelet import ESCAPES, escape_text

# Any image with a POSIX shell, cp and printf does.
IMAGE = "busybox:1.37"
# Triples: what to do, from where, and to which file.
_PROGRAM = """\
while [ "$#" -gt 0 ]; do
case $1 in
text) printf %s "$2" > "$3";;
copy) cp -R "$2" "$3";;
empty) : > "$3";;
esac
shift 3
done
"""
# What stands for a value that nobody looks at.
ZEROS: dict[ParameterType, str] = {
    "STRING": "",
    "NUMBER_INTEGER": "0",
    "NUMBER_DOUBLE": "0",
    "BOOLEAN": "false",
    "LIST": "[]",
    "STRUCT": "{}",
}
NO_RESOURCES = Resources(None, None, None, None, None)
NO_PLATFORM = Platform((), (), (), (), (), (), (), (), (), None, (), None, None)


class Written(Struct, frozen=True):
    """A literal text as a value."""

    text: str


class Taken(Struct, frozen=True):
    """The value or artifact of an input of the helper."""

    input: str


Content: TypeAlias = Written | Taken | None


class Helper(Struct):
    """A helper in the making; `step` is what it serves."""

    name: str
    component: str
    step: str
    image: str
    cached: bool = True
    needs: tuple[str, ...] = ()
    condition: Condition | None = None
    inputs: Inputs = field(default_factory=Inputs)
    contents: dict[str, tuple[ParameterOutput | ArtifactOutput, Content]] = field(
        default_factory=dict
    )

    def write(self, name: str, kind: Kind, content: Content) -> None:
        """Have it write an output; without content one that nobody looks at."""
        self.contents[name] = (kind.output(name), content)

    def plan(self) -> Task:
        inputs = tuple(self.inputs.ports.values())
        needs, after = order(inputs, self.needs)
        outputs = tuple(port for port, _ in self.contents.values())
        words = tuple(word for pair in self.contents.values() for word in _words(*pair))
        texts = [part.text for word in words for part in word if isinstance(part, Text)]
        # As the name of the program stands that of the task: without it the cache would take two
        # helpers that write the same for one, and what they write for one artifact.
        escapes = ESCAPES if any("$(MLC_" in text for text in texts) else ()
        return Task(
            name=self.name,
            component=self.component,
            step=self.step,
            is_helper=True,
            description="",
            inputs=inputs,
            outputs=outputs,
            container=Container(
                image=self.image,
                command=tuple((Text(text),) for text in ("sh", "-ec", _PROGRAM, self.name)),
                args=words,
                env=(*escapes, (STEP_VARIABLE, self.name)),
                resources=NO_RESOURCES,
            ),
            platform=NO_PLATFORM,
            retry=None,
            cached=self.cached,
            condition=self.condition,
            needs=needs,
            after=after,
        )


def _words(port: ParameterOutput | ArtifactOutput, content: Content) -> tuple[Word, Word, Word]:
    is_value = isinstance(port, ParameterOutput)
    target: Word = (OutputFile(port.name) if is_value else OutputPath(port.name),)
    match content:
        case Written(text=text):
            return (Text("text"),), (Text(no_clause(escape_text(text))),) if text else (), target
        case Taken(input=name) if is_value:
            return (Text("text"),), (InputValue(name),), target
        case Taken(input=name):
            return (Text("copy"),), (InputPath(name),), target
    if isinstance(port, ParameterOutput):
        return (Text("text"),), (Text(ZEROS[port.type]),) if ZEROS[port.type] else (), target
    return (Text("empty"),), (), target
