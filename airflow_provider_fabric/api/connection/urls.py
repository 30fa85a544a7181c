"""The URLs of a connection: where tokens are sent to, so they are read strictly."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow_provider_fabric.api.connection.reader import ConnectionReader

_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_MICROSOFT_HOSTS = (".microsoft.com", ".powerbi.com", ".microsoftonline.com")


def root_of(reader: ConnectionReader, name: str, *, port: object = None, scheme: object = None) -> str:
    """Return the root of a service: scheme, host, port and perhaps a path; no trailing slash, no ``/v1``.

    :param reader: the connection.
    :param name: the field with the URL.
    :param port: port, if the URL names none.
    :param scheme: ``https`` or ``http``, if the URL names none; anything else is ignored.
    :raises FabricConnectionError: it is no URL, or a token would travel unencrypted.
    """
    value = reader.line(name) or ""
    if "://" not in value:
        value = f"{scheme if scheme in ('http', 'https') else 'https'}://{value}"
    try:
        parts = urlsplit(value)
        hostname, own_port = parts.hostname, parts.port
    except ValueError:
        raise reader.wrong(name, "is not a URL such as https://api.fabric.microsoft.com") from None
    if not hostname or not is_hostname(hostname):
        raise reader.wrong(name, "is not a URL such as https://api.fabric.microsoft.com")
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise reader.wrong(name, "must be a host alone, without user, query or fragment")
    if parts.scheme not in {"http", "https"}:
        raise reader.wrong(name, f"must begin with https://, not {parts.scheme[:20]}://")
    if parts.scheme == "http" and not is_loopback(hostname):
        raise reader.wrong(
            name, "must begin with https://, because a token is sent there; http:// is for loopback only"
        )
    own_port = own_port or _port(reader, port)
    netloc = f"[{hostname}]" if ":" in hostname else hostname
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    if " " in path or ".." in path:
        raise reader.wrong(name, "is not a URL such as https://api.fabric.microsoft.com")
    return f"{parts.scheme}://{netloc}{f':{own_port}' if own_port else ''}{path}"


def _port(reader: ConnectionReader, port: object) -> int | None:
    if port is None or port == "":
        return None
    try:
        number = int(str(port))
    except ValueError:
        number = 0
    if not 0 < number < 65536 or isinstance(port, bool):
        raise reader.error("the field 'port' must be a port number, or empty")
    return number


def authority_of(reader: ConnectionReader) -> str:
    """Return the root of Entra. msal takes https only.

    :raises FabricConnectionError: it is not an https URL of a host alone.
    """
    root = root_of(reader, "authority")
    parts = urlsplit(root)
    if parts.scheme != "https":
        raise reader.wrong("authority", "must begin with https://")
    if parts.path:
        raise reader.wrong("authority", "must be a host alone: put the tenant into the extra field 'tenant_id'")
    return root


def proxies_of(reader: ConnectionReader) -> Mapping[str, str] | None:
    """Return the proxies by scheme, in the form that ``requests`` has; ``None`` if there are none.

    :raises FabricConnectionError: one is not an http or https URL. The text does not show it: it may hold a password.
    """
    proxies = reader.mapping("proxies")
    for key, url in (proxies or {}).items():
        if key in {"no", "no_proxy"}:
            continue
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and is_hostname(parts.hostname or "") and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable or not key.isascii() or not url.isascii() or " " in url:
            raise reader.wrong("proxies", f"must map {key[:40]!r} to a URL such as http://proxy.example:3128")
    return proxies


def is_hostname(name: str) -> bool:
    """Return whether a text can be the name or the IP address of a host."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return len(name) < 254 and _HOSTNAME.fullmatch(name) is not None
    return True


def is_loopback(hostname: str) -> bool:
    """Return whether a host name surely means this machine."""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def is_microsoft(root: str) -> bool:
    """Return whether a root is one of Microsoft's own."""
    return (urlsplit(root).hostname or "").endswith(_MICROSOFT_HOSTS)
