"""docs/peers.md, made of head.md and of what mlc and its peers said of the ten mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peers import PEERS

_HEAD = (Path(__file__).resolve().parent / "head.md").read_text()


def page(results: list[dict[str, Any]], mistakes: list[dict[str, Any]]) -> str:
    """The page, of results.json and mistakes.yaml."""
    parts = [_HEAD.format(tools=_tools(), summary=_summary(results))]
    for number, mistake in enumerate(mistakes, 1):
        own = {r["peer"]: r for r in results if r["mistake"] == mistake["title"]}
        about = mistake["about"]
        parts.append(f"## {number}. {mistake['title']}\n\n{about[0].upper()}{about[1:]}.\n")
        parts.append(_table(own))
        told = [p.name for p in PEERS if p.name in own and own[p.name]["told"]]
        parts += [_said(name, own[name]) for name in told]
    return "\n".join(parts)


def _tools() -> str:
    rows = ["| tool | version | asked by |", "|---|---|---|"]
    for peer in PEERS:
        package, _, version = peer.requirement.partition("==")
        shown = {"": "this one", "go": "argo-workflows 4.0.5"}.get(package, f"{package} {version}")
        command = peer.command.replace("{bin}/", "").replace("{here}/", "")
        rows.append(f"| {peer.name} | {shown} | `{command}` |")
    return "\n".join(rows)


def _summary(results: list[dict[str, Any]]) -> str:
    head = "| | mistakes found | line and column | snippet | nearest name | code | exit not 0 |"
    rows = [head, "|---|---|---|---|---|---|---|"]
    for peer in PEERS:
        own = [r for r in results if r["peer"] == peer.name]
        named = [r for r in own if r["nearest"] is not None]
        counts = [
            f"{sum(r['told'] for r in own)} of {len(own)}",
            sum(r["place"] == "line and column" for r in own),
            sum(r["snippet"] for r in own),
            f"{sum(r['nearest'] for r in named)} of {len(named)}",
            sum(r["code"] for r in own),
            sum(r["exit"] != 0 for r in own),
        ]
        rows.append(f"| {peer.name} | {' | '.join(map(str, counts))} |")
    return "\n".join(rows)


def _table(own: dict[str, dict[str, Any]]) -> str:
    rows = ["| | place | snippet | nearest | code | exit |", "|---|---|---|---|---|---|"]
    for peer in PEERS:
        found = own.get(peer.name)
        if found is None:
            rows.append(f"| {peer.name} | its format can't have it | | | | |")
        elif not found["told"]:
            rows.append(f"| {peer.name} | nothing | | | | {found['exit']} |")
        else:
            marks = [{True: "yes", False: "–", None: ""}[found[k]] for k in ("snippet", "nearest")]
            code = "yes" if found["code"] else "–"
            place = found["place"] or "–"
            rows.append(
                f"| {peer.name} | {place} | {' | '.join(marks)} | {code} | {found['exit']} |"
            )
    return "\n".join(rows) + "\n"


def _said(name: str, found: dict[str, Any]) -> str:
    return f"<details><summary>{name}</summary>\n\n```text\n{found['output']}\n```\n\n</details>\n"
