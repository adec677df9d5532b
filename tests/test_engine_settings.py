"""Engines and tickets in a project's configuration, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.commands.engines import settings_of
from compiler.diagnostics import MlcError
from compiler.project import find


def said(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "mlc.toml").write_text(text)
    _, problems, _ = find(tmp_path)
    return [f"{d.span.line}: {d.message}" + (f" ({d.hint})" if d.hint else "") for d in problems]


ENGINE = '[engines.a]\nkind = "kfp"\nurl = "https://x.example"\n'


def test_an_engine_as_data(tmp_path: Path) -> None:
    text = f'default_engine = "a"\n{ENGINE}namespace = "ia"\ntoken_file = "secrets/token"\n'
    assert said(tmp_path, text) == []
    project, _, _ = find(tmp_path)
    engine = project.engines["a"]
    assert (engine.kind, engine.url, engine.namespace) == ("kfp", "https://x.example", "ia")
    assert engine.token_file is not None
    assert engine.file(engine.token_file) == tmp_path / "secrets/token"
    assert engine.file("/etc/x") == Path("/etc/x") and engine.file("~/x") == Path.home() / "x"
    assert project.default_engine == "a" and project.tickets is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('default_engine = "b"\n' + ENGINE, "1: there is no engine `b`; there are `a`"),
        ('default_engine = "b"\n', "1: there is no engine `b` (add a table `[engines.b]`)"),
        ('[engines.a]\nkind = "kfp"\n', "1: engine `a` needs a `url` (or, for Argo, say"),
        (ENGINE + 'via = "kubernetes"\n', "4: engine `a`: only Argo can be reached straight"),
        (ENGINE + 'token_env = "A"\ntoken_file = "b"\n', "5: engine `a` takes only one of"),
        (ENGINE + 'client_key = "b"\n', "4: engine `a` has a `client_key` and no `client_cert`"),
        (ENGINE.replace("x.ex", "me:pw@x.ex"), "3: engine `a`: `url` has a name or a password"),
        (ENGINE + 'proxy = "http://me:pw@x"\n', "4: engine `a`: `proxy` has a name or a passw"),
        (
            '[tickets]\nprovider = "jira"\nurl = "https://me:pw@x.example"\n',
            "3: tickets: `url` has a name or a password in it (no secret stands in a conf",
        ),
        ('[tickets]\nprovider = "jira"\nurl = "https://:9"\n', "3: tickets: `url` names no host"),
        (ENGINE.replace("x.example", ":9"), "3: engine `a`: `url` names no host"),
        (
            '[engines.a]\nkind = "argo"\nvia = "kubernetes"\nin_cluster = true\nkubeconfig = "c"\n',
            "5: engine `a` takes only one of `in_cluster` and `kubeconfig`",
        ),
        (
            ENGINE.replace("kfp", "airflow"),
            "2: `kind` can't be `airflow` (allowed are `kfp` and `argo`)",
        ),
        (ENGINE.replace("https://", ""), "3: "),
        (ENGINE + 'token = "eyJhbGciOi.x"\n', "4: unknown key `token`"),
        # A token in the place of a name.
        (ENGINE + 'token_env = "eyJhbGciOi.x-y"\n', "4: "),
        ('[tickets]\nprovider = "jira"\n', "1: tickets of Jira need a `url`"),
        ('[tickets]\nprovider = "gitlab"\n', "1: tickets of gitlab need a `project`"),
        ('[tickets]\nprovider = "github"\nproject = "a/b"\npattern = "("\n', "4: `pattern` is no"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = said(tmp_path, text)
    assert found.startswith(expected)
    assert "pw@" not in found


@pytest.mark.parametrize(
    "more", ['kubeconfig = "~/.kube/config"\ncontext = "c"\n', "in_cluster = true\n"]
)
def test_any_engine_may_say_where_kubernetes_is_asked(tmp_path: Path, more: str) -> None:
    for kind in ("kfp", "argo"):
        assert said(tmp_path, ENGINE.replace("kfp", kind) + more) == []


def test_an_engine_that_there_is_not(tmp_path: Path) -> None:
    """A kind stands for an engine where one alone is of it."""
    two = ENGINE.replace(".a]", ".day_kfp]") + ENGINE.replace(".a]", ".night]")
    assert said(tmp_path, two + ENGINE.replace("kfp", "argo")) == []
    project, _, _ = find(tmp_path)
    assert settings_of(project, "argo").name == "a"
    for name, expected in (
        ("kfp", "`kfp` is the kind of `day_kfp` and `night`: name one of them"),
        ("nihgt", "there is no engine `nihgt`; did you mean `night`?"),
        ("zzzzzzzz", "there is no engine `zzzzzzzz`; there are `day_kfp`, `night` and `a`"),
    ):
        with pytest.raises(MlcError) as problem:
            settings_of(project, name)
        assert str(problem.value) == expected
    (tmp_path / "bare").mkdir()
    assert said(tmp_path / "bare", "") == []
    with pytest.raises(MlcError, match=r"docs/clusters\.md"):
        settings_of(find(tmp_path / "bare")[0], None)
