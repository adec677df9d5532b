"""Keeps the candidate that did better on the validation set and tests it on the test set."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import joblib
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from digit_image.images import Images, load


def choose(scores: dict[str, float]) -> str:
    """The candidate with the best score; of equals the one named first."""
    return max(scores, key=lambda name: scores[name])


def assess(classifier: Any, images: Images) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics, and what the report shows beside them: the confusions and the images misread."""
    read = classifier.predict(images.pixels)
    metrics = {
        "accuracy": float(accuracy_score(images.digits, read)),
        "macro_f1": float(f1_score(images.digits, read, average="macro")),
        "misread": int((read != images.digits).sum()),
    }
    details = {
        "images": len(read),
        "confusion": confusion_matrix(images.digits, read, labels=range(10)).tolist(),
        "misread": [
            {"pixels": pixels.round(3).tolist(), "truth": int(truth), "read": int(seen)}
            for pixels, truth, seen in zip(images.pixels, images.digits, read, strict=True)
            if truth != seen
        ],
    }
    return metrics, details


def summary(scores: dict[str, float], winner: str, metrics: dict[str, float]) -> str:
    """The outcome in Markdown."""
    rows = [f"| {name} | {score:.3f} |" for name, score in scores.items()]
    return "\n".join(
        [
            f"**{winner}** is kept: accuracy {metrics['accuracy']:.3f} on the test set.",
            "",
            "| candidate | accuracy on the validation set |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument(
        "--candidate",
        nargs=3,
        action="append",
        required=True,
        metavar=("NAME", "MODEL", "SCORE"),
        help="a name, its model's file and its accuracy on the validation set; may be repeated",
    )
    parser.add_argument("--model", type=Path, required=True, help="file for the one that is kept")
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--details", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True, help="file for a word in Markdown")
    options = parser.parse_args()

    scores = {name: float(score) for name, _, score in options.candidate}
    models = {name: Path(path) for name, path, _ in options.candidate}
    winner = choose(scores)
    metrics, details = assess(joblib.load(models[winner]), load(options.images, "test"))
    shutil.copyfile(models[winner], options.model)
    options.metrics.write_text(json.dumps(metrics))
    options.details.write_text(json.dumps({"winner": winner, "scores": scores, **details}))
    options.summary.write_text(summary(scores, winner, metrics))
    print(f"{winner} is kept, accuracy {metrics['accuracy']:.3f} on the test set")


if __name__ == "__main__":
    main()
