"""Credentials in specs: each form is found, what is harmless is not, and none is ever shown."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.cli import FORMATS
from compiler.credentials import in_text, masked

ROOT = Path(__file__).resolve().parent.parent
# Put together here, so that no scanner takes this file for a leak.
RANDOM = "q8XvT2pLw9Zr4KsBn6Ym1HdJ3cFg5VtRx7QaE0ouNiWzAbCd"
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
BASE64 = (string.ascii_letters + string.digits + "+/")[::-1]
KEY = f"-----BEGIN {'EC'} PRIVATE KEY-----\n{BASE64}\n-----END EC PRIVATE KEY-----"
FORMS = {
    "aws": "AKIA" + "Q7ZB3NTXW5LPD2RK",
    "aws-session": "ASIA" + "Q7ZB3NTXW5LPD2RK",
    "github": "ghp_" + RANDOM[:36],
    "github-app": "ghs_" + RANDOM[:36],
    "github-fine": "github_pat_" + RANDOM[:22] + "_" + RANDOM + RANDOM[:11],
    "gitlab": "glpat-" + RANDOM[:20],
    "gitlab-runner": "glrt-" + RANDOM[:20],
    "slack": "xoxb-" + "123456789012-" + RANDOM[:24],
    "google": "AIza" + RANDOM[:35],
    "google-client": "GOCSPX-" + RANDOM[:28],
    "jwt": f"eyJ{RANDOM[:20]}.eyJ{RANDOM[:30]}.{RANDOM[:43]}",
    "npm": "npm_" + RANDOM[:36],
    "pypi": "pypi-AgEIcHlwaS5vcmc" + RANDOM + RANDOM,
    "hugging-face": "hf_" + RANDOM[:34],
    "openai": "sk-" + RANDOM,
    "openai-project": "sk-proj-" + RANDOM + "_" + RANDOM[:10],
    "anthropic": "sk-ant-api03-" + RANDOM + "-" + RANDOM[:9] + "AA",
    "stripe": "sk_live_" + RANDOM[:24],
    "azure": "AccountKey=" + (BASE64 + BASE64)[:86] + "==",
    "azure-sas": "https://x.blob.core.windows.net/c?sv=2024&sig=" + RANDOM[:40] + "%3D",
    "slack-webhook": "https://hooks.slack.com/services/T012ABCDE/B012ABCDE/" + RANDOM[:24],
    "sendgrid": f"SG.{RANDOM[:22]}.{RANDOM[:43]}",
    "databricks": "dapi" + HEX[:32],
    "vault": "hvs." + RANDOM[:30],
    "url": "postgres://me:hunter2@db.example.com:5432/reports",
    "url-of-a-name-less-user": "redis://:hunter2@cache/0",
    "discord": f"https://discord.com/api/webhooks/123456789012345678/{RANDOM}",
    "teams": f"https://x.webhook.office.com/webhookb2/{HEX}@{HEX[:20]}/IncomingWebhook/{HEX[:32]}/a",
    "telegram": f"https://api.telegram.org/bot123456789:{RANDOM[:35]}/sendMessage",
    "groq": "gsk_" + RANDOM + RANDOM[:4],
    "wandb": f"wandb login --relogin {HEX}",
    "curl": "curl -sf -u admin:Tr0ub4dor https://example.com",
    "curl-in-words": '[curl, --user, "admin:Tr0ub4dor", https://example.com]',
    "sshpass": "sshpass -p 'Tr0ub4dor' ssh host",
    "bearer": "Authorization: Bearer " + RANDOM[:30],
}
NAMED = {
    "env": f"env:\n  DB_PASSWORD: {RANDOM[:16]}",
    "flow": f"env: {{HUB_TOKEN: {RANDOM[:20]}, A: b}}",
    "quoted": f'env: {{HUB_TOKEN: "{RANDOM[:20]}"}}',
    "short-password": "DB_PASSWORD: Tr0ub4dor&3",
    "short-name": "DB_PASS: Tr0ub4dor&3",
    "fernet": f"FERNET_KEY: {RANDOM[:43]}=",
    "camel": f"dbPassword: '{RANDOM[:12]}'",
    "hex": f"WANDB_API_KEY: {HEX}",
    "aws-secret": "AWS_SECRET_ACCESS_KEY: " + RANDOM[:18] + "/" + RANDOM[18:39],
    "definition": f"params:\n  api_key:\n    type: string\n    default: {RANDOM[:20]}",
    "definition-in-flow": f"params: {{api_key: {{type: string, default: {RANDOM[:20]}}}}}",
    "words": f"command: [train, --token, {RANDOM[:20]}]",
    "words-below": f"args:\n  - --token\n  - {RANDOM[:20]}",
    "one-word": f"args: [--api-key={RANDOM[:20]}]",
    "flags": f"args: [{{--api-key: {RANDOM[:20]}}}]",
    "script": f"script: |\n  export HUB_TOKEN={RANDOM[:20]}\n  login --password {RANDOM[:20]}",
    "toml": f'hub_token = "{RANDOM[:20]}"',
    "block": f"API_SECRET: |-\n  {RANDOM[:20]}",
    "anchor": f"API_SECRET: &secret {RANDOM[:20]}",
}
HARMLESS = """\
image: registry.example.com/ia/doc-type@sha256:{hex}{hex24}
image: docker://doc-type:v1.2@sha256:{hex}{hex24}
commit: {hex}
revision: a3bf4f1b2b0b822cd15d6c15b0f00a08
run: 7f3c1d2e-9b4a-4c8d-8e1f-2a3b4c5d6e7f
token: ${{{{ secrets.hub.token }}}}
env: {{TOKEN: "${{{{ secrets['my-hub']['a.token'] }}}}", PASSWORD: $DB_PASSWORD}}
url: postgres://${{{{ params.user }}}}:$PASSWORD@db/reports
url: postgres://user:${{PASSWORD}}@db/reports
url: https://example.com:8080/a@b
url: s3://bucket/reports/2026-11/part-00000-{hex}.parquet
mail: me:someone@example.com
max_tokens: 4096
token_limit: 128000
tokenizer: bert-base-uncased-L12-H768-A12
eos_token: <|endoftext|>
pad_token: "[PAD]"
bos_token: "<s>01AZaz09-long-enough"
image_token: Xq8XvT2pLw9Zr4KsBn6Ym1
secret: model-registry-credentials-v2
secret: my-secret
secret_name: Db1-Prod-9x8y7z6w5v4u3t2s
password_file: /run/secrets/Db1Prod9x8y7z
password: /run/secrets/Db1Prod9x8y7z
password: <your password here 1A!>
password: changeme
first_pass: Bert-Large-v2
bypass: Tr0ub4dor&3
curl -fsSL -u "$USER:$PASSWORD" https://example.com
curl -u me:${{PASSWORD}} https://example.com -o name:tag
wandb login "$WANDB_API_KEY"
sshpass -e ssh host
sshpass -p "$PASSWORD" ssh host
token: HUGGING_FACE_HUB_TOKEN
api_key: YOUR_API_KEY
passwords: [a, b]
key: {hex}
cache: {{key: v2-2026-11}}
command: [sk-learn-train, --solver, lbfgs-with-restarts-and-line-search]
name: risk-assessment-model-for-hospital-admissions
path: algorithms/npm_modules/hf_datasets/ghp_page
basic and bearer instruments of the finance department
description: The bearer of the token is asked for a basic password by secret ballot.
class: EyJafjallajokull.eyJ
branch: feature/AKIA-support
models: [eyJ, sk-, ghp_, xoxb-, AIza, hf_]
data: {base64}
"""


def harmless() -> list[str]:
    return HARMLESS.format(hex=HEX, hex24=HEX[:24], base64=BASE64 * 3).splitlines()


@pytest.mark.parametrize("form", FORMS)
def test_known_forms_are_found(form: str) -> None:
    text = FORMS[form]
    for around in (
        "{}",
        "a: {}\n",
        'command: [a, "{}"]\n',
        "script: |\n  curl -H '{}'\n",
        "# {}\n",
    ):
        found = in_text(around.format(text))
        assert [one.code for one in found] == ["MLC441"], around


@pytest.mark.parametrize("where", NAMED)
def test_names_say_what_a_literal_is(where: str) -> None:
    assert {one.code for one in in_text(NAMED[where])} == {"MLC442"}


def test_a_private_key_is_found_to_its_end() -> None:
    (found,) = in_text(f"a: |\n{KEY}\nb: c\n")
    assert (found.start, found.end) == (5, 5 + len(KEY.rstrip()))
    assert masked(f"a: |\n{KEY}\nb: c\n").endswith("*\nb: c\n")


@pytest.mark.parametrize("line", harmless())
def test_harmless_text_is_none(line: str) -> None:
    assert in_text(line) == []


def test_all_that_is_here_is_harmless() -> None:
    paths = list((ROOT / "algorithms").rglob("*.yaml"))
    for folder in ("examples", "tests/conformance", "tests/diagnostics", "docs", "schemas"):
        files = (ROOT / folder).rglob("*")
        paths += (p for p in files if p.suffix in (".yaml", ".toml", ".md", ".json"))
    shown = ("MLC441", "MLC442")
    kept = [p for p in paths if not p.parent.name.startswith("credentials") and p.stem not in shown]
    assert len(kept) > 100
    assert not {p.as_posix(): f for p in kept if (f := in_text(p.read_text("utf-8", "replace")))}


def test_masks_keep_every_place() -> None:
    text = "".join(f"{name}: {value}\r\n" for name, value in FORMS.items()) + KEY
    hidden = masked(text)
    assert len(hidden) == len(text)
    assert [len(line) for line in hidden.split("\n")] == [len(line) for line in text.split("\n")]
    assert masked(hidden) == hidden


def mlc(folder: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    command = [sys.executable, "-m", "compiler", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


SECRETS = (FORMS["github"], RANDOM[:20], "hunter2", BASE64)
# On the lines of the credentials other things are wrong too, each in another way.
SPEC = f"""\
kind: Algorithm
name: demo
image: python:3.12
params:
  depth: {{type: integer, default: {SECRETS[0]}, enmu: [1]}}
  title: abc
  mode: {{type: string, default: fast, enum: [fast, {SECRETS[0]}, {SECRETS[0]}]}}
  more: ${{{{ "{SECRETS[0]}" }}}}
steps:
  one:
    command: [sh, -c, "curl -u {SECRETS[0]} 'http://me:{SECRETS[2]}@x' '${{{{ params.title }}}}'"]
    env: {{API_TOKEN: {SECRETS[1]}, A: "${{{{ params.tilte == '{SECRETS[0]}' }}}}"}}
    timeout: {SECRETS[0]}
    needs: [{SECRETS[0]}]
    {SECRETS[0]}: 1
  pasted:
    command: [sh, -c, "curl -u {SECRETS[0]} '${{{{ params.title }}}}'"]
  two:
    script: |
      ${{{{ params.title }}}} {SECRETS[0]}
      cat <<EOF
      -----BEGIN PRIVATE KEY-----
      {SECRETS[3]}
      -----END PRIVATE KEY-----
      EOF
"""


def shown(said: str) -> list[str]:
    """What of the credentials is seen, in pieces of six characters."""
    return [s[at : at + 6] for s in SECRETS for at in range(len(s) - 5) if s[at : at + 6] in said]


@pytest.mark.parametrize("style", FORMATS)
def test_no_format_shows_them(style: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    said = mlc(tmp_path, "validate", "spec.yaml", "--format", style)
    for code in ("MLC441", "MLC442", "MLC101", "MLC202", "MLC301", "MLC303", "MLC408", "MLC440"):
        assert code in said
    assert not shown(said)


def test_a_text_that_is_no_yaml_is_masked_too(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(f"a: b: {SECRETS[0]}\nTOKEN: {SECRETS[1]}: x\n")
    for style in FORMATS:
        said = mlc(tmp_path, "validate", "spec.yaml", "--format", style)
        assert "MLC002" in said
        assert not shown(said)


def test_diffs_show_none(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    said = mlc(tmp_path, "validate", "spec.yaml", "--diff")
    assert "+apiVersion: mlc/v1" in said
    assert not shown(said)
    assert not shown(mlc(tmp_path, "validate", "spec.yaml", "--fix"))
    (tmp_path / "spec.yaml").write_text(
        f"name: a\nkind:   Base\napiVersion: mlc/v1\nenv: {{TOKEN: {SECRETS[1]}}}\n"
    )
    said = mlc(tmp_path, "fmt", "--diff", "spec.yaml")
    assert "would reformat" in said
    assert not shown(said)


def test_values_of_the_command_line_are_masked(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(
        "apiVersion: mlc/v1\nkind: Algorithm\nname: a\nimage: python:3.12\n"
        "params: {depth: 3}\nsteps: {one: {command: [echo, '${{ params.depth }}']}}\n"
    )
    said = mlc(tmp_path, "compile", "spec.yaml", "-p", f"depth={SECRETS[0]}")
    assert "MLC505" in said
    assert not shown(said)


@pytest.mark.parametrize(("name", "table"), [("mlc.toml", ""), ("pyproject.toml", "tool.mlc.")])
def test_the_configuration_holds_none(name: str, table: str, tmp_path: Path) -> None:
    other = f'[tool.other]\nurl = "{FORMS["url"]}"\n' if table else ""
    (tmp_path / name).write_text(f'{other}[{table}local.secrets]\n"hub.token" = "{SECRETS[0]}"\n')
    (tmp_path / "spec.yaml").write_text(
        "apiVersion: mlc/v1\nkind: Algorithm\nname: a\nimage: python:3.12\n"
        "steps: {one: {command: ['true']}}\n"
    )
    said = mlc(tmp_path, "validate", "spec.yaml")
    assert said.count("error[MLC441]") == 1
    assert not shown(said)


def test_a_reason_lets_one_stand_and_the_policy_may_not(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(
        "apiVersion: mlc/v1\nkind: Algorithm\nname: a\nimage: python:3.12\nsteps:\n  one:\n"
        "    command: ['true']\n"
        f"    env: {{TOKEN: {SECRETS[1]}}}  # mlc: ignore[MLC442] the id of a public model\n"
    )
    assert "nothing wrong" in mlc(tmp_path, "validate", "spec.yaml")
    (tmp_path / "mlc.toml").write_text('[policy]\nenforced = ["MLC442"]\n')
    said = mlc(tmp_path, "validate", "spec.yaml")
    assert "error[MLC442]" in said
    assert "warning[MLC934]" in said
    assert not shown(said)


def test_bases_and_components_are_looked_through(tmp_path: Path) -> None:
    head = "apiVersion: mlc/v1\n"
    (tmp_path / "base.yaml").write_text(f"{head}kind: Base\nimage: a:1\nenv: {{A: {SECRETS[0]}}}\n")
    part = f"{head}kind: Component\nname: p\nimage: a:1\ncommand: [x, {SECRETS[0]}]\n"
    (tmp_path / "part.yaml").write_text(part)
    (tmp_path / "spec.yaml").write_text(
        f"{head}kind: Algorithm\nname: a\nextends: base.yaml\nsteps: {{one: {{use: part.yaml}}}}\n"
    )
    said = mlc(tmp_path, "validate", "spec.yaml")
    assert "--> base.yaml:4:" in said
    assert "--> part.yaml:5:" in said
    assert not shown(said)
