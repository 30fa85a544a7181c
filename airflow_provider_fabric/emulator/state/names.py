"""The checks of display names and descriptions, which are the same for workspaces, folders and items."""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input

MAX_NAME_LENGTH = 256


def read_name(value: Any, code: str = "InvalidInput") -> str:
    """Check a display name, and return it without the spaces around it, as the service keeps it.

    https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis sends ``" My dataflow"`` and prints
    ``"My dataflow"`` back.

    :param code: ``errorCode`` of the refusal.
    :raises ServiceError: 400 when blank, too long or not a string.
    """
    if not isinstance(value, str) or not value.strip():
        raise invalid_input("displayName must not be blank", code=code)
    name = str(value).strip()
    if len(name) > MAX_NAME_LENGTH:
        raise invalid_input(f"displayName is longer than {MAX_NAME_LENGTH} characters", code=code)
    return name


def read_description(value: Any) -> str:
    """Check a description; ``null`` is the empty one.

    :raises ServiceError: 400 when it is not a string or longer than 256 characters, the documented limit.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH:
        raise invalid_input(f"description must be a string of at most {MAX_NAME_LENGTH} characters")
    return value
