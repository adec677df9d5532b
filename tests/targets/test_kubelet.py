"""Literal text survives the kubelet: against a model of its expansion, applied again and again."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from compiler.launch import OutputPathOf, PathOf, Text, ValueOf
from compiler.targets.kubelet import (
    ESCAPES,
    Placeholder,
    escape,
    escape_text,
    is_exposed,
)

NASTY = st.text(st.sampled_from("$$$(({{{}}) ABMLC_DE\n'\"éé"), max_size=24)
# Every name that a text could be taken to hold has a value here, in the step's pod and before it.
FOREIGN = {"A": "<expanded>", "": "<expanded>", "B": "<expanded>"}
HOME = {**dict(ESCAPES), **FOREIGN}


def expand(text: str, variables: dict[str, str], *, old: bool = False) -> str:
    """What the kubelet makes of a word.

    From left to right: `$$` is a `$`; `$(NAME)` is the variable's value, and stays as it is where
    there is none; a `$` before anything else is a `$`. What is put in is not looked at again. An
    `old` one takes the first byte of a character after a `$` for all of it.
    """

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found[1] is None:
            return found[0].encode()[:2].decode("latin-1") + "\ufffd" if old else found[0]
        return variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)|\$[^\x00-\x7f]", one, text)


def test_the_model() -> None:
    assert expand("$$(A) $(A) $(X) $A $", {"A": "1"}) == "$(A) 1 $(X) $A $"
    assert expand("$$$(A)$x$(A $(A)", {"A": "$$"}) == "$$$$x$(A $(A)"
    assert expand("$é", {}) == "$é" != expand("$é", {}, old=True)


def arrives(written: str, wanted: str, kubelets: tuple[bool, ...] = (True, False)) -> None:
    for passes in range(4):
        for old in kubelets:
            text = written
            for _ in range(passes):
                text = expand(text, FOREIGN, old=old)
            assert expand(text, HOME, old=old) == wanted


@settings(max_examples=500)
@given(NASTY | st.text())
@example("$$(A)$$$(A)$$")
@example("$(MLC_D)$(MLC_E)")
@example("{{{{$}}")
def test_text_arrives(text: str) -> None:
    written = escape_text(text)
    arrives(written, text)
    assert "{{" not in written


def test_what_needs_no_escape_stays_readable() -> None:
    for text in ("", "$", "$HOME ${x}", "{x} {", "a $b é (c) }}", 'it\'s {"json": {}}'):
        assert escape_text(text) == text
    assert escape_text("$$(A){{{") == "$(MLC_D)$(MLC_D)(A){$(MLC_E){$(MLC_E){"


SLOTS = st.lists(
    NASTY.filter(bool).map(Text) | st.sampled_from([ValueOf("v"), PathOf("p"), OutputPathOf("o")]),
    max_size=5,
)


def spell(slot: Placeholder) -> str:
    return f"{{{{{type(slot).__name__}}}}}"


def filled(written: str, value: str) -> str:
    return re.sub(r"\{\{\w+\}\}", lambda _: value, written)


@settings(max_examples=500)
@given(SLOTS, st.sampled_from(["v", "{v}", "(A)", "(A", "{{", ")"]))
def test_words_arrive_around_values(slots: list[Text | Placeholder], value: str) -> None:
    """Values that end in no `$`: they may begin with what a text before them would join."""
    word = tuple(slots)
    wanted = "".join(slot.text if isinstance(slot, Text) else value for slot in word)
    written = escape(word, spell)
    arrives(filled(written, value), wanted)
    # The engine finds the placeholders that were meant, and none besides.
    placeholders = sum(not isinstance(slot, Text) for slot in word)
    assert len(re.findall(r"\{\{", written)) == placeholders
    assert "{{{" not in written


@settings(max_examples=500)
@given(SLOTS, st.sampled_from(["$", "a$", "$$", "(A)$"]))
def test_values_with_every_dollar_doubled_arrive(
    slots: list[Text | Placeholder], value: str
) -> None:
    """As Argo writes them: one expansion, in the step's pod."""
    word = tuple(slots)
    wanted = "".join(slot.text if isinstance(slot, Text) else value for slot in word)
    written = filled(escape(word, spell), value.replace("$", "$$"))
    assert expand(written, HOME, old=True) == wanted


@settings(max_examples=500)
@given(SLOTS, st.sampled_from(["$", "a$"]))
def test_a_value_that_ends_in_a_dollar_is_known_to_be_exposed(
    slots: list[Text | Placeholder], value: str
) -> None:
    word = tuple(slots)
    neighbours = any(not isinstance(a, Text) and not isinstance(b, Text) for a, b in pairwise(word))
    paths = any(isinstance(slot, PathOf | OutputPathOf) for slot in word)
    if not (is_exposed(word) or neighbours or paths):
        wanted = "".join(slot.text if isinstance(slot, Text) else value for slot in word)
        arrives(filled(escape(word, spell), value), wanted, kubelets=(False,))


def test_exposed_words() -> None:
    value = ValueOf("v")
    assert is_exposed((value, Text("(x")))
    assert is_exposed((Text("a"), value, Text("$")))
    assert is_exposed((value, Text("{")))
    assert not is_exposed((Text("$("), value, Text("a$")))
    assert not is_exposed((OutputPathOf("o"), Text("$")))


def test_braces_do_not_meet_across_a_placeholder() -> None:
    word = (Text("{"), ValueOf("v"), Text("{x"))
    written = filled(escape(word, spell), "{")
    assert "{{" not in written
    arrives(written, "{{{x")
