"""Hostile files: whatever one holds, the real command tells of it in bounded time and memory.

Each is checked in a process with a limit of memory, at two sizes: time may grow as the file does,
with room for noise, and not as its square.
"""

# ruff: noqa: E501 - a file in a line can be looked over
from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = "apiVersion: mlc/v1\nkind: Algorithm\nname: demo\nimage: python:3.12\n"
STEP = "steps:\n  one:\n    command: [{}]\n"
MEMORY = 1 << 30
# Four times the size may take so many times the time of the processor.
MOST_GROWTH = 10.0
SMALL = 3000


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (100, 100))


def checked(folder: Path, text: str | bytes, name: str = "spec.yaml") -> tuple[str, float]:
    """What is said of a file, and the seconds of the processor that it took."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    if name != "spec.yaml":
        (folder / "spec.yaml").write_text(HEAD + STEP.format("a"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-m", "compiler", "validate", "spec.yaml"],
        cwd=folder,
        capture_output=True,
        preexec_fn=limited,
        check=False,
    )
    taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    said = done.stderr.decode()
    assert done.returncode in (0, 1), said[-2000:]
    assert "Traceback" not in said
    assert max(map(len, said.splitlines())) < 5000
    assert len(said) < 1_000_000
    return said, taken


ONE: dict[str, tuple[str | bytes, str]] = {
    "alias bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
            for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "MLC006",
    ),
    "deep flow": (HEAD + "params: " + "[" * 100_000, "MLC006"),
    "deep block": ("".join(" " * i + "a:\n" for i in range(1000)), "MLC006"),
    "deep sequences": ("- " * 100_000, "MLC006"),
    "deep expression": (
        HEAD + STEP.format("a") + "    when: ${{ " + "(" * 9000 + " }}\n",
        "MLC401",
    ),
    "long chain": (
        HEAD
        + "params: {a: true}\n"
        + STEP.format("a")
        + f"    when: ${{{{ {' || '.join(['params.a'] * 900)} }}}}\n",
        "MLC401",
    ),
    "long expression": (
        HEAD + STEP.format("a") + "    when: ${{ 1 in [" + "1," * 100_000 + "] }}\n",
        "MLC401",
    ),
    "large file": ("a" * (3 << 20), "MLC001"),
    "huge scalar": (HEAD.replace("python", "a/" * 400_000) + STEP.format("a"), "MLC610"),
    "huge tag": (HEAD + "description: !" + "k" * 900_000 + " 1\n" + STEP.format("a"), "MLC004"),
    "nul": (HEAD + "description: a\0b\n", "MLC005"),
    "no utf-8": (b"\x80" * 100_000, "MLC005"),
    "utf-16": ((HEAD + STEP.format("a")).encode("utf-16"), "MLC005"),
    "tabs": (HEAD + "steps:\n\tone:\n", "a tab"),
    "huge integer": (HEAD + STEP.format("a") + "    retry: " + "9" * 5000 + "\n", "MLC10"),
    "integer as power": (
        HEAD + STEP.format("a") + "    retry: {max: 1e308, factor: 1e300}\n",
        "MLC106",
    ),
    "huge float": (
        HEAD + "params: {a: 1e400, b: {default: 1, maximum: 1e400}}\n" + STEP.format("a"),
        "MLC50",
    ),
    "cron with a huge step": (
        HEAD
        + STEP.format("a")
        + f"schedules: {{a: {{cron: '*/{'9' * 5000} * * * *'}}, b: {{cron: '{'9' * 5000} * * * *'}}}}\n",
        "MLC205",
    ),
    "pattern that blows up": (
        HEAD
        + f"params: {{a: {{default: {'a' * 60}!, pattern: '^(a+)+$'}}}}\n"
        + STEP.format("'${{ params.a }}'"),
        "MLC505",
    ),
    "pattern that looks ahead": (
        HEAD + "params: {a: {default: b, pattern: '^(?=a)'}}\n" + STEP.format("'${{ params.a }}'"),
        "looks ahead",
    ),
    "long pattern": (
        HEAD + f"params: {{a: {{default: b, pattern: '{'(a|b)' * 10_000}'}}}}\n" + STEP.format("a"),
        "MLC203",
    ),
    "many profiles": (
        HEAD
        + "params: {a: 1}\n"
        + STEP.format("a")
        + "profiles:\n"
        + "".join(f" p{i}: {{params: {{a: {i}}}}}\n" for i in range(5000)),
        "MLC006",
    ),
    "combinations of a loop": (
        HEAD
        + STEP.format("a")
        + f"    foreach: {{{', '.join(f'i{i}: [1, 2, 3, 4, 5, 6, 7, 8]' for i in range(12))}}}\n",
        "MLC106",
    ),
    "more combinations than a number has digits": (
        HEAD
        + STEP.format("a")
        + f"    foreach: {{{', '.join(f'i{i}: [1, 2]' for i in range(20_000))}}}\n",
        "more than a billion times",
    ),
    "an ignore of many codes": (
        HEAD + STEP.format("a") + "# mlc: ignore[" + "MLC603," * 50_000 + "] x\n",
        "MLC930",
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_it_is_told_and_ends(name: str, tmp_path: Path) -> None:
    text, code = ONE[name]
    assert code in checked(tmp_path / "a", text)[0]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends_mean_nothing(mark: bytes, end: str, tmp_path: Path) -> None:
    text = (HEAD + STEP.format("a")).replace("\n", end).encode()
    assert "nothing wrong" in checked(tmp_path / "a", mark + text)[0]


MANY: dict[str, Callable[[int], str]] = {
    "unknown keys": lambda n: HEAD + "".join(f"k{i}: 1\n" for i in range(n)),
    "keys given twice": lambda n: HEAD + "a: 1\n" * n,
    "params": lambda n: HEAD + "params:\n" + "".join(f" k{i}: 1\n" for i in range(n)) + STEP.format("a"),
    "steps": lambda n: HEAD + "steps:\n" + "".join(f" s{i}: {{command: [a]}}\n" for i in range(n)),
    "unknown steps": lambda n: HEAD + "steps:\n" + "".join(f" s{i}: {{command: [a], needs: [x{i}]}}\n" for i in range(n)),
    "a circle": lambda n: HEAD + "steps:\n" + "".join(f" s{i}: {{command: [a], needs: [s{(i + 1) % n}]}}\n" for i in range(n)),
    "expressions in a scalar": lambda n: HEAD + STEP.format(f"'{'${{ params.a }}' * n}'"),
    "words of an enum": lambda n: HEAD + f"params: {{a: {{default: 1, enum: {list(range(n))}}}}}\n" + STEP.format("a"),
    "program texts": lambda n: HEAD + STEP.format(", ".join(["psql", *["-c"] * 10 * n])),
    "programs of a runner": lambda n: HEAD + STEP.format(", ".join(["uv", "run", *["psql"] * 5 * n])),
    "variables of a script": lambda n: HEAD + "params: {a: x}\nsteps:\n s:\n  inputs: {x: '${{ params.a }}'}\n  script: |\n" + "   echo $INPUT_X\n" * n,
    "inputs that nothing reads": lambda n: HEAD + "steps:\n s:\n  inputs: {" + ", ".join(f"i{i}: 1" for i in range(n // 3)) + "}\n  command: [a, $X, " + ", ".join(["b"] * (n // 3)) + "]\n",
    "outputs that nothing writes": lambda n: HEAD + "steps:\n s:\n  outputs: {" + ", ".join(f"o{i}: Dataset" for i in range(n // 3)) + "}\n  command: [a, $X, " + ", ".join(["b"] * (n // 3)) + "]\n",
    "expressions in a program": lambda n: HEAD + "params: {a: x}\n" + STEP.format("sh, -c, 'echo" + " ${{ params.a }}" * (n // 12) + "'"),
    "tags": lambda n: "".join(f"a{i}: !x y\n" for i in range(n)),
    "aliases of an error": lambda n: HEAD + "params:\n a: &a {default: 1, minimum: 2}\n" + "".join(f" b{i}: *a\n" for i in range(n)) + STEP.format("a"),
    "credentials": lambda n: HEAD + "env:\n" + "".join(f"  T{i}_TOKEN: q8XvT2pLw9Zr4KsB{i}\n" for i in range(n)) + STEP.format("a"),
    "commands with passwords": lambda n: HEAD + f"description: '{'curl -u aaaa ' * n}'\n" + STEP.format("a"),
    "names of credentials": lambda n: HEAD + f"description: '{'AccountKey=aaaa' * n}'\n" + STEP.format("a"),
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_time_grows_as_the_file_does(name: str, tmp_path: Path) -> None:
    _, start = checked(tmp_path / "none", HEAD + STEP.format("a"))
    _, small = checked(tmp_path / "small", MANY[name](SMALL))
    _, large = checked(tmp_path / "large", MANY[name](SMALL * 4))
    assert large - start <= MOST_GROWTH * max(small - start, start / 2)


def test_a_report_ends(tmp_path: Path) -> None:
    said, _ = checked(tmp_path / "a", MANY["expressions in a scalar"](5000))
    assert said.count("error[MLC303]") == 1000
    assert "note[MLC008]: 4000 more findings in this file are not shown" in said
    assert "1 spec checked: 5000 errors" in said


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "[a" + ".a" * 50_000 + "]\n",
        'a = "' + "x" * 900_000 + '"\n',
        "".join(f"a{i} = 1\n" for i in range(5000)),
        "[policy.ceilings]\ngpu = " + "9" * 5000 + "\n",
        "[policy.ceilings]\ngpu = " + "9" * 400 + "\n",
        "\0",
        b"\xff",
    ],
    ids=["deep", "deep-key", "long", "keys", "integer", "integer-read", "nul", "no-utf8"],
)
def test_configuration_is_told_too(text: str | bytes, tmp_path: Path) -> None:
    assert "mlc.toml" in checked(tmp_path / "a", text, "mlc.toml")[0]
