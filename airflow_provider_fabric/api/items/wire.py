"""The service's form of a definition: ``{"parts": [{"path", "payload", "payloadType": "InlineBase64"}]}``.

Payloads are standard base64 without line breaks
(https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/item-definition-overview).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_fabric.api.items.formats import in_order
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError


def to_wire(parts: Mapping[str, bytes], *, format: str | None = None, item_type: str = "") -> dict[str, Any]:
    """Return the service's form of a definition, its parts in the order that the kind needs.

    :param parts: contents by part path.
    :param format: ``format`` to name; ``None`` names none.
    :param item_type: kind of item.
    """
    definition: dict[str, Any] = {} if format is None else {"format": format}
    definition["parts"] = [
        {"path": path, "payload": base64.b64encode(parts[path]).decode(), "payloadType": "InlineBase64"}
        for path in in_order(item_type, parts)
    ]
    return definition


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


def wire_form(definition: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the inner ``{"parts": […]}`` if a mapping is the service's form of a definition, bare or in a payload.

    :raises FabricInputError: it is half that form and half a mapping of part paths.
    """
    inner = definition.get("definition")
    if isinstance(inner, Mapping) and "parts" in inner:
        _refuse_others(definition, {"definition", "displayName", "description", "type"})
        definition = inner
    if "parts" not in definition:
        return None
    _refuse_others(definition, {"parts", "format"})
    if isinstance(definition["parts"], str) or not isinstance(definition["parts"], Sequence):
        raise FabricInputError(
            "definition: 'parts' must be a list of {'path', 'payload', 'payloadType'}, as the REST API has it."
        )
    return definition


def _refuse_others(definition: Mapping[str, Any], known: set[str]) -> None:
    others = sorted(map(repr, set(definition) - known))
    if others:
        raise FabricInputError(
            f"definition: the REST API's form has {', '.join(map(repr, sorted(known)))}, not {', '.join(others)}. "
            "Give either that form or a mapping of part paths to contents."
        )


def read_given_parts(definition: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the parts of a definition that the caller gave in the service's form.

    Spaces around and line breaks inside a payload, and missing padding, are accepted: Microsoft's pages print them.

    :raises FabricInputError: a part is malformed; its payload is not quoted.
    """
    parts: dict[str, bytes] = {}
    for number, part in enumerate(definition["parts"]):
        if not isinstance(part, Mapping) or not isinstance(part.get("path"), str) or "payload" not in part:
            raise FabricInputError(f"definition: entry {number} of 'parts' needs 'path' and 'payload'.")
        path, kind = part["path"], part.get("payloadType", "InlineBase64")
        if path in parts:
            raise FabricInputError(f"definition: 'parts' names {path!r} twice.")
        if kind != "InlineBase64":
            raise FabricInputError(f"definition: the payloadType of part {path!r} must be 'InlineBase64'.")
        parts[path] = _decoded(path, part["payload"])
    return parts


def _decoded(path: str, payload: object) -> bytes:
    try:
        text = "".join(str(payload).split()) if isinstance(payload, str) else ""
        if text or payload == "":
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        pass
    raise FabricInputError(f"definition: the payload of part {path!r} is not standard base64.")
