"""Digests, keys and names: the same for the same, different for the different, on any machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler import frontend
from compiler.binding import Git
from compiler.git import UNKNOWN
from compiler.ir import Pipeline
from compiler.slugs import KUBERNETES_LIMIT, slug
from compiler.submission.key import (
    KFP_LIMIT,
    experiment_name,
    images_of_commit,
    run_name,
    spec_digest,
    submission_key,
    version_name,
)

ROOT = Path(__file__).resolve().parent.parent.parent
# DNS labels (RFC 1123), as Kubernetes' apimachinery has them.
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: demo
image: registry.example.com/demo:${{ git.short_commit }}
labels: {branch: "${{ git.branch }}"}
params:
  share: 0.5
  words: {type: array, items: {type: string}, default: [a, b]}
inputs: {data: {type: Dataset, default: "s3://data/x"}}
steps:
  fit:
    command: [fit, "${{ inputs.data }}", --out, "${{ outputs.model }}"]
    args: [--share: "${{ params.share }}"]
    env: {A: "1", B: "${{ params.words }}"}
    outputs: {model: Model, loss: number}
  test:
    command: [test, "${{ steps.fit.outputs.model }}"]
    resources: {memory: 1Gi}
schedules: {nightly: {cron: "0 3 * * *"}}
profiles: {toy: {params: {share: 0.1}}, same: {params: {share: 0.5}}}
"""


def build(
    folder: Path, text: str = SPEC, profiles: tuple[str, ...] = (), git: Git = UNKNOWN
) -> Pipeline:
    path = folder / "demo.yaml"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    loaded = frontend.load(path, profiles, git=git)
    assert loaded.pipeline is not None, loaded.diagnostics
    return loaded.pipeline


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: Algorithm\n", "kind: Algorithm\n\n# Words about it.\n"),
        ("  share: 0.5\n", "  share: {type: number, default: 0.50}\n"),
        ("[fit, ", "[\n      fit, "),
        ("cron: \"0 3", "cron: \"0 4"),
        ("image: ", "sources: []\nimage: "),
        ("env: {A: \"1\",", "env: {A: '1',"),
        ("    outputs: {model: Model, loss: number}", "    outputs: {loss: number, model: Model}"),
        ("profiles: {toy: {params: {share: 0.1}}, ", "profiles: {"),
    ],
)  # fmt: skip
def test_what_changes_no_meaning_changes_no_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in SPEC
    changed = build(tmp_path / "elsewhere", SPEC.replace(old, new))
    assert spec_digest(changed) == spec_digest(build(tmp_path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("share: 0.5\n", "share: 0.6\n"),
        ("default: [a, b]", "default: [b, a]"),
        ("name: demo", "name: demo2"),
        ("com/demo:", "com/other:"),
        ("command: [fit, ", "command: [fit, --x, "),
        ('{A: "1"', '{A: "2"'),
        ("memory: 1Gi", "memory: 2Gi"),
        ("loss: number", "loss: integer"),
        ("s3://data/x", "s3://data/y"),
        ("params:\n", "description: Says what it is.\nparams:\n"),
        ("    resources:", "    needs: [fit]\n    retry: {max: 2}\n    resources:"),
        ("    resources:", '    when: "${{ params.share > 0.2 }}"\n    resources:'),
    ],
)
def test_what_changes_the_meaning_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in SPEC
    changed = build(tmp_path / "elsewhere", SPEC.replace(old, new))
    assert spec_digest(changed) != spec_digest(build(tmp_path))


def test_the_order_of_steps_means_nothing(tmp_path: Path) -> None:
    head, steps = SPEC.split("steps:\n")
    fit, rest = steps.split("  test:\n")
    test, tail = rest.split("schedules:")
    turned = f"{head}steps:\n  test:\n{test}{fit}schedules:{tail}"
    assert spec_digest(build(tmp_path / "a", turned)) == spec_digest(build(tmp_path / "b"))


def test_profiles_count_by_what_they_do(tmp_path: Path) -> None:
    plain = spec_digest(build(tmp_path))
    assert spec_digest(build(tmp_path, profiles=("toy",))) != plain
    assert spec_digest(build(tmp_path, profiles=("same",))) == plain


def test_a_commit_is_no_part_of_a_spec(tmp_path: Path) -> None:
    built = build(tmp_path, git=Git("a" * 40, "main"))
    with pytest.raises(ValueError, match="without a commit"):
        spec_digest(built)


def test_images_that_git_names(tmp_path: Path) -> None:
    neutral, git = build(tmp_path), Git("a" * 40, "main")
    assert images_of_commit(build(tmp_path, git=git), neutral) == ("fit", "test")
    text = SPEC.replace("    env:", "    image: python:3.12\n    env:")
    neutral, built = build(tmp_path, text), build(tmp_path, text, git=git)
    assert images_of_commit(built, neutral) == ("test",)
    text = SPEC.replace(":${{ git.short_commit }}", ":1.4")  # a label has the branch still
    neutral, built = build(tmp_path, text), build(tmp_path, text, git=git)
    assert images_of_commit(built, neutral) == ()


PROGRAM = """
import sys
from pathlib import Path
from compiler import frontend
from compiler.git import UNKNOWN
from compiler.submission.key import spec_digest, submission_key
for name in sys.argv[1:]:
    digest = spec_digest(frontend.load(Path(name), git=UNKNOWN).pipeline)
    print(digest, submission_key(digest, {"b": {"y": 1, "x": 2.0}, "a": None}, "c" * 40))
"""


def test_every_machine_comes_to_the_same(tmp_path: Path) -> None:
    """Whatever the hash seed, the folder and the locale are."""
    specs = sorted(str(path) for path in (ROOT / "algorithms").glob("*.yaml"))
    examples = sorted(str(p) for p in (ROOT / "examples").rglob("*.yaml") if _is_algorithm(p))
    said = set()
    for seed, folder, language in (("0", ROOT, "C"), ("1", tmp_path, "C.UTF-8"), ("77", "/", "C")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": language}
        environment["PYTHONPATH"] = str(ROOT)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *specs, *examples],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.add(done.stdout)
    (text,) = said
    digests = [line.split()[0] for line in text.splitlines()]
    assert len(set(digests)) == len(digests) == len(specs) + len(examples)


def _is_algorithm(path: Path) -> bool:
    return "kind: Algorithm" in path.read_text()


def test_the_digest_stays_what_it_was(tmp_path: Path) -> None:
    """A change here makes a new version of every pipeline of every project: bump `_FORM`, and say
    so in the changelog."""
    assert spec_digest(build(tmp_path)) == "b2a4d8c3052872ede3eb0c16defa0d1e"
    key = submission_key("d" * 32, {"share": 0.5, "words": ["a"]}, "c" * 40, 2, experiment="main")
    assert key == "dd932970edc003f604043ba3"


def test_a_key_tells_submissions_apart() -> None:
    given_ = {"n": 1, "text": "1", "share": 0.5, "none": None, "many": [1, {"a": 1, "b": 2}]}
    key = submission_key("d", given_, "c")
    assert re.fullmatch("[0-9a-f]{24}", key)
    same = {**dict(reversed(given_.items())), "n": 1.0, "many": [1, {"b": 2, "a": 1.0}]}
    assert submission_key("d", same, "c", 1) == key  # type: ignore[arg-type]
    others = [
        submission_key("e", given_, "c"),
        submission_key("d", {**given_, "n": "1"}, "c"),
        submission_key("d", {**given_, "n": True}, "c"),
        submission_key("d", {**given_, "none": ""}, "c"),
        submission_key("d", {**given_, "share": 0.25}, "c"),
        submission_key("d", {}, "c"),
        submission_key("d", given_, "b"),
        submission_key("d", given_, "c", 2),
        submission_key("d", given_, "c", experiment="x"),
    ]
    assert len({key, *others}) == len(others) + 1


BRANCHES = st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9/_.ü-]{1,90}", fullmatch=True)


@given(BRANCHES, st.integers(10, 63))
def test_names_are_as_kubernetes_and_kfp_take_them(branch: str, limit: int) -> None:
    commit, digest = "c" * 40, "d" * 32
    for name in (version_name(branch, commit, digest), run_name("doc_type", branch, digest)):
        assert DNS_LABEL.fullmatch(name), name
        assert len(name) <= KUBERNETES_LIMIT
    if branch:
        assert DNS_LABEL.fullmatch(slug(branch, limit))
        assert len(slug(branch, limit)) <= limit
    assert len(experiment_name(branch)) <= KFP_LIMIT


@given(BRANCHES, BRANCHES)
def test_names_of_different_branches_differ(left: str, right: str) -> None:
    for name in (slug, experiment_name):
        # A slug is a branch's name too, which must not get what the other one has.
        for other in (right, name(left)):
            if other != left and name(left) != left:
                assert name(left) != name(other)


def test_names_are_readable() -> None:
    assert slug("main") == "main"
    assert slug("feature/häufige Wörter") == "feature-haufige-worter-a315be90"
    assert slug("IA-1742-doc-type") == "ia-1742-doc-type-fc050946"
    assert slug("ia-1742-doc-type") == "ia-1742-doc-type"
    assert version_name("main", "0123456789", "fedcba9876") == "main-01234567-fedcba98"
    assert version_name("", "0123456789", "fedcba9876") == "01234567-fedcba98"
    assert run_name("doc_type", "main", "k" * 32) == "doc-type-main-kkkkkkkkkkkk"
    assert experiment_name("feature/häufig") == "feature/häufig"
    long = run_name("a" * 63, "b" * 200, "c" * 32)
    assert (long.startswith("aaaaaaaaaa"), len(long)) == (True, KUBERNETES_LIMIT)


def test_the_digits_that_the_docs_show() -> None:
    page = Path(__file__).parents[2].joinpath("docs/submit.md").read_text("utf-8")
    assert f"`IA-1742-doc-type` (`{slug('IA-1742-doc-type')}`)" in page
    assert run_name("doc_type", "IA-1742-doc-type", "4be1c0d2a7f3") in page
