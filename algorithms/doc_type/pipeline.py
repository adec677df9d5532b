"""The classifier: words and phrases weighted by TF-IDF, then a linear model."""

from __future__ import annotations

from pathlib import Path

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from doc_type.fetch_dataset import load


def build_and_fit(
    dataset: Path,
    model: Path,
    solver: str,
    c: float,
    ngram_max: int,
    min_df: int,
    max_steps: int | None = None,
) -> int:
    """Train on `dataset/train.jsonl`, save the classifier at `model`.

    Args:
        c: inverse of the strength of the regularisation.
        ngram_max: longest phrase that counts as a feature, in words.
        min_df: documents in which a phrase has to occur.
        max_steps: of the solver; None for 1000.

    Returns:
        How many words and phrases the classifier knows.
    """
    train = load(dataset / "train.jsonl")
    classifier: Pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, ngram_max), min_df=min_df, sublinear_tf=True),
        LogisticRegression(
            C=c,
            solver=solver,
            max_iter=max_steps or 1000,
            random_state=0,
        ),
    )
    classifier.fit([d.text for d in train], [d.label for d in train])
    joblib.dump(classifier, model)
    terms = len(classifier[0].vocabulary_)
    print(f"learnt {terms} words and phrases from {len(train)} documents")
    return terms
