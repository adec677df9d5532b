"""Expressions as the engines' own languages evaluate them (tests/golang/expressions)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from go_programs import running

# By the language (`expr`, `cel` or `select`), a text and the values of its names.
Ask = Callable[[str, str, Mapping[str, Any]], Any]


@contextmanager
def asking() -> Iterator[Ask]:
    """Evaluates texts; one that can't be evaluated fails the test."""
    with running("expressions") as (lines_in, lines_out):

        def ask(language: str, text: str, env: Mapping[str, Any]) -> Any:
            lines_in.write(json.dumps({"language": language, "text": text, "env": env}) + "\n")
            lines_in.flush()
            answer = json.loads(lines_out.readline())
            assert "error" not in answer, f"{text} in {env}: {answer['error']}"
            return answer["value"]

        yield ask
