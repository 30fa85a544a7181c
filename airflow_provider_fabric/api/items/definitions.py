"""Item definitions: from a mapping or a folder to the wire, back, and whether two mean the same.

A definition is ``{"parts": [{path, payload, payloadType: "InlineBase64"}]}``, payloads in standard base64 without
line breaks (https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/item-definition-overview).
A folder in git-integration layout (``Name.DataPipeline/``) holds just these files.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

Definition = Mapping[str, Any] | str | os.PathLike[str]
PLATFORM = ".platform"

#: What editors, systems and git leave in folders; ``.platform`` and ``.schedules`` are parts.
NOT_PARTS = frozenset({".DS_Store", ".git", ".gitignore", ".gitkeep", ".idea", ".vscode", "Thumbs.db", "__pycache__"})

#: Kind of item → alternatives of parts, of which one must be complete.
REQUIRED_PARTS: Mapping[str, tuple[frozenset[str], ...]] = {
    "DataPipeline": (frozenset({"pipeline-content.json"}),),
    "CopyJob": (frozenset({"copyjob-content.json"}),),
    "Dataflow": (frozenset({"mashup.pq", "queryMetadata.json"}), frozenset({"dataflow-content.json"})),
}

#: Keys that the service writes into JSON parts by itself.
SERVICE_KEYS = frozenset({"lastModifiedByObjectId", "lastPublishTime", "lastModifiedTime", "logicalId", "$schema"})


def read_definition(definition: Definition, item_type: str) -> dict[str, bytes]:
    """Return a definition's parts as bytes, by path, checked for the kind of item.

    :param definition: ``{part path: text | bytes | JSON-able}``, or the path of a folder in git-integration layout.
    :param item_type: kind of item, such as ``DataPipeline``.
    :raises FabricInputError: it is empty, not readable, or a part that the kind needs is missing or malformed.
    """
    if isinstance(definition, Mapping):
        parts = _from_mapping(definition)
    elif isinstance(definition, str | os.PathLike) and os.fspath(definition).strip():
        parts = _from_folder(Path(definition))
    else:  # Path("") would be the working directory
        raise FabricInputError(f"definition must be a mapping of part paths, or a folder's path, got {definition!r}.")
    if not set(parts) - {PLATFORM}:
        raise FabricInputError(
            "definition is empty: give at least one part besides .platform, such as 'pipeline-content.json'."
        )
    _check_parts(parts, item_type)
    return parts


def _from_mapping(definition: Mapping[str, Any]) -> dict[str, bytes]:
    parts = {}
    for path, content in definition.items():
        if not isinstance(path, str) or not path or path.startswith("/") or ".." in path.split("/"):
            raise FabricInputError(f"definition: part path {path!r} must be relative, such as 'pipeline-content.json'.")
        if isinstance(content, str):
            parts[path] = content.encode()
        elif isinstance(content, bytes):
            parts[path] = content
        else:
            try:
                parts[path] = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode()
            except (TypeError, ValueError) as error:
                raise FabricInputError(f"definition: part {path!r} cannot be written as JSON: {error}.") from error
    return parts


def _from_folder(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise FabricInputError(
            f"definition: there is no folder {str(folder)!r}. Give the path of a folder in git-integration layout, "
            "such as 'definitions/Daily load.DataPipeline', or a mapping of part paths to contents."
        )
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix(): (folder / path).read_bytes() for path in files if not NOT_PARTS.intersection(path.parts)}


def _check_parts(parts: Mapping[str, bytes], item_type: str) -> None:
    alternatives = REQUIRED_PARTS.get(item_type)
    if alternatives and not any(needed <= set(parts) for needed in alternatives):
        wanted = " or ".join(" with ".join(repr(path) for path in sorted(needed)) for needed in alternatives)
        raise FabricInputError(
            f"definition: a {item_type} needs the part {wanted}; there is {', '.join(map(repr, sorted(parts)))}."
        )
    for path, content in parts.items():
        if path.endswith(".json"):
            try:
                json.loads(content)
            except ValueError as error:
                raise FabricInputError(f"definition: part {path!r} is not valid JSON: {error}.") from error


def platform_name(parts: Mapping[str, bytes]) -> str | None:
    """Return the display name that the ``.platform`` part gives the item, or ``None`` if it gives none."""
    try:
        name = json.loads(parts[PLATFORM])["metadata"]["displayName"]
    except (KeyError, TypeError, ValueError):
        return None
    return name if isinstance(name, str) else None


def to_wire(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the service's form of a definition."""
    return {
        "parts": [
            {"path": path, "payload": base64.b64encode(content).decode(), "payloadType": "InlineBase64"}
            for path, content in parts.items()
        ]
    }


def from_wire(content: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the service's form of a definition.

    :raises FabricProtocolError: it has no parts, or a payload is not base64.
    """
    definition = content.get("definition")
    parts = definition.get("parts") if isinstance(definition, Mapping) else None
    if not isinstance(parts, list):
        raise FabricProtocolError("The service's item definition has no parts.")
    decoded = {}
    for part in parts:
        try:
            decoded[str(part["path"])] = base64.b64decode(part["payload"].strip(), validate=True)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FabricProtocolError("The service's item definition has a part that is not valid base64.") from error
    return decoded


def same_definition(ours: Mapping[str, bytes], theirs: Mapping[str, bytes], *, metadata: bool = False) -> bool:
    """Whether the service holds what we would send.

    Order of keys, line ends, and what the service adds by itself do not count.

    :param ours: parts we would send.
    :param theirs: parts the service holds.
    :param metadata: whether ``.platform`` counts.
    """
    compared = set(ours) if metadata else set(ours) - {PLATFORM}
    if compared - {PLATFORM} != set(theirs) - {PLATFORM}:
        return False
    return all(path in theirs and _same_part(path, ours[path], theirs[path]) for path in compared)


def _same_part(path: str, ours: bytes, theirs: bytes) -> bool:
    if ours == theirs:
        return True
    if path == PLATFORM:  # the rest of it, such as logicalId, is not taken over by an update
        return _same_json(_metadata(ours), _metadata(theirs))
    try:
        return _same_json(json.loads(ours), json.loads(theirs))
    except ValueError:
        return _text(ours) == _text(theirs)


def _metadata(platform: bytes) -> Any:
    try:
        return json.loads(platform)["metadata"]
    except (ValueError, KeyError, TypeError):
        return platform


def _text(content: bytes) -> str | bytes:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def _same_json(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            if key in SERVICE_KEYS and key not in ours:
                continue
            if not _same_json(ours.get(key), theirs.get(key)):
                return False
        return True
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same_json, ours, theirs))
    if _is_empty(ours) and _is_empty(theirs):  # the service writes out empty defaults
        return True
    return isinstance(ours, bool) is isinstance(theirs, bool) and bool(ours == theirs)  # 1 is 1.0, but not true


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict | list | str) and not value)
