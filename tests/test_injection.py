"""Values pasted into programs: what is found, what is not, and that the fixes are right.

The judges of the fixes are the shells and Python themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from compiler import edits, frontend
from compiler.diagnostics import Diagnostic, Severity
from compiler.git import UNKNOWN
from compiler.programs import EXPRESSION, program_texts
from compiler.programs.shell import quotings, read_as_code

HEAD = """\
apiVersion: mlc/v1
kind: Algorithm
name: pasted
image: python:3.12-slim
params:
  who: Ada
  how: {type: string, default: a, enum: [a, b]}
  n: 3
  rate: 0.1
  fast: true
  names: [a]
  depths: {default: [1, 2], items: {type: integer}}
  maybe: {type: string, default: null}
inputs: {data: {type: Dataset, default: s3://bucket/key}}
steps:
  first: {script: 'true', outputs: {name: string, size: integer, file: Model}}
"""


def load(tmp_path: Path, steps: str) -> frontend.Loaded:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + steps)
    return frontend.load(path, git=UNKNOWN)


def errors(loaded: frontend.Loaded) -> list[Diagnostic]:
    """What is wrong; that specs of tests have more than they use is no matter."""
    return [d for d in loaded.diagnostics if d.severity is Severity.ERROR]


def pasted(tmp_path: Path, steps: str) -> list[Diagnostic]:
    loaded = load(tmp_path, steps)
    assert {d.code for d in errors(loaded)} <= {"MLC440"}, errors(loaded)
    return errors(loaded)


def text_of(words: str) -> list[str]:
    """The program texts of a command, written with `@` for an expression."""
    line = [word.replace("@", EXPRESSION) for word in words.split("|")]
    return [line[text.word][text.start :].replace(EXPRESSION, "@") for text in program_texts(line)]


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        ("sh|-c|echo @", ["echo @"]),
        ("/bin/sh|-ec|@", ["@"]),
        ("bash|-euo|pipefail|-c|@|x|@", ["@"]),
        ("bash|-o|errexit|-c|@", ["@"]),
        ("bash|-c|-e|@", ["@"]),
        ("bash|--norc|--rcfile|f|-c|@", ["@"]),
        ("zsh|-c|@", ["@"]),
        ("sh|script.sh|-c|@", []),
        ("sh|-e|script.sh|@", []),
        ("sh|-c|echo|sh|@", ["echo"]),
        ("python|-c|@|@", ["@"]),
        ("python3.12|-Ic|@", ["@"]),
        ("python|-c@", ["@"]),
        ("python|-W|error|-c|@", ["@"]),
        ("python|train.py|-c|@", []),
        ("python|-m|train|-c|@", []),
        ("perl|-lane|@", ["@"]),
        ("perl|-e|1|-e|@|data", ["1", "@"]),
        ("perl|-i.bak|-pe|@", ["@"]),
        ("perl|-Mstrict|f.pl|-e|@", []),
        ("ruby|-e|@", ["@"]),
        ("node|--eval=@", ["@"]),
        ("node|-r|mod|-e|@", ["@"]),
        ("Rscript|--vanilla|-e|@", ["@"]),
        ("awk|-F|,|-v|x=@|{print}|@", ["{print}"]),
        ("awk|-f|f.awk|@", []),
        ("gawk|@|f", ["@"]),
        ("sed|-i|s/a/@/|f", ["s/a/@/"]),
        ("sed|-n|-e|p|@", ["p"]),
        ("jq|--arg|x|@|.y = $x|f", [".y = $x"]),
        ("psql|-h|@|-c|select @", ["select @"]),
        ("psql|--command=@", ["@"]),
        ("sqlite3|@|select 1", ["select 1"]),
        ("ssh|-p|22|host|ls|@", ["ls", "@"]),
        ("ssh|-N|host|@", []),
        ("env|-i|A=@|sh|-c|@", ["@"]),
        ("env|-u|X|FOO=bar|/bin/bash|-c|@", ["@"]),
        ("timeout|-k|5|10|sh|-c|@", ["@"]),
        ("xargs|-n|1|sh|-c|@", ["@"]),
        ("busybox|sh|-c|@", ["@"]),
        ("busybox|awk|@", ["@"]),
        ("nice|-n|5|nohup|bash|-c|@", ["@"]),
        ("sudo|-u|node|sh|-c|@", ["@"]),
        ("gosu|node|python|-c|@", ["@"]),
        ("tini|--|sh|-c|@", ["@"]),
        ("su|-c|@|user", ["@"]),
        ("su|-|user|-c|@", ["@"]),
        ("flock|/tmp/l|-c|@", ["@"]),
        ("flock|/tmp/l|train|-c|@", []),
        ("flock|/tmp/l|sh|-c|@", ["@"]),
        ("srun|-n|1|bash|-c|@", ["@"]),
        ("kubectl|exec|pod|--|sh|-c|@", ["@"]),
        ("psql|-Atc|select @", ["select @"]),
        ("psql|mydb|-v|x=@|-c|select @", ["select @"]),
        ("mysql|-Nse|select @|db", ["select @"]),
        ("mysql|-pc|db|-e|@", ["@"]),
        ("sed|-f|f.sed|@", []),
        ("bq|query|--nouse_legacy_sql|select @", ["select @"]),
        ("bq|load|@", []),
        ("deno|eval|@", ["@"]),
        ("deno|run|@", []),
        ("yq|-i|.a = @|f", [".a = @"]),
        ("yq|eval|.a|@", [".a"]),
        ("parallel|-j|4|echo @ {}|:::|@", ["echo @ {}"]),
        ("gcloud|compute|ssh|host|--command=@", ["@"]),
        ("env|-S|sh -c 'echo @'", ["sh -c 'echo @'"]),
        ("env|-iSsh -c 'echo @'", ["sh -c 'echo @'"]),
        ("env|A=1|--split-string=sh -c @", ["sh -c @"]),
        ("env|-S|bash|-c|@", ["@"]),
        ("env|-S|train|@", []),
        ("env|train|-S|a @", []),
        ("poetry|run|python|-c|@", ["@"]),
        ("uv|run|--with|rich|python|-c|@", ["@"]),
        ("uv|pip|install|python|-c|@", []),
        ("conda|run|--no-capture-output|-n|env|python|-c|@", ["@"]),
        ("conda|run|-n|python|bash|-c|@", ["@"]),
        ("conda|install|python|-c|@", []),
        ("mpirun|-np|4|python|-c|@", ["@"]),
        ("mpirun|-np|4|python|train.py|-c|@", []),
        ("docker|run|--rm|image|python|-c|@", ["@"]),
        ("strace|-f|bash|-c|@", ["@"]),
        ("/entrypoint.sh|python|-c|@", ["@"]),
        ("/entrypoint.sh|--|awk|@|f", ["@"]),
        ("find|/data/awk|-name|@", []),
        ("find|.|-name|@", []),
        ("find|.|-exec|sed|-i|s/a/@/|{}|;", ["s/a/@/"]),
        ("tool|--shell|bash|-c|@", []),
        ("timeout|5|python|train.py|--shell|sh|-c|@", []),
        ("train|-c|@", []),
        ("echo|@", []),
        ("@|-c|x", []),
        ("sh|-c", []),
        ("sh", []),
        ("", []),
        ("env", []),
        ("timeout|5", []),
        ("python|-c", []),
        ("awk", []),
    ],
)
def test_the_words_that_are_read_as_code(words: str, texts: list[str]) -> None:
    assert text_of(words) == texts


@given(
    st.lists(
        st.sampled_from(
            [
                "sh",
                "bash",
                "-c",
                "-e",
                "env",
                "timeout",
                "5",
                "awk",
                "sed",
                "ssh",
                "--",
                "-",
                "+",
                "-o",
                "\x00",
                "a=b",
            ]
        )
    )
)
def test_any_words_are_read(words: list[str]) -> None:
    for text in program_texts(words):
        assert 0 < text.word < len(words)
        assert 0 <= text.start <= len(words[text.word])


@pytest.mark.parametrize(
    "inner",
    [
        "params.who",
        "params.how",
        "params.names",
        "params.maybe ?? 'x'",
        "inputs.data",
        "steps.first.outputs.name",
        "steps.first.outputs.name ?? 'x'",
        "run.name",
        "git.branch",
    ],
)
def test_text_from_outside_is_found(tmp_path: Path, inner: str) -> None:
    steps = f"  s: {{command: [sh, -c, 'echo ${{{{ {inner} }}}}']}}\n".replace("'x'", '"x"')
    (found,) = pasted(tmp_path, steps)
    line = (HEAD + steps).splitlines()[found.span.line - 1]
    shown = line[found.span.column - 1 : found.span.end_column - 1]
    assert shown == inner.replace("'", '"')


def test_a_script_that_lets_env_split_a_text() -> None:
    for how in ("env -S", "env --split-string"):
        assert read_as_code(f'{how} "{EXPRESSION} foo"').keys() == {0}


@pytest.mark.parametrize(
    "inner",
    [
        "params.n",
        "params.rate",
        "params.fast",
        "params.depths",
        "params.who == params.how",
        "steps.first.outputs.size",
        "steps.first.outputs.file",
        "outputs.out",
        "run.id",
        "run.scheduled_at",
        "git.commit",
        "algorithm.name",
    ],
)
def test_what_can_hold_no_code_is_fine(tmp_path: Path, inner: str) -> None:
    steps = f"  s: {{command: [sh, -c, 'echo ${{{{ {inner} }}}}'], outputs: {{out: Model}}}}\n"
    assert pasted(tmp_path, steps) == []


def test_items_are_as_safe_as_their_list(tmp_path: Path) -> None:
    steps = """\
  s:
    foreach: {a: [x, y], b: "${{ params.names }}", c: "${{ params.depths }}"}
    command: [sh, -c, "echo ${{ each.a }} ${{ each.b }} ${{ each.c }}"]
"""
    (found,) = pasted(tmp_path, steps)
    assert "`each.b`" in found.message


def test_words_behind_the_text_are_fine(tmp_path: Path) -> None:
    steps = """\
  s: {command: [sh, -c, 'echo "$1" "$X"', sh, "${{ params.who }}"], env: {X: "${{ params.who }}"}}
  t: {inputs: {w: "${{ params.who }}"}, script: 'echo "$INPUT_W"'}
  u: {command: [python, train.py], args: [{-c: "${{ params.who }}"}]}
"""
    assert pasted(tmp_path, steps) == []


def test_an_input_of_a_step_is_what_it_is_bound_to(tmp_path: Path) -> None:
    steps = """\
  s:
    inputs: {w: "${{ params.who }}", v: x}
    command: [sh, -c, "echo ${{ inputs.w }} ${{ inputs.v }}"]
"""
    (found,) = pasted(tmp_path, steps)
    assert "`inputs.w`" in found.message
    assert found.fix is not None


def test_flags_are_words(tmp_path: Path) -> None:
    steps = """\
  s: {command: [bash], args: [{-c: "echo ${{ params.who }}"}]}
  t: {command: [psql], args: [{--command=: "select '${{ params.who }}'"}]}
"""
    assert [d.span.line for d in pasted(tmp_path, steps)] == [17, 18]


def test_a_component_is_judged_by_what_it_is_given(tmp_path: Path) -> None:
    component = tmp_path / "echo.yaml"
    component.write_text(
        "apiVersion: mlc/v1\nkind: Component\nname: echo\nimage: x:1\n"
        "params: {what: {type: string}}\n"
        'command: [sh, -c, "echo ${{ params.what }}"]\n'
    )
    (tmp_path / "mlc.toml").write_text("")
    assert pasted(tmp_path, "  s: {use: echo.yaml, inputs: {what: constant}}\n") == []
    (found,) = pasted(tmp_path, "  s: {use: echo.yaml, inputs: {what: '${{ params.who }}'}}\n")
    assert found.span.path.endswith("echo.yaml")
    alone = frontend.check_part(frontend.read(component), git=UNKNOWN)
    assert [d.code for d in errors(alone)] == ["MLC440"]


STYLES = [
    "  s: {command: [sh, -c, %s]}\n",
    "  s: {env: {}, command: [sh, -c, %s]}\n",
    "  s: {env: {A: b}, command: [sh, -c, %s]}\n",
    "  s:\n    command: [sh, -c, %s]\n    env: {A: b}\n",
    "  s:\n    command: [sh, -c]\n    args:\n      - %s\n    env:\n      A: b\n      C: d\n",
    "  # s\n  s:\n    # command\n    command:   # why\n"
    "      - sh\n      - -c\n      - %s   # text\n",
]
QUOTES = ["plain", "single", "double", "block", "folded"]
# `@` is where the value goes.
PIECES = [
    "@",
    '"@"',
    "'@'",
    "'a @ b'",
    '"a @ b"',
    "x@y",
    '"x@y"',
    "'x@'",
    "--k=@",
    "-- @ @",
    '"$(printf %s @)"',
    '$(printf %s "@")',
    '"it\'s @"',
    "'say \"@\"'",
    "a#@",
    "\\@",
    "`echo @`",
    "$((1 + 1))",
    "${HOME:+@}",
    "$'@'",
    "@[0]",
    '"@:h"',
]
TAILS = [
    "",
    " > /dev/stdout",
    " | cat",
    " && echo '@'",
    " # @",
    '; X=@; echo "$X"',
    "; for i in @; do echo $i; done",
]
TAILS += [
    "; sh -c 'echo @'",
    "; eval echo @",
    "; @ || echo none",
    "; case @ in a) echo 1;; *) echo 2;; esac",
]


def written(text: str, quotes: str) -> str | None:
    """A text as a YAML scalar, None where the style can't hold it in one line."""
    if quotes == "plain":
        done = text
    elif quotes == "single":
        doubled = text.replace("'", "''")
        done = f"'{doubled}'"
    elif quotes == "double":
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        done = f'"{escaped}"'
    else:
        done = f"{'|' if quotes == 'block' else '>'}-\n          {text}"
    return done


def mended(loaded: frontend.Loaded) -> str | None:
    """The spec with its fix applied."""
    fixes = {d.fix for d in errors(loaded)}
    if not fixes or None in fixes:
        return None
    (fix,) = fixes
    assert fix is not None
    file = loaded.sources[fix.edits[0].span.path]
    return edits.apply(file.text, fix.edits).text


def run(argv: list[str], environment: dict[str, str], folder: Path) -> tuple[int, bytes]:
    path = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        argv, env=path | environment, cwd=folder, capture_output=True, check=False, timeout=60
    )
    return done.returncode, done.stdout


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3),
    tail=st.sampled_from(TAILS),
    style=st.sampled_from(STYLES),
    quotes=st.sampled_from(QUOTES),
    shell=st.sampled_from([s for s in ("sh", "bash", "zsh", "ksh") if shutil.which(s)]),
)
def test_fixes_mean_the_same_and_run_nothing(
    pieces: list[str],
    tail: str,
    style: str,
    quotes: str,
    shell: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("fix")
    program = f"echo {' '.join(pieces)}{tail}"
    assume("@" in program)
    text = program.replace("@", "${{ params.who }}")
    scalar = written(text, quotes)
    assume(scalar is not None)
    if "[" in style.partition("%s")[0].rpartition("\n")[2]:
        assume(quotes in ("single", "double"))
    steps = style % scalar
    path = folder / "spec.yaml"
    path.write_text(HEAD + steps)
    loaded = frontend.load(path, git=UNKNOWN)
    assume({d.code for d in errors(loaded)} == {"MLC440"})
    new = mended(loaded)
    if new is None:
        return
    path.write_text(new)
    assert errors(frontend.load(path, git=UNKNOWN)) == []
    step = yaml.safe_load(new)["steps"]["s"]
    fixed = (step["command"] + step.get("args", []))[2]
    assert step["env"]["PARAMS_WHO"] == "${{ params.who }}"
    kept = {name: value for name, value in step["env"].items() if name != "PARAMS_WHO"}
    assert kept == {n: v for n, v in {"A": "b", "C": "d"}.items() if f"{n}: {v}" in steps}
    # A plain value gives the same; one that would be run is printed.
    before = run([shell, "-c", program.replace("@", "Ada")], {}, folder)
    assert run([shell, "-c", fixed], {"PARAMS_WHO": "Ada"}, folder) == before
    for hostile in (
        "'; touch canary; '",
        '"; touch canary; "',
        "$(touch canary)",
        "`touch canary`",
        "a\ntouch canary",
    ):
        run([shell, "-c", fixed], {"PARAMS_WHO": hostile}, folder)
        assert not (folder / "canary").exists(), fixed


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("echo @", ["bare"]),
        ("echo \"@\" '@' @", ["double", "single", "bare"]),
        ("@ x", [None]),
        ("X=@ cmd", ["bare"]),
        ("if test @ = b; then echo @; fi", ["bare", "bare"]),
        ("# @\necho @", ["comment", "bare"]),
        ("cat <<E\n@\nE\n", [None]),
        ("cat <<< @", ["bare"]),
        ("echo `x @`", [None]),
        ("echo $((@ + 1)) @", [None, "bare"]),
        ("echo ${X:-@} @", [None, "bare"]),
        ("[[ @ -eq 1 ]]", [None]),
        ("[[ @ == a ]]", ["bare"]),
        ("((@))", [None]),
        ("eval @; echo @", [None, "bare"]),
        ('sh -c "echo @"', [None]),
        ('ssh host "echo @"', [None]),
        ("find . -exec sh -c 'echo @' +", [None]),
        ("awk '{print @}' f; awk -v x=@ '{print x}'", [None, "bare"]),
        ("python - @ <<'E'\nE", [None]),
        ('for i in @; do echo "@"; done', [None, "double"]),
        ('echo "$(cat @)"', ["bare"]),
        ("echo 'unclosed @", [None]),
        ('echo "unclosed @', [None]),
        ("echo $(unclosed @", [None]),
        ("a=(@)", [None]),
        ("diff <(sort @) <(sort @)", ["bare", "bare"]),
        ("declare x=@", [None]),
    ],
)
def test_how_the_shell_reads_a_place(program: str, expected: list[str | None]) -> None:
    assert quotings(program.replace("@", EXPRESSION)) == expected


@pytest.mark.parametrize(
    ("program", "fixed"),
    [
        ("print('@')", 'import os; print(os.environ["PARAMS_WHO"])'),
        ('import os; print("@", 1)', 'import os; print(os.environ["PARAMS_WHO"], 1)'),
        ("print(f'@')", None),
        ("print('a @')", None),
        ("print('''@''')", None),
        ("print('\"@\"')", None),
        ("print(@)", None),
        ("for x in '@': print(x)", None),
    ],
)
def test_python_texts(tmp_path: Path, program: str, fixed: str | None) -> None:
    text = program.replace("@", "${{ params.who }}").replace("'", "''")
    new = mended(load(tmp_path, f"  s: {{command: [python, -c, '{text}']}}\n"))
    if fixed is None:
        assert new is None
        return
    assert new is not None
    step = yaml.safe_load(new)["steps"]["s"]
    assert step["command"][2] == fixed
    done = run([sys.executable, "-c", fixed], {"PARAMS_WHO": "x'); print('"}, tmp_path)
    assert done[1].startswith(b"x'); print('")


def test_a_name_that_means_something_is_not_taken(tmp_path: Path) -> None:
    steps = """\
  s:
    env: {PARAMS_WHO: other, NAME: "${{ params.how }}"}
    command: [sh, -c, "PARAMS_WHO_2=1; echo ${{ params.who }} ${{ params.how }}"]
"""
    new = mended(load(tmp_path, steps))
    assert new is not None
    step = yaml.safe_load(new)["steps"]["s"]
    assert step["env"]["PARAMS_WHO_3"] == "${{ params.who }}"
    assert step["command"][2] == 'PARAMS_WHO_2=1; echo "$PARAMS_WHO_3" "$NAME"'


def test_what_an_alias_stands_for_is_left_alone(tmp_path: Path) -> None:
    steps = """\
  s: {command: &c [sh, -c, "echo ${{ params.who }}"]}
  t: {command: *c}
"""
    loaded = load(tmp_path, steps)
    assert [d.fix for d in errors(loaded)] == [None]


def test_steps_called_like_keys(tmp_path: Path) -> None:
    steps = '  script: {command: [sh, -c, "echo ${{ params.who }}"]}\n'
    new = mended(load(tmp_path, steps))
    assert new is not None
    assert "env" in yaml.safe_load(new)["steps"]["script"]


@pytest.mark.parametrize(
    ("shell", "script", "fixed"),
    [
        ("sh", "echo ${{ params.who }}", 'echo "$PARAMS_WHO"'),
        ("sh", "echo ${{ inputs.w }} > ${{ outputs.o }}", 'echo "$INPUT_W" > "$OUTPUT_O"'),
        ("bash", "curl -H '${{ secrets.a.b }}' x", 'curl -H "$SECRETS_A_B" x'),
        ("python", "print('${{ params.n }}')\n", 'import os\nprint(os.environ["PARAMS_N"])\n'),
        ("sh", "echo ${{ params.maybe }}", None),
        ("sh", "echo ${{ params.nothing }}", None),
        ("sh", "cat <<E\n${{ params.who }}\nE\n", None),
    ],
)
def test_scripts(tmp_path: Path, shell: str, script: str, fixed: str | None) -> None:
    indented = script.replace("\n", "\n      ").rstrip(" ")
    end = "" if script.endswith("\n") else "-"
    steps = f"""\
  s:
    inputs: {{w: "${{{{ params.who }}}}"}}
    outputs: {{o: string}}
    shell: {shell}
    script: |{end}
      {indented}
"""
    loaded = load(tmp_path, steps)
    (found,) = errors(loaded)
    assert found.code == "MLC408"
    new = mended(loaded)
    if fixed is None:
        assert new is None
        return
    assert new is not None
    assert yaml.safe_load(new)["steps"]["s"]["script"] == fixed
    (tmp_path / "spec.yaml").write_text(new)
    assert errors(frontend.load(tmp_path / "spec.yaml", git=UNKNOWN)) == []
