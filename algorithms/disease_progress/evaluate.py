"""Measures the predictions for patients that the model has not seen, and writes the report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.inspection import permutation_importance
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from disease_progress.intervals import IntervalModel
from disease_progress.table import Patients, load, split
from reporting.charts import intervals, scatter
from reporting.page import render


def measure(model: IntervalModel, train: Patients, test: Patients) -> dict[str, float]:
    """The metrics on `test`; errors and widths in units of the target."""
    low, median, high = model.predict(test.measurements)
    truth = test.progression
    guess = np.full_like(truth, np.median(train.progression))
    return {
        "mean_absolute_error": float(mean_absolute_error(truth, median)),
        "root_mean_squared_error": float(mean_squared_error(truth, median) ** 0.5),
        "r2": float(r2_score(truth, median)),
        "interval_coverage": float(np.mean((low <= truth) & (truth <= high))),
        "interval_width": float(np.mean(high - low)),
        "baseline_absolute_error": float(mean_absolute_error(truth, guess)),
    }


def influence(model: IntervalModel, test: Patients, seed: int) -> list[tuple[str, float]]:
    """By how much the mean absolute error grows where one measurement is shuffled, worst first."""
    found = permutation_importance(
        model.median,
        test.measurements,
        test.progression,
        scoring="neg_mean_absolute_error",
        n_repeats=20,
        random_state=seed,
    )
    pairs = zip(test.names, found.importances_mean.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: -pair[1])


def page(
    metrics: dict[str, float],
    model: IntervalModel,
    test: Patients,
    influences: list[tuple[str, float]],
    coverage: float,
) -> str:
    """The report's HTML."""
    low, median, high = model.predict(test.measurements)
    truth = test.progression
    inside = ((low <= truth) & (truth <= high)).tolist()
    order = np.argsort(median, kind="stable")
    return render(
        Path(__file__).with_name("report.html"),
        metrics=metrics,
        coverage=coverage,
        patients=len(truth),
        span=(truth.min(), truth.max()),
        influences=influences,
        residuals=scatter(
            zip(median.tolist(), (truth - median).tolist(), strict=True),
            inside,
            ("predicted progression", "truth minus prediction"),
            level=0.0,
        ),
        intervals=intervals(
            list(zip(low[order].tolist(), high[order].tolist(), strict=True)),
            truth[order].tolist(),
            ("patients of the test set, by predicted progression", "progression"),
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--coverage", type=float, required=True, help="the share asked for")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True, help="file for the report, HTML")
    options = parser.parse_args()

    model = joblib.load(options.model)
    train, test = split(load(options.table), options.test_share, options.seed)
    metrics = measure(model, train, test)
    influences = influence(model, test, options.seed)
    options.metrics.write_text(json.dumps(metrics))
    options.page.write_text(
        page(metrics, model, test, influences, options.coverage), encoding="utf-8"
    )
    print(f"off by {metrics['mean_absolute_error']:.1f} in the mean")


if __name__ == "__main__":
    main()
