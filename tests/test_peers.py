"""docs/peers.md: the page is made of what is known, and mlc still says what stands there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from compare import PAGE, RESULTS, ask, changed, judged, mistakes, sound
from page import page
from peers import MLC, PEERS

from compiler.pages import parse

ROOT = Path(__file__).resolve().parent.parent
MISTAKES = mistakes()


def known() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(RESULTS.read_text())
    return found


def test_the_page_is_made_of_the_results(update_golden: bool) -> None:
    made = page(known(), MISTAKES)
    if update_golden:
        PAGE.write_text(made)
    assert PAGE.read_text() == made


def test_every_peer_was_asked_about_every_mistake_that_its_format_can_have() -> None:
    asked = {(result["mistake"], result["peer"]) for result in known()}
    assert asked == {
        (mistake["title"], peer.name)
        for mistake in MISTAKES
        for peer in PEERS
        if changed(peer, mistake) is not None
    }


def test_mlc_takes_the_sound_file() -> None:
    assert ask(MLC, sound(MLC)) == (0, "1 spec checked, nothing wrong")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m["title"].replace(" ", "-"))
def test_mlc_says_what_the_page_shows(mistake: dict[str, Any], update_golden: bool) -> None:
    text = changed(MLC, mistake)
    assert text is not None
    said = judged(MLC, mistake, text, "")
    results = known()
    (number,) = (
        number
        for number, result in enumerate(results)
        if (result["peer"], result["mistake"]) == ("mlc", mistake["title"])
    )
    if update_golden:
        results[number] = said
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        PAGE.write_text(page(results, MISTAKES))
    assert known()[number] == said
    assert (said["exit"], said["place"]) == (1, "line and column")
    assert said["snippet"] and said["code"] and said["nearest"] is not False


def test_what_mlc_says_can_be_looked_up() -> None:
    for result in known():
        if result["peer"] == "mlc":
            code = result["output"].partition("[")[2].partition("]")[0]
            why = parse((ROOT / "docs/codes" / f"{code}.md").read_text()).why
            assert why
