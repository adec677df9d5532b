"""Credentials that stand in a text as they are: known forms of tokens and keys, passwords in URLs,
and texts without any pattern under names that say what they are.

Works on text and not on nodes, so that it holds for files that can't be parsed, for comments and
for TOML. `frontend`, `compose` and `project` report what is found here; `reports` show nothing of
it, whatever a finding is about.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from compiler.diagnostics import Diagnostic, error
from compiler.nodes import SourceFile


class Credential(Struct, frozen=True):
    """A range of characters of a text; `name` is what it is given to, where that is known."""

    start: int
    end: int
    what: str
    code: str
    name: str = ""


# Here nothing is compiled before a text has a mark in it: that takes 5 ms.
_compiled = functools.cache(re.compile)

# From the documentation of those who give them out, and the rules of scanners for them.
_PASSWORD = "a password in a URL"
# How each kind is written: marks of which one is in each, in lower case; what it is; a pattern,
# whose first group is what has to stay unseen.
_FORMS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("akia", "asia"), "an AWS access key", r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), "a GitHub token", r"\b(gh[pousr]_\w{30,255})"),
    (("github_pat_",), "a GitHub token", r"\b(github_pat_\w{30,255})"),
    (("glpat-",), "a GitLab token", r"(?<![\w.-])(glpat-[\w.-]{20,})"),
    (("gldt-", "glrt-"), "a GitLab token", r"(?<![\w.-])(gl[dr]t-[\w.-]{20,})"),
    (("glptt-", "glcbt-"), "a GitLab token", r"(?<![\w.-])(gl(?:pt|cb)t-[\w.-]{20,})"),
    (("xox",), "a Slack token", r"(?<![\w.-])(xox[a-z](?:\.xox[a-z])?-[\w-]{10,})"),
    (("xapp-",), "a Slack token", r"(?<![\w.-])(xapp-\d-[\w-]{20,})"),
    (("hooks.slack",), "a Slack webhook", r"hooks\.slack\.com/(?:serv|workf)\w+/([\w/-]{20,})"),
    (("aiza",), "a Google API key", r"(?<![\w.-])(AIza[\w-]{35})"),
    (("gocspx-",), "a Google client secret", r"(?<![\w.-])(GOCSPX-[\w-]{20,})"),
    (("ya29.",), "a Google access token", r"(?<![\w.-])(ya29\.[\w-]{20,})"),
    (
        ("private key",),
        "a private key",
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:(?!-----).)*-----END [A-Z0-9 ]{0,60}-----|[A-Za-z0-9+/=\\\s]*))",
    ),
    (("eyj",), "a JSON web token", r"(?<![\w.-])(eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})"),
    (("npm_",), "an npm token", r"\b(npm_[A-Za-z0-9]{30,})"),
    (("pypi-",), "a PyPI token", r"(?<![\w.-])(pypi-AgE[\w-]{40,})"),
    (("hf_",), "a Hugging Face token", r"\b(hf_[A-Za-z0-9]{30,})"),
    (("sk-",), "an API key", r"(?<![\w-])(sk-(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[\w-]{20,})"),
    (("_live_", "_test_"), "a Stripe key", r"\b((?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,})"),
    (("accountkey",), "an Azure storage key", r"(?i)\bAccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
    (
        ("sharedaccess",),
        "an Azure shared key",
        r"(?i)\bSharedAccess(?:Key|Signature)=([A-Za-z0-9+/%&=._-]{20,})",
    ),
    (("sig=",), "a signed Azure URL", r"[?&]sig=([A-Za-z0-9%+/]{30,}={0,2})"),
    (("sg.",), "a SendGrid key", r"(?<![\w.-])(SG\.[\w-]{16,}\.[\w-]{16,})"),
    (("dapi",), "a Databricks token", r"\b(dapi[0-9a-f]{32})\b"),
    (("dop_v1_",), "a DigitalOcean token", r"\b(dop_v1_[0-9a-f]{64})\b"),
    (("hvs.",), "a Vault token", r"(?<![\w.-])(hvs\.[\w-]{20,})"),
    (("discord",), "a Discord webhook", r"discord(?:app)?\.com/api/webhooks/\d+/([\w-]{40,})"),
    ((".office.com",), "a Teams webhook", r"\.office\.com/webhookb2/([\w@-]{36,}/[\w/-]{20,})"),
    (("api.telegram",), "a Telegram token", r"api\.telegram\.org/bot(\d{6,12}:[\w-]{30,})"),
    (("gsk_",), "a Groq key", r"\b(gsk_[A-Za-z0-9]{40,})"),
    (("wandb login",), "a W&B key", r"\bwandb login (?:--\S+ )*([0-9a-f]{40})\b"),
    (
        ("curl", "sshpass"),
        "a password in a command",
        r"(?:\bcurl\b[^\n]{0,300}?[\s,\"'](?:-u|--user)[\s=,\"']{1,4}[\w.@-]{1,80}:"
        r"|\bsshpass[\s,\"']{1,4}-p[\s,\"']{0,4})([^\s\"',$<>{}*]{4,200})",
    ),
    # `docker://name:tag@sha256:…` has no password in it.
    (
        ("://",),
        _PASSWORD,
        r"://[^\s/:@'\"<>]{0,200}:([^\s/@'\"<>$*{}]{1,500})@(?!sha\d+:)[\w.$\[-]",
    ),
    (
        ("bearer ", "basic "),
        "an authorization header",
        r"(?i)\b(?:bearer|basic) +(?=[\w.~+/=-]*[0-9])([\w.~+/-]{20,500}={0,2})",
    ),
)
_MARKS = tuple(dict.fromkeys(mark for marks, _, _ in _FORMS for mark in marks))
# Most forms are one word of at least so many characters, and few words of a spec are: so marks are
# looked for in these alone, but for those that stand between words or in short ones.
_SHORTEST_WORD = 15
_ANYWHERE = ("private key", "bearer ", "basic ", "://", "wandb login", "curl", "sshpass")
_IN_WORDS = tuple(mark for mark in _MARKS if mark not in _ANYWHERE)
# So few different characters are a placeholder.
_FEWEST_CHARACTERS = 5

_KEYWORDS = ("pass", "pwd", "secret", "token", "key", "credential")
_NAME = (
    r"(?:passwo?r?d|passphrase|pass|pwd|secret|token|credentials?|(?:api|access|secret|private"
    r"|account|auth|signing|encryption|master|license|fernet|kaggle)[_-]?key)(?![\w-])"
)
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_OF_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
# What models read, `eos_token` and the like, opens nothing.
_OF_MODELS = (
    r"(?i)(?:\A|[\W_])(?:pad|eos|bos|unk|cls|sep|mask|special|stop|start|end|begin|image|audio"
    r"|video|prompt|first|last|next|new|prefix|suffix|additional|per|each|decoder_start)[_-]token\Z"
)
_GIVEN = r"[\"']?[ \t]*(?:=>|[:=](?![:=]))[ \t]*(?:&\w+[ \t]+)?"
_NEXT_WORD = r"[\"']?[ \t]*,[ \t]*|[\"']?[ \t]*\r?\n[ \t]*-[ \t]+|[ \t]+(?!-)"
_DEFAULT_IN_FLOW = r"\{[^{}\n]{0,400}?[\"']?\bdefault[\"']?:[ \t]*"
_DEFAULT_BELOW = r"[ \t]*[\"']?default[\"']?:[ \t]*"
_BLOCK = r"[|>][-+0-9]{0,2}[ \t]*\r?\n[ \t]*"
_REST_OF_LINE = r"(?:#[^\n]{0,200})?\r?\n"
_VALUE = r"\"([^\"\r\n]*)\"|'([^'\r\n]*)'|([^\s\"'#&*!|>{\[][^\s]{0,255})"
_MOST_LINES = 20

# So that what is computed is never taken for what is written.
_EXPRESSION = r"\$\{\{[^}\n$]*\}\}"
_NO_LITERAL = r"[\s$<>{}`*]|\.\.\.|…|%\(|://|^[~/.\[]|^\d[\d.]*[a-zA-Z]{0,2}$"
_WORD = r"[A-Z]?[a-z]+\d{0,4}|[A-Z]+\d{0,4}|v?\d{1,4}"
_KINDS = ("[a-z]", "[A-Z]", "[0-9]", r"[^a-zA-Z0-9._/:-]")
_HEXADECIMAL = r"(?=.*[0-9].*[0-9])(?=.*[a-f])[0-9a-f]{24,}|(?=.*[A-F])[0-9A-F]{24,}"
_BETWEEN_WORDS = r"[-_./:@+=]+"
_DIGEST = r"(?:sha|md|blake)\d+[:-]"


def in_text(text: str) -> list[Credential]:
    """The credentials of a text in their order, none over another."""
    lower = text.lower()
    long = " ".join([word for word in lower.split() if len(word) >= _SHORTEST_WORD])
    there = [mark for mark in _IN_WORDS if mark in long]
    there += [mark for mark in _ANYWHERE if mark in lower]
    named = any(word in lower for word in _KEYWORDS)
    if "@" not in lower and "://" in there:
        there.remove("://")  # as in most URLs, there is no password before a host
    if not there and not named:
        return []
    literal = _compiled(_EXPRESSION).sub(lambda found: "$" * len(found[0]), text)
    found: list[Credential] = []
    for marks, what, pattern in _FORMS:
        if not any(mark in there for mark in marks):
            continue
        is_password = what == _PASSWORD
        looked = literal if is_password else text
        for match in re.finditer(pattern, looked, re.DOTALL | re.ASCII):
            if is_password or len(set(match[1])) >= _FEWEST_CHARACTERS:
                found.append(Credential(*match.span(1), what, "MLC441"))
    if named:
        found += _named(literal)
    kept: list[Credential] = []
    for one in sorted(found, key=lambda c: (c.start, c.code, -c.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


@functools.lru_cache(maxsize=256)
def of_file(file: SourceFile) -> tuple[Credential, ...]:
    """The credentials of a file."""
    return tuple(in_text(file.text))


def check(file: SourceFile, lines: frozenset[int] | None = None) -> Iterator[Diagnostic]:
    """A finding for each credential of a file, or of some of its lines."""
    for found in of_file(file):
        first = file.text[found.start : found.end].split("\n", 1)[0].rstrip()
        span = file.span(found.start, found.start + len(first))
        if lines is not None and span.line not in lines:
            continue
        name = re.sub(r"\W+", "_", found.name).strip("_").upper() or "TOKEN"
        reference = f"{name}: ${{{{ secrets.NAME.KEY }}}}"
        hint = f"put a new one in a secret, and take it in `env`: `{reference}`"
        if file.path.endswith(".toml"):
            hint = "take it out and have a new one made: who reads the file has this one"
        message = f"{found.what} is written down here"
        if found.code == "MLC442":
            message = f"`{found.name}` is given what looks like a credential"
        yield error(found.code, message, span, hint=hint)


def masked(text: str) -> str:
    """A text of the same length and lines with nothing of its credentials in it."""
    return hide(text, in_text(text))


def hide(text: str, credentials: list[Credential] | tuple[Credential, ...]) -> str:
    """A text without some ranges of it, which keep their length and lines."""
    parts, at = [], 0
    for found in credentials:
        parts += [text[at : found.start], re.sub(r"\S", "*", text[found.start : found.end])]
        at = found.end
    return "".join([*parts, text[at:]])


def _named(text: str) -> Iterator[Credential]:
    """Literals without a pattern that are given to names of credentials."""
    last = 0
    # To look for either case takes three times as long.
    for word in re.finditer(_NAME, text.translate(_LOWER), re.ASCII):
        if word.start() < last:
            continue
        before = text[max(0, word.start() - 80) : word.start()]
        name = before[len(before.rstrip(_OF_NAMES)) :] + text[word.start() : word.end()]
        short = len(name) > len(word[0]) and not _is_part(text, word)
        if short or _compiled(_OF_MODELS).search(name):
            continue
        for start, end in _given(text, word.end(), name):
            if _is_secret(text[start:end], name):
                last = end
                yield Credential(start, end, "a credential", "MLC442", name.lstrip("-."))


def _is_part(text: str, word: re.Match[str]) -> bool:
    """Whether a keyword is a word of a name, as in `hub_token` and `hubToken`, and not an end."""
    before, first = text[word.start() - 1], text[word.start()]
    if word[0] == "pass":  # a pass over the data is one too, but no DB_PASS
        return first == "P" and before == "_"
    return not before.isalnum() or "pass" in word[0] or (first.isupper() and before.islower())


def _given(text: str, at: int, name: str) -> Iterator[tuple[int, int]]:
    """Where the literal is that a name is given, none or one."""
    given = _compiled(_GIVEN).match(text, at)
    if given is None and name.startswith("-"):
        given = _compiled(_NEXT_WORD).match(text, at)
    if given is None:
        return
    at = given.end()
    inner = _compiled(_DEFAULT_IN_FLOW).match(text, at) or _compiled(_BLOCK).match(text, at)
    if inner is None and _compiled(_REST_OF_LINE).match(text, at):
        line = text.rfind("\n", 0, given.start()) + 1
        indent = _indent(text, line)
        for _ in range(_MOST_LINES):
            line = text.find("\n", line) + 1
            if not line or _indent(text, line) <= indent:
                return
            inner = _compiled(_DEFAULT_BELOW).match(text, line)
            if inner:
                break
        else:
            return
    value = _compiled(_VALUE).match(text, inner.end() if inner else at)
    if value is None:
        return
    start, end = value.span(value.lastindex or 0)
    if value.lastindex == 3:
        end = start + len(text[start:end].rstrip(",;)}]\"'\\"))
    yield start, end


def _indent(text: str, line: int) -> int:
    at = line
    while text[at : at + 1] == " ":
        at += 1
    return at - line


def _is_secret(value: str, name: str) -> bool:
    """Whether a text is as random as what nobody can guess; words, paths, digests and numbers are
    not."""
    if (
        not 8 <= len(value) <= 4096
        or _compiled(_NO_LITERAL).search(value)
        or _compiled(_DIGEST).match(value)
    ):
        return False
    kinds = sum(_compiled(kind).search(value) is not None for kind in _KINDS)
    if re.search(r"(?i)pass|pwd", name) and kinds >= 3:
        return True
    if kinds < 2 or len(value) < 16 or _bits(value) < 3:
        return False
    if _compiled(_HEXADECIMAL).fullmatch(value):
        return True
    pieces = [piece for piece in _compiled(_BETWEEN_WORDS).split(value) if piece]
    words = [word for piece in pieces for word in _compiled(_WORD).findall(piece)]
    is_words = sum(map(len, words)) == sum(map(len, pieces)) and (
        not words or sum(map(len, words)) / len(words) >= 4
    )
    return not is_words


def _bits(value: str) -> float:
    """Shannon's entropy of a text, in bits for each character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())
