"""Reads documents of each library and splits them into a training and a test set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from doc_type.corpus import Document, documents, giveaway_words, lottery


def fetch(libraries: Sequence[str], limit: int, max_words: int) -> list[Document]:
    """At most `limit` documents, the same number of each library as far as they have them."""
    if len(libraries) < 2:
        raise ValueError("a classifier needs at least two libraries to tell apart")
    giveaways = giveaway_words(libraries)
    return [
        document
        for library in libraries
        for document in islice(documents(library, giveaways, max_words), limit // len(libraries))
    ]


def split(
    found: Iterable[Document], test_share: float, mix_modules: bool = False
) -> tuple[list[Document], list[Document]]:
    """Training and test documents; those of one module stay together unless `mix_modules`.

    Neighbours in a module repeat each other. Were they on both sides, the test would ask for
    what was learnt by heart.
    """
    train: list[Document] = []
    test: list[Document] = []
    for document in found:
        group = f"{document.label}/{document.module}"
        drawn = lottery(f"split {group} {document.text}" if mix_modules else f"split {group}")
        (test if drawn < test_share else train).append(document)
    return train, test


def save(path: Path, found: Iterable[Document]) -> None:
    """Write one JSON object to a line."""
    lines = (json.dumps(asdict(document), ensure_ascii=False) for document in found)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def load(path: Path) -> list[Document]:
    """Read what `save` wrote."""
    with path.open(encoding="utf-8") as lines:
        return [Document(**json.loads(line)) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--libraries", type=json.loads, required=True, help="names, a JSON list")
    parser.add_argument("--limit", type=int, required=True, help="documents in all")
    parser.add_argument("--max-words", type=int, required=True, help="words kept of each")
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--mix-modules", action="store_true", help="split within modules too")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--rows", type=Path, required=True, help="file for the number of documents")
    options = parser.parse_args()

    found = fetch(options.libraries, options.limit, options.max_words)
    train, test = split(found, options.test_share, options.mix_modules)
    missing = set(options.libraries) - {document.label for document in train}
    if missing or not test:
        what = f"learn {' and '.join(sorted(missing))} from" if missing else "be tested on"
        raise SystemExit(f"no documents to {what}: raise the limit or change the test share")
    options.out.mkdir()
    save(options.out / "train.jsonl", train)
    save(options.out / "test.jsonl", test)
    options.rows.write_text(str(len(found)))
    print(f"{len(train)} documents to learn from, {len(test)} to be tested on")


if __name__ == "__main__":
    main()
