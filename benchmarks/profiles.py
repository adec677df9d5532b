"""Where the time goes, for what is missed: read from a profile that the same run makes."""

from __future__ import annotations

import os
import pstats
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import local_runs
import projects
import starts
from measuring import ROOT, Figure, mlc, project
from shapes import spec
from sizes import TARGETS

_PROJECT, _STEPS = 200, 2000
_LEAST = "diamonds"  # the shape that most often has the least ratio
_OVERLAP = "A stage is told with what it calls, so they overlap."
# By what the path of a function has in it. A stage is charged for what it calls as well.
_STAGES = {
    "reading": ("compiler/source.py", "compiler/nodes.py"),
    "schema": ("compiler/schema",),
    "lowering": ("compiler/lower/", "compiler/resolve.py"),
    "checks": ("compiler/checks/",),
    "kfp": ("compiler/targets/kfp/",),
    "kfp-dsl": ("compiler/targets/kfp_dsl/",),
    "argo": ("compiler/targets/argo/",),
    "text of the YAML": ("compiler/targets/manifest.py",),
    "writing": ("compiler/files.py",),
}
_PACKAGES = ("click", "yaml", "msgspec", "compiler")

_Function = tuple[str, int, str]
_Calls = tuple[int, int, float, float]


def reason(about: str, found: Mapping[str, Figure], scratch: Path, most: int) -> str:
    """Why a verdict is what it is, in a sentence; nothing for what no profile tells."""
    if about == "start":
        return _start(found[starts.BARE].wall, found[starts.VALIDATE].wall)
    if about == "wide":
        return local_runs.parts_of_a_wide_run(found, most)
    if about in projects.VERBS:
        folder = scratch / f"profiled-{about.split()[0]}"
        projects.write(folder, _PROJECT)
        shares = _shares(folder, *projects.VERBS[about])
        return f"By cProfile of {_PROJECT} specs: {shares}. {_OVERLAP}"
    what, _, target = about.partition(" of ")
    if target not in TARGETS or what not in ("ratio", "time", "growth", "bytes"):
        return ""
    shape = "chain" if what == "bytes" else _LEAST
    folder = scratch / f"profiled-{target}-{shape}"
    if not folder.exists():
        project(folder, big=spec(shape, _STEPS))
    shares = _shares(folder, "compile", "-q", "big.yaml", "--target", target)
    if what == "bytes":
        (written,) = (folder / "build" / "big").glob(f"{target}.*")
        return _repeated(written)
    return f"By cProfile of {shape} of {_STEPS:,} steps: {shares}. {_OVERLAP}"


def _start(bare: float, whole: float) -> str:
    command = [sys.executable, "-X", "importtime", *mlc("validate", starts.DOC_TYPE)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    took: Counter[str] = Counter()
    for line in said.splitlines():
        if not line.startswith("import time:") or "self [us]" in line:
            continue
        own, _, module = line.removeprefix("import time:").split("|")
        name = module.strip()
        if name == "site":
            took.clear()  # up to here it is the bare interpreter
            continue
        package = name.partition(".")[0]
        is_standard = package in sys.stdlib_module_names
        known = package if package in _PACKAGES else "others"
        took["standard library" if is_standard else known] += int(own)
    took["what is left, as the work itself"] = round(
        max(1e6 * (whole - bare) - sum(took.values()), 0)
    )
    took["compiler, which is mlc"] = took.pop("compiler")
    parts = ", ".join(f"{name} {micros / 1000:.0f}" for name, micros in took.most_common())
    return (
        f"Of {1000 * whole:.0f} ms the bare interpreter takes {1000 * bare:.0f}, and by `python -X "
        f"importtime`, which slows it down a little, imports: {parts}."
    )


@cache
def _shares(folder: Path, *arguments: str) -> str:
    """The share of each stage of the run of a command, the largest first."""
    file = folder.with_name(f"{folder.name}.profile")
    command = [sys.executable, "-m", "cProfile", "-o", file, mlc()[0], *arguments]
    subprocess.run(command, cwd=folder, env=_around(), check=True, capture_output=True)
    stats: Mapping[_Function, tuple[int, int, float, float, Mapping[_Function, _Calls]]]
    stats = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    whole = 1e6 * sum(own for _, _, own, _, _ in stats.values())
    spent: Counter[str] = Counter()
    for function, (_, _, _, _, callers) in stats.items():
        stage = _stage(function)
        if stage is not None:
            for caller, (_, _, _, total) in callers.items():
                if _stage(caller) is None:
                    spent[stage] += round(1e6 * total)
    return ", ".join(
        f"{stage} {100 * micros / whole:.0f} %"
        for stage, micros in spent.most_common()
        if micros > 0.01 * whole
    )


def _stage(function: _Function) -> str | None:
    for stage, places in _STAGES.items():
        if any(place in function[0] for place in places):
            return stage
    return None


def _repeated(file: Path) -> str:
    """How much of a file is lines that each step has."""
    lines = Counter(file.read_text("utf-8").splitlines(keepends=True))
    whole = sum(len(line.encode()) * times for line, times in lines.items())
    repeated = sum(
        len(line.encode()) * times for line, times in lines.items() if 2 * times > _STEPS
    )
    return (
        f"Of {whole // _STEPS:,} bytes a step of a chain, {repeated // _STEPS:,} are in lines that "
        "each step has alike: mostly the script that prepares a command and checks its outputs."
    )


def _around() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
