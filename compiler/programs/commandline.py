"""The words of a command that its program reads as code: `sh -c TEXT`, `python -c TEXT`.

Follows commands that start other commands (`env`, `timeout`, `xargs`). Knows the options of each
program as far as it takes to find the text; what it does not know is taken to be data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from compiler.programs.known import (
    ALL_SHELLS,
    INTERPRETERS,
    LAUNCHERS,
    OTHER_SHELL,
    PROGRAMS,
    RUNNERS,
    RUNNING,
    SAME_AS,
    SHELL,
    SHELL_VALUED,
    SHELLS,
    SPLIT_STRING,
    WRAPPERS,
    Language,
    Options,
)

# Stands for an expression in a word; no spec holds the character itself.
EXPRESSION = "\0"


class Text(Struct, frozen=True):
    """A program text: a word of the command, from `start` of its characters on; `how` is the way
    in which it is given, for messages."""

    word: int
    start: int
    language: Language
    how: str


_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_VERSION = re.compile(r"^(python|pypy|ipython|perl|ruby|lua|php|node)[0-9.]+$")
# No command is started so deep inside of another.
_MOST_TRIED = 20
_SPLIT_STRING = re.compile(r"-[0iv]*S|--split-string(?:=|\Z)")


def program_texts(words: Sequence[str]) -> Iterator[Text]:
    """The program texts among the words of a command; `EXPRESSION` stands for each expression."""
    at = 0
    while at < len(words):
        name = _program(words[at])
        if name in ALL_SHELLS:
            yield from _of_shell(words, at, name)
            return
        wrapper = WRAPPERS.get(name)
        found = list(_of_program(words, at, name))
        yield from found
        if wrapper is None:
            if found or _known(words, at, name):
                return
            break
        if found and name != "env":
            return
        at = _command(words, at + 1, *wrapper)
    yield from _started(words, at)


def _started(words: Sequence[str], at: int) -> Iterator[Text]:
    """The texts of the command that another program starts somewhere among its words.

    One that is not known may start another too, but `--shell bash` is its own option.
    """
    name = _program(words[at]) if at < len(words) else ""
    starts = name in LAUNCHERS or (
        name in RUNNERS and any(word in RUNNING for word in words[at + 1 :])
    )
    tried = 0
    for number in range(at + 1, len(words) - 1):
        before, inner = words[number - 1], _program(words[number])
        is_first = before in ("--", "-exec", "-execdir") or (number == at + 1 and not starts)
        if not starts and not is_first and before[:1] == "-":
            continue
        if inner in ALL_SHELLS:
            yield from _of_shell(words, number, inner)
            return
        if is_first or (starts and inner in INTERPRETERS):
            tried += 1
            if tried > _MOST_TRIED:
                return
            found = list(_of_program(words, number, inner))
            yield from found
            if found:
                return


def _of_program(words: Sequence[str], at: int, name: str) -> Iterator[Text]:
    if name == "env":
        yield from _of_env(words, at)
    known = _known(words, at, name)
    if known is not None:
        verb, options = known
        yield from _of(words, at + (" " in verb), verb, options)


def _known(words: Sequence[str], at: int, name: str) -> tuple[str, Options] | None:
    """What is known of a program, or of what it does by the word behind its name."""
    for called in (f"{name} {words[at + 1]}" if at + 1 < len(words) else name, name):
        if called in PROGRAMS:
            return called, PROGRAMS[called]
    return None


def _of_env(words: Sequence[str], at: int) -> Iterator[Text]:
    """The text that `env -S` splits into the words of a command."""
    for number in range(at + 1, len(words)):
        option = _SPLIT_STRING.match(words[number])
        if option is not None:
            start = option.end()
            if start == len(words[number]):
                number, start = number + 1, 0
            if number < len(words) and re.search(r"\s", words[number][start:]):
                yield Text(number, start, SPLIT_STRING, "env -S")
            return
        if words[number][:1] != "-" and not _ASSIGNMENT.match(words[number]):
            return


def _program(word: str) -> str:
    """The name of a program, without its folder and version."""
    name = word.rpartition("/")[2]
    versioned = _VERSION.match(name)
    name = versioned[1] if versioned else name
    return SAME_AS.get(name, name)


def _command(words: Sequence[str], at: int, valued: str, plain: int) -> int:
    """Where the command starts that a wrapper starts."""
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
        elif word[:1] == "-" and len(word) > 1:
            at += 2 if word[1] != "-" and word[-1] in valued and len(word) == 2 else 1
        elif _ASSIGNMENT.match(word):
            at += 1
        elif plain:
            plain -= 1
            at += 1
        else:
            break
    return at


def _of_shell(words: Sequence[str], at: int, name: str) -> Iterator[Text]:
    """A shell's `-c` says that its first plain word is the text."""
    has_text = False
    number = at + 1
    while number < len(words):
        word = words[number]
        if EXPRESSION in word or word[:1] not in ("-", "+") or word in ("-", "+"):
            break
        number += 1
        if word == "--":
            break
        if word in SHELL_VALUED:
            number += 1
        elif word[1] != "-":
            has_text |= word[0] == "-" and "c" in word
            number += sum(word.count(letter) for letter in "oO")
    if has_text and number < len(words):
        language = SHELL if name in SHELLS else OTHER_SHELL
        yield Text(number, 0, language, f"{name} -c")


def _of(words: Sequence[str], at: int, name: str, known: Options) -> Iterator[Text]:
    number = at + 1
    has_text = False
    plain: list[int] = []
    skipping = dict(known.skipping)
    while number < len(words):
        word = words[number]
        option, equals, _ = word.partition("=")
        if word == "--":
            number += 1
            break
        if word[:1] != "-" or len(word) == 1:
            if len(plain) == known.among:
                break
            plain.append(number)
            number += 1
            continue
        has_text |= option in known.instead
        if option in known.options:
            has_text = True
            how = f"{name} {option}"
            if equals:
                yield Text(number, len(option) + 1, known.language, how)
            else:
                number += 1
                last = len(words) if known.rest else number + 1
                for place in range(number, min(last, len(words))):
                    yield Text(place, 0, known.language, how)
        elif option in skipping:
            number += 0 if equals else skipping[option]
        elif word[1] != "-":
            for place, letter in enumerate(word[1:], 1):
                if letter in known.stops:
                    return
                if letter in known.attached:
                    break
                if letter in known.valued:
                    number += place == len(word) - 1
                    break
                if letter in known.letters:
                    has_text = True
                    how = f"{name} -{letter}"
                    if place < len(word) - 1:
                        yield Text(number, place + 1, known.language, how)
                    else:
                        number += 1
                        if number < len(words):
                            yield Text(number, 0, known.language, how)
                    break
        number += 1
    if known.positional is not None and not has_text:
        plain += range(number, len(words))
        last = len(plain) if known.rest else known.positional + 1
        for place in plain[known.positional : last]:
            if words[place] in known.ends:
                break
            yield Text(place, 0, known.language, name)
