"""The generated client of KFP's API, with our transport in place of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import kfp_server_api as api

from compiler.cluster.answers import Shape
from compiler.cluster.calls import calling
from compiler.cluster.generated import RestClient
from compiler.cluster.kfp.shapes import PAGES
from compiler.cluster.transport import Transport

Json = Mapping[str, Any]
_PAGE = 100


class Client:
    """The services of the API; each call gives plain data."""

    def __init__(self, transport: Transport) -> None:
        configuration = api.Configuration(host=transport.base)
        configuration.client_side_validation = False
        client = api.ApiClient(configuration)
        client.rest_client = RestClient(transport)
        self.transport = transport
        self.experiments = api.ExperimentServiceApi(client)
        self.pipelines = api.PipelineServiceApi(client)
        self.uploads = api.PipelineUploadServiceApi(client)
        self.runs = api.RunServiceApi(client)
        self.recurring = api.RecurringRunServiceApi(client)
        self.health = api.HealthzServiceApi(client)

    def ask(
        self,
        doing: str,
        method: Callable[..., Any],
        *given: Any,
        creates: bool = False,
        repeatable: bool = False,
        shape: Shape = "mapping",
        **named: Any,
    ) -> Any:
        """What a method of the generated client brings, by its shape; what is None is left out of
        the query."""
        named = {name: value for name, value in named.items() if value is not None}
        with calling(doing, creates=creates, repeatable=repeatable):
            return method(*given, _preload_content=False, **named).json(shape)

    def pages(
        self, doing: str, method: Callable[..., Any], *given: Any, of: str, **named: Any
    ) -> Iterator[Json]:
        """The items of a list called `of`, page by page; none twice where the list moves."""
        token, seen = None, set()
        while True:
            named |= {"page_size": _PAGE, "page_token": token or None}
            page = self.ask(doing, method, *given, shape=PAGES[of], **named)
            for item in page.get(of, ()):
                if (mark := _id(item)) not in seen:
                    seen.add(mark)
                    yield item
            following = page.get("next_page_token")
            if not following or following == token:
                return
            token = following


def where(**equal: str) -> str:
    """A filter of the API: fields that are equal, or with `__has` at the end hold a text."""
    predicates = []
    for name, value in equal.items():
        operation = "IS_SUBSTRING" if name.endswith("__has") else "EQUALS"
        key = name.removesuffix("__has")
        predicates.append({"operation": operation, "key": key, "string_value": value})
    return json.dumps({"predicates": predicates})


def where_not(name: str, values: Iterable[str]) -> str:
    """A filter of the API: a field that is none of these."""
    predicates = [
        {"operation": "NOT_EQUALS", "key": name, "string_value": value} for value in values
    ]
    return json.dumps({"predicates": predicates})


def _id(item: Json) -> str:
    # A run names the schedule, version and experiment that it belongs to, too.
    for key in ("run_id", "recurring_run_id", "pipeline_version_id", "experiment_id"):
        if item.get(key):
            return str(item[key])
    return str(item.get("pipeline_id"))
