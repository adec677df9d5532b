def fit(rows: int, optim: dict) -> None:
    print(rows, optim)
