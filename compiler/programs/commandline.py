"""The words of a command that its program reads as code: `sh -c TEXT`, `python -c TEXT`.

Follows commands that start other commands (`env`, `timeout`, `xargs`). Knows the options of each
program as far as it takes to find the text; what it does not know is taken to be data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

# Stands for an expression in a word; no spec holds the character itself.
EXPRESSION = "\0"

Dialect: TypeAlias = Literal["shell", "python", "other"]


class Language(Struct, frozen=True):
    """`reads` is how a program in it gets a variable of the environment, "" where it can't."""

    name: str
    reads: str = ""
    dialect: Dialect = "other"


class Text(Struct, frozen=True):
    """A program text: a word of the command, from `start` of its characters on; `how` is the way
    in which it is given, for messages."""

    word: int
    start: int
    language: Language
    how: str


class _Options(Struct, frozen=True):
    """How a program is given a text.

    `options` take it as their next word, or behind `=`; `letters` do so at the end of a cluster of
    short options. `positional` is the number of the plain word that is one, if no option in
    `instead` (or with a text) is given; with `rest` all that follow are too. `valued` are letters,
    and `skipping` words with the number of words, that take values.
    """

    language: Language
    options: tuple[str, ...] = ()
    letters: str = ""
    positional: int | None = None
    rest: bool = False
    instead: tuple[str, ...] = ()
    valued: str = ""
    attached: str = ""
    skipping: tuple[tuple[str, int], ...] = ()
    stops: str = ""


SHELL = Language("shell", '"${name}"', "shell")
PYTHON = Language("Python", 'os.environ["{name}"]', "python")
_OTHER_SHELL = Language("shell")
_PERL = Language("Perl", "$ENV{{{name}}}")
_RUBY = Language("Ruby", 'ENV["{name}"]')
_NODE = Language("JavaScript", "process.env.{name}")
_DENO = Language("JavaScript", 'Deno.env.get("{name}")')
_R = Language("R", 'Sys.getenv("{name}")')
_JULIA = Language("Julia", 'ENV["{name}"]')
_LUA = Language("Lua", 'os.getenv("{name}")')
_PHP = Language("PHP", 'getenv("{name}")')
_AWK = Language("awk", 'ENVIRON["{name}"]')
_JQ = Language("jq", "$ENV.{name}")
_SED = Language("sed")
_SQL = Language("SQL")
_MONGO = Language("JavaScript", "process.env.{name}")

_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "ksh93", "mksh"}
_ALL_SHELLS = _SHELLS | {"csh", "tcsh"}
_SHELL_VALUED = ("--rcfile", "--init-file")

_PROGRAMS: dict[str, _Options] = {
    "python": _Options(PYTHON, letters="c", valued="WXQ", stops="m"),
    "perl": _Options(_PERL, letters="eE", valued="I", attached="iMmFxD"),
    "ruby": _Options(_RUBY, letters="e", valued="rIC", attached="iFKEWTx"),
    "node": _Options(_NODE, ("-e", "--eval", "-p", "--print", "-pe"), valued="rC"),
    "bun": _Options(_NODE, ("-e", "--eval", "-p", "--print"), valued="r"),
    "Rscript": _Options(_R, ("-e",)),
    "R": _Options(_R, ("-e",)),
    "julia": _Options(_JULIA, ("-e", "-E", "--eval", "--print"), valued="pJtLCHgO"),
    "lua": _Options(_LUA, ("-e",), valued="l"),
    "php": _Options(_PHP, ("-r", "-B", "-R", "-E", "--run"), valued="dcz"),
    "awk": _Options(
        _AWK,
        ("-e", "--source"),
        positional=0,
        instead=("-f", "--file", "-E", "--exec"),
        valued="FvfEi",
        skipping=(("--assign", 1), ("--field-separator", 1)),
    ),
    "sed": _Options(
        _SED, ("-e", "--expression"), positional=0, instead=("-f", "--file"), valued="fl"
    ),
    "jq": _Options(
        _JQ,
        positional=0,
        instead=("-f", "--from-file"),
        valued="fL",
        skipping=(
            ("--indent", 1),
            ("--arg", 2),
            ("--argjson", 2),
            ("--slurpfile", 2),
            ("--rawfile", 2),
        ),
    ),
    "psql": _Options(_SQL, ("-c", "--command"), valued="dfvoFPRThpUL"),
    "mysql": _Options(_SQL, ("-e", "--execute"), valued="hPuD"),
    "sqlite3": _Options(
        _SQL,
        ("-cmd",),
        positional=1,
        skipping=(("-separator", 1), ("-nullvalue", 1), ("-newline", 1), ("-init", 1)),
    ),
    "duckdb": _Options(_SQL, ("-c", "-s", "-cmd"), positional=1),
    "clickhouse-client": _Options(_SQL, ("-q", "--query"), valued="hudf"),
    "trino": _Options(_SQL, ("--execute",)),
    "hive": _Options(_SQL, ("-e",), valued="fid"),
    "snowsql": _Options(_SQL, ("-q", "--query"), valued="acufhdsrwo"),
    "sqlcmd": _Options(_SQL, ("-q", "-Q"), valued="SUPdiov"),
    "mongosh": _Options(_MONGO, ("--eval",)),
    "fish": _Options(_OTHER_SHELL, ("-c", "--command", "-C", "--init-command")),
    "pwsh": _Options(_OTHER_SHELL, ("-c", "-C", "-Command", "-command"), rest=True),
    "ssh": _Options(
        _OTHER_SHELL, positional=1, rest=True, valued="BbcDEeFIiJLlmOoPpQRSWw", instead=("-N",)
    ),
    "su": _Options(_OTHER_SHELL, ("-c", "--command", "--session-command"), valued="gGsw"),
    "flock": _Options(_OTHER_SHELL, ("-c", "--command"), valued="wE"),
    "script": _Options(_OTHER_SHELL, ("-c", "--command"), valued="BEIlomTO"),
    "watch": _Options(_OTHER_SHELL, positional=0, rest=True, instead=("-x", "--exec"), valued="nq"),
    "nix-shell": _Options(_OTHER_SHELL, ("--run", "--command"), valued="pIA"),
    "eval": _Options(_OTHER_SHELL, positional=0, rest=True),
    "trap": _Options(_OTHER_SHELL, positional=0),
}
_SAME_AS = {
    "pypy": "python",
    "nodejs": "node",
    "luajit": "lua",
    "gawk": "awk",
    "mawk": "awk",
    "nawk": "awk",
    "gsed": "sed",
    "mariadb": "mysql",
    "clickhouse": "clickhouse-client",
    "presto": "trino",
    "beeline": "hive",
    "spark-sql": "hive",
    "impala-shell": "hive",
    "cqlsh": "hive",
    "mongo": "mongosh",
    "powershell": "pwsh",
    "runuser": "su",
}
# Programs that start the command behind their own options: letters of options with a value, and
# the number of plain words before the command.
_WRAPPERS: dict[str, tuple[str, int]] = {
    "busybox": ("", 0),
    "catatonit": ("", 0),
    "chroot": ("", 1),
    "command": ("", 0),
    "doas": ("uC", 0),
    "dumb-init": ("r", 0),
    "env": ("uCS", 0),
    "exec": ("a", 0),
    "flock": ("wE", 1),
    "gosu": ("", 1),
    "ionice": ("cnpPu", 0),
    "nice": ("n", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "stdbuf": ("ioe", 0),
    "su-exec": ("", 1),
    "sudo": ("CDghpRrTtUu", 0),
    "taskset": ("", 1),
    "time": ("fo", 0),
    "timeout": ("ks", 1),
    "tini": ("pe", 0),
    "toybox": ("", 0),
    "xargs": ("adEILnPs", 0),
}
# Programs that start a command somewhere among their words, with options before it.
_LAUNCHERS = {
    *("docker", "find", "kubectl", "mpiexec", "mpirun", "nsenter", "podman", "srun", "unshare"),
}
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_VERSION = re.compile(r"^(python|pypy|perl|ruby|lua|php|node)[0-9.]+$")


def program_texts(words: Sequence[str]) -> Iterator[Text]:
    """The program texts among the words of a command; `EXPRESSION` stands for each expression."""
    at = 0
    while at < len(words):
        name = _program(words[at])
        if name in _ALL_SHELLS:
            yield from _of_shell(words, at, name)
            return
        wrapper = _WRAPPERS.get(name)
        options = _PROGRAMS.get(name)
        if options is not None:
            found = list(_of(words, at, name, options))
            yield from found
            if found or wrapper is None:
                return
        if wrapper is None:
            break
        at = _command(words, at + 1, *wrapper)
    # A program that is not known may start another one, but `--shell bash` is its own option.
    starts = at < len(words) and _program(words[at]) in _LAUNCHERS
    for number in range(at + 1, len(words) - 1):
        before = words[number - 1]
        if not starts and before[:1] == "-" and before != "--" and number > at + 1:
            continue
        if _program(words[number]) in _ALL_SHELLS:
            yield from _of_shell(words, number, _program(words[number]))
            return


def _program(word: str) -> str:
    """The name of a program, without its folder and version."""
    name = word.rpartition("/")[2]
    versioned = _VERSION.match(name)
    name = versioned[1] if versioned else name
    return _SAME_AS.get(name, name)


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
        if word in _SHELL_VALUED:
            number += 1
        elif word[1] != "-":
            has_text |= word[0] == "-" and "c" in word
            number += sum(word.count(letter) for letter in "oO")
    if has_text and number < len(words):
        language = SHELL if name in _SHELLS else _OTHER_SHELL
        yield Text(number, 0, language, f"{name} -c")


def _of(words: Sequence[str], at: int, name: str, known: _Options) -> Iterator[Text]:
    number = at + 1
    has_text = False
    skipping = dict(known.skipping)
    while number < len(words):
        word = words[number]
        option, equals, _ = word.partition("=")
        if word == "--":
            number += 1
            break
        if word[:1] != "-" or len(word) == 1:
            break
        if option in known.instead:
            has_text = True
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
        first = number + known.positional
        last = len(words) if known.rest else first + 1
        for place in range(first, min(last, len(words))):
            yield Text(place, 0, known.language, name)
