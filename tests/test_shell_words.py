"""What is said of shell scripts, held against real shells."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from compiler.programs.posix import bash_word, joined_commands, starts_only_simple

# The word that is marked in each.
OF_BASH = [
    ("set -euo pipefail\necho hi", "pipefail"),
    ("set -o errexit -o pipefail; echo hi", "pipefail"),
    ("if [[ -n $HOME ]]; then echo hi; fi", "[["),
    ("true && [[ a = a ]]", "[["),
    ("cat <<EOF\n[[ x ]]\nEOF\n[[ a = b ]]", "[["),
    ("cat <<-EOF | sed s/x/y/\n\ta=(1)\n\tEOF\nsource /dev/null", "source"),
    ("cat <<< hi", "<<<"),
    ("cat <(echo hi)", "<("),
    ("a=(1 2)", "a=("),
    ("function f {\n  echo hi\n}\nf", "function f "),
    ("true & source /dev/null", "source"),
    ("echo $(source /dev/null && echo hi)", "source"),
]
OF_ALL = [
    'echo "set -o pipefail" "a=(1)"',
    "# [[ a ]]\necho hi",
    "echo a#b '[[ c'",
    "cat <<EOF\n[[ x ]]\nsource x\nEOF",
    "cat <<'A' <<B\nset -o pipefail\nA\na=(1)\nB\necho hi",
    'case "$HOME" in [[:alpha:]]*) echo hi;; source) echo hi;; esac',
    "case x in\n  source) echo hi;;\n  function) echo hi;;\nesac",
    "echo then source x",
    "echo source \\\n  source x",
    "echo $((1<<(2)))",
    'echo "$(echo "a [[ b")" "[[ c"',
    "bash -c '[[ a = a ]]'",
    "if (set -o pipefail) 2> /dev/null; then set -o pipefail; fi",
    'if [ -n "$BASH_VERSION" ]; then source /dev/null; fi',
    "A='\n[[ x'",
    'echo "${A:-"[[ x"}"',
    "echo 2>&1 | cat",
]


def stops(shell: str, script: str) -> bool:
    """Whether a shell does not know something of a script."""
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False)
    signs = ("Illegal option", "not found", "yntax error", "Bad substitution")
    return any(sign in done.stderr for sign in signs)


@pytest.mark.parametrize(("script", "word"), OF_BASH)
def test_words_of_bash_are_found(script: str, word: str) -> None:
    found = bash_word(script)
    assert found is not None
    assert script[slice(*found)] == word
    assert not stops("bash", script)
    if shutil.which("dash"):
        assert stops("dash", script)


@pytest.mark.parametrize("script", OF_ALL)
def test_what_is_quoted_or_data_is_not(script: str) -> None:
    assert bash_word(script) is None
    assert not stops("bash", script)
    if shutil.which("dash"):
        assert not stops("dash", script)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("set -e\necho one", True),
        ("cd /data\nls", True),
        ("# comment\nls", True),
        ("cat <<EOF\na\nEOF", True),
        ("for x in a b\ndo echo $x\ndone", True),
        ("echo a\necho b", True),
        ("pip install x\npython y", True),
        ("python -m train\n--lr 1", False),
        ("env A=1\npython x", False),
        ("cd x &&\nls", False),
        ("set -e\n\nls", False),
        ("export A=1\nB=2", False),
        ("if true; then\necho a;\nfi", False),
        ("echo we are\ndone", False),
        ("conda run\npython x", False),
        ("set -e\n  ls", False),
    ],
)
def test_lines_that_were_not_to_be_joined(lines: str, told: bool) -> None:
    assert (joined_commands(lines.split("\n")) is not None) == told


@pytest.mark.parametrize(
    ("script", "simple"),
    [
        ("echo hi > out.txt", True),
        ("A=1 B=2\nif [ -f x ]; then wc -l < x | tee y; fi", True),
        ("for x in a b; do echo $x; done", True),
        ("python train.py", False),
        ("$PYTHON train.py", False),
        ('"$HOME/count"', False),
        ('echo "$(python train.py)"', False),
        ("echo `python train.py`", False),
        (". ./settings", False),
        ("A=1 count", False),
        ("cat <<EOF\n$(count)\nEOF", False),
    ],
)
def test_programs_that_read_no_environment(script: str, simple: bool) -> None:
    assert starts_only_simple(script) == simple
