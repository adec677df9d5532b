"""Writes the report, one HTML page, on stdout."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from digit_image.images import SIDE
from reporting.charts import heat_map, pixels
from reporting.page import render


def page(metrics: dict[str, float], details: dict[str, Any]) -> str:
    """The report's HTML."""
    misread = [
        {
            "truth": image["truth"],
            "read": image["read"],
            "picture": pixels(
                [image["pixels"][i : i + SIDE] for i in range(0, SIDE * SIDE, SIDE)],
                f"a {image['truth']} read as {image['read']}",
            ),
        }
        for image in details["misread"]
    ]
    return render(
        Path(__file__).with_name("report.html"),
        metrics=metrics,
        details=details,
        misread=sorted(misread, key=lambda m: (m["truth"], m["read"])),
        confusion=heat_map(details["confusion"], [str(digit) for digit in range(10)]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--details", type=Path, required=True)
    options = parser.parse_args()

    metrics = json.loads(options.metrics.read_text())
    sys.stdout.write(page(metrics, json.loads(options.details.read_text())))


if __name__ == "__main__":
    main()
