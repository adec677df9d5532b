"""The peers of `make bench`: the KFP SDK, hera and Metaflow, in an environment of their own.

Each gets a program that says what the spec beside it says. Metaflow stores the code of a flow
before it writes a manifest, so an S3 server on loopback is there for it.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from measuring import ROOT, Command

ENVIRONMENT = ROOT / ".bench" / "peers"
_PACKAGES = ("kfp", "kfp-kubernetes", "hera", "metaflow", "moto[server,s3]")
_PYTHON = ENVIRONMENT / "bin" / "python"


def install() -> None:
    if not (ENVIRONMENT / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([_PYTHON, "-m", "pip", "install", "--quiet", *_PACKAGES], check=True)
        (ENVIRONMENT / "installed").touch()


def versions() -> dict[str, str]:
    code = (
        "from importlib.metadata import version\n"
        "for name in ('kfp', 'hera', 'metaflow'): print(name, version(name))"
    )
    said = subprocess.run([_PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout
    return dict(line.split() for line in said.splitlines())


def sdk_compile(source: Path, folder: Path) -> Command:
    """`kfp dsl compile` of a source in the SDK's language."""
    kfp = ENVIRONMENT / "bin" / "kfp"
    return [kfp, "dsl", "compile", "--py", source, "--output", folder / "sdk.yaml"]


def hera_to_yaml(folder: Path, count: int) -> Command:
    """A chain of `count` containers, each with an output that the next takes, as Argo's YAML."""
    program = f"""
        from hera.workflows import DAG, Container, Parameter, Workflow
        from hera.workflows.models import ValueFrom

        with Workflow(generate_name="big-", entrypoint="main") as workflow:
            steps = [
                Container(
                    name=f"s{{number}}",
                    image="python:3.12",
                    command=["a"],
                    args=["{{{{{{{{inputs.parameters.i}}}}}}}}"] if number else [],
                    inputs=[Parameter(name="i")] if number else [],
                    outputs=[Parameter(name="o", value_from=ValueFrom(path="/tmp/o"))],
                )
                for number in range({count})
            ]
            with DAG(name="main"):
                last = None
                for number, step in enumerate(steps):
                    given = last.get_parameter("o").with_name("i") if last else None
                    task = step(name=step.name, arguments=[given] if given else [])
                    if last:
                        last >> task
                    last = task
        print(workflow.to_yaml())
    """
    return [_PYTHON, _written(folder / f"hera_{count}.py", program)]


def metaflow_create(folder: Path, count: int) -> Command:
    """`argo-workflows create --only-json` of a chain of `count` steps."""
    names = ["start", *(f"s{number}" for number in range(count - 2)), "end"]
    program = ["from metaflow import FlowSpec, step\n\n\nclass Big(FlowSpec):"]
    for name, following in zip(names, [*names[1:], None], strict=True):
        body = f"self.next(self.{following})" if following else "pass"
        program.append(f"    @step\n    def {name}(self):\n        {body}\n")
    program.append('\nif __name__ == "__main__":\n    Big()')
    source = _written(folder / f"flow_{count}.py", "\n".join(program))
    return [_PYTHON, source, "--datastore=s3", "argo-workflows", "create", "--only-json"]


def kfp_local(folder: Path, count: int) -> Command:
    """A chain of `count` functions that do nothing, by the SDK's runner of subprocesses."""
    program = f"""
        from kfp import dsl, local

        local.init(local.SubprocessRunner(use_venv=False), pipeline_root={str(folder / "out")!r})

        @dsl.component
        def nothing(): pass

        @dsl.pipeline
        def big():
            last = None
            for _ in range({count}):
                task = nothing()
                if last:
                    task.after(last)
                last = task

        big()
    """
    return [_PYTHON, _written(folder / f"kfp_local_{count}.py", program)]


@contextmanager
def object_store(folder: Path) -> Iterator[dict[str, str]]:
    """An S3 server on loopback; yields the environment that leads Metaflow to it."""
    log = folder / "store.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [ENVIRONMENT / "bin" / "moto_server", "--host", "127.0.0.1", "--port", "0"],
            stdout=stream,
            stderr=stream,
        )
    try:
        url = _address(log)
        urllib.request.urlopen(urllib.request.Request(f"{url}/flows", method="PUT"))
        yield {
            "METAFLOW_USER": "bench",
            "METAFLOW_DEFAULT_METADATA": "local",
            "METAFLOW_S3_ENDPOINT_URL": url,
            "METAFLOW_DATASTORE_SYSROOT_S3": "s3://flows/metaflow",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.wait()


def _address(log: Path) -> str:
    """Where the server says that it listens, once it does."""
    for _ in range(600):
        words = log.read_text().split()
        if url := next((word for word in words if word.startswith("http://127.0.0.1:")), ""):
            try:
                urllib.request.urlopen(url)
            except urllib.error.HTTPError:
                return url
            except urllib.error.URLError:
                pass
            else:
                return url
        time.sleep(0.1)
    sys.exit(f"the S3 server did not start:\n{log.read_text()}")


def _written(path: Path, program: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(program).lstrip() + "\n")
    return path
