"""A project's engines and tickets, from nodes of its configuration.

What the schema can't say is checked here: which settings belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, cast

from compiler.diagnostics import Diagnostic, Span, error, listing, nearest
from compiler.nodes import Mapping, Node, Scalar, mapping, text
from compiler.settings import EngineSettings, TicketSettings

# Ways to show who one is: a server is given one of them.
_IDENTITIES = ("token_env", "token_file")
_TEXTS = (
    "url", "ui", "namespace", "token_env", "token_file", "cookies_env", "kubeconfig", "context",
    "ca_file", "client_cert", "client_key", "proxy", "service_account", "artifacts",
)  # fmt: skip
_URLS = ("url", "ui", "proxy", "artifacts")
_IDENTITY_HINT = (
    "no secret stands in a configuration: use `token_env`, `token_file` or `cookies_env`"
)


def read_engines(node: Mapping, root: Path) -> tuple[dict[str, EngineSettings], list[Diagnostic]]:
    """The engines of a configuration that has passed the schema check, and what is wrong."""
    engines: dict[str, EngineSettings] = {}
    problems: list[Diagnostic] = []
    for name, entry in mapping(node.get("engines")) or ():
        table = mapping(entry.value)
        if table is None or table.broken:
            continue
        problems += _problems(name, table, entry.key.span)
        engines[name] = _engine(name, table, root)
    problems += _default(node, engines)
    return engines, problems


def _engine(name: str, table: Mapping, root: Path) -> EngineSettings:
    given = {key: text(table.get(key)) for key in _TEXTS}
    return EngineSettings(
        name=name,
        kind="kfp" if text(table.get("kind")) == "kfp" else "argo",
        via="kubernetes" if text(table.get("via")) == "kubernetes" else "server",
        in_cluster=text(table.get("in_cluster")) == "true",
        root=root,
        **{key: value for key, value in given.items() if value is not None},
    )


def _default(node: Mapping, engines: dict[str, EngineSettings]) -> Iterator[Diagnostic]:
    default = node.get("default_engine")
    name = text(default)
    if default is None or name is None or name in engines:
        return
    near = nearest(name, engines)
    hint = f"did you mean `{near}`?" if near else ""
    if not engines:
        hint = f"add a table `[engines.{name}]`"
    known = f"; there are {listing(sorted(engines))}" if engines else ""
    yield error("MLC901", f"there is no engine `{name}`{known}", default.span, hint=hint)


def _problems(name: str, table: Mapping, span: Span) -> Iterator[Diagnostic]:
    straight = text(table.get("via")) == "kubernetes"
    if straight and text(table.get("kind")) == "kfp":
        message = f"engine `{name}`: only Argo can be reached straight through Kubernetes"
        yield error("MLC901", message, _span(table, "via"), hint="leave `via` out")
    if not straight and "url" not in table.entries:
        hint = 'or, for Argo, say `via = "kubernetes"`'
        yield error("MLC901", f"engine `{name}` needs a `url`", span, hint=hint)
    for key in _URLS:
        yield from _url(f"engine `{name}`", key, table.get(key), _IDENTITY_HINT)
    first = [key for key in _IDENTITIES if key in table.entries]
    if len(first) > 1:
        message = f"engine `{name}` takes only one of {listing(_IDENTITIES)}"
        yield error("MLC901", message, _span(table, first[1]), hint="leave one of them out")
    if ("client_cert" in table.entries) != ("client_key" in table.entries):
        given, missing = ("client_cert", "client_key")
        if given not in table.entries:
            given, missing = missing, given
        message = f"engine `{name}` has a `{given}` and no `{missing}`"
        hint = "name both; they may be the same file"
        yield error("MLC901", message, _span(table, given), hint=hint)
    if text(table.get("in_cluster")) == "true" and "kubeconfig" in table.entries:
        message = f"engine `{name}` takes only one of `in_cluster` and `kubeconfig`"
        yield error("MLC901", message, _span(table, "kubeconfig"), hint="leave one of them out")


def _url(who: str, key: str, node: Node | None, hint: str) -> Iterator[Diagnostic]:
    written = text(node)
    if node is None or written is None:
        return
    # Here, since validate reads configurations too, and most have no engine.
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(written)
        host, has_secret = parts.hostname, parts.username is not None or parts.password is not None
    except ValueError:
        host, has_secret = None, False
    if has_secret:
        message = f"{who}: `{key}` has a name or a password in it"
        yield error("MLC901", message, node.span, hint=hint)
    elif not host:
        message = f"{who}: `{key}` names no host"
        yield error("MLC901", message, node.span, hint="such as https://kubeflow.example.com")


def _span(table: Mapping, key: str) -> Span:
    return table.entries[key].key.span


def read_tickets(node: Mapping | None) -> tuple[TicketSettings | None, list[Diagnostic]]:
    """The `[tickets]` table that has passed the schema check, and what is wrong."""
    provider = text(node.get("provider")) if node else None
    if node is None or provider not in ("jira", "gitlab", "github"):
        return None, []
    problems = []
    pattern = node.get("pattern")
    if isinstance(pattern, Scalar):
        try:
            re.compile(pattern.text)
        except re.error as problem:
            message = f"`pattern` is no regular expression: {problem}"
            problems.append(error("MLC901", message, pattern.span))
    hint = "no secret stands in a configuration: use `token_env`"
    problems += _url("tickets", "url", node.get("url"), hint)
    if provider == "jira" and "url" not in node.entries:
        problems.append(error("MLC901", "tickets of Jira need a `url`", node.span))
    if provider != "jira" and "project" not in node.entries:
        example = "group/project" if provider == "gitlab" else "owner/repository"
        message = f"tickets of {provider} need a `project`"
        problems.append(error("MLC901", message, node.span, hint=f"such as {example}"))
    return (
        TicketSettings(
            provider=cast("Literal['jira', 'gitlab', 'github']", provider),
            url=text(node.get("url")),
            project=text(node.get("project")),
            token_env=text(node.get("token_env")),
            pattern=text(pattern),
        ),
        problems,
    )
