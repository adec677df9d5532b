"""Writes the report, one HTML page, on stdout."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from reporting.charts import heat_map, histogram
from reporting.page import render

MISTAKES_SHOWN = 8


def page(metrics: dict[str, float], details: dict[str, Any], settings: dict[str, str]) -> str:
    """The report's HTML."""
    confidence = details["confidence"]
    return render(
        Path(__file__).with_name("report.html"),
        metrics=metrics,
        details=details,
        settings=settings,
        mistakes=varied(details["mistakes"], MISTAKES_SHOWN),
        confusion=heat_map(details["confusion"], details["labels"]),
        confidence=histogram(
            confidence["right"],
            confidence["wrong"],
            (1 / len(details["labels"]), 1.0),
            ("chance that the classifier gave to its answer", "documents"),
        ),
    )


def varied(mistakes: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The most confident mistake of each kind, then the second of each kind, and so on."""
    seen: dict[tuple[str, str], int] = {}
    ranked = []
    for place, mistake in enumerate(mistakes):
        kind = mistake["truth"], mistake["predicted"]
        seen[kind] = seen.get(kind, 0) + 1
        ranked.append((seen[kind], place, mistake))
    return [mistake for _, _, mistake in sorted(ranked, key=lambda r: r[:2])[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--details", type=Path, required=True)
    parser.add_argument("--settings", nargs="*", default=[], help="NAME=VALUE, shown as a table")
    options = parser.parse_args()

    metrics = json.loads(options.metrics.read_text())
    details = json.loads(options.details.read_text())
    settings = dict(setting.split("=", 1) for setting in options.settings)
    sys.stdout.write(page(metrics, details, settings))


if __name__ == "__main__":
    main()
