"""Every diagnostic's permanent code and what it is about."""

from __future__ import annotations

import re

CODES: dict[str, str] = {
    "MLC001": "file can't be read",
    "MLC002": "YAML syntax",
    "MLC003": "key given twice",
    "MLC004": "YAML feature that is not part of the language",
    "MLC005": "text encoding or forbidden character",
    "MLC006": "document is empty, too deep or too large",
    "MLC007": "expression in flow style without quotes",
    "MLC008": "more than is told",
    "MLC011": "file that can't be laid out",
    "MLC012": "file that is no spec",
    "MLC013": "link that leads out of the project",
    "MLC101": "unknown key",
    "MLC102": "something required is missing",
    "MLC103": "wrong type",
    "MLC104": "value is not allowed",
    "MLC105": "keys that do not go together",
    "MLC106": "number or text out of range",
    "MLC107": "bad name or form",
    "MLC109": "null that takes out nothing",
    "MLC201": "bad quantity",
    "MLC202": "bad duration",
    "MLC203": "bad regular expression",
    "MLC204": "request above limit",
    "MLC205": "bad schedule",
    "MLC301": "unknown step",
    "MLC302": "unknown output",
    "MLC303": "unknown parameter",
    "MLC304": "unknown input",
    "MLC305": "unknown name",
    "MLC306": "unknown field, or incomplete name",
    "MLC307": "unknown volume",
    "MLC308": "name can't be used here",
    "MLC309": "git is not known",
    "MLC310": "algorithms with the same name",
    "MLC311": "input with the name of an output or a parameter",
    "MLC312": "unknown profile",
    "MLC314": "steps with the same name",
    "MLC315": "loop variable that hides another",
    "MLC316": "collected from a step that may be skipped",
    "MLC317": "output from a step that may be skipped",
    "MLC318": "more than one list of a loop from outputs",
    "MLC319": "schedule without a value for a parameter",
    "MLC320": "steps wait for each other",
    "MLC321": "unknown Python module",
    "MLC322": "unknown Python function",
    "MLC323": "function does not take an argument",
    "MLC324": "function needs an argument",
    "MLC326": "function that can't give the outputs",
    "MLC330": "file that can't be used",
    "MLC331": "file that leads back to itself",
    "MLC332": "file of the wrong kind",
    "MLC333": "input that a used file does not take",
    "MLC334": "what a used algorithm can't have",
    "MLC335": "fallback between loops that may both be missing",
    "MLC340": "parameter that nothing reads",
    "MLC341": "input of the algorithm that nothing reads",
    "MLC342": "output that nothing takes",
    "MLC343": "input that a step never uses",
    "MLC344": "condition that is always the same",
    "MLC345": "comparison with a value that can't be there",
    "MLC346": "loop over nothing",
    "MLC347": "profile that changes nothing",
    "MLC348": "setting that no step takes",
    "MLC351": "source glob that matches no file",
    "MLC353": "gate that can't be read",
    "MLC354": "gate on a metric that is none",
    "MLC355": "gate that says nothing of the run",
    "MLC360": "output that a command is not told of",
    "MLC361": "variable of an input or output that is not there",
    "MLC362": "step that never runs",
    "MLC363": "list to loop over that nothing reads",
    "MLC364": "output that a script never writes",
    "MLC401": "expression syntax",
    "MLC402": "type mismatch",
    "MLC403": "null where text is wanted",
    "MLC405": "secret outside the environment",
    "MLC406": "expression where none can be",
    "MLC407": "name not known when the spec is compiled",
    "MLC408": "expression in a script",
    "MLC409": "types that an operator does not take",
    "MLC410": "fallback that is never used",
    "MLC411": "output that no step wrote",
    "MLC412": "condition that is neither true nor false",
    "MLC413": "not a list to loop over",
    "MLC440": "value from outside pasted into a program",
    "MLC441": "credential in a spec",
    "MLC442": "text under a name of credentials",
    "MLC443": "file that the project lacks",
    "MLC460": "script that Python can't read",
    "MLC461": "program with a space in its name",
    "MLC462": "volume over a folder of the system",
    "MLC463": "memory that no container starts with",
    "MLC464": "sign of a shell where none reads",
    "MLC465": "words of bash in a script of `sh`",
    "MLC466": "script of which YAML makes one line",
    "MLC467": "variable that becomes a part of a program",
    "MLC501": "parameter without a type",
    "MLC502": "constraint that means nothing for the type",
    "MLC503": "bad value in an enum",
    "MLC504": "bounds that nothing can meet",
    "MLC505": "value breaks its parameter's definition",
    "MLC506": "value that engines can't carry",
    "MLC601": "GPU type is not in the catalogue",
    "MLC602": "two volumes at one path",
    "MLC603": "shared memory above the memory limit",
    "MLC610": "bad name of an image",
    "MLC611": "image without a version",
    "MLC612": "image that follows a branch",
    "MLC613": "image without what the step runs",
    "MLC620": "amount that no machine has",
    "MLC621": "more GPUs than a machine has",
    "MLC622": "GPU without a type",
    "MLC623": "GPU type on other nodes than the pod's",
    "MLC630": "timeout longer than the run's",
    "MLC631": "retry that never starts",
    "MLC632": "waits between tries that never happen",
    "MLC633": "wait of weeks",
    "MLC634": "cache that never helps",
    "MLC635": "schedule for every minute",
    "MLC636": "schedule by day of the month or of the week",
    "MLC637": "step of cron that never comes",
    "MLC638": "schedules that start the same run",
    "MLC640": "amount that few machines have",
    "MLC641": "no image for the project's targets",
    "MLC701": "target can't do this",
    "MLC702": "target does this less well",
    "MLC703": "target leaves this out, as accepted",
    "MLC710": "label or annotation that Kubernetes refuses",
    "MLC711": "name that Kubernetes refuses",
    "MLC712": "toleration that contradicts itself",
    "MLC713": "user that the pod forbids",
    "MLC801": "parameter without a value",
    "MLC802": "input without a value",
    "MLC803": "input can't be had",
    "MLC804": "secret is not known on this machine",
    "MLC805": "volume is not known on this machine",
    "MLC806": "working folder does not exist",
    "MLC901": "bad project configuration",
    "MLC910": "image from where the policy allows none",
    "MLC911": "image without a digest",
    "MLC912": "more than the policy's ceiling",
    "MLC913": "amount that may go above the policy's ceiling",
    "MLC914": "timeout above the policy's ceiling",
    "MLC915": "something that the policy requires is missing",
    "MLC916": "privileges that the policy does not allow",
    "MLC917": "service account that the policy does not allow",
    "MLC930": "ignore that can't be read",
    "MLC931": "unknown code in an ignore",
    "MLC932": "ignore without a reason",
    "MLC933": "ignore of what is not found",
    "MLC934": "ignore of what can't be ignored",
}

# Found as warnings; all others are errors.
WARNINGS = frozenset(
    {
        *("MLC340", "MLC341", "MLC342", "MLC343", "MLC344", "MLC345", "MLC346", "MLC347", "MLC348"),
        *("MLC360", "MLC361", "MLC362", "MLC363", "MLC364"),
        *("MLC460", "MLC461", "MLC462", "MLC463", "MLC464", "MLC465", "MLC466"),
        "MLC467",
        *("MLC351", "MLC410", "MLC443", "MLC603", "MLC611", "MLC612", "MLC613", "MLC621", "MLC622"),
        *("MLC630", "MLC631", "MLC632", "MLC633", "MLC634"),
        *("MLC640", "MLC641"),
        *("MLC635", "MLC636", "MLC637", "MLC638", "MLC702", "MLC703", "MLC913"),
        *("MLC930", "MLC931", "MLC932", "MLC933", "MLC934"),
    }
)

# Errors that rest on a guess: a comment with a reason, or a policy, may say otherwise.
GUESSES = frozenset({"MLC441", "MLC442"})

WHERE_CODES_ARE = "codes stand before what is found, as in `warning[MLC603]`"
_LOOK_ALIKE = str.maketrans("OIL", "011")
_LONGEST = 12


def meant(text: str) -> str | None:
    """The code that a text surely means, wrong only in letters for digits, case and signs; codes
    that are merely near to it mean other things."""
    code = f"MLC{_digits(text)}"
    return code if code in CODES else None


def family(text: str) -> list[str]:
    """The codes of a kind with one that there is not, those nearest to it where there are some:
    MLC30 and MLC3099 are among those from MLC301; no codes for a text that is no code."""
    digits = _digits(text)
    if not re.search("[0-9]", text) or not digits[:1].isdecimal() or len(text) > _LONGEST:
        return []
    near = [code for code in CODES if code.startswith(f"MLC{digits[:2]}")]
    return near or [code for code in CODES if code.startswith(f"MLC{digits[:1]}")]


def _digits(text: str) -> str:
    letters = "".join(c for c in text.upper() if c.isascii() and c.isalnum()).removeprefix("MLC")
    return letters.translate(_LOOK_ALIKE)


def is_policy(code: str) -> bool:
    """Whether a code is about what a project's policy asks for."""
    return code.startswith(("MLC91", "MLC92"))


def is_fixed(code: str) -> bool:
    """Whether a finding is an error of the language: no policy and no comment changes that."""
    return code not in WARNINGS and code not in GUESSES and not is_policy(code)
