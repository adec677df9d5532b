"""One spec, checked with each of its profiles, as validating and fixing need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from compiler import frontend
from compiler.checks import changes_nothing, missing_images, no_change
from compiler.diagnostics import Diagnostic, in_order
from compiler.git import UNKNOWN


class Checked(NamedTuple):
    """A spec and what came of it; the findings are those of all profiles together."""

    document: frontend.Document
    loaded: frontend.Loaded


def check(document: frontend.Document, targets: Sequence[str] = ()) -> Checked:
    """Everything that can be said of a spec by itself, and what the named targets can't do."""
    if document.kind != "Algorithm":
        return Checked(document, frontend.check_part(document, git=UNKNOWN))
    plain = frontend.build(document, git=UNKNOWN)
    diagnostics, ignored = [*plain.diagnostics, *_losses(plain, targets)], plain.ignored
    if plain.pipeline and not targets:
        found = list(missing_images(plain.pipeline, document.project))
        diagnostics += frontend.settle(found, plain) if found else []
    for profile in document.profiles:
        profiled = frontend.build(document, [profile], git=UNKNOWN)
        diagnostics += [*profiled.diagnostics, *_losses(profiled, targets)]
        ignored |= profiled.ignored
        if document.root and plain.pipeline and profiled.pipeline:
            same = changes_nothing(plain.pipeline, profiled.pipeline)
            changes = no_change(document.root, profile) if same else ()
            diagnostics += frontend.settle(list(changes), plain)
    loaded = replace(plain, diagnostics=in_order(diagnostics), ignored=ignored)
    return Checked(document, loaded)


def _losses(loaded: frontend.Loaded, names: Sequence[str]) -> list[Diagnostic]:
    if loaded.pipeline is None or not names:
        return []
    from compiler import targets  # what a mere check of the language does not need

    return frontend.settle(targets.losses(loaded.pipeline, loaded.project, names), loaded)
