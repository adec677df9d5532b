"""The images: scikit-learn's 1797 scans of handwritten digits, split in three."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

SIDE = 8
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Images:
    """`pixels` of shape (images, 64), rows of an image one after the other, 0 paper to 1 ink."""

    pixels: NDArray[np.float64]
    digits: NDArray[np.int64]


def prepare(count: int, noise: float, seed: int) -> dict[str, Images]:
    """The first `count` images, shuffled and split 60:20:20, all of them as noisy.

    Args:
        noise: standard deviation of what is added to each pixel; values stay within 0 and 1.
    """
    bunch = load_digits()
    random = np.random.default_rng(seed)
    order = random.permutation(len(bunch.target))[:count]
    pixels = bunch.data[order] / 16
    pixels = np.clip(pixels + random.normal(0, noise, pixels.shape), 0, 1)
    ends = [int(0.6 * len(order)), int(0.8 * len(order))]
    parts = zip(np.split(pixels, ends), np.split(bunch.target[order], ends), strict=True)
    return {name: Images(*part) for name, part in zip(PARTS, parts, strict=True)}


def load(folder: Path, part: str) -> Images:
    """One part of a folder that `main` made."""
    with np.load(folder / f"{part}.npz") as arrays:
        return Images(arrays["pixels"], arrays["digits"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--noise", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    options = parser.parse_args()

    options.out.mkdir()
    for name, images in prepare(options.count, options.noise, options.seed).items():
        np.savez(options.out / f"{name}.npz", pixels=images.pixels, digits=images.digits)
        print(f"{name}: {len(images.digits)} images")


if __name__ == "__main__":
    main()
