from pathlib import Path


def fit(data: Path, row: int, depth: int, model: Path, seed: int) -> None: ...
