"""What the script of a shell is made of: its text outside of quotes, the programs that it starts,
words that bash alone knows, lines that were not to be joined.

Asked for only where there is a sign of these. Where the text is more than is read here, it says
nothing.
"""

from __future__ import annotations

import functools
import itertools
import re

from compiler.programs.shell import Lost

_MOST_NESTED = 20
# Where a command starts: behind what ends another, and behind words like `if`.
_START = (
    r"(?:\A|\n|;|(?<![<>])&|(?<!>)\||\()[ \t]*"
    r"(?:(?:if|elif|then|else|while|until|do|!|\{|time)[ \t]+)*"
)
_PIPEFAIL = re.compile(_START + r"set(?:[ \t]+[-+]?\w+)*[ \t]+[-+]\w*o[ \t]+(pipefail\b)")
_KNOWN_TO_BUSYBOX = (
    _PIPEFAIL,
    re.compile(_START + r"(\[\[)(?=\s)"),
    re.compile(r"(?:\A|(?<=\s))(<\()(?!\()"),
    re.compile(_START + r"(function[ \t]+[\w-]+[ \t]*(?:\(\))?\s*)(?=\{)"),
    re.compile(_START + r"(source)(?=[ \t]+[^\s|);&])"),
)
_KNOWN_TO_BASH = (
    re.compile(r"(?<!<)(<<<)(?!<)"),
    re.compile(_START + r"([A-Za-z_]\w*\+?=\()"),
)
# The script itself asks which shell reads it.
_ASKS = re.compile(r"BASH_VERSION|\(\s*set [-+]\w*o pipefail|\bsource[ \t]*\(\)|\balias\b")
_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([A-Za-z_]\w*))")
# In `$(…)`: comments, here-documents, and `case`, whose patterns end in a bracket.
_UNREAD = re.compile(r"(?<=[\s;&|(])#|<<|\bcase\b")
_ASSIGNMENTS = re.compile(r"\s*(?:[A-Za-z_]\w*=\S*(?:\s+|\Z))*")
_KEYWORDS = {
    *("if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "!", "time"),
    *("case", "esac", "in", "for"),
}
# Programs that read no environment but what is said in their words.
_SIMPLE = {
    *("[", "basename", "break", "cat", "cd", "continue", "cp", "cut", "date", "dirname", "echo"),
    *("exit", "export", "false", "grep", "gzip", "head", "ls", "mkdir", "mv", "paste", "printf"),
    *("pwd", "read", "rm", "sed", "seq", "set", "sleep", "sort", "tail", "tar", "tee", "test"),
    *("touch", "tr", "trap", "true", "uniq", "unset", "wc", ":"),
}
# Programs of which one never is a word of another of them.
_FIRST = {"echo", "export", "mkdir", "pip", "pip3", "printf", "python", "python3", "rm", "sleep"}
_NEXT = {"cd", "echo", "exit", "export", "mkdir", "pip", "pip3", "printf", "python", "python3"}
_AFTER_ECHO = {"echo", "export", "printf"}
_INNER = {"then", "fi", "do", "done", "elif", "else", "esac"}
_GOES_ON = re.compile(r"(?:[;&|({\\]|(?:^|\s)(?:then|do|else|in))$")
_CONTINUES = re.compile(r"[-+&|;<>)}]|[0-9]>")


def bash_word(text: str, *, busybox: bool = False) -> tuple[int, int] | None:
    """Where the first thing stands that a POSIX shell does not read, as dash and (with `busybox`,
    which knows more) that of BusyBox do not."""
    bare = unquoted(text)
    if bare is None or _ASKS.search(text):
        return None
    patterns = _KNOWN_TO_BASH if busybox else (*_KNOWN_TO_BUSYBOX, *_KNOWN_TO_BASH)
    found = [match.span(1) for pattern in patterns for match in [pattern.search(bare)] if match]
    return min(found, default=None)


def starts_only_simple(text: str) -> bool:
    """Whether all programs of a script are surely such that write where their words say."""
    bare = unquoted(text)
    if bare is None or "`" in text or text.count("$(") != bare.count("$("):
        return False
    for piece in re.split(r"[;\n()]|(?<![<>])&|(?<!>)\|", bare):
        words = piece[_ASSIGNMENTS.match(piece).end() :].split()  # type: ignore[union-attr]
        if words[:1] in (["for"], ["case"]):
            continue
        while words and words[0] in _KEYWORDS:
            words.pop(0)
        if words and words[0] not in _SIMPLE:
            return False
    return True


def joined_commands(lines: list[str]) -> tuple[str, str] | None:
    """Two lines of a text, of which YAML makes one, that surely are a command each, or parts of a
    command that want a line each."""
    controls = any(re.match(r"(?:if|for|while|until|case)\s", line) for line in lines)
    for before, line in itertools.pairwise(lines):
        if not before or not line or line[0] in " \t" or before[0] in " \t":
            continue  # YAML leaves these on lines of their own
        if before[0] == "#":
            return before, line
        if _GOES_ON.search(before) or _CONTINUES.match(line):
            continue
        first, following = before.split()[0], line.split()[0]
        if re.fullmatch(r"set(?: [-+]\w+| pipefail)+|cd [^\s;&|]+", before):
            return before, line
        if controls and following in _INNER:
            return before, line
        if first in _FIRST and following in (_AFTER_ECHO if first == "echo" else _NEXT):
            return before, line
        heredoc = _HEREDOC.search(before)
        if heredoc and (heredoc[2] or heredoc[3] or heredoc[4]) in lines:
            return before, line
    return None


def goes_on(line: str) -> bool:
    """Whether a line looks like a part of the command of the line before."""
    return _CONTINUES.match(line.lstrip()) is not None or line[:1] in ("'", '"', "$", " ")


@functools.lru_cache(maxsize=16)
def unquoted(text: str) -> str | None:
    """The text with spaces for what is quoted, for comments, expansions and here-documents; None
    where it can't be told."""
    kept, at = list(text), 0
    documents: list[tuple[bool, str]] = []
    try:
        while at < len(text):
            char = text[at]
            end = at + 1
            if char == "\\":
                end = at + 2
                # A line that goes on is no start of a command.
                kept[at:end] = "  "[: len(text) - at]
            elif char in "'\"" or text.startswith(("${", "$((", "$'"), at):
                end = _past(text, at, 0)
                # Something of a word stays, without its ends of lines.
                kept[at:end] = ["$", *" " * (end - at - 2), "$"]
            elif char == "`":
                raise Lost
            elif char == "#" and (at == 0 or text[at - 1] in " \t\n;&|()"):
                end = _line_end(text, at)
                kept[at:end] = " " * (end - at)
            elif text.startswith("<<<", at):
                end = at + 3
            elif char == "<" and (document := _HEREDOC.match(text, at)):
                end = document.end()
                kept[at:end] = " " * (end - at)
                documents.append((bool(document[1]), document[2] or document[3] or document[4]))
            elif char == "\n" and documents:
                for tabs, word in documents:
                    end = _past_document(text, end, word, tabs=tabs)
                    kept[at + 1 : end] = " " * (end - at - 1)
                    end = min(end + 1, len(text))
                documents = []
                end -= end > at + 1 and text[end - 1] == "\n"
            at = end
    except Lost:
        return None
    return "".join(kept)


def _past(text: str, at: int, depth: int) -> int:
    """Behind what starts at a place: a quoted text, or an expansion of a variable."""
    if depth > _MOST_NESTED:
        raise Lost
    if text[at] == "'":
        return _found(text, "'", at + 1) + 1
    if text.startswith("$'", at):
        raise Lost
    opening = 1 if text[at] == '"' else 2
    closing = {'"': '"', "${": "}", "$(": ")"}[text[at : at + opening]]
    inside, nested = at + opening, 0
    while inside < len(text):
        char = text[inside]
        if char == closing and not nested:
            return inside + 1
        if char == "\\":
            inside += 2
        elif text.startswith(("${", "$("), inside) or (char in "'\"" and closing != '"'):
            if char == "'" and closing == "}":
                raise Lost  # two shells, two meanings
            inside = _past(text, inside, depth + 1)
        elif char == "`" or (closing == ")" and _UNREAD.match(text, inside)):
            raise Lost
        else:
            nested += (closing == ")" and char == "(") - (closing == ")" and char == ")")
            inside += 1
    raise Lost


def _past_document(text: str, at: int, word: str, *, tabs: bool) -> int:
    while at < len(text):
        end = _line_end(text, at)
        line = text[at:end]
        if (line.lstrip("\t") if tabs else line) == word:
            return end
        at = end + 1
    raise Lost


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _found(text: str, sign: str, at: int) -> int:
    end = text.find(sign, at)
    if end < 0:
        raise Lost
    return end
