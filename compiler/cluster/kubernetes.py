"""Kubernetes by its own client and its own reading of kubeconfigs, over our transport."""

from __future__ import annotations

import base64
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import kubernetes.client
import kubernetes.config
import yaml
from kubernetes.config import ConfigException
from msgspec import Struct

from compiler.cluster.answers import Shape, at
from compiler.cluster.auth import Credentials, Secret, credentials, origin
from compiler.cluster.calls import Patience, calling
from compiler.cluster.connections import Tls, tls_of
from compiler.cluster.errors import EngineError, short
from compiler.cluster.generated import RestClient
from compiler.cluster.transport import Transport
from compiler.settings import EngineSettings

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_PAGE = 200


class Kubernetes(Struct, frozen=True):
    """`namespace` is that of the settings, else of the context or pod."""

    api: Any  # kubernetes.client.ApiClient
    transport: Transport
    namespace: str

    def ask(
        self,
        doing: str,
        method: Any,
        *given: Any,
        creates: bool = False,
        repeatable: bool = False,
        shape: Shape = "mapping",
        **named: Any,
    ) -> Any:
        """What a method of the generated client brings, as plain data by its shape."""
        with calling(doing, creates=creates, repeatable=repeatable):
            return method(*given, _preload_content=False, **named).json(shape)

    def found(self, doing: str, method: Any, *given: Any, **named: Any) -> Any:
        """As `ask`; None where there is no such thing."""
        try:
            return self.ask(doing, method, *given, **named)
        except EngineError as problem:
            if problem.reason == "not found":
                return None
            raise

    def pages(
        self, doing: str, shape: Shape, method: Any, *given: Any, **named: Any
    ) -> Iterator[Mapping[str, Any]]:
        """The items of a list, page by page; `shape` is that of a page."""
        token = None
        while True:
            if token:
                named["_continue"] = token
            page = self.ask(doing, method, *given, shape=shape, limit=_PAGE, **named)
            yield from page.get("items", ())
            token = at(page, "metadata").get("continue")
            if not token:
                return


def connect(
    settings: EngineSettings, verbose: bool = False, patience: Patience | None = None
) -> Kubernetes:
    """The cluster that the kubeconfig or the pod's own service account leads to.

    Raises:
        EngineError: there is none, or it can't be read.
    """
    configuration = kubernetes.client.Configuration()
    namespace = _load(settings, configuration)
    configuration.client_side_validation = False
    # Of an engine with a server of its own they are for that server, not for Kubernetes.
    own = tls_of(settings) if settings.via == "kubernetes" else Tls()
    tls = Tls(
        ca_file=own.ca_file or configuration.ssl_ca_cert,
        client_cert=own.client_cert or configuration.cert_file,
        client_key=own.client_key or configuration.key_file,
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
    )
    proxy = settings.proxy if settings.via == "kubernetes" else None
    is_fresh = True

    def read() -> Mapping[str, Secret]:
        """A kubeconfig is read anew, since a program that it names may have a new token by now."""
        nonlocal is_fresh
        if not is_fresh and not settings.in_cluster:
            _load(settings, configuration)
        is_fresh = False
        return _headers(settings, configuration)

    known = Credentials(read, _origin(settings))
    if configuration.password:
        known.hide(configuration.password)
    transport = Transport(
        settings.name,
        configuration.host,
        known,
        tls,
        proxy or configuration.proxy,
        patience=patience,
        verbose=verbose,
    )
    api = kubernetes.client.ApiClient(configuration)
    api.rest_client = RestClient(transport)
    return Kubernetes(api, transport, settings.namespace or namespace or "default")


def can_be_asked(settings: EngineSettings) -> bool:
    """Whether the settings lead to Kubernetes itself."""
    return bool(
        settings.via == "kubernetes"
        or settings.in_cluster
        or settings.kubeconfig
        or settings.context
    )


def _load(settings: EngineSettings, configuration: Any) -> str | None:
    """Fill the client's configuration; the namespace that goes with it."""
    try:
        if settings.in_cluster:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            return _NAMESPACE.read_text().strip() if _NAMESPACE.exists() else None
        path = str(settings.file(settings.kubeconfig)) if settings.kubeconfig else None
        with _problems() as problems:
            kubernetes.config.load_kube_config(
                path, settings.context, configuration, persist_config=False
            )
        if problems and not configuration.api_key:
            raise EngineError(
                f"engine `{settings.name}`: no token for Kubernetes: {short(problems[0])}",
                "configuration",
                hint="the kubeconfig names a program that gives one: run that by hand, or log in",
            )
        _take_user_of_host(configuration)
        contexts, active = kubernetes.config.list_kube_config_contexts(path)
        chosen = next((c for c in contexts if c["name"] == settings.context), active)
        found = chosen["context"].get("namespace")
        return str(found) if found else None
    except (ConfigException, OSError) as problem:
        said = short(str(problem))
    except (yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError):
        # Their own words may quote the file, with what is secret in it.
        said = "it is not as a kubeconfig is"
    where = settings.kubeconfig or "the kubeconfig"
    what = "the pod's service account" if settings.in_cluster else where
    raise EngineError(
        f"engine `{settings.name}`: can't read {what}: {said}",
        "configuration",
        hint="look at `kubeconfig`, KUBECONFIG and `context`, or try `kubectl get pods`",
    )


@contextmanager
def _problems() -> Iterator[list[str]]:
    """What the client logs where a program that gives a token fails; it goes on without one."""
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    handler = Kept(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(handler)


def _origin(settings: EngineSettings) -> str:
    """Where comes from who one is to Kubernetes, in words for a message."""
    own = settings.via == "kubernetes" and (settings.token_env or settings.token_file)
    if own or (settings.in_cluster and settings.via == "kubernetes"):
        return origin(settings)
    if settings.in_cluster:
        return "the pod's service account (`in_cluster`)"
    where = settings.file(settings.kubeconfig) if settings.kubeconfig else None
    of = f" of the context {settings.context}" if settings.context else ""
    return f"the user{of} in {where or os.environ.get('KUBECONFIG') or '~/.kube/config'}"


def _take_user_of_host(configuration: Any) -> None:
    """A name and a password in the server's address are who one is, as kubectl has it, and stand
    in no address that is asked or shown."""
    parts = urlsplit(configuration.host)
    if "@" not in parts.netloc:
        return
    configuration.host = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if not configuration.username:
        configuration.username = unquote(parts.username or "")
        configuration.password = unquote(parts.password or "")


def _headers(settings: EngineSettings, configuration: Any) -> Mapping[str, Secret]:
    """What the client's own configuration says; it renews tokens by its own hooks.

    A token that the settings name goes to Kubernetes only where that is the engine: never another
    server's.
    """
    own: dict[str, Secret] = {}
    if settings.via == "kubernetes" and (settings.token_env or settings.token_file):
        return credentials(settings).headers()
    for name in ("authorization", "BearerToken"):
        value = configuration.get_api_key_with_prefix(name)
        if value:
            value = re.sub(r"^(bearer) ", "Bearer ", str(value), flags=re.IGNORECASE)
            own["Authorization"] = Secret(value)
            return own
    if configuration.username:
        pair = f"{configuration.username}:{configuration.password}".encode()
        own["Authorization"] = Secret(f"Basic {base64.b64encode(pair).decode()}")
    return own
