"""The patients: a table of ten measurements each and the progression to predict."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TARGET = "progression"


@dataclass(frozen=True, slots=True)
class Patients:
    """`measurements` of shape (patients, names); `progression` has one number for each patient."""

    names: tuple[str, ...]
    measurements: NDArray[np.float64]
    progression: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> Patients:
        """The patients at these places."""
        return Patients(self.names, self.measurements[rows], self.progression[rows])


def load(path: Path) -> Patients:
    """Read a CSV file with a header, whose last column is the target.

    Raises:
        ValueError: the last column is another, or a field is not a number.
    """
    with path.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    if header[-1] != TARGET:
        raise ValueError(f"the last column of the table is {header[-1]}, wanted {TARGET}")
    values = np.array(rows, dtype=np.float64)
    return Patients(tuple(header[:-1]), values[:, :-1], values[:, -1])


def split(patients: Patients, test_share: float, seed: int) -> tuple[Patients, Patients]:
    """The patients to learn from and those to test on, drawn at random by `seed`."""
    order = np.random.default_rng(seed).permutation(len(patients.progression))
    cut = round(test_share * len(order))
    return patients.take(order[cut:]), patients.take(order[:cut])
