"""Gives expressions their meaning: nodes and a scope in, typed expressions out."""

from __future__ import annotations

from compiler.binding.operators import a_type
from compiler.binding.origin import origin
from compiler.binding.places import place
from compiler.binding.scalars import bind, bind_value
from compiler.binding.scope import EVERYTHING, Git, Item, Scope, Signature, Where
from compiler.binding.whole import bind_amount, bind_condition, bind_list, bind_output

__all__ = [
    "EVERYTHING",
    "Git",
    "Item",
    "Scope",
    "Signature",
    "Where",
    "a_type",
    "bind",
    "bind_amount",
    "bind_condition",
    "bind_list",
    "bind_output",
    "bind_value",
    "origin",
    "place",
]
