"""The peers of `make bench`: the KFP SDK, hera and Metaflow, in an environment of their own.

One that cannot be installed here is left out, and so said. Metaflow stores the code of a flow
before it writes a manifest, so an S3 server on loopback is there for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peer_programs
from measuring import ROOT, Command, Figure, measure

ENVIRONMENT = ROOT / ".bench" / "peers"
_PYTHON = ENVIRONMENT / "bin" / "python"
_MARKER = ENVIRONMENT / "installed"

# By peer, the peer itself first. The measured numbers are of these versions.
_PACKAGES = {
    "kfp": ["kfp==2.17.3", "kfp-kubernetes==2.17.3"],
    "hera": ["hera==7.1.0"],
    "metaflow": ["metaflow==2.19.39", "boto3==1.44.8", "moto[server,s3]==5.2.5"],
}


def install() -> None:
    """Each by a call of its own; what is there already in these versions is left."""
    there = _there()
    if not _PYTHON.exists():
        there = {}
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    for peer, packages in _PACKAGES.items():
        if there.get(peer) != packages:
            there.pop(peer, None)
            command: Command = [_PYTHON, "-m", "pip", "install", "--quiet", *packages]
            if subprocess.run(command).returncode == 0:
                there[peer] = packages
            _MARKER.write_text(json.dumps(there))


def versions() -> dict[str, str]:
    """Of the peers that are installed."""
    there = _there()
    return {
        peer: packages[0].partition("==")[2]
        for peer, packages in _PACKAGES.items()
        if there.get(peer) == packages
    }


def sdk_compile(source: Path, folder: Path, count: int, runs: int = 1) -> Figure:
    """`kfp dsl compile` of a source in the SDK's language, with `count` steps."""
    written = folder / "sdk.yaml"
    written.unlink(missing_ok=True)
    kfp = ENVIRONMENT / "bin" / "kfp"
    command: Command = [kfp, "dsl", "compile", "--py", source, "--output", written]
    return _run("kfp", command, folder, runs)._replace(bytes_a_step=bytes_a_step(written, count))


def sdk_by_hand(folder: Path, shape: str, count: int, way: str) -> Figure:
    program = peer_programs.kfp(shape, count, way)
    return sdk_compile(_written(folder / "by_hand.py", program), folder, count)


def hera_by_hand(folder: Path, shape: str, count: int) -> Figure:
    source = _written(folder / "by_hera.py", peer_programs.hera(shape, count))
    return hera_to_yaml(source, folder, count)


def hera_to_yaml(source: Path, folder: Path, count: int, runs: int = 1) -> Figure:
    """A program that makes a workflow of `count` steps and writes it where its argument says."""
    written = folder / "hera.yaml"
    written.unlink(missing_ok=True)
    figure = _run("hera", [_PYTHON, source, written], folder, runs)
    return figure._replace(bytes_a_step=bytes_a_step(written, count))


def metaflow_create(folder: Path, count: int, runs: int) -> Figure:
    """`argo-workflows create --only-json` of a chain."""
    if "metaflow" not in versions():
        return Figure(ended="not installed")
    source = _written(folder / f"flow_{count}.py", peer_programs.flow(count))
    command: Command = [
        _PYTHON,
        source,
        "--datastore=s3",
        "argo-workflows",
        "create",
        "--only-json",
    ]
    try:
        with _object_store(folder) as env:
            return _run("metaflow", command, folder, runs, env)
    except OSError as error:
        print(f"the S3 server for Metaflow: {error}", file=sys.stderr)
        return Figure(ended="failed")


def kfp_local(folder: Path, count: int, is_chain: bool) -> Figure:
    root = folder / "sdk-local"
    root.mkdir(exist_ok=True)
    program = peer_programs.nothing(count, is_chain, str(root / "out"))
    source = _written(root / f"nothing_{count}.py", program)
    # The runner leaves a folder for each step.
    return _run("kfp", [_PYTHON, source], folder, env={"TMPDIR": str(root)})


def bytes_a_step(written: Path, count: int) -> int | None:
    return written.stat().st_size // count if written.exists() else None


def _run(
    peer: str, command: Command, folder: Path, runs: int = 1, env: dict[str, str] | None = None
) -> Figure:
    if peer not in versions():
        return Figure(ended="not installed")
    return measure(command, folder, runs=runs, warm=runs > 1, env=env, is_peer=True)


def _there() -> dict[str, list[str]]:
    try:
        there: dict[str, list[str]] = json.loads(_MARKER.read_text())
    except (OSError, ValueError):
        return {}
    return there


@contextmanager
def _object_store(folder: Path) -> Iterator[dict[str, str]]:
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
    raise TimeoutError(f"it did not start:\n{log.read_text()}")


def _written(path: Path, program: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(program)
    return path
