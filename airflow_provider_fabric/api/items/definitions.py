"""Item definitions: from a mapping, a folder or the service's own form to parts, checked before anything is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.items import formats
from airflow_provider_fabric.api.items.formats import PLATFORM
from airflow_provider_fabric.api.items.local_folder import find_part_files, read_part_files
from airflow_provider_fabric.api.items.wire import read_given_parts, to_wire, wire_form
from airflow_provider_fabric.exceptions import FabricInputError

Definition = Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True)
class ItemDefinition:
    """A definition as it is sent.

    :param item_type: kind of item.
    :param parts: contents by part path, in the order in which they are sent.
    :param format: ``format`` that is sent with them, and asked for when they are read back; ``None`` names none.
    """

    item_type: str
    parts: dict[str, bytes]
    format: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the service's form."""
        return to_wire(self.parts, format=self.format, item_type=self.item_type)


def load_definition(definition: Definition, item_type: str, *, format: str | None = None) -> ItemDefinition:
    """Read a definition and check it for the kind of item.

    :param definition: ``{part path: text | bytes | JSON-able}``, the path of a folder in git-integration layout, or the
        service's own form ``{"parts": […]}`` or ``{"definition": {"parts": […]}}``.
    :param item_type: kind of item, such as ``DataPipeline``.
    :param format: ``format`` to send; ``None`` sends what the kind and its parts need.
    :raises FabricInputError: it is empty, not readable, for another kind, or a part that the kind needs is missing or
        malformed.
    """
    parts, given = read_parts(definition, item_type)
    return checked_definition(parts, item_type, format or given)


def read_parts(definition: Definition, item_type: str) -> tuple[dict[str, bytes], str | None]:
    """Read a definition's parts, and the ``format`` that the service's own form names; contents are not checked.

    :raises FabricInputError: it is not readable, or a folder is not one of an item of that kind.
    """
    if isinstance(definition, Mapping):
        wire = wire_form(definition)
        return (_from_mapping(definition), None) if wire is None else (_from_wire_form(wire), wire.get("format"))
    if isinstance(definition, str | os.PathLike) and os.fspath(definition).strip():
        files = find_part_files(definition)
        _check_part_names(files, item_type)  # a wrong folder is refused before its files are read
        return read_part_files(files), None
    # Path("") would be the working directory
    raise FabricInputError(
        f"definition must be a mapping of part paths, or a folder's path, got {type(definition).__name__}"
        + (", which is blank." if isinstance(definition, str) else ".")
    )


def checked_definition(parts: Mapping[str, bytes], item_type: str, format: str | None = None) -> ItemDefinition:
    """Check parts for the kind of item, and put them in the order in which they are sent.

    :param parts: contents by part path.
    :param item_type: kind of item.
    :param format: ``format`` to send; ``None`` sends what the kind and its parts need.
    :raises FabricInputError: a part is missing, malformed, or another kind's.
    """
    _check_part_names(parts, item_type)
    _check_contents(parts, item_type)
    ordered = {path: parts[path] for path in formats.in_order(item_type, parts)}
    return ItemDefinition(item_type, ordered, format or formats.format_of(item_type, ordered))


def read_definition(definition: Definition, item_type: str) -> dict[str, bytes]:
    """Return a definition's parts as bytes, by path, in the order in which they are sent.

    See :func:`load_definition`.
    """
    return load_definition(definition, item_type).parts


def _from_wire_form(definition: Mapping[str, Any]) -> dict[str, bytes]:
    parts = read_given_parts(definition)
    for path in parts:
        _check_path(path)
    return parts


def _from_mapping(definition: Mapping[str, Any]) -> dict[str, bytes]:
    return {_check_path(path): _as_bytes(path, content) for path, content in definition.items()}


def _check_path(path: object) -> str:
    if not isinstance(path, str) or {"", ".", ".."}.intersection(path.split("/")):
        raise FabricInputError(f"definition: part path {path!r} must be relative, such as 'pipeline-content.json'.")
    return path


def _as_bytes(path: str, content: object) -> bytes:
    try:
        if isinstance(content, str):
            return content.encode()
        if isinstance(content, bytes | bytearray | memoryview):
            return bytes(content)
        if content is None:
            raise FabricInputError(
                f"definition: part {path!r} is None. Did the task that should give it return nothing?"
            )
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except UnicodeEncodeError as error:
        raise FabricInputError(f"definition: part {path!r} cannot be written as UTF-8: {error.reason}.") from error
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, FabricInputError):
            raise
        raise FabricInputError(f"definition: part {path!r} cannot be written as JSON: {error}.") from error


def _plain(value: object) -> dict[Any, Any]:
    """Return a mapping that is no ``dict`` as one."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _check_part_names(paths: Mapping[str, Any], item_type: str) -> None:
    if not set(paths) - {PLATFORM} and not (paths and not formats.has_definition(item_type)):
        raise FabricInputError(
            "definition is empty: give at least one part besides .platform, such as 'pipeline-content.json'."
        )
    wanted = formats.missing_parts(item_type, paths)
    if wanted is not None:
        raise FabricInputError(f"definition: a {item_type} needs the part {wanted}; there is {_listed(paths)}.")
    clash = formats.clashing_parts(item_type, paths)
    if clash is not None:
        raise FabricInputError(
            f"definition: a {item_type} holds either {clash[0]!r} or {clash[1]!r}, not both. Remove one of them."
        )


def _listed(paths: Mapping[str, Any]) -> str:
    names = sorted(paths)
    return ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _check_contents(parts: Mapping[str, bytes], item_type: str) -> None:
    """Check that JSON parts are JSON, and that ``.platform`` is of the same kind of item; contents are not quoted."""
    for path, content in parts.items():
        if formats.is_json_part(item_type, path):
            try:
                json.loads(content)
            except (ValueError, RecursionError) as error:
                reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
                raise FabricInputError(f"definition: part {path!r} is not valid JSON: {reason}.") from error
    kind = platform_metadata(parts).get("type")
    if isinstance(kind, str) and kind != item_type:
        raise FabricInputError(
            f"definition: its part .platform is of type {kind!r}, but item_type is {item_type!r}. "
            "Is it another item's folder?"
        )


def platform_metadata(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return ``metadata`` of the ``.platform`` part: ``type``, ``displayName``, ``description``; ``{}`` if none."""
    try:
        metadata = json.loads(parts[PLATFORM])["metadata"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}
