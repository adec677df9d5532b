"""What stands in for the `rest_client` of generated clients: their requests go by our transport.

They know paths and parameters; answers are read as plain data, since a newer server may say what
they have no model for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from compiler.cluster.calls import CALL, Response
from compiler.cluster.transport import Transport


class RestClient:
    """Has the methods that the clients of OpenAPI Generator call."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def request(
        self,
        method: str,
        url: str,
        query_params: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        post_params: Sequence[Any] | None = None,
        _preload_content: bool = True,
        _request_timeout: float | None = None,
    ) -> Response:
        call = CALL.get()
        if query_params:
            url += "?" + urlencode(query_params)
        sent = dict(headers or {})
        fields = None
        if post_params:
            # urllib3 writes the boundary into this header itself.
            sent = {name: text for name, text in sent.items() if name.lower() != "content-type"}
            fields = post_params
        data = body.encode() if isinstance(body, str) else body
        if data is not None and not isinstance(data, bytes):
            data = json.dumps(data).encode()
        return self.transport.request(
            call,
            method,
            url,
            data,
            sent,
            fields=fields,
            stream=call.streams,
            wants_json=not call.streams,
            read=_request_timeout,
        )

    def GET(self, url: str, **given: Any) -> Response:  # noqa: N802
        return self.request("GET", url, **given)

    def POST(self, url: str, **given: Any) -> Response:  # noqa: N802
        return self.request("POST", url, **given)

    def PUT(self, url: str, **given: Any) -> Response:  # noqa: N802
        return self.request("PUT", url, **given)

    def PATCH(self, url: str, **given: Any) -> Response:  # noqa: N802
        return self.request("PATCH", url, **given)

    def DELETE(self, url: str, **given: Any) -> Response:  # noqa: N802
        return self.request("DELETE", url, **given)
