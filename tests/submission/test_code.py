"""What code loads, told from its source; Python itself is the judge of that."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.submission.code import Code

ROOT = Path(__file__).resolve().parent.parent.parent
# Prints the files below a folder that importing a module loads.
LOADED = """
import importlib, json, sys
sys.dont_write_bytecode = True
root, name = sys.argv[1:]
sys.path.insert(0, root)
importlib.import_module(name)
files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
print("\\n" + json.dumps(sorted(file for file in files if file.startswith(root))))
"""


def loaded(root: Path, module: str) -> set[Path]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(root), module],
        capture_output=True,
        text=True,
        check=True,
    )
    return {Path(name) for name in json.loads(done.stdout.splitlines()[-1])}


def followed(root: Path, module: str) -> set[Path]:
    code = Code((root,))
    return set(code.follow(code.module(module)))


@pytest.mark.parametrize(
    "module", ["doc_type.pipeline", "digit_image.report", "disease_progress.evaluate"]
)
def test_the_shipped_algorithms(module: str) -> None:
    root = ROOT / "algorithms"
    assert loaded(root, module) == followed(root, module)


@pytest.mark.parametrize("seed", range(25))
def test_packages_at_random(tmp_path: Path, seed: int) -> None:
    """Nothing that Python loads is missed, and only what a branch of the code leaves out is too
    much, which there is none of here."""
    choose = random.Random(seed)
    names = [f"p{a}" for a in range(2)]
    names += [f"p{choose.randrange(2)}.q{n}" for n in range(3)]
    packages = list(names)
    names += [f"{choose.choice(packages)}.m{n}" for n in range(8)]
    names.append("top")
    for number, name in enumerate(names):
        path = tmp_path.joinpath(*name.split("."))
        file = path / "__init__.py" if name in packages else path.parent / f"{path.name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        others = [names[choose.randrange(len(names))] for _ in range(choose.randrange(4))]
        lines = [f"VALUE = {number}"]
        for other in others:
            lines += [*guarded(choose.choice(forms(name, other, name in packages)))]
        file.write_text("\n".join(lines) + "\n")
    for start in ("top", names[-2]):
        assert loaded(tmp_path, start) <= followed(tmp_path, start)


def guarded(statement: str) -> list[str]:
    """Circles may fail at run time."""
    return ["try:", f"    {statement}", "except (ImportError, AttributeError):", "    pass"]


def forms(name: str, other: str, is_package: bool) -> list[str]:
    """The ways in which one module may import another."""
    above, _, last = other.rpartition(".")
    found = [f"import {other}", f"import {other} as x", f"from {other} import VALUE"]
    found.append(f"from {other} import *")
    found.append(f"import importlib; importlib.import_module('{other}')")
    if above:
        found.append(f"from {above} import {last}")
    package = name.split(".") if is_package else name.split(".")[:-1]
    if package and other.startswith(f"{package[0]}."):
        ups = "." * len(package)
        inner = other.removeprefix(f"{package[0]}.")
        head, _, tail = inner.rpartition(".")
        found += [f"from {ups}{inner} import VALUE", f"from {ups}{head} import {tail}"] * 3
    return found


def test_what_can_not_be_read_ends_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import b, c, d, e\nfrom ....x import y\nfrom . import *\n")
    (tmp_path / "b.py").write_text("import (\n")
    (tmp_path / "c.py").write_bytes(b"\xff\xfe\0")
    (tmp_path / "d.py").mkdir()
    (tmp_path / "e.py").write_text("x = " + "(" * 500 + ")" * 500)
    assert {path.name for path in followed(tmp_path, "a")} == {"a.py", "b.py", "c.py", "e.py"}


def test_words_that_are_no_paths(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("")
    code = Code((tmp_path,))
    script = f"echo {'x' * 5000} ./../.. // / . '' $(cat ./run.sh) {'a/' * 3000}b ~ -m .. -m . -m"
    assert code.words(script, tmp_path) == [tmp_path / "run.sh"]
