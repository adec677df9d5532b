"""The digit reader: its images, its candidates and the choice between them."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import Start
from sklearn.svm import SVC

from digit_image.compare import assess, choose, summary
from digit_image.images import PARTS, Images, prepare
from digit_image.models import augmented, fit_network, fit_svm
from digit_image.report import page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, images in prepare(400, 0.1, seed=1).items():
        np.savez(tmp_path / f"{name}.npz", pixels=images.pixels, digits=images.digits)
    return tmp_path


def test_images_are_split_and_stay_within_range() -> None:
    parts = prepare(500, 0.3, seed=1)
    assert {name: len(images.digits) for name, images in parts.items()} == {
        "train": 300,
        "validation": 100,
        "test": 100,
    }
    for images in parts.values():
        assert images.pixels.shape == (len(images.digits), 64)
        assert images.pixels.min() >= 0 and images.pixels.max() <= 1


def test_noise_is_drawn_by_the_seed() -> None:
    clean, noisy, again = (prepare(100, noise, seed=3)["train"] for noise in (0, 0.2, 0.2))
    assert np.array_equal(clean.digits, noisy.digits)
    assert np.array_equal(noisy.pixels, again.pixels)
    assert np.array_equal(clean.pixels * 16, np.round(clean.pixels * 16))
    assert 0.05 < np.abs(noisy.pixels - clean.pixels).mean() < 0.2
    assert not np.array_equal(clean.digits, prepare(100, 0, seed=4)["train"].digits)


def test_copies_keep_their_digit() -> None:
    images = Images(np.eye(3, 64), np.array([4, 5, 6]))
    more = augmented(images, 2, 0.1, seed=0)
    assert more.digits.tolist() == [4, 5, 6] * 3
    assert np.array_equal(more.pixels[:3], images.pixels)
    assert more.pixels[3:6].argmax(axis=1).tolist() == [0, 1, 2]
    assert not np.array_equal(more.pixels[3:6], more.pixels[6:])
    assert np.array_equal(augmented(images, 0, 0.1, seed=0).pixels, images.pixels)


def test_both_candidates_learn(folder: Path) -> None:
    svm = fit_svm(folder, folder / "svm", c=4, gamma=0.1, copies=1, noise=0.1, seed=1)
    network = fit_network(folder, folder / "net", [32], 0.01, 40, False, 1, 0.1, 1)
    assert svm > 0.85 and network > 0.75
    poor = fit_svm(folder, folder / "poor", c=1e-3, gamma=0.1, copies=0, noise=0, seed=1)
    assert poor < svm - 0.3
    assert joblib.load(folder / "net").hidden_layer_sizes == (32,)


@pytest.mark.parametrize(
    ("scores", "winner"), [({"a": 0.5, "b": 0.6}, "b"), ({"a": 0.6, "b": 0.6}, "a")]
)
def test_the_better_one_is_chosen(scores: dict[str, float], winner: str) -> None:
    assert choose(scores) == winner


def test_what_is_misread_is_shown() -> None:
    parts = prepare(400, 0.3, seed=1)
    classifier = SVC(C=1).fit(parts["train"].pixels, parts["train"].digits)
    metrics, details = assess(classifier, parts["test"])
    confusion = np.array(details["confusion"])
    assert metrics["misread"] == len(details["misread"]) == confusion.sum() - confusion.trace() > 0
    assert metrics["accuracy"] == pytest.approx(confusion.trace() / confusion.sum())
    html = page(metrics, {"winner": "<svm>", "scores": {"<svm>": 0.5}, **details})
    assert html.count("read as") == metrics["misread"]
    assert "&lt;svm&gt;" in html and "<svm>" not in html


def test_nothing_misread() -> None:
    train = prepare(100, 0, seed=1)["train"]
    metrics, details = assess(SVC(C=100).fit(train.pixels, train.digits), train)
    html = page(metrics, {"winner": "svm", "scores": {"svm": 1.0}, **details})
    assert metrics["misread"] == 0 and "<p>None.</p>" in html


def test_the_summary_is_a_table() -> None:
    text = summary({"one": 0.5, "two": 0.25}, "one", {"accuracy": 0.4})
    assert text.splitlines()[0] == "**one** is kept: accuracy 0.400 on the test set."
    assert "| two | 0.250 |" in text.splitlines()


def test_the_steps_as_processes(start: Start, tmp_path: Path) -> None:
    done = start("digit_image.images", "--count=150", "--noise=0.1", "--seed=1", "--out=images")
    assert done.returncode == 0, done.stderr
    images = tmp_path / "images"
    assert sorted(path.name for path in images.iterdir()) == sorted(f"{part}.npz" for part in PARTS)
    scores = [
        fit_svm(images, tmp_path / name, c=c, gamma=0.1, copies=0, noise=0, seed=1)
        for name, c in (("poor", 1e-3), ("good", 4.0))
    ]
    done = start(
        "digit_image.compare",
        "--images=images",
        *("--candidate", "poor", "poor", scores[0]),
        *("--candidate", "good one", "good", scores[1]),
        *("--model=best", "--metrics=metrics", "--details=details", "--summary=summary"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "best").read_bytes() == (tmp_path / "good").read_bytes()
    assert json.loads((tmp_path / "details").read_text())["winner"] == "good one"
    done = start("digit_image.report", "--metrics=metrics", "--details=details")
    assert done.returncode == 0, done.stderr
    assert "<b>good one</b>" in done.stdout
