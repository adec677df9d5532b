"""Gradient boosting for the median and two quantiles, then widened until they hold true.

Conformalised quantile regression: Romano, Patterson and Candès, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor

from disease_progress.table import Patients, load, split

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class IntervalModel:
    """Three regressors, and the widening that calibration found, in units of the target."""

    low: GradientBoostingRegressor
    median: GradientBoostingRegressor
    high: GradientBoostingRegressor
    widening: float

    def predict(self, measurements: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Lower ends, medians and upper ends. Quantiles that cross are put in order."""
        low = self.low.predict(measurements) - self.widening
        high = self.high.predict(measurements) + self.widening
        median = self.median.predict(measurements)
        return np.minimum(low, median), median, np.maximum(high, median)


def fit_intervals(
    table: Path,
    model: Path,
    coverage: float,
    trees: int,
    learning_rate: float,
    depth: int,
    min_leaf: int,
    test_share: float,
    calibration_share: float,
    seed: int,
) -> float:
    """Train on the table without its test share, save the model at `model`.

    Args:
        coverage: share of patients whose progression is to lie within their interval.
        calibration_share: of the patients to learn from, those kept to find the widening.

    Returns:
        By how much the intervals were widened (or, where negative, narrowed) at each end.
    """
    learn, _ = split(load(table), test_share, seed)
    train, calibration = split(learn, calibration_share, seed)
    settings = {
        "loss": "quantile",
        "n_estimators": trees,
        "learning_rate": learning_rate,
        "max_depth": depth,
        "min_samples_leaf": min_leaf,
        "subsample": 0.7,
        "random_state": seed,
    }
    low, median, high = (
        GradientBoostingRegressor(alpha=level, **settings).fit(
            train.measurements, train.progression
        )
        for level in ((1 - coverage) / 2, 0.5, (1 + coverage) / 2)
    )
    widening = needed_widening(
        low.predict(calibration.measurements),
        high.predict(calibration.measurements),
        calibration,
        coverage,
    )
    joblib.dump(IntervalModel(low, median, high, widening), model)
    print(f"{len(train.progression)} patients learnt, intervals widened by {widening:.1f}")
    return widening


def needed_widening(low: Numbers, high: Numbers, patients: Patients, coverage: float) -> float:
    """How far both ends have to move so that the intervals of new patients have this coverage."""
    outside = np.maximum(low - patients.progression, patients.progression - high)
    level = min(1.0, np.ceil((len(outside) + 1) * coverage) / len(outside))
    return float(np.quantile(outside, level, method="higher"))
