"""JSON over HTTP, as both engines' servers speak it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode


class Cluster(NamedTuple):
    """Where to replay the cases, from the environment. `token` is a Kubernetes bearer token."""

    server: str
    namespace: str
    image: str
    token: str
    insecure: bool
    has_code: bool

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Cluster:
        """
        Raises:
            KeyError: MLC_E2E_SERVER or MLC_E2E_IMAGE is not set.
        """
        return cls(
            environment["MLC_E2E_SERVER"].rstrip("/"),
            environment.get("MLC_E2E_NAMESPACE", "default"),
            environment["MLC_E2E_IMAGE"],
            environment.get("MLC_E2E_TOKEN", ""),
            environment.get("MLC_E2E_INSECURE", "") == "1",
            environment.get("MLC_E2E_CODE", "") == "1",
        )


class ServerError(Exception):
    """The server said no; the message holds what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:500]}")
        self.status = status


def text_of(
    cluster: Cluster, method: str, path: str, body: Any = None, query: Mapping[str, str] = {}
) -> str:
    """The answer to a request.

    Raises:
        ServerError: it is not 2xx.
        OSError: there is none.
    """
    address = cluster.server + quote(path) + (f"?{urlencode(query)}" if query else "")
    headers = {"Content-Type": "application/json"}
    if cluster.token:
        headers["Authorization"] = f"Bearer {cluster.token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers, method=method)
    context = None
    if cluster.server.startswith("https:"):
        context = ssl.create_default_context()
        if cluster.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as problem:
        raise ServerError(problem.code, problem.read().decode("utf-8", "replace")) from None


def json_of(
    cluster: Cluster, method: str, path: str, body: Any = None, query: Mapping[str, str] = {}
) -> Any:
    return json.loads(text_of(cluster, method, path, body, query) or "null")
