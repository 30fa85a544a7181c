"""Fields of a connection with rules of their own: how to sign in, and where job events are read."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from airflow_provider_fabric.api.connection.fields import AUTH_TYPE_ALIASES, AuthType
from airflow_provider_fabric.api.connection.reader import ConnectionReader
from airflow_provider_fabric.api.connection.urls import is_hostname
from airflow_provider_fabric.api.models import is_guid

_HUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}")
_GROUP = re.compile(r"[$A-Za-z0-9][A-Za-z0-9._-]{0,255}")


def auth_type_of(reader: ConnectionReader) -> AuthType:
    """Return how to sign in; Microsoft's own words for it are taken too.

    :raises FabricConnectionError: it is no way to sign in.
    """
    value = (reader.text("auth_type") or "").lower()
    if value in AUTH_TYPE_ALIASES:
        return AUTH_TYPE_ALIASES[value]
    try:
        return AuthType(value)
    except ValueError:
        allowed = ", ".join(member.value for member in AuthType)
        raise reader.wrong("auth_type", f"must be one of {allowed}, not {value[:80]!r}") from None


def hub_of(reader: ConnectionReader) -> tuple[str, str] | None:
    """Return host (and port, if there is one) and name of the event hub that job events are read from, if there is one.

    :raises FabricConnectionError: it is no host and name.
    """
    value = (reader.line("events_hub") or "").removeprefix("sb://").rstrip("/")
    if not value:
        return None
    host, _, hub = value.partition("/")
    try:
        parts = urlsplit(f"https://{host}")
        usable = is_hostname(parts.hostname or "") and "@" not in host and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not _HUB.fullmatch(hub):
        raise reader.wrong(
            "events_hub", "must be a host and the name of an event hub, such as name.servicebus.windows.net/es_1f69e798"
        )
    return host, hub


def consumer_group_of(reader: ConnectionReader) -> str:
    """Return the consumer group that job events are read with.

    :raises FabricConnectionError: it cannot be the name of one.
    """
    group = reader.line("events_consumer_group") or ""
    if not _GROUP.fullmatch(group):
        raise reader.wrong("events_consumer_group", f"must be a consumer group such as $Default, not {group[:80]!r}")
    return group


def stream_of(reader: ConnectionReader) -> tuple[str, str] | None:
    """Return the ids of the eventstream's workspace and of the eventstream, if they are given.

    :raises FabricConnectionError: they are not two GUIDs.
    """
    stream = reader.line("events_stream")
    if stream is None:
        return None
    ids = stream.lower().split("/")
    if len(ids) != 2 or not all(map(is_guid, ids)):
        raise reader.wrong("events_stream", "must be two GUIDs with a slash between them: workspace and eventstream")
    return ids[0], ids[1]
