"""The document classifier: its texts, its split, its model and its report."""

from __future__ import annotations

import ast
import json
from html.parser import HTMLParser
from pathlib import Path

import joblib
import pytest
from conftest import Start
from sklearn.pipeline import Pipeline

from doc_type.corpus import Document, clean, docstrings, documents, giveaway_words, lottery
from doc_type.evaluate import explain, measure, telling_terms
from doc_type.fetch_dataset import fetch, load, save, split
from doc_type.pipeline import build_and_fit
from doc_type.report import page, varied

LIBRARIES = ["matplotlib", "networkx", "sklearn"]
GIVEAWAYS = giveaway_words(LIBRARIES)


@pytest.fixture(scope="module")
def found() -> list[Document]:
    return fetch(LIBRARIES, 600, 40)


@pytest.fixture(scope="module")
def dataset(found: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    train, test = split(found, 0.3)
    save(folder / "train.jsonl", train)
    save(folder / "test.jsonl", test)
    return folder


@pytest.fixture(scope="module")
def classifier(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    model = tmp_path_factory.mktemp("model") / "model"
    build_and_fit(dataset, model, solver="lbfgs", c=10, ngram_max=1, min_df=1)
    return joblib.load(model)


@pytest.mark.parametrize(
    ("docstring", "text"),
    [
        ("Draw a line.\n\n>>> draw()\n... more\nDone.", "Draw a line. Done."),
        ("See :func:`~pkg.mod.draw` or ``x`` and *y*.", "See … or x and y."),
        ("Like scikit-learn, or Matplotlib's.", "Like …, or …'s."),
        (
            "Title\n=====\n.. versionadded:: 1.2\nText, i.e. 2.5 words.",
            "Title Text, i.e. 2.5 words.",
        ),
        ("At https://example.com/a?b now.", "At … now."),
        ("Call sklearn.svm.SVC here.", "Call … here."),
        ("unmatplotliblike", "unmatplotliblike"),
    ],
)
def test_clean(docstring: str, text: str) -> None:
    assert " ".join(clean(docstring, GIVEAWAYS).split()) == text


def test_docstrings_of_nested_definitions() -> None:
    source = '''
"""The module's own is not taken."""
if True:
    class A:
        """Of A."""
        async def f(self):
            """Of f."""
def g():
    pass
'''
    assert list(docstrings(ast.parse(source))) == [("A", "Of A."), ("f", "Of f.")]


def test_documents_hold_no_giveaway_and_differ(found: list[Document]) -> None:
    assert len(found) == 600
    assert not [d for d in found if GIVEAWAYS.search(d.text)]
    assert all(10 <= len(d.text.split()) <= 40 for d in found)
    assert len({(d.label, d.text) for d in found}) == len(found)
    assert {name: sum(d.label == name for d in found) for name in LIBRARIES} == dict.fromkeys(
        LIBRARIES, 200
    )


def test_few_words_may_be_asked_for() -> None:
    found = list(documents("networkx", GIVEAWAYS, 5))
    assert len(found) > 100
    assert {len(d.text.split()) for d in found} == {5}


def test_a_library_that_is_not_installed() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_library is not installed"):
        next(documents("no_such_library", GIVEAWAYS, 40))


def test_one_library_is_not_enough() -> None:
    with pytest.raises(ValueError, match="at least two"):
        fetch(["networkx"], 100, 40)


def test_a_module_stays_on_one_side(found: list[Document]) -> None:
    train, test = split(found, 0.3)
    assert len(train) + len(test) == len(found)
    assert train and test
    assert not {d.module for d in train} & {d.module for d in test if d.module != "__init__.py"}


def test_modules_are_torn_apart_on_demand(found: list[Document]) -> None:
    train, test = split(found, 0.3, mix_modules=True)
    shared = {(d.label, d.module) for d in train} & {(d.label, d.module) for d in test}
    assert len(shared) > 10
    assert 0.2 < len(test) / len(found) < 0.4


def test_the_split_of_a_document_does_not_depend_on_the_others(found: list[Document]) -> None:
    _, test = split(found, 0.3)
    _, alone = split(reversed(found[::2]), 0.3)
    assert set(alone) <= set(test)


def test_lottery_is_even() -> None:
    drawn = [lottery(str(i)) for i in range(2000)]
    assert all(0 <= x < 1 for x in drawn)
    assert 0.45 < sum(drawn) / len(drawn) < 0.55


def test_saved_documents_come_back(tmp_path: Path) -> None:
    kept = [Document("a", "m.py", "f", 'naïve "…"\u2028 line'), Document("b", "n.py", "g", "x")]
    save(tmp_path / "some.jsonl", kept)
    assert load(tmp_path / "some.jsonl") == kept


def test_the_classifier_learns(dataset: Path, classifier: Pipeline) -> None:
    train, test = load(dataset / "train.jsonl"), load(dataset / "test.jsonl")
    metrics = measure(classifier, train, test)
    assert metrics["accuracy"] > metrics["baseline_accuracy"] + 0.05
    assert metrics["train_accuracy"] > metrics["accuracy"]


def test_hyperparameters_matter(dataset: Path, tmp_path: Path) -> None:
    def terms(**changed: object) -> int:
        settings = {"solver": "lbfgs", "c": 10.0, "ngram_max": 1, "min_df": 1, **changed}
        return build_and_fit(dataset, tmp_path / "model", **settings)  # type: ignore[arg-type]

    words = terms()
    assert terms(ngram_max=2) > 2 * words
    assert terms(min_df=3) < words / 2
    train, test = load(dataset / "train.jsonl"), load(dataset / "test.jsonl")
    terms(c=1e-4)
    held_back = measure(joblib.load(tmp_path / "model"), train, test)
    terms(solver="newton-cg")
    free = measure(joblib.load(tmp_path / "model"), train, test)
    assert free["log_loss"] < held_back["log_loss"] - 0.1


def test_details_agree_with_the_metrics(dataset: Path, classifier: Pipeline) -> None:
    train, test = load(dataset / "train.jsonl"), load(dataset / "test.jsonl")
    metrics, details = measure(classifier, train, test), explain(classifier, test)
    confusion = details["confusion"]
    right = sum(confusion[i][i] for i in range(len(confusion)))
    assert right / len(test) == pytest.approx(metrics["accuracy"])
    assert sum(map(sum, confusion)) == len(test)
    assert len(details["mistakes"]) == len(test) - right
    assert sum(details["confidence"]["right"]) == right
    assert sum(details["confidence"]["wrong"]) == len(test) - right
    assert [row["documents"] for row in details["per_label"]] == list(map(sum, confusion))
    sureness = [mistake["confidence"] for mistake in details["mistakes"]]
    assert sureness == sorted(sureness, reverse=True)
    assert json.loads(json.dumps(details)) is not None


def test_telling_terms_of_two_labels(tmp_path: Path) -> None:
    rows = [
        Document("fruit", "f.py", "f", "apple pear"),
        Document("metal", "m.py", "m", "iron zinc"),
    ]
    save(tmp_path / "train.jsonl", rows)
    build_and_fit(tmp_path, tmp_path / "model", solver="lbfgs", c=10, ngram_max=1, min_df=1)
    terms = telling_terms(joblib.load(tmp_path / "model"), count=2)
    assert {label: {term for term, _ in found} for label, found in terms.items()} == {
        "fruit": {"apple", "pear"},
        "metal": {"iron", "zinc"},
    }


def test_mistakes_of_each_kind_come_first() -> None:
    kinds = [("a", "b"), ("a", "b"), ("c", "a"), ("a", "b"), ("b", "c")]
    mistakes = [{"truth": t, "predicted": p, "n": n} for n, (t, p) in enumerate(kinds)]
    assert [mistake["n"] for mistake in varied(mistakes, 4)] == [0, 2, 4, 1]


class Texts(HTMLParser):
    """The texts and the names of the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        self.names.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_shows_documents_as_text(dataset: Path, classifier: Pipeline) -> None:
    nasty = '<script>alert("1")</script> & {{ metrics }} <img src=x>'
    test = load(dataset / "test.jsonl")
    details = explain(classifier, test)
    details["mistakes"][0]["text"] = nasty
    metrics = measure(classifier, test, test)
    reader = Texts()
    reader.feed(page(metrics, details, {"solver": "<b>lbfgs</b>", "max_steps": ""}))
    shown = " ".join(reader.texts)
    assert nasty in shown and "<b>lbfgs</b>" in shown and "not given" in shown
    assert not reader.names & {"script", "img", "link", "iframe", "b"}
    assert {"svg", "table", "style"} <= reader.names


def test_a_page_without_mistakes(dataset: Path, classifier: Pipeline) -> None:
    train = load(dataset / "train.jsonl")
    details = explain(classifier, train)
    details["mistakes"] = []
    assert "<p>None.</p>" in page(measure(classifier, train, train), details, {})


@pytest.mark.parametrize(
    ("limit", "share", "complaint"),
    [(80, "0", "no documents to be tested on"), (80, "1", "learn networkx and sklearn from")],
)
def test_an_empty_side_stops_the_step(start: Start, limit: int, share: str, complaint: str) -> None:
    done = start(
        "doc_type.fetch_dataset",
        *("--libraries", '["networkx", "sklearn"]', "--limit", limit, "--max-words=30"),
        *("--test-share", share, "--out=out", "--rows=rows"),
    )
    assert done.returncode == 1
    assert complaint in done.stderr and "Traceback" not in done.stderr


def test_the_steps_as_processes(start: Start, tmp_path: Path) -> None:
    fetched = [
        start(
            "doc_type.fetch_dataset",
            "--libraries",
            '["networkx", "sklearn"]',
            "--limit=80",
            "--max-words=30",
            "--test-share=0.4",
            f"--out={out}",
            f"--rows={out}.rows",
            PYTHONHASHSEED=seed,
        )
        for out, seed in (("one", "1"), ("two", "2"))
    ]
    assert [done.returncode for done in fetched] == [0, 0], fetched[0].stderr
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "one.rows").read_text() == "80"

    terms = build_and_fit(
        tmp_path / "one",
        tmp_path / "model",
        solver="saga",
        c=1,
        ngram_max=1,
        min_df=1,
        max_steps=20,
    )
    assert terms > 100
    files = ["--metrics=metrics", "--details=details"]
    done = start(
        "doc_type.evaluate", "--dataset=one", "--model=model", "--accuracy=accuracy", *files
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics").read_text())
    assert json.loads((tmp_path / "accuracy").read_text()) == metrics["accuracy"]

    done = start("doc_type.report", *files, "--settings", "c=1", "formula=a=b", "max_steps=")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!doctype html>")
    assert f"{100 * metrics['accuracy']:.1f}%" in done.stdout
    assert "<td>a=b</td>" in done.stdout
