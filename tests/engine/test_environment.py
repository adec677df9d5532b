"""A step sees a clean environment, and secrets stay where they belong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench import Bench, Outcome
from builders import (
    command,
    concat,
    gpu,
    input_ref,
    output_path,
    param,
    param_ref,
    script,
    secret,
    step,
    volume,
    volume_path,
)

from compiler.engine.events import StepChanged
from compiler.engine.gpus import detect
from compiler.ir import Resources, Step

DUMP = "import json, os, sys; print(json.dumps(dict(os.environ)))"
SECRET = "s3cr3t-'\"$(id)"


def environment(done: Outcome, name: str) -> dict[str, str]:
    found = json.loads(done.log(name))
    assert isinstance(found, dict)
    return found


def test_only_the_list_and_what_the_project_names_is_passed(bench: Bench) -> None:
    caller = {"AWS_SECRET": "x", "HTTP_PROXY": "proxy", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = bench.set(pass_env=("HTTP_PROXY", "NOT_SET"), pythonpath=("lib", "more")).run(
        step("show", command("python", "-c", DUMP), env={"OWN": "1", "TZ": "Europe/Paris"}),
        env=caller,
    )
    found = environment(done, "show")
    assert found["OWN"] == "1"
    assert found["TZ"] == "Europe/Paris"
    assert found["HTTP_PROXY"] == "proxy"
    assert found["LC_ALL"] == "C.UTF-8"
    assert found["PYTHONPATH"] == f"{bench.root}/lib:{bench.root}/more"
    assert found["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    allowed = {
        "CUDA_VISIBLE_DEVICES", "HOME", "HTTP_PROXY", "LANG", "LANGUAGE", "LOGNAME", "OWN", "PATH",
        "PYTHONPATH", "PYTHONUNBUFFERED", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
    }  # fmt: skip
    assert {name for name in found if not name.startswith("LC_")} <= allowed


def test_python_is_the_one_that_runs_mlc(bench: Bench) -> None:
    code = "import sys; print(sys.prefix)"
    done = bench.run(
        step("command", command("python", "-c", code)),
        step("script", script(code, "python")),
        env={"PATH": os.environ["PATH"]},
    )
    assert done.log("command") == done.log("script") == f"{sys.prefix}\n"


def test_python_is_that_of_the_activated_environment(bench: Bench, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    code = "import sys; print(sys.prefix)"
    done = bench.run(
        step("command", command("python", "-c", code)),
        step("script", script(code, "python")),
        env={"PATH": os.environ["PATH"], "VIRTUAL_ENV": str(venv)},
    )
    assert done.log("command") == done.log("script") == f"{venv}\n"


def test_env_takes_expressions(bench: Bench) -> None:
    done = bench.run(
        step(
            "show",
            command("python", "-c", DUMP),
            inputs={"a": 1},
            outputs={"o": "Artifact"},
            env={
                "PARAM": concat("<", param_ref("p"), ">"),
                "INPUT": input_ref("a", "integer"),
                "OUT": output_path("o"),
                "NOTHING": param_ref("none", nullable=True),
            },
        ),
        params=(param("p", "ä b"), param("none", None)),
    )
    found = environment(done, "show")
    assert (found["PARAM"], found["INPUT"], found["NOTHING"]) == ("<ä b>", "1", "")
    assert found["OUT"].endswith("/show/1/outputs/o")
    assert "INPUT_A" not in found, "only scripts have the ready-made variables"
    assert done.reason("show") == "output o: nothing is there"


def leaks(root: Path, text: str) -> list[Path]:
    return [p for p in root.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


def test_a_secret_reaches_the_step_and_nothing_else(bench: Bench) -> None:
    bench = bench.set(secrets={"chat.token": "MY_TOKEN"})
    ref = secret("chat", "token")
    done = bench.run(
        step("use", script('printf %s "$TOKEN" | wc -c; echo "it is $TOKEN"'), env={"TOKEN": ref}),
        step("wrong", script('printf %s "$TOKEN" >"$OUTPUT_N"'), env={"TOKEN": ref},
             outputs={"n": "integer"}),
        step("missing", command("no-such"), env={"TOKEN": ref}),
        step("other", command("python", "-c", DUMP)),
        env={"MY_TOKEN": SECRET},
    )  # fmt: skip
    assert done.log("use") == f"{len(SECRET)}\nit is ***\n"
    assert done.reason("wrong") == "output n: found `***`, wanted an integer"
    assert SECRET not in repr(done.events)
    assert SECRET not in json.dumps(environment(done, "other"))
    (bench.root / f".mlc/runs/{done.result.run}/wrong/1/outputs/n").unlink()  # the step's own doing
    assert leaks(bench.root, SECRET) == []
    assert leaks(bench.root, "MY_TOKEN") == []


def test_a_running_step_with_secrets_shows_no_log(bench: Bench) -> None:
    done = bench.set(secrets={"a.b": "S"}).run(
        step("use", command("true"), env={"T": secret("a", "b")}),
        step("plain", command("true")),
        env={"S": "x"},
    )
    logs = {
        e.step: e.log  # type: ignore[union-attr]
        for e in done.events
        if getattr(e, "status", "") == "running"
    }
    assert logs["use"] is None
    assert logs["plain"] is not None


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({}, "step `use` takes the secret `chat.token`, and nothing says where it is"),
        ({"chat.token": "NOT_SET"},
         "the environment variable `NOT_SET` of the secret `chat.token` is not set"),
    ],
)  # fmt: skip
def test_a_missing_secret_is_found_before_anything_starts(
    bench: Bench, secrets: dict[str, str], message: str
) -> None:
    done = bench.set(secrets=secrets).run(
        step("first", script("echo >started")),
        step("use", command("true"), env={"T": secret("chat", "token")}, needs=["first"]),
    )
    assert done.status == "refused"
    assert [(d.code, d.message) for d in done.result.diagnostics] == [("MLC804", message)]
    assert not (bench.root / "started").exists()


def test_volumes_are_the_configured_folders(bench: Bench) -> None:
    (bench.root / "claims/models/v1").mkdir(parents=True)
    show = command("sh", "-c", 'echo "$1"; touch "$1/seen"', "sh", volume_path("models"))
    mounted = step("use", show, volumes=[volume("models", sub_path="v1")])
    configured = bench.set(volumes={"models": "claims/models"})
    assert configured.run(mounted).log("use") == f"{bench.root}/claims/models/v1\n"
    assert (bench.root / "claims/models/v1/seen").exists()
    assert bench.run(mounted).codes == ["MLC805"]
    assert bench.set(volumes={"models": "nowhere"}).run(mounted).codes == ["MLC805"]
    ignored = bench.run(step("use", command("true"), volumes=[volume("models", "/models")]))
    assert ignored.notes == ["use: the volume `models` is not mounted at /models here"]


def test_an_empty_volume_is_new_for_each_try(bench: Bench) -> None:
    show = command("sh", "-c", 'ls -A "$1"; touch "$1/x"; echo "$1"', "sh", volume_path("tmp"))
    scratch = step("use", show, volumes=[volume("tmp", "/tmp/x", "empty")])
    for _ in range(2):
        done = bench.run(scratch)
        assert done.log("use").endswith("/use/1/volumes/tmp\n")
        assert done.log("use").count("\n") == 1


def with_gpus(name: str, count: int) -> Step:
    source = 'echo "[$CUDA_VISIBLE_DEVICES]"; sleep 0.3'
    return step(name, script(source), resources=Resources(gpu=gpu(count, "t4") if count else None))


def smi(folder: Path, lines: str) -> dict[str, str]:
    """An environment with an nvidia-smi that prints `lines`."""
    folder.mkdir(exist_ok=True)
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    tool.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_machine_without_gpus_says_so_and_runs(bench: Bench) -> None:
    none = {"CUDA_VISIBLE_DEVICES": ""}
    done = bench.run(with_gpus("fit", 2), with_gpus("plain", 0), env=none)
    assert done.status == "succeeded"
    assert done.notes == ["fit asks for 2 GPUs of type t4; this machine has none: it runs without"]
    assert done.log("fit") == done.log("plain") == "[]\n"


def test_gpus_are_handed_out_once(bench: Bench) -> None:
    names = ["a", "b", "c"]
    two = smi(bench.root / "bin", "GPU 0: T4\\nGPU 1: T4\\n") | {"CUDA_VISIBLE_DEVICES": "4,7"}
    done = bench.run(
        *[with_gpus(name, 1) for name in names],
        with_gpus("all", 2),
        with_gpus("more", 4),
        with_gpus("plain", 0),
        jobs=6,
        env=two,
    )
    assert done.status == "succeeded"
    assert {done.log(name) for name in names} == {"[4]\n", "[7]\n"}
    assert {*done.log("all").strip("[]\n").split(",")} == {"4", "7"}
    assert done.log("plain") == "[]\n"
    assert done.notes == [
        "more asks for 4 GPUs of type t4; this machine has 2, and it runs with these"
    ]
    busy: set[str] = set()
    for event in done.events:
        if isinstance(event, StepChanged) and event.step != "plain":
            (busy.add if event.status == "running" else busy.discard)(event.step)
            assert len(busy) <= (1 if busy & {"all", "more"} else 2)


def test_gpus_are_found_as_devices_or_by_their_tool(tmp_path: Path) -> None:
    empty, devices = tmp_path / "empty", tmp_path / "dev"
    empty.mkdir()
    devices.mkdir()
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (devices / name).touch()
    bare = {"PATH": str(empty)}
    assert detect(bare, devices) == ("0", "1", "2")
    assert detect(bare | {"CUDA_VISIBLE_DEVICES": "1, GPU-5e"}, devices) == ("1", "GPU-5e")
    assert detect(bare | {"CUDA_VISIBLE_DEVICES": ""}, devices) == ()
    assert detect(bare, empty) == ()
    tools = tmp_path / "bin"
    assert detect(smi(tools, "GPU 0: Tesla T4 (UUID: x)\\nGPU 1: Tesla T4\\n"), empty) == ("0", "1")
    assert detect(smi(tools, "NVIDIA-SMI has failed\\n"), empty) == ()
