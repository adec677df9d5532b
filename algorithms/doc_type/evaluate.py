"""Tries the classifier on documents of modules that it has not seen."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)
from sklearn.pipeline import Pipeline

from doc_type.corpus import Document
from doc_type.fetch_dataset import load

CONFIDENCE_BINS = 16


def measure(classifier: Pipeline, train: list[Document], test: list[Document]) -> dict[str, float]:
    """Metrics on `test`; beside them the accuracy on `train` and of always saying one label."""
    truth = [d.label for d in test]
    chances = classifier.predict_proba([d.text for d in test])
    predicted = classifier.classes_[chances.argmax(axis=1)]
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
        "log_loss": float(log_loss(truth, chances, labels=classifier.classes_)),
        "train_accuracy": float(
            classifier.score([d.text for d in train], [d.label for d in train])
        ),
        "baseline_accuracy": max(Counter(truth).values()) / len(truth),
    }


def explain(classifier: Pipeline, test: list[Document]) -> dict[str, Any]:
    """What a reader wants to see beside the metrics; JSON types only."""
    labels = list(classifier.classes_)
    truth = np.array([d.label for d in test])
    chances = classifier.predict_proba([d.text for d in test])
    predicted = classifier.classes_[chances.argmax(axis=1)]
    confidence = chances.max(axis=1)
    right = truth == predicted
    scores = precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    edges = np.linspace(1 / len(labels), 1, CONFIDENCE_BINS + 1)
    return {
        "labels": labels,
        "confusion": confusion_matrix(truth, predicted, labels=labels).tolist(),
        "per_label": [
            {"label": label, "precision": p, "recall": r, "f1": f, "documents": int(n)}
            for label, p, r, f, n in zip(labels, *(s.tolist() for s in scores), strict=True)
        ],
        "confidence": {
            "right": np.histogram(confidence[right], edges)[0].tolist(),
            "wrong": np.histogram(confidence[~right], edges)[0].tolist(),
        },
        "telling_terms": telling_terms(classifier),
        "mistakes": [
            {
                "text": test[i].text,
                "source": f"{test[i].label}/{test[i].module}: {test[i].name}",
                "truth": str(truth[i]),
                "predicted": str(predicted[i]),
                "confidence": float(confidence[i]),
            }
            for i in np.argsort(-confidence, kind="stable")
            if not right[i]
        ],
    }


def telling_terms(classifier: Pipeline, count: int = 12) -> dict[str, list[tuple[str, float]]]:
    """For each label the terms that speak most for it, with their weights, heaviest first."""
    terms = classifier[0].get_feature_names_out()
    weights = classifier[-1].coef_
    if len(weights) == 1:  # of two labels the model keeps one row, for the second
        weights = np.vstack([-weights, weights])
    return {
        str(label): [(str(terms[i]), float(row[i])) for i in np.argsort(-row)[:count]]
        for label, row in zip(classifier.classes_, weights, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True, help="file for the metrics, JSON")
    parser.add_argument("--accuracy", type=Path, required=True, help="file for the accuracy alone")
    parser.add_argument("--details", type=Path, required=True, help="file for the report's step")
    options = parser.parse_args()

    classifier = joblib.load(options.model)
    train, test = load(options.dataset / "train.jsonl"), load(options.dataset / "test.jsonl")
    metrics = measure(classifier, train, test)
    options.metrics.write_text(json.dumps(metrics))
    options.accuracy.write_text(json.dumps(metrics["accuracy"]))
    options.details.write_text(json.dumps(explain(classifier, test)))
    print(f"accuracy {metrics['accuracy']:.3f} on {len(test)} documents")


if __name__ == "__main__":
    main()
