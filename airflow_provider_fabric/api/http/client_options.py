"""A connection's proxies, CA bundle and timeout as arguments for each HTTP library, so that every call uses the same.

Left to themselves the libraries differ: ``requests`` lets ``REQUESTS_CA_BUNDLE`` and the proxies of the environment win
over a session's own, and puts a ``.netrc`` password in place of a bearer token; ``httpx`` knows ``SSL_CERT_FILE`` only.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.request import getproxies, proxy_bypass

from airflow_provider_fabric.api.connection.fields import FIELDS
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError

if TYPE_CHECKING:
    import httpx

R = TypeVar("R")

DIRECT: Mapping[str, str] = {"http": "", "https": ""}
"""Proxies of ``requests`` that mean none at all, whatever the environment names."""

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted(settings: FabricSettings) -> bool | str:
    """Return whom to trust: the connection's ``verify``, or what the environment names, or ``True`` for the usual.

    :raises FabricConnectionError: ``verify`` names something that is no CA bundle.
    """
    if isinstance(settings.verify, str):
        try:
            _check_bundle(settings.verify)
        except OSError:  # ssl.SSLError is one
            raise FabricConnectionError(
                f"Connection {settings.conn_id!r}: {FIELDS['verify']} names {settings.verify!r}, which is no CA bundle "
                "(a file of PEM certificates, or a folder of them)."
            ) from None
    if settings.verify is not True:
        return settings.verify
    named = (os.environ.get(variable) for variable in _CA_VARIABLES)
    return next((path for path in named if path and os.path.exists(path)), True)


@lru_cache(maxsize=32)
def _check_bundle(path: str) -> None:
    if os.path.isdir(path):
        ssl.create_default_context(capath=path)
    else:
        ssl.create_default_context(cafile=path)


def requests_options(settings: FabricSettings, url: str) -> dict[str, Any]:
    """Return the keyword arguments of a call of ``requests``.

    :param url: what is called. Plain http is for loopback addresses only: no proxy of the environment sees it.
    """
    proxies = dict(settings.proxies) if settings.proxies else None
    if proxies is None and url.startswith("http://"):
        proxies = dict(DIRECT)
    return {
        "timeout": settings.timeout_seconds,
        "verify": trusted(settings),
        "proxies": proxies,
        "allow_redirects": False,
        "auth": _as_it_is,
    }


def _as_it_is(request: R) -> R:
    """Leave a request alone: with an ``auth`` of its own, ``requests`` does not look into ``.netrc``."""
    return request


def ssl_context(settings: FabricSettings) -> ssl.SSLContext:
    """Return the TLS context of ``httpx``. It reads files: call it off the event loop."""
    import httpx

    trust = trusted(settings)
    if not isinstance(trust, str):
        return httpx.create_ssl_context(verify=trust, trust_env=False)
    if os.path.isdir(trust):
        return ssl.create_default_context(capath=trust)
    return ssl.create_default_context(cafile=trust)


def proxy_of(settings: FabricSettings, host: str) -> str | None:
    """Return the URL of the proxy to a host over TLS: the connection's, or else the environment's; ``None`` for none.

    :param settings: the connection.
    :param host: host name.
    """
    if settings.proxies is None:
        return None if proxy_bypass(host) else getproxies().get("https") or getproxies().get("all")
    direct = {entry.strip().lower() for key in ("no", "no_proxy") for entry in settings.proxies.get(key, "").split(",")}
    if any(host == entry or host.endswith(f".{entry.lstrip('.')}") for entry in direct if entry):
        return None
    keys = (f"https://{host}", f"all://{host}", "https", "https://", "all", "all://")
    return next((settings.proxies[key] for key in keys if key in settings.proxies), None)


def proxy_mounts(
    settings: FabricSettings, context: ssl.SSLContext, limits: httpx.Limits
) -> Mapping[str, httpx.AsyncBaseTransport | None]:
    """Return the connection's proxies as ``mounts`` of ``httpx``; without them those of the environment, but for http.

    ``requests`` has keys such as ``https``, ``all`` and ``https://host``, and ``no_proxy`` for a list of hosts.
    """
    if not settings.proxies:
        return {"http://": None}  # plain http is for loopback addresses only
    import httpx

    mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
    for key, url in settings.proxies.items():
        if key in {"no", "no_proxy"}:
            mounts.update({f"all://{host.strip()}": None for host in url.split(",") if host.strip()})
            continue
        proxy = httpx.Proxy(url, ssl_context=context if url.startswith("https:") else None)
        mounts[key if "://" in key else f"{key}://"] = httpx.AsyncHTTPTransport(
            verify=context, limits=limits, proxy=proxy
        )
    return mounts
