"""Connections to a server: its certificates and one's own, and the proxy that stands between."""

from __future__ import annotations

import ssl
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from compiler.cluster.auth import Credentials
from compiler.cluster.errors import EngineError, host_of, short
from compiler.settings import EngineSettings


class Tls(NamedTuple):
    """Files in PEM; a server name where the certificate's is another than the address's."""

    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True
    server_name: str | None = None


def tls_of(settings: EngineSettings) -> Tls:
    def path(name: str | None) -> str | None:
        return str(settings.file(name)) if name else None

    return Tls(path(settings.ca_file), path(settings.client_cert), path(settings.client_key))


def connections(
    engine: str, url: str, credentials: Credentials, tls: Tls, proxy: str | None
) -> urllib3.PoolManager:
    """Those to the server of an address, by the proxy given or the environment's.

    Raises:
        EngineError: certificates can't be read, or mlc can't go through such a proxy.
    """
    named: dict[str, Any] = {"maxsize": 8}
    if urlsplit(url).scheme == "https":
        named["ssl_context"] = _context(engine, tls)
    if tls.server_name:
        named["server_hostname"] = tls.server_name
    proxy = proxy or _environment_proxy(url)
    if not proxy:
        return urllib3.PoolManager(**named)
    parts = urlsplit(proxy)
    if parts.username is not None:
        name, password = unquote(parts.username), unquote(parts.password or "")
        headers = urllib3.make_headers(proxy_basic_auth=f"{name}:{password}")
        for secret in (password, parts.password, headers["proxy-authorization"]):
            if secret:
                credentials.hide(secret)
        named["proxy_headers"] = headers
        proxy = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        return urllib3.ProxyManager(proxy, **named)
    except HTTPError:
        raise EngineError(
            f"engine `{engine}`: mlc can't go through the proxy {host_of(proxy)}",
            "proxy",
            hint="name one by http:// or https://",
        ) from None


def _context(engine: str, tls: Tls) -> ssl.SSLContext:
    path = tls.ca_file
    try:
        context = ssl.create_default_context(cafile=path)
        path = tls.client_cert
        if path:
            context.load_cert_chain(path, tls.client_key)
    except OSError as problem:
        why = problem.strerror or short(str(problem))
        raise EngineError(
            f"can't read the certificates of engine `{engine}` from {path}: {why}",
            "configuration",
            hint="they have to be in PEM; look at `ca_file`, `client_cert` and `client_key`",
        ) from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _environment_proxy(url: str) -> str | None:
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
