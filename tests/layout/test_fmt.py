"""`mlc fmt` from outside: what it writes, says and leaves alone."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

MESSY = """\
# What the file is about.
# yaml-language-server: $schema=x
kind:   Algorithm
apiVersion : mlc/v1
name: demo


params: {version: 1.10, mode: 0644, off: no,   name: 'a b'}   # as the author has them
image: "python:3.12"
description: 'It''s fine'
steps:

    # the second to run
    two:
        script: |
            echo "a"  \n
              deeper
        # under the script
        needs:
        - one      # first
        timeout: 1h
        when: ${{ params.off == 'no' }}
    one:   # a comment
        #: above the command
        command: [echo,
          "a",   # in a list
          b]
        resources: {cpu: 1}
        # retry: 2

    # not in use any more:
    # three:

# the end
"""
NEAT = """\
# What the file is about.
# yaml-language-server: $schema=x
apiVersion: mlc/v1
kind: Algorithm
name: demo
description: 'It''s fine'
image: "python:3.12"

params: {version: 1.10, mode: 0644, off: no,   name: "a b"}   # as the author has them
steps:
  # the second to run
  two:
    when: ${{ params.off == 'no' }}
    # under the script
    needs:
      - one      # first
    timeout: 1h
    script: |
      echo "a"  \n
        deeper
  one:   # a comment
    #: above the command
    command: [echo,
      "a",   # in a list
      b]
    resources: {cpu: 1}
    # retry: 2

  # not in use any more:
  # three:

# the end
"""


def mlc(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mlc.toml").touch()
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "algorithms/demo.yaml").write_text(MESSY)
    (tmp_path / "algorithms/neat.yaml").write_text(NEAT)
    return tmp_path


def test_the_layout(project: Path) -> None:
    done = mlc(project, "fmt")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"reformatted algorithms/demo.yaml\n"
    assert (project / "algorithms/demo.yaml").read_text() == NEAT
    again = mlc(project, "fmt")
    assert again.stderr == b"2 specs checked, nothing to reformat\n"
    assert again.returncode == 0


def test_check_writes_nothing(project: Path) -> None:
    done = mlc(project, "fmt", "--check")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"would reformat algorithms/demo.yaml\n"
    assert (project / "algorithms/demo.yaml").read_text() == MESSY
    assert mlc(project, "fmt", "--check", "algorithms/neat.yaml").returncode == 0
    assert mlc(project, "fmt", "--check", "-q").stderr == b""


def test_the_diff_can_be_applied(project: Path) -> None:
    done = mlc(project, "fmt", "--diff")
    assert done.returncode == 1
    assert (project / "algorithms/demo.yaml").read_text() == MESSY
    subprocess.run(["git", "apply"], cwd=project, input=done.stdout, check=True)
    assert (project / "algorithms/demo.yaml").read_text() == NEAT


def test_standard_input_comes_out_laid_out(project: Path) -> None:
    done = mlc(project, "fmt", "-", stdin=MESSY.encode())
    assert (done.returncode, done.stdout.decode()) == (0, NEAT)
    check = mlc(project, "fmt", "--check", "-", stdin=MESSY.encode())
    assert (check.returncode, check.stdout) == (1, b"")
    assert check.stderr == b"would reformat <stdin>\n"


def test_line_ends_and_the_byte_order_mark_stay(project: Path) -> None:
    spec = project / "algorithms/demo.yaml"
    spec.write_bytes(b"\xef\xbb\xbf" + MESSY.replace("\n", "\r\n").encode())
    spec.chmod(0o600)
    assert mlc(project, "fmt").returncode == 0
    assert spec.read_bytes() == b"\xef\xbb\xbf" + NEAT.replace("\n", "\r\n").encode()
    assert stat.S_IMODE(spec.stat().st_mode) == 0o600
    assert sorted(p.name for p in spec.parent.iterdir()) == ["demo.yaml", "neat.yaml"]


def test_a_file_that_cannot_be_read_is_told_of_and_the_others_laid_out(project: Path) -> None:
    broken = project / "algorithms/broken.yaml"
    broken.write_text("apiVersion: mlc/v1\nname: [a\nname: 2\n")
    done = mlc(project, "fmt")
    assert done.returncode == 1
    assert b"error[MLC002]" in done.stderr
    assert b"algorithms/broken.yaml:" in done.stderr
    assert broken.read_text() == "apiVersion: mlc/v1\nname: [a\nname: 2\n"
    assert (project / "algorithms/demo.yaml").read_text() == NEAT


def test_a_file_that_is_no_spec_is_left_alone(project: Path) -> None:
    other = project / "compose.yaml"
    other.write_text("services:   {}\nname: x\n")
    done = mlc(project, "fmt", "compose.yaml")
    assert done.returncode == 1
    assert b"error[MLC012]: compose.yaml is no spec" in done.stderr
    passed = mlc(project, "fmt", "--only-specs", "compose.yaml", "algorithms/demo.yaml")
    assert passed.returncode == 0
    assert passed.stderr == b"reformatted algorithms/demo.yaml\n"
    assert other.read_text() == "services:   {}\nname: x\n"


def test_what_the_layout_does_not_know_is_left_alone(project: Path) -> None:
    spec = project / "algorithms/demo.yaml"
    text = "apiVersion: mlc/v1\nkind: Algorithm\n? name\n: demo\n"
    spec.write_text(text)
    done = mlc(project, "fmt", "algorithms/demo.yaml")
    assert done.returncode == 1
    assert b"error[MLC011]: algorithms/demo.yaml is left as it is" in done.stderr
    assert spec.read_text() == text
    # One character as the two escapes that JSON has for it.
    text = 'kind: Algorithm\napiVersion: mlc/v1\nname: demo\nowner: "\\ud83d\\ude00"\n'
    spec.write_text(text)
    assert b"error[MLC011]" in mlc(project, "fmt", "algorithms/demo.yaml").stderr
    assert spec.read_text() == text


def test_anchors_keep_their_order(project: Path) -> None:
    """Where an alias would come before its anchor, keys stay where they are."""
    spec = project / "algorithms/demo.yaml"
    spec.write_text(
        "kind: Algorithm\napiVersion: mlc/v1\nname: demo\nsteps:\n"
        "    one:\n        command: [x]\n        resources: &big\n            cpu: 1\n"
        "resources: *big\n"
    )
    assert mlc(project, "fmt", "algorithms/demo.yaml").returncode == 0
    assert spec.read_text() == (
        "kind: Algorithm\napiVersion: mlc/v1\nname: demo\nsteps:\n"
        "  one:\n    command: [x]\n    resources: &big\n      cpu: 1\n"
        "resources: *big\n"
    )


@pytest.mark.parametrize(
    ("text", "neat"),
    [
        # A last line without an end is part of the value; `-` says so.
        ("script: |\n    echo", "script: |-\n  echo\n"),
        ("script: |+\n    echo\n\n\n", "script: |+\n  echo\n\n\n"),
        ("script: |2\n    echo\n", "script: |2\n    echo\n"),
        ("script: >\n      a\n       b\n", "script: >\n  a\n   b\n"),
        ("command:\n-   a\n-   - b\n", "command:\n  - a\n  - - b\n"),
        ("command:\n-\n    a: 1\n    b: 2\n", "command:\n  - a: 1\n    b: 2\n"),
        ("command:\n- # why\n  a: 1\n", "command:\n  - # why\n    a: 1\n"),
        ("env:\n    # A: 1\nimage: x\n", "image: x\nenv:\n  # A: 1\n"),
        ("image:\n  x   # y\n", "image:\n  x   # y\n"),
        ("description: a\n   b\n\n   c\n", "description: a\n   b\n\n   c\n"),
        ("env: {'a b': 'c\\d', \"e\": 'f\"g'}\n", 'env: {"a b": \'c\\d\', "e": \'f"g\'}\n'),
        ("colour: red\nimage: x\n", "colour: red\nimage: x\n"),
        ("---\nimage: x\n...\n", "---\nimage: x\n...\n"),
    ],
)
def test_forms_of_yaml(text: str, neat: str, tmp_path: Path) -> None:
    head, mark = "kind: Component\n", "---\n"
    if text.startswith(mark):
        text, neat = mark + head + text[4:], mark + head + neat[4:]
    else:
        text, neat = head + text, head + neat
    done = mlc(tmp_path, "fmt", "-", stdin=text.encode())
    assert done.stdout.decode() == neat, done.stderr.decode()
