"""Asks mlc and its peers about the same ten mistakes, and writes docs/peers.md.

`python benchmarks/peers/compare.py` makes an environment for each peer in build/peers/ and needs
the network for that; `--only NAME` asks one peer anew. A peer that can't be had keeps its answers.
They are kept in results.json, of which `--page` makes the page without asking anybody.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from page import page
from peers import MLC, PEERS, Peer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs/peers.md"
ENVIRONMENTS = Path(os.environ.get("MLC_PEERS") or ROOT / "build/peers")
# Words by which a tool says that something is wrong, where it ends with 0.
_COMPLAINT = re.compile(r"(?i)error|warning|invalid|fail|not valid|deprecat")
# What the sound files start; nobody runs it.
_PROGRAMS = ("fetch.py", "train.py")
# Lines between a place and the mistake, by which the place still is of the same step.
_NEAR = 5
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def mistakes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((HERE / "mistakes.yaml").read_text())
    return found


def sound(peer: Peer) -> str:
    return (HERE / "sound" / peer.file).read_text()


def changed(peer: Peer, mistake: dict[str, Any]) -> str | None:
    """The peer's file with the mistake in it; None where its format can't have it."""
    changes = mistake["changes"].get(peer.format)
    text = sound(peer)
    for before, after in changes or ():
        assert before in text, (mistake["title"], peer.name, before)
        text = text.replace(before, after, 1)
    return text if changes else None


def environment(peer: Peer) -> Path:
    """The folder of the peer's programs, made where it is missing."""
    if peer == MLC:
        return Path(sys.executable).parent
    folder = ENVIRONMENTS / re.sub(r"\W", "-", peer.name.lower())
    if peer.requirement == "go":
        if not (folder / "argo40").exists():
            source = ROOT / "tests/golang/argo40"
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["go", "build", "-o", folder / "argo40", "."], cwd=source, check=True)
        return folder
    if not (folder / "bin/pip").exists():
        subprocess.run([_python(peer), "-m", "venv", folder], check=True)
    installed = folder / f".{peer.requirement}"
    if not installed.exists():
        subprocess.run([folder / "bin/pip", "install", "--quiet", peer.requirement], check=True)
        installed.touch()
    return folder / "bin"


def _python(peer: Peer) -> str:
    """A Python that is new enough for the peer; `LookupError` says that there is none."""
    if sys.version_info >= peer.python:
        return sys.executable
    for minor in range(peer.python[1], peer.python[1] + 4):
        found = shutil.which(f"python3.{minor}")
        works = found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0
        if found and works:
            return found
    raise LookupError(f"it needs Python {'.'.join(map(str, peer.python))}")


def ask(peer: Peer, text: str) -> tuple[int, str]:
    """Its exit code and what it prints about a file with this text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / peer.file).write_text(text)
        for program in _PROGRAMS:
            (folder / program).touch()
        shown = peer.command.format(bin=environment(peer), here=HERE)
        own = ("NO_COLOR", "FORCE_COLOR")
        variables = {k: v for k, v in os.environ.items() if k not in own}
        variables |= {"HOME": name, "COLUMNS": "100", "DVC_NO_ANALYTICS": "1"}
        given = json.dumps({"text": text}) if peer.requirement == "go" else None
        done = subprocess.run(
            ["sh", "-c", shown],
            cwd=folder,
            env=variables,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    said = _ANSI.sub("", done.stdout).replace(f"{name}/", "").replace(name, ".")
    said = said.replace(str(environment(peer).parent), "…")
    if given is not None:
        # Our judge answers in JSON; `argo lint` prints these sentences and ends with 1.
        wrong = json.loads(said)["wrong"]
        return int(bool(wrong)), "\n".join(wrong)
    lines = [line.rstrip() for line in said.splitlines()]
    kept = [line for line in lines if not (peer.noise and re.search(peer.noise, line))]
    return done.returncode, "\n".join(kept).strip("\n")


def judged(peer: Peer, mistake: dict[str, Any], text: str, usual: str) -> dict[str, Any]:
    """What a peer said of a mistake, and what that has in it."""
    code, said = ask(peer, text)
    new = "\n".join(line for line in said.splitlines() if line not in usual.splitlines())
    told = code != 0 or _COMPLAINT.search(new) is not None
    right = mistake["right"].get(peer.format)
    near = _lines(sound(peer), text)
    return {
        "mistake": mistake["title"],
        "peer": peer.name,
        "exit": code,
        "told": told,
        "place": _place(said, peer, near) if told else "",
        "snippet": told and _shows(said, text, near),
        # None where no other word was meant.
        "nearest": None if right is None else told and _suggests(said, right),
        "code": told and bool(peer.code and re.search(peer.code, said)),
        "output": _shortened(said, tail=peer.tail),
    }


def _lines(before: str, after: str) -> set[int]:
    """The lines of a text that differ, and those around them: about the step."""
    found: set[int] = set()
    matcher = difflib.SequenceMatcher(a=before.splitlines(), b=after.splitlines(), autojunk=False)
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag != "equal":
            found |= set(range(start + 1 - _NEAR, end + 1 + _NEAR))
    return found


def _place(said: str, peer: Peer, lines: set[int]) -> str:
    """`line and column`, `line`, `path` or nothing: only lines near to the mistake count."""
    name = re.escape(peer.file)
    both = [
        *re.findall(rf"{name}:(\d+):\d+", said),
        *re.findall(r"line (\d+), ?col(?:umn)? \d+", said),
    ]
    if any(int(line) in lines for line in both):
        return "line and column"
    single = [
        *re.findall(rf'{name}(?::|", line )(\d+)', said),
        *re.findall(r"line:? #?(\d+)", said),
    ]
    if any(int(line) in lines for line in [*single, *both]):
        return "line"
    return "path" if peer.path and re.search(peer.path, said) else ""


def _shows(said: str, text: str, near: set[int]) -> bool:
    """Whether a line of the file near to the mistake stands in what was said."""
    shown = [line.strip() for number, line in enumerate(text.splitlines(), 1) if number in near]
    ends = tuple(line for line in shown if len(line) > 4)
    return any(line.rstrip().endswith(ends) for line in said.splitlines())


def _suggests(said: str, right: str) -> bool:
    return re.search(rf"(?i)d(?:id|o) you mean[^\n]*\b{re.escape(right)}\b", said) is not None


def _shortened(said: str, *, tail: bool, width: int = 120) -> str:
    cut = [line if len(line) <= width else line[: width - 1] + "…" for line in said.splitlines()]
    lines = 8 if tail else 16
    if len(cut) > lines:
        left = len(cut) - lines
        note = f"… {left} more lines"
        cut = [note, *cut[-lines:]] if tail else [*cut[:lines], note]
    return "\n".join(cut)


def compare(only: str | None) -> list[dict[str, Any]]:
    known: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    results: list[dict[str, Any]] = []
    for peer in PEERS:
        before = [result for result in known if result["peer"] == peer.name]
        if only and peer.name != only:
            results += before
            continue
        try:
            environment(peer)
        except (LookupError, OSError, subprocess.CalledProcessError) as problem:
            sys.stderr.write(f"{peer.name} was not asked, its old answers stay: {problem}\n")
            results += before
            continue
        ended, usual = ask(peer, sound(peer))
        if ended != 0:
            sys.exit(f"{peer.name} does not take the sound file:\n{usual}")
        for mistake in mistakes():
            text = changed(peer, mistake)
            if text is not None:
                results.append(judged(peer, mistake, text, usual))
        sys.stderr.write(f"{peer.name} was asked\n")
    return results


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--page", action="store_true", help="make the page of what is known")
    options.add_argument("--only", metavar="NAME", help="ask one peer anew")
    given = options.parse_args()
    if not given.page:
        results = compare(given.only)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(json.loads(RESULTS.read_text()), mistakes()))


if __name__ == "__main__":
    main()
