"""One field of a connection alone, as a form checks it before it is saved.

What depends on other fields, or on files of the host that tasks run on, is left to
:meth:`.FabricSettings.from_connection`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from airflow_provider_fabric.api.connection.fields import FIELDS, STORED_SECRET, Kind
from airflow_provider_fabric.api.connection.reader import ConnectionReader
from airflow_provider_fabric.api.connection.urls import authority_of, proxies_of, root_of
from airflow_provider_fabric.api.connection.values import auth_type_of, consumer_group_of, hub_of, stream_of
from airflow_provider_fabric.exceptions import FabricConnectionError

_OWN_RULES: Mapping[str, Callable[[ConnectionReader], Any]] = {
    "auth_type": auth_type_of,
    "authority": authority_of,
    "power_bi_host": partial(root_of, name="power_bi_host"),
    "onelake_host": partial(root_of, name="onelake_host"),
    "arm_host": partial(root_of, name="arm_host"),
    "proxies": proxies_of,
    "local_cache": partial(ConnectionReader.flag_or_directory, name="local_cache"),
    "verify": partial(ConnectionReader.text, name="verify"),
    "certificate": partial(ConnectionReader.text, name="certificate"),
    "certificate_password": partial(ConnectionReader.text, name="certificate_password"),
    "events_hub": hub_of,
    "events_consumer_group": consumer_group_of,
    "events_stream": stream_of,
}

_KINDS: Mapping[Kind, Callable[[ConnectionReader, str], Any]] = {
    Kind.NUMBER: ConnectionReader.number,
    Kind.INTEGER: ConnectionReader.number,
    Kind.FLAG: ConnectionReader.flag,
}


def error_of(name: str, value: object) -> str | None:
    """Return what is wrong with the value of one extra field, in a sentence that names the field.

    :param name: the field's name.
    :param value: what was typed.
    :return: ``None`` if nothing is wrong, or the field is empty.
    """
    reader = ConnectionReader("", {}, {name: value})
    if value == STORED_SECRET or reader.raw(name) is None:
        return None
    try:
        if name in _OWN_RULES:
            _OWN_RULES[name](reader)
        else:
            _KINDS.get(FIELDS[name].kind, ConnectionReader.line)(reader, name)
    except FabricConnectionError as problem:
        sentence = str(problem).removeprefix(str(reader.error("")).rstrip("."))
        return sentence[:1].upper() + sentence[1:]
    return None
