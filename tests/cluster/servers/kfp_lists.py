"""Filters, sorting and pages of a KFP API server (filter.go, list.go)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from .kfp_errors import invalid

DEFAULT_PAGE, LARGEST_PAGE = 20, 200

# What each kind can be filtered and sorted on (model/*.go): API name -> attribute of the record.
_COMMON = {"created_at": "created", "description": "description", "id": "id"}
_NAMED = {"name": "name", "display_name": "display_name"}
_BOTH = {"name": "display_name", "display_name": "display_name"}
FIELDS: dict[str, dict[str, str]] = {
    "pipelines": {**_COMMON, **_NAMED, "pipeline_id": "id", "namespace": "namespace"},
    "pipeline_versions": {**_COMMON, **_NAMED, "pipeline_version_id": "id"},
    "experiments": {
        **_COMMON,
        **_BOTH,
        "experiment_id": "id",
        "last_run_created_at": "last_run",
        "namespace": "namespace",
        "storage_state": "storage_state",
    },
    "runs": {
        **_COMMON,
        **_BOTH,
        "run_id": "id",
        "finished_at": "finished",
        "scheduled_at": "created",
        "storage_state": "storage_state",
        "status": "state",
        "state": "state",
        "namespace": "namespace",
        "experiment_id": "experiment_id",
        "recurring_run_id": "recurring_run_id",
    },
    "recurringRuns": {**_COMMON, **_BOTH, "recurring_run_id": "id", "updated_at": "updated"},
}
_TAGGED = ("pipelines", "pipeline_versions")

_SCALARS = ("int_value", "long_value", "string_value", "timestamp_value")
_LISTS = ("int_values", "long_values", "string_values")
_CAMEL = re.compile(r"(?<=[a-z])Value(?=s?$)")

Record = TypeVar("Record")


def list_page(
    kind: str, records: Sequence[Record], query: Mapping[str, str], page_limit: int | None = None
) -> dict[str, Any]:
    """One page of the answer, `{kind: […], total_size, next_page_token}` without empty ones."""
    token, size = query.get("page_token", ""), _page_size(query)
    if page_limit is not None:
        size = min(size, page_limit)
    sort_by, spec = query.get("sort_by", ""), query.get("filter", "")
    start = 0
    if token:
        kept = _read_token(token)
        if (sort_by or spec) and (sort_by, spec) != (kept["sort_by"], kept["filter"]):
            raise invalid(
                "page token does not match the supplied sort by and/or filtering criteria. Either "
                "specify the same criteria or leave the latter empty if page token is specified"
            )
        sort_by, spec = kept["sort_by"], kept["filter"]
    attribute, descending = _sorting(kind, sort_by)
    matches = _filtering(kind, spec)
    found = [record for record in records if matches(record)]

    def key(record: Record) -> tuple[Any, str]:
        value = getattr(record, attribute)
        return (value.lower() if isinstance(value, str) else value, record.id)  # type: ignore[attr-defined]

    found.sort(key=key, reverse=descending)
    if token:
        # As upstream: the token names the first row of the next page, not its number.
        at = (kept["value"], kept["id"])
        start = sum(1 for one in found if (key(one) > at if descending else key(one) < at))
    page, rest = found[start : start + size], found[start + size :]
    answer: dict[str, Any] = {}
    if page:
        answer[kind] = [one.show() for one in page]  # type: ignore[attr-defined]
    if found:
        answer["total_size"] = len(found)
    if rest:
        value, identity = key(rest[0])
        answer["next_page_token"] = _write_token(sort_by, spec, value, identity)
    return answer


def _page_size(query: Mapping[str, str]) -> int:
    size = int(query.get("page_size") or 0)
    if size < 0:
        raise invalid(f"The page size should be greater than 0. Got {size}")
    return min(size, LARGEST_PAGE) or DEFAULT_PAGE


def _write_token(sort_by: str, spec: str, value: Any, identity: str) -> str:
    kept = {"sort_by": sort_by, "filter": spec, "value": value, "id": identity}
    return base64.b64encode(json.dumps(kept).encode()).decode()


def _read_token(token: str) -> dict[str, Any]:
    try:
        kept = json.loads(base64.b64decode(token, validate=True))
        return {name: kept[name] for name in ("sort_by", "filter", "value", "id")}
    except (ValueError, KeyError, TypeError):
        raise invalid("Invalid page token") from None


def _sorting(kind: str, sort_by: str) -> tuple[str, bool]:
    words = sort_by.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise invalid(
            f'Received invalid sort by format "{sort_by}". Supported format: "field_name", '
            '"field_name desc", or "field_name asc"'
        )
    name = words[0] if words else "created_at"
    if name not in FIELDS[kind]:
        raise invalid(f'Invalid sorting field: "{name}" on listable type {kind}')
    return FIELDS[kind][name], words[1:] == ["desc"]


def _filtering(kind: str, spec: str) -> Callable[[Any], bool]:
    if not spec:
        return lambda _: True
    try:
        predicates = json.loads(unquote_plus(spec) if spec.startswith("%7B") else spec)
        predicates = predicates["predicates"]
    except (ValueError, KeyError, TypeError):
        raise invalid(f'failed to parse valid filter from "{spec}"') from None
    tests = [_predicate(kind, one) for one in predicates]
    return lambda record: all(test(record) for test in tests)


def _predicate(kind: str, predicate: dict[str, Any]) -> Callable[[Any], bool]:
    predicate = {_CAMEL.sub("_value", name): value for name, value in predicate.items()}
    operation, key = predicate.get("operation", 0), predicate.get("key", "")
    if isinstance(operation, int):
        # The SDK sends the enum's number, as protojson allows.
        operation = _OPERATIONS.get(operation, str(operation))
    unknown = set(predicate) - {"operation", "key", *_SCALARS, *_LISTS}
    values = [name for name in (*_SCALARS, *_LISTS) if name in predicate]
    if unknown or len(values) != 1:
        raise invalid(f"failed to parse valid filter: {sorted(unknown) or 'one value is needed'}")
    value = predicate[values[0]]
    if values[0] in _LISTS:
        value = value["values"]
    if key.startswith("tags.") and kind in _TAGGED:
        if operation != "EQUALS" or values[0] != "string_value":
            raise invalid(
                "only EQUALS operation is supported for tag filtering, got "
                f'{operation} for key "{key}"'
            )
        return lambda record: record.tags.get(key[len("tags.") :]) == value
    if key not in FIELDS[kind]:
        raise invalid(f'no support for filtering on unrecognized field "{key}"')
    attribute = FIELDS[kind][key]
    if values[0] in ("int_value", "long_value"):
        value = int(value)
    if (operation == "IN") != (values[0] in _LISTS):
        raise invalid(f"cannot use operator {operation} with the value {values[0]}")
    if operation == "IS_SUBSTRING" and values[0] != "string_value":
        raise invalid(f"cannot use non string value type {values[0]} with operator {operation}")
    test = _TESTS.get(operation)
    if test is None:
        raise invalid(f"invalid predicate operation: {operation}")
    return lambda record: test(getattr(record, attribute), value)


_OPERATIONS = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}


def _like(have: Any, want: str) -> bool:
    """SQL's LIKE '%want%': `_` and `%` of the value stay wildcards, case does not count."""
    parts = {"_": ".", "%": ".*"}
    pattern = "".join(parts.get(char) or re.escape(char) for char in want)
    return re.search(pattern, str(have), re.IGNORECASE | re.DOTALL) is not None


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda have, want: bool(have == want),
    "NOT_EQUALS": lambda have, want: bool(have != want),
    "GREATER_THAN": lambda have, want: bool(have > want),
    "GREATER_THAN_EQUALS": lambda have, want: bool(have >= want),
    "LESS_THAN": lambda have, want: bool(have < want),
    "LESS_THAN_EQUALS": lambda have, want: bool(have <= want),
    "IN": lambda have, want: have in want,
    "IS_SUBSTRING": _like,
}
