"""What is reused, and what never is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from bench import Bench, Outcome
from builders import (
    SPAN,
    command,
    concat,
    flag,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline_input,
    pipeline_input_ref,
    python,
    script,
    secret,
    step,
)

from compiler.expr import RunRef
from compiler.ir import Cache, Step

CODE = "def make(n, out):\n    out.write_text(f'{n} VERSION')\n"


def make(source: str = 'echo made >"$OUTPUT_OUT"', **keys: object) -> Step:
    keys.setdefault("outputs", {"out": "Artifact"})
    return step("make", script(source), **keys)  # type: ignore[arg-type]


def was_cached(done: Outcome, name: str = "make") -> bool:
    assert done.status == "succeeded", done.result
    return done.steps[name] == "cached"


def test_a_second_run_reuses_all_that_was_written(bench: Bench) -> None:
    tree = 'mkdir -p "$OUTPUT_D/sub"; echo a >"$OUTPUT_D/a"; echo b >"$OUTPUT_D/sub/b c"'
    first = step(
        "first",
        script(f'{tree}; printf "%s\\n" "a  $" >"$OUTPUT_S"; echo \'{{"m": 1.5}}\' >"$OUTPUT_M"'),
        outputs={"d": "Dataset", "s": "string", "m": "Metrics"},
    )
    second = step(
        "second",
        script('cat "$INPUT_D/a" "$INPUT_D/sub/b c" >"$OUTPUT_O"'),
        inputs={"d": output_of("first", "d"), "s": output_of("first", "s", "string")},
        outputs={"o": "Artifact"},
    )
    old = bench.run(first, second)
    new = bench.run(first, second)
    assert new.steps == {"first": "cached", "second": "cached"}
    assert new.changes("first") == ["cached"]
    assert new.result.steps["first"].cached_from == old.result.run
    assert new.value("first", "s") == "a  $"
    written = new.result.steps["first"].written
    assert written is not None
    assert written.metrics == {"m": {"m": 1.5}}
    folder = new.path("first", "d")
    assert folder.parts[-3:] == ("cached", "outputs", "d")
    assert folder != old.path("first", "d")
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")) == [
        "a", "sub", "sub/b c",
    ]  # fmt: skip
    assert new.path("second", "o").read_text() == "a\nb\n"
    assert new.log("first") == old.log("first")


def test_each_thing_that_a_step_depends_on_counts(bench: Bench) -> None:
    data = bench.write("in/data.csv", "1")
    reads = pipeline_input_ref("data")
    variants: dict[str, Step] = {
        "plain": make(),
        "source": make('echo made  >"$OUTPUT_OUT"'),
        "image": make(image="registry.example.com/ia/steps:2"),
        "env": make(env={"A": "1"}),
        "env value": make(env={"A": "2"}),
        "input": make(inputs={"a": 1}),
        "input value": make(inputs={"a": 2}),
        "param": make(inputs={"a": param_ref("p")}),
        "artifact": make(inputs={"a": reads}),
        "outputs": make('echo made | tee "$OUTPUT_OUT" >"$OUTPUT_S"',
                        outputs={"out": "Artifact", "s": "string"}),
        "type": make(outputs={"out": "Dataset"}),
        "shell": step("make", script('echo made >"$OUTPUT_OUT"', "bash"),
                      outputs={"out": "Artifact"}),
        "workdir": make(workdir="in"),
        "key": make(cache=Cache(True, param_ref("p"))),
    }  # fmt: skip

    def run(variant: Step, p: str = "x") -> Outcome:
        return bench.run(
            variant,
            params=(param("p", p),),
            inputs=(pipeline_input("data", str(data)),),
        )

    for name, variant in variants.items():
        assert not was_cached(run(variant)), name
    for name, variant in variants.items():
        assert was_cached(run(variant)), name
    assert not was_cached(run(variants["param"], p="y"))
    assert not was_cached(run(variants["key"], p="y"))
    assert was_cached(run(variants["plain"], p="y")), "a value that it does not use"
    data.write_text("2")
    assert not was_cached(run(variants["artifact"]))
    assert was_cached(run(variants["plain"]))
    data.write_text("1")
    assert was_cached(run(variants["artifact"])), "by content, not by time"


def test_arguments_count_but_not_where_files_lie(bench: Bench) -> None:
    for path in ("a.txt", "other/a.txt", "b.txt"):
        bench.write(f"../{bench.root.name}-data/{path}", "same")
    copy = step(
        "make",
        command("sh", "-c", 'cat "$1"', "sh", pipeline_input_ref("data"),
                flag("--n", param_ref("n", "integer"))),
        cache=Cache(True),
    )  # fmt: skip

    def run(path: str, n: int = 1) -> Outcome:
        return bench.run(
            copy,
            params=(param("n", n),),
            inputs=(pipeline_input("data"),),
            given={"data": f"../{bench.root.name}-data/{path}"},
        )

    assert not was_cached(run("a.txt"))
    assert was_cached(run("other/a.txt"))
    assert not was_cached(run("b.txt")), "a program may look at a file's name"
    assert not was_cached(run("a.txt", 2))


@pytest.mark.parametrize("kind", ["python", "command"])
def test_changed_code_is_run(bench: Bench, kind: str) -> None:
    bench = bench.set(pythonpath=("lib",))
    code = bench.write("lib/code.py", CODE)
    helper = bench.write("lib/pkg/helper.sh", "echo 1")
    if kind == "python":
        it = step("make", python("code:make"), inputs={"n": 1}, outputs={"out": "Artifact"})
    else:
        call = "import code, pathlib, sys; code.make(1, pathlib.Path(sys.argv[1]))"
        run = command("python", "-c", call, output_path("out"))
        it = step("make", run, outputs={"out": "Artifact"})
    assert not was_cached(bench.run(it))
    assert was_cached(bench.run(it))
    code.write_text(CODE.replace("VERSION", "version"))
    assert not was_cached(bench.run(it)), "the same size, at nearly the same time"
    helper.write_text("echo 2")
    assert not was_cached(bench.run(it))
    assert was_cached(bench.run(it))
    bench.write("notes/new.txt", "new")
    assert not was_cached(bench.run(it))
    bench.write("README.md", "read me")
    bench.write("build/out.txt", "built")
    bench.write(".git/x", "hidden")
    bench.write("venv/pyvenv.cfg", "")
    bench.write("venv/lib/x.py", "installed")
    bench.write("spec.yaml", "apiVersion: mlc/v1\nname: x\n")
    assert was_cached(bench.run(it)), "none of this is code that the step runs"
    bench.write("config.yaml", "a: 1\n")
    assert not was_cached(bench.run(it))
    bench.write(".env", "A=1\n")
    assert not was_cached(bench.run(it))


def test_code_outside_the_project_counts_where_the_path_names_it(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lib = tmp_path_factory.mktemp("lib")
    (lib / "code.py").write_text(CODE)
    bench = bench.set(pythonpath=(str(lib),))
    it = step("make", python("code:make"), inputs={"n": 1}, outputs={"out": "Artifact"})
    assert not was_cached(bench.run(it))
    assert was_cached(bench.run(it))
    (lib / "code.py").write_text(CODE + "\n")
    assert not was_cached(bench.run(it))


def test_passed_variables_count_and_secrets_by_their_name_only(bench: Bench) -> None:
    bench = bench.set(pass_env=("REGION",), secrets={"db.password": "PASSWORD"})
    it = make(env={"PW": secret("db", "password")})
    assert not was_cached(bench.run(it, env={"REGION": "a", "PASSWORD": "1"}))
    assert was_cached(bench.run(it, env={"REGION": "a", "PASSWORD": "2"}))
    assert not was_cached(bench.run(it, env={"REGION": "b", "PASSWORD": "2"}))


def test_what_is_of_this_run_is_never_reused(bench: Bench) -> None:
    it = make(env={"RUN": concat("run ", RunRef("id", SPAN))})
    assert not was_cached(bench.run(it))
    assert not was_cached(bench.run(it))


def test_the_cache_can_be_left_out(bench: Bench) -> None:
    assert not was_cached(bench.run(make()))
    assert not was_cached(bench.run(make(), use_cache=False))
    assert not was_cached(bench.run(make(cache=Cache(False))))
    assert was_cached(bench.run(make()))


def test_a_result_gets_too_old(bench: Bench) -> None:
    aging = make(cache=Cache(True, max_age=1))
    assert not was_cached(bench.run(aging))
    assert was_cached(bench.run(aging))
    time.sleep(1.1)
    assert not was_cached(bench.run(aging))
    assert was_cached(bench.run(aging)), "made anew, young again"


def test_two_steps_that_do_the_same_have_results_of_their_own(bench: Bench) -> None:
    source = script('od -An -N8 -tx8 /dev/urandom >"$OUTPUT_OUT"')
    one, two = (step(name, source, outputs={"out": "Artifact"}) for name in ("one", "two"))
    done = bench.run(one, two, jobs=1)
    assert done.path("one", "out").read_text() != done.path("two", "out").read_text()


def test_a_failed_step_is_not_stored(bench: Bench) -> None:
    it = make('echo made >"$OUTPUT_OUT"; test -e ok')
    assert bench.run(it).status == "failed"
    bench.write("ok", "")
    assert not was_cached(bench.run(it))


def objects(bench: Bench) -> list[Path]:
    return [p for p in (bench.root / ".mlc/cache/objects").rglob("*") if p.is_file()]


def test_a_file_changed_later_does_not_change_the_cache(bench: Bench) -> None:
    done = bench.run(make())
    with done.path("make", "out").open("a") as stream:
        stream.write("and spoilt")
    again = bench.run(make())
    assert was_cached(again)
    assert again.path("make", "out").read_text() == "made\n"
    again.path("make", "out").write_text("spoilt, too")
    assert bench.run(make()).path("make", "out").read_text() == "made\n"


def test_a_step_that_changes_its_input_does_not_change_the_cache(bench: Bench) -> None:
    rude = step("rude", script('echo more >>"$INPUT_D"'), inputs={"d": output_of("make", "out")})
    for expected in ("succeeded", "cached", "cached"):
        done = bench.run(make(), rude)
        assert done.steps["make"] == expected
        assert done.path("make", "out").read_text() == "made\nmore\n"


@pytest.mark.parametrize("how", ["changed", "changed secretly", "gone"])
def test_a_spoilt_cache_is_made_anew(bench: Bench, how: str) -> None:
    bench.run(make())
    (kept,) = objects(bench)
    status = kept.stat()
    if how == "gone":
        kept.unlink()
    else:
        kept.write_text("evil\n")
        if how == "changed secretly":
            os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = bench.run(make())
    assert not was_cached(done)
    assert done.path("make", "out").read_text() == "made\n"
    assert was_cached(bench.run(make()))


def test_an_entry_that_can_not_be_read_counts_as_none(bench: Bench) -> None:
    bench.run(make())
    for text in ("", "{", "[]", '{"values": {}, "artifacts": 3}'):
        for entry in (bench.root / ".mlc/cache/steps").rglob("*.json"):
            entry.write_text(text)
        assert not was_cached(bench.run(make()))


def test_large_files_are_shared_and_still_checked(bench: Bench) -> None:
    big = make('head -c 70000000 /dev/zero >"$OUTPUT_OUT"')
    done = bench.run(big)
    (kept,) = objects(bench)
    again = bench.run(big)
    assert was_cached(again)
    assert again.path("make", "out").stat().st_ino != kept.stat().st_ino
    with done.path("make", "out").open("r+b") as stream:
        stream.write(b"spoilt")
    last = bench.run(big)
    assert last.path("make", "out").read_bytes().count(0) == 70_000_000


def test_a_folder_without_files_and_one_with_links(bench: Bench) -> None:
    it = make('mkdir "$OUTPUT_E"; mkdir "$OUTPUT_L"; echo x >"$OUTPUT_L/a"; '
              'ln -s a "$OUTPUT_L/b"; ln -s . "$OUTPUT_L/self"; ln -s none "$OUTPUT_L/c"',
              outputs={"e": "Model", "l": "Model"})  # fmt: skip
    bench.run(it)
    done = bench.run(it)
    assert was_cached(done)
    assert list(done.path("make", "e").iterdir()) == []
    found = done.path("make", "l")
    assert {p.name: p.read_text() for p in found.iterdir()} == {"a": "x\n", "b": "x\n"}


def test_a_folder_that_is_no_project_is_not_cached(bench: Bench) -> None:
    for number in range(20_001):
        (bench.root / f"{number}.txt").touch()
    for _ in range(2):
        done = bench.run(make())
        assert not was_cached(done)
        assert "nothing is reused" in done.notes[0]
