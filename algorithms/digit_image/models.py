"""The candidates. Each is fitted by a step of its own, so that they train side by side."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from digit_image.images import Images, load


def fit_network(
    images: Path,
    model: Path,
    hidden_layers: list[int],
    learning_rate: float,
    epochs: int,
    early_stopping: bool,
    copies: int,
    noise: float,
    seed: int,
) -> float:
    """Train a neural network, save it at `model`; returns its accuracy on the validation set."""
    network = MLPClassifier(
        hidden_layer_sizes=tuple(hidden_layers),
        learning_rate_init=learning_rate,
        max_iter=epochs,
        early_stopping=early_stopping,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # To stop after `epochs` is what was asked for, no reason to warn.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(network, images, model, copies, noise, seed)


def fit_svm(
    images: Path, model: Path, c: float, gamma: float, copies: int, noise: float, seed: int
) -> float:
    """Train a support vector machine, save it at `model`; returns its validation accuracy."""
    return fit(SVC(C=c, gamma=gamma), images, model, copies, noise, seed)


def fit(classifier: Any, images: Path, model: Path, copies: int, noise: float, seed: int) -> float:
    """Fit any classifier of scikit-learn on the training part and score it on the validation."""
    train, validation = load(images, "train"), load(images, "validation")
    more = augmented(train, copies, noise, seed)
    classifier.fit(more.pixels, more.digits)
    joblib.dump(classifier, model)
    accuracy = float(classifier.score(validation.pixels, validation.digits))
    print(f"{len(more.digits)} images learnt, accuracy {accuracy:.3f} on the validation set")
    return accuracy


def augmented(images: Images, copies: int, noise: float, seed: int) -> Images:
    """The images and, of each, as many noisy copies."""
    random = np.random.default_rng(seed)
    noisy = [
        np.clip(images.pixels + random.normal(0, noise, images.pixels.shape), 0, 1)
        for _ in range(copies)
    ]
    return Images(np.concatenate([images.pixels, *noisy]), np.tile(images.digits, copies + 1))
