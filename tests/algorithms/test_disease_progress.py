"""The progression's intervals, and the check of the table that comes before them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import joblib
import numpy as np
import pytest
import yaml
from conftest import ALGORITHMS, Start
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes

from disease_progress.evaluate import influence, measure
from disease_progress.intervals import IntervalModel, fit_intervals, needed_widening
from disease_progress.table import Patients, load, split

SETTINGS = {
    "coverage": 0.8,
    "trees": 60,
    "learning_rate": 0.1,
    "depth": 2,
    "min_leaf": 10,
    "test_share": 0.25,
    "calibration_share": 0.3,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bunch = load_diabetes(scaled=False)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*bunch.feature_names, "progression"])
        writer.writerows([*row, y] for row, y in zip(bunch.data, bunch.target, strict=True))
    return path


def fitted(table: Path, folder: Path, seed: int = 1, **changed: float) -> IntervalModel:
    fit_intervals(table, folder / "model", seed=seed, **{**SETTINGS, **changed})  # type: ignore[arg-type]
    model: IntervalModel = joblib.load(folder / "model")
    return model


def test_the_table_is_read_whole(table: Path) -> None:
    patients = load(table)
    bunch = load_diabetes(scaled=False)
    assert patients.names == tuple(bunch.feature_names)
    assert np.array_equal(patients.measurements, bunch.data)
    assert np.array_equal(patients.progression, bunch.target)


def test_a_table_with_another_target(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,weight\n1,2\n")
    with pytest.raises(ValueError, match="last column of the table is weight"):
        load(tmp_path / "t.csv")


def test_the_split_is_drawn_by_the_seed(table: Path) -> None:
    patients = load(table)
    learn, tested = split(patients, 0.25, seed=1)
    assert len(tested.progression) == 110 and len(learn.progression) == 332
    rows = [*learn.measurements.tolist(), *tested.measurements.tolist()]
    assert sorted(rows) == sorted(patients.measurements.tolist())
    assert np.array_equal(split(patients, 0.25, 1)[1].progression, tested.progression)
    assert not np.array_equal(split(patients, 0.25, 2)[1].progression, tested.progression)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.floats(0.5, 0.99),
    st.floats(-10, 10),
)
def test_widened_intervals_cover_the_patients_they_were_fitted_on(
    truths: list[float], coverage: float, low: float
) -> None:
    truth = np.array(truths)
    patients = Patients(("x",), np.zeros((len(truth), 1)), truth)
    lows, highs = np.full_like(truth, low), np.full_like(truth, low + 3)
    widening = needed_widening(lows, highs, patients, coverage)
    inside = (lows - widening <= truth + 1e-6) & (truth - 1e-6 <= highs + widening)
    assert inside.mean() >= coverage


def test_intervals_are_in_order_and_better_than_a_guess(table: Path, tmp_path: Path) -> None:
    model = fitted(table, tmp_path)
    train, tested = split(load(table), SETTINGS["test_share"], seed=1)
    low, median, high = model.predict(tested.measurements)
    assert (low <= median).all() and (median <= high).all()
    metrics = measure(model, train, tested)
    assert metrics["mean_absolute_error"] < 0.85 * metrics["baseline_absolute_error"]
    assert metrics["r2"] > 0.2


def test_crossing_quantiles_are_put_in_order(table: Path, tmp_path: Path) -> None:
    model = fitted(table, tmp_path)
    crossed = IntervalModel(model.high, model.median, model.low, widening=-50.0)
    low, median, high = crossed.predict(load(table).measurements)
    assert (low <= median).all() and (median <= high).all()


def test_coverage_is_what_was_asked_for(table: Path, tmp_path: Path) -> None:
    def mean_coverage(coverage: float) -> float:
        found = []
        for seed in range(6):
            model = fitted(table, tmp_path, seed, coverage=coverage)
            train, tested = split(load(table), SETTINGS["test_share"], seed)
            found.append(measure(model, train, tested)["interval_coverage"])
        return float(np.mean(found))

    assert 0.52 < mean_coverage(0.6) < 0.72
    assert 0.85 < mean_coverage(0.9) < 0.97


def test_influence_finds_the_known_causes(table: Path, tmp_path: Path) -> None:
    _, tested = split(load(table), SETTINGS["test_share"], seed=1)
    ranked = [name for name, _ in influence(fitted(table, tmp_path), tested, seed=1)]
    assert {"bmi", "s5"} == set(ranked[:2])
    assert sorted(ranked) == sorted(tested.names)


def test_the_evaluation_as_a_process(start: Start, table: Path, tmp_path: Path) -> None:
    fitted(table, tmp_path)
    done = start(
        "disease_progress.evaluate",
        *("--table", table, "--model=model", "--test-share=0.25", "--coverage=0.8", "--seed=1"),
        *("--metrics=metrics", "--page=page"),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics").read_text())
    html = (tmp_path / "page").read_text()
    assert f"{metrics['mean_absolute_error']:.1f}" in html and "80% asked for" in html
    assert html.count("interval right") + html.count("interval wrong") == 110


def check(table: str, folder: Path, wanted: int = 2) -> subprocess.CompletedProcess[str]:
    """Run the script of the step check_table, as it stands in the spec."""
    spec = yaml.safe_load((ALGORITHMS / "disease_progress.yaml").read_text())
    step = spec["steps"]["check_table"]
    (folder / "table").write_text(table)
    env = {
        "PATH": os.environ["PATH"],
        "LC_ALL": step["env"]["LC_ALL"],
        "MIN_PATIENTS": str(wanted),
        "INPUT_TABLE": str(folder / "table"),
        "OUTPUT_SUMMARY": str(folder / "summary"),
    }
    command = ["bash", "-eo", "pipefail", "-c", step["script"]]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_good_table_is_summed_up(tmp_path: Path) -> None:
    done = check("age,progression\n10,-1.5\n20,3\n60,0\n", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "summary").read_text().splitlines() == [
        "3 patients, no empty fields.",
        "",
        "| column | lowest | mean | highest |",
        "|---|---|---|---|",
        "| age | 10.0 | 30.0 | 60.0 |",
        "| progression | -1.5 | 0.5 | 3.0 |",
    ]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("age,progression\n1,2\n", "1 patients in the table, 2 wanted"),
        ("age,progression\n1,2\n,3\n", "3:,3"),
        ("age,sex,progression\n1,2,3\n4,,6\n", "3:4,,6"),
        ("age,progression\n1,2\n3,\n", "3:3,"),
        ("age,progression\nnan,2\n3,4\n", "2:nan,2"),
    ],
)
def test_a_bad_table_stops_the_run(table: str, complaint: str, tmp_path: Path) -> None:
    done = check(table, tmp_path)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert not (tmp_path / "summary").exists()
