"""How the shell reads each place of a program text: quoted or not, in which word of what command.

Reads only as much of the shell's grammar as it takes to put a variable in the place of an
expression. Where that is not certain, it says so.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from compiler.programs.commandline import EXPRESSION, program_texts
from compiler.programs.known import FIRST_LETTERS, Language

# None where no variable can stand for the expression.
Quoting: TypeAlias = Literal["bare", "double", "single", "comment"] | None

_KEYWORDS = {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"}
# Commands that split, evaluate or name variables by their words.
_EVALUATING = {
    *("for", "select", "function", "let", "declare", "typeset", "local", "readonly", "alias"),
    *("unset", "read", "source", ".", "mapfile", "readarray", "getopts", "printf -v", "coproc"),
}
_ARITHMETIC = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"}
# What means nothing by itself, in quotes and outside of them.
_PLAIN = re.compile(r"[A-Za-z0-9_./:,%+-]+")
_LETTERS = re.compile("[A-Za-z]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


class Lost(Exception):  # noqa: N818 - no error: the text is more than is read here
    """The text has something in it that is not followed here."""


class _Place(Struct, frozen=True):
    """An expression in a word of a simple command."""

    number: int
    word: int
    quoting: Quoting


class Code(Struct, frozen=True):
    """A program that reads a place of a shell's text as code: how it is given, its language,
    whether the shell puts in variables there before, and whether they are all of its text."""

    how: str
    language: Language
    puts_in: bool
    is_whole: bool


class _Command:
    """A simple command as far as it has been read."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.word: str | None = None
        self.places: list[_Place] = []

    def add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def end_word(self) -> None:
        if self.word is None:
            return
        if not (self.word in _KEYWORDS and not self.words):
            self.words.append(self.word)
        self.word = None

    def settled(self) -> Iterator[tuple[int, Quoting, Code | None]]:
        """What each expression in the command is, now that all of its words are known, and who
        reads it as code, if a program does."""
        self.end_word()
        first = 0
        while first < len(self.words) and _ASSIGNMENT.match(self.words[first]):
            first += 1
        command = self.words[first:]
        code = {text.word + first: text for text in program_texts(command)}
        name = command[0] if command else ""
        evaluates = name in _EVALUATING or (name == "[[" and not _ARITHMETIC.isdisjoint(command))
        for place in self.places:
            unsafe = place.word == first or place.word in code or (evaluates and place.word > first)
            text = code.get(place.word)
            read = None
            if text is not None:
                is_whole = self.words[place.word][text.start :] == EXPRESSION
                read = Code(text.how, text.language, place.quoting != "single", is_whole)
            yield place.number, None if unsafe else place.quoting, read


# Asked for each expression of a text.
@functools.lru_cache(maxsize=8)
def quotings(text: str) -> list[Quoting]:
    """For each `EXPRESSION` in a POSIX shell's program text, how it is quoted there."""
    reader = _Reader(text)
    try:
        reader.read()
    except Lost:
        return [None] * text.count(EXPRESSION)
    return [reader.found.get(number) for number in range(text.count(EXPRESSION))]


@functools.lru_cache(maxsize=8)
def read_as_code(text: str) -> dict[int, Code]:
    """The expressions in a POSIX shell's program text, by number, that are in words which another
    program reads as code."""
    if FIRST_LETTERS.isdisjoint(_LETTERS.findall(text)):
        return {}
    reader = _Reader(text)
    try:
        reader.read()
    except Lost:
        return {}
    return reader.code


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.number = 0
        self.found: dict[int, Quoting] = {}
        self.code: dict[int, Code] = {}

    def read(self) -> None:
        # Open `(`, `$(` and `"`, each with the command around it.
        frames: list[tuple[str, _Command]] = [("", _Command())]
        while self.at < len(self.text):
            mode, command = frames[-1]
            if plain := _PLAIN.match(self.text, self.at):
                self.at = plain.end()
                command.add(plain[0])
                self.no_case(mode, command)
                continue
            char = self.text[self.at]
            following = self.text[self.at + 1 : self.at + 2]
            self.at += 1
            if char == EXPRESSION:
                self.expression(command, "double" if mode == '"' else "bare")
            elif char == "\\":
                self.at += 1
                if following == EXPRESSION:
                    self.number += 1  # stays without a quoting
                command.add(following)
            elif char == "`":
                raise Lost
            elif char == '"':
                if mode == '"':
                    frames.pop()
                else:
                    command.add("")
                    frames.append(('"', command))
            elif char == "$" and following in ("(", "{"):
                command.add("$")
                self.at += 1
                if self.text.startswith("((", self.at - 1):
                    self.skip("((", "))")
                elif following == "{":
                    self.skip("{", "}")
                else:
                    frames.append(("(", _Command()))
            elif mode == '"':
                command.add(char)
            else:
                self.bare(char, following, frames)
        if len(frames) > 1:
            raise Lost
        self.end(frames[0][1])

    def bare(self, char: str, following: str, frames: list[tuple[str, _Command]]) -> None:
        mode, command = frames[-1]
        if char == "'":
            self.single(command)
        elif char == "$" and following in ("'", '"'):
            raise Lost
        elif char in " \t":
            command.end_word()
        elif char in ";&|\n":
            self.end(command)
            frames[-1] = (mode, _Command())
        elif char == "(":
            if following == "(":
                raise Lost
            frames.append(("(", _Command()))
        elif char == ")":
            if mode != "(":
                # The end of a pattern of `case`.
                self.end(command)
                frames[-1] = (mode, _Command())
                return
            self.end(command)
            frames.pop()
        elif char == "#" and command.word is None:
            end = self.text.find("\n", self.at)
            self.comment(len(self.text) if end < 0 else end)
        elif char in "<>":
            if char == "<" and following == "<" and self.text[self.at + 1 : self.at + 2] != "<":
                raise Lost
            command.end_word()
            while self.text[self.at : self.at + 1] in ("<", ">", "&"):
                self.at += 1
            # `<(…)` is a command of its own.
            if self.text[self.at : self.at + 1] == "(":
                self.at += 1
                frames.append(("(", _Command()))
        else:
            command.add(char)
            self.no_case(mode, command)

    def no_case(self, mode: str, command: _Command) -> None:
        if mode == "(" and command.word == "case" and not command.words:
            raise Lost

    def expression(self, command: _Command, quoting: Quoting) -> None:
        command.add(EXPRESSION)
        command.places.append(_Place(self.number, len(command.words), quoting))
        self.number += 1

    def single(self, command: _Command) -> None:
        end = self.text.find("'", self.at)
        if end < 0:
            raise Lost
        command.add("")
        first, *others = self.text[self.at : end].split(EXPRESSION)
        command.add(first)
        for piece in others:
            self.expression(command, "single")
            command.add(piece)
        self.at = end + 1

    def comment(self, end: int) -> None:
        for _ in range(self.text.count(EXPRESSION, self.at, end)):
            self.found[self.number] = "comment"
            self.number += 1
        self.at = end

    def skip(self, opening: str, closing: str) -> None:
        """Past what is no place for a variable; expressions in it stay without a quoting."""
        start = self.at - 1
        depth, at = 0, start
        while at < len(self.text):
            if self.text.startswith(opening[0], at):
                depth += 1
            elif self.text.startswith(closing[0], at):
                depth -= 1
                if depth == 0:
                    break
            elif self.text[at] in "'\"`\\":
                raise Lost
            at += 1
        else:
            raise Lost
        self.number += self.text.count(EXPRESSION, start, at)
        self.at = at + 1

    def end(self, command: _Command) -> None:
        for number, quoting, code in command.settled():
            self.found[number] = quoting
            if code is not None:
                self.code[number] = code
