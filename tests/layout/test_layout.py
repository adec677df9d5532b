"""The canonical layout says what the text before it said, and keeps each comment at its key.

ruamel.yaml judges the values: it reads YAML 1.2 by itself and shares no code with mlc.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_specs import random_spec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from compiler.layout import CantLayOutError, formatted
from compiler.nodes import SourceFile
from compiler.source import parse

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    path
    for folder in ("algorithms", "examples", "tests/conformance/cases", "tests/diagnostics")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
]


def lay_out(text: str) -> str:
    return formatted(SourceFile("spec.yaml", text))


def readable(path: Path) -> str | None:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    root, found = parse(SourceFile("spec.yaml", text))
    return text if root is not None and not found else None


TEXTS = {p.relative_to(ROOT).as_posix(): text for p in FILES if (text := readable(p)) is not None}


def judged(text: str) -> Any:
    """The values of a text, with those that YAML has several spellings for as they are spelled."""
    reader = YAML(typ="rt", pure=True)
    reader.preserve_quotes = True
    return _plain(reader.load(text))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        # ruamel keeps how a number is written.
        stream = io.StringIO()
        YAML(typ="rt", pure=True).dump([value], stream)
        return stream.getvalue().strip()
    return str(value) if isinstance(value, str) else (type(value).__name__, value)


def test_there_are_many_files() -> None:
    assert len(TEXTS) > 150


@pytest.mark.parametrize("name", TEXTS)
def test_files_keep_their_values(name: str) -> None:
    text = TEXTS[name]
    new = lay_out(text)
    assert judged(new) == judged(text)
    assert lay_out(new) == new
    assert new.endswith("\n")
    assert sorted(comment_lines(new)) == sorted(comment_lines(text))


def comment_lines(text: str) -> list[str]:
    """What stands alone on a line after `#`; lines of scripts are the same before and after."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


@pytest.mark.parametrize("name", [n for n in TEXTS if n.startswith(("algorithms", "examples"))])
def test_the_shipped_specs_are_laid_out(name: str) -> None:
    assert lay_out(TEXTS[name]) == TEXTS[name]


def shuffled(value: Any, random: Random) -> Any:
    """The same data with the keys of each mapping in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, random)) for key, inner in value.items()]
        random.shuffle(items)
        return dict(items)
    return [shuffled(inner, random) for inner in value] if isinstance(value, list) else value


def written(data: Any, random: Random) -> str:
    """Data as YAML, in one of many layouts."""
    if random.random() < 0.5:
        return yaml.dump(
            data,
            sort_keys=False,
            allow_unicode=True,
            indent=random.choice([2, 3, 4, 8]),
            width=random.choice([20, 60, 1000]),
            default_flow_style=random.choice([None, False]),
            Dumper=_dumper(random.choice([None, None, "'", '"', "|", ">"])),
        )
    writer = YAML()
    offset = random.choice([0, 2, 4])
    writer.indent(mapping=random.choice([1, 2, 5]), sequence=offset + 2, offset=offset)
    writer.width = random.choice([20, 80, 1000])
    stream = io.StringIO()
    writer.dump(data, stream)
    return stream.getvalue()


def _dumper(style: str | None) -> type[yaml.SafeDumper]:
    """Writes values, not keys, in one style where that can be; and no aliases."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's name
            return True

        def represent_mapping(self, *arguments: Any, **named: Any) -> yaml.MappingNode:
            node = super().represent_mapping(*arguments, **named)
            for key, _ in node.value:
                key.style = None
            return node

    Dumper.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style)
    )
    return Dumper


def with_comments(text: str, random: Random) -> tuple[str, dict[str, str]]:
    """The text with comments above some lines that start with a key or dash, and those lines."""
    values = judged(text)
    lines = text.splitlines()
    planted: dict[str, str] = {}
    # Not above the first key, where it would be about the file.
    for number in random.sample(range(1, len(lines)), min(6, len(lines) - 1)):
        line = lines[number]
        if not re.match(r" *(- )*[\w-]+:( |$)", line):
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        comment = f"# c{len(planted)}"
        trial = [*lines[:number], indent + comment, *lines[number:]]
        try:
            same = judged("\n".join(trial) + "\n") == values
        except Exception:  # in the middle of a quoted text
            continue
        if same:
            lines = trial
            planted[comment] = line.strip()
    return "\n".join(lines) + "\n", planted


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 12))
def test_random_specs_keep_their_values(seed: int, size: int) -> None:
    random = Random(seed)
    for text in random_spec(seed, size).values():
        written_text = written(shuffled(json.loads(text), random), random)
        if random.random() < 0.3:
            written_text = written_text.rstrip("\n")
        messy, planted = with_comments(written_text, random)
        root, found = parse(SourceFile("", messy))
        assert root is not None
        assert not found
        new = lay_out(messy)
        assert judged(new) == judged(messy)
        assert lay_out(new) == new
        lines = [line.strip() for line in new.splitlines()]
        for comment, below in planted.items():
            assert lines.count(comment) == 1
            after = next(line for line in lines[lines.index(comment) :] if line[:1] != "#")
            first = below.removeprefix("- ").split(":")[0]
            assert after.removeprefix("- ").startswith(first)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_broken_texts_are_left_alone_or_laid_out_rightly(data: st.DataObject) -> None:
    """Lines taken out, doubled, shifted or swapped: what can still be read keeps its values."""
    lines = TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))].split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        other = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "copy", "deeper", "blank", "comment", "spaces"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "copy":
                lines.insert(at, lines[other])
            case "deeper":
                lines[at] = "  " + lines[at]
            case "blank":
                lines.insert(at, " " * (other % 7))
            case "comment":
                lines.insert(at, " " * (other % 7) + "# a comment")
            case "spaces":
                lines[at] += "   # x" if other % 2 else "  "
    text = "\n".join(lines)
    root, found = parse(SourceFile("", text))
    if root is None or found:
        return
    try:
        new = lay_out(text)
    except CantLayOutError:
        return
    try:
        said = judged(text)
    except YAMLError:
        # The judge refuses some block scalars that libyaml reads, such as one led by longer blanks.
        return
    assert judged(new) == said
    assert lay_out(new) == new
