"""GUIDs, with which the service names everything: new ones, and the check of those that a caller sends."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input


def new_id() -> str:
    """Return a fresh GUID."""
    return str(uuid.uuid4())


def derived_id(of: str, what: str) -> str:
    """Return a GUID that is always the same for something that belongs to another thing."""
    return str(uuid.uuid5(uuid.UUID(of), what))


def read_guid(text: Any, name: str) -> str:
    """Return ``text`` in the canonical form of a GUID.

    :param name: what to call it in the error.
    :raises ServiceError: 400 for anything else.
    """
    try:
        if not isinstance(text, str) or len(text) != 36:
            raise ValueError(text)
        return str(uuid.UUID(text))
    except ValueError as problem:
        raise invalid_input(f"The value '{text}' of {name} is not a GUID") from problem
