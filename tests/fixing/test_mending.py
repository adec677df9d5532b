"""What has one right mending, and what has not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from compiler.edits import apply
from compiler.mending import as_list, only_near, quoted_expression, same_model
from compiler.nodes import Scalar, SourceFile, mapping
from compiler.quantities import duration, meant_duration, meant_quantity, quantity
from compiler.source import parse


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("fetch_datset", ["fetch_dataset", "train"], "fetch_dataset"),
        ("fetch-dataset", ["fetch_dataset"], "fetch_dataset"),
        ("trian", ["train", "evaluate"], "train"),
        ("MODEL", ["Model", "model"], None),  # two are meant alike
        ("html", ["HTML", "Markdown"], "HTML"),
        ("rate_c", ["rate_a", "rate_b"], None),
        ("fetch_datset", ["fetch_dataset", "fetch_dataset2"], None),
        ("sz", ["size"], None),  # two of two letters
        ("x", ["y"], None),
        ("lrr", ["lr"], "lr"),
        ("completely", ["different"], None),
        ("anything", [], None),
        ("train2", ["train1", "evaluate"], None),  # another thing, not a slip
        ("lr2", ["lr"], None),
        ("trian2", ["train2", "evaluate"], "train2"),
    ],
)
def test_only_one_name_can_be_meant(name: str, known: list[str], expected: str | None) -> None:
    assert only_near(name, known) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("A100", ["a100"]),
        ("a10", []),
        ("v100", []),
        ("a100-80gb", ["a100_80gb"]),
        ("nvida-l4", ["nvidia-l4"]),
        ("l4", ["nvidia-l4"]),
    ],
)
def test_another_model_of_gpu_is_never_meant(typed: str, expected: list[str]) -> None:
    assert same_model(typed, ["a100", "a100_80gb", "nvidia-l4"]) == expected


@given(st.text("abc_", min_size=6, max_size=12), st.data())
def test_one_slip_is_found(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 2))
    slip = data.draw(st.sampled_from(["drop", "swap", "change", "add"]))
    typed = {
        "drop": name[:at] + name[at + 1 :],
        "swap": name[:at] + name[at + 1] + name[at] + name[at + 2 :],
        "change": name[:at] + "z" + name[at + 1 :],
        "add": name[:at] + "z" + name[at:],
    }[slip]
    assert only_near(typed, [name, "xxxxxxxxxxxxxxxxx"]) == (name if typed != name else None)


def command(text: str) -> Scalar:
    root, _ = parse(SourceFile("f", f"command: {text}\n"))
    node = mapping(root).get("command") if root else None  # type: ignore[union-attr]
    assert isinstance(node, Scalar)
    return node


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python train.py", ["python", "train.py"]),
        ("'python  -m train'", ["python", "-m", "train"]),
        ("train --rate=0.1 a,b c: - --", None),
        ("train --rate=0.1 a,b - -- no 8", ["train", "--rate=0.1", "a,b", "-", "--", "no", "8"]),
        ("run --n ${{ params.a || params.b }}", ["run", "--n", "${{ params.a || params.b }}"]),
        ("run a${{ params.a }}b${{params.c}}", ["run", "a${{ params.a }}b${{params.c}}"]),
        ("run ${{ params.a == 'x' }}", ["run", "${{ params.a == 'x' }}"]),
        ("train > log", None),
        ("train | tee", None),
        ("train $HOME", None),
        ("train *.csv", None),
        ("train ~/data", None),
        ("A=1 train", None),
        ("train 'a b'", None),
    ],
)
def test_a_command_becomes_the_words_that_a_shell_would_make(
    text: str, expected: list[str] | None
) -> None:
    if ": " in text and "'" not in text:
        text = f'"{text}"'
    node = command(text)
    fix = as_list(node)
    if fix is None:
        assert expected is None or "c:" in text
        return
    new = apply(node.file.text, fix.edits).text
    words = YAML(typ="rt", pure=True).load(new)["command"]
    if expected is not None:
        assert [str(word) for word in words] == expected
    assert " ".join(map(str, words)) == " ".join(node.text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a, ${{ x }}]", '[a, "${{ x }}"]'),
        ("[a, --n=${{ x }}/${{ y }} , b]", '[a, "--n=${{ x }}/${{ y }}" , b]'),
        ("{a: ${{ x }}, b: 1}", '{a: "${{ x }}", b: 1}'),
        ('[${{ x == "a" }}]', "['${{ x == \"a\" }}']"),
        ("[${{ x in [1, 2] }}]", '["${{ x in [1, 2] }}"]'),
        ("[${{ x['a'] == \"b\" }}]", None),
        ("[a 'b' ${{ x }}]", None),
        ("[${{ x ]", None),
    ],
)
def test_quotes_go_around_the_whole_item(text: str, expected: str | None) -> None:
    file = SourceFile("f", text)
    fix = quoted_expression(file, text.index("${{"))
    assert (apply(text, fix.edits).text if fix else None) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("8GiB", "8Gi"),
        ("8 Gi", "8Gi"),
        ("8gi", "8Gi"),
        ("1.5 mib", "1.5Mi"),
        ("500 m", "500m"),
        ("8GB", None),  # 8G by the book, 8Gi to many
        ("8g", None),
        ("8 MB", None),
        ("8 M", "8M"),
        ("512 B", "512"),
        ("4 Gio", "4Gi"),
        ("4Go", None),
        ("2 cores", "2"),
        ("4vCPU", "4"),
        ("0,5", "0.5"),
        ("1,000Mi", None),
        ("lots", None),
    ],
)
def test_quantities_with_one_meaning(text: str, meant: str | None) -> None:
    assert meant_quantity(text) == meant
    assert meant is None or quantity(meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2hours", "2h"),
        ("1 day 2 hrs", "1d2h"),
        ("30 Seconds", "30s"),
        ("90", None),
        ("soon", None),
        ("1.5h", None),
    ],
)
def test_durations_with_one_meaning(text: str, meant: str | None) -> None:
    assert meant_duration(text) == meant
    assert meant is None or duration(meant)
