from pathlib import Path


def fit(reports: Path, model: Path) -> None: ...
