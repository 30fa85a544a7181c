"""References between the items of a folder: logical ids, reports' paths, "this workspace"; and the order they impose.

In Git an item names another by its ``logicalId``, and its own workspace by a GUID of zeros
(https://learn.microsoft.com/fabric/cicd/git-integration/source-code-format#automatically-generated-system-files); a
report names its semantic model by a path. The service wants ids.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from airflow_provider_fabric.api.deploy.source import NO_LOGICAL_ID, SourceItem, relative_path
from airflow_provider_fabric.api.items.formats import KINDS, PLATFORM
from airflow_provider_fabric.exceptions import FabricInputError

Parts = Mapping[str, bytes]

GUID = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

#: A key that names a workspace, with the GUID of zeros as its value; quoted or not, also in escaped JSON (Reflex).
THIS_WORKSPACE = re.compile(
    rb"(?<![A-Za-z0-9_])(?:default_lakehouse_workspace_id|workspaceId|workspace)(?:\\*[\"'])?\s*[:=]\s*(?:\\*[\"'])?"
    + NO_LOGICAL_ID.encode()
)
#: The same where a name and its value are values of their own, as in a Reflex.
THIS_WORKSPACE_BY_NAME = re.compile(
    rb"\\*\"name\\*\"\s*:\s*\\*\"workspaceId\\*\"\s*,\s*\\*\"type\\*\"\s*:\s*\\*\"string\\*\"\s*,"
    rb"\s*\\*\"value\\*\"\s*:\s*\\*\"" + NO_LOGICAL_ID.encode()
)

KEPT_AS_WRITTEN = frozenset({"VariableLibrary"})
"""Kinds whose values are the author's own, whatever they look like."""

REPORT_PART = "definition.pbir"
REPORT_SCHEMA = "https://developer.microsoft.com/json-schemas/fabric/item/report/definitionProperties/1.0.0/schema.json"
RANK = {kind: rank for rank, kind in enumerate(KINDS)}


def is_text(content: bytes) -> bool:
    """Whether a part is text, in which ids may be put in; images and libraries are left as they are."""
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def referenced_ids(item_type: str, parts: Parts) -> set[str]:
    """Return every GUID in the text parts of a definition, in lower case."""
    if item_type in KEPT_AS_WRITTEN:
        return set()
    texts = (content for path, content in parts.items() if path != PLATFORM and is_text(content))
    return {found.decode().lower() for text in texts for found in GUID.findall(text)}


def model_of_report(item: SourceItem, parts: Parts, by_path: Mapping[str, SourceItem]) -> SourceItem | None:
    """Return the semantic model that a report names by its path; ``None`` if it names none so.

    :param by_path: the folder's items by path.
    :raises FabricInputError: the path leads to no semantic model of the folder.
    """
    path = _path_of_model(item, parts)
    if path is None:
        return None
    found = by_path.get(relative_path(item, path))
    if found is None or found.item_type != "SemanticModel":
        raise FabricInputError(
            f"folder: '{item.path}/{REPORT_PART}' names the semantic model {path!r} (datasetReference.byPath), which "
            f"{'is no item of' if found is None else 'is no semantic model in'} the folder. Correct the path, or name "
            "the model by byConnection."
        )
    return found


def _path_of_model(item: SourceItem, parts: Parts) -> str | None:
    if item.item_type != "Report" or REPORT_PART not in parts:
        return None
    try:
        reference = json.loads(parts[REPORT_PART])["datasetReference"]
        by_path = reference.get("byPath")
        return None if by_path is None else str(by_path["path"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FabricInputError(
            f"folder: '{item.path}/{REPORT_PART}' has no datasetReference with byPath.path or byConnection."
        ) from error


def with_connection(content: bytes, model_id: str) -> bytes:
    """Return a ``definition.pbir`` that names its semantic model by id: through the API a path is refused.

    https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/report-definition
    """
    body: dict[str, Any] = json.loads(content)
    body["$schema"] = REPORT_SCHEMA
    body["datasetReference"] = {
        "byConnection": {
            "connectionString": None,
            "pbiServiceModelId": None,
            "pbiModelVirtualServerName": "sobe_wowvirtualserver",
            "pbiModelDatabaseName": model_id,
            "name": "EntityDataSource",
            "connectionType": "pbiServiceXmlaStyleLive",
        }
    }
    return json.dumps(body, indent=2, ensure_ascii=False).encode()


def resolved(item_type: str, parts: Parts, ids: Mapping[str, str], workspace_id: str) -> dict[str, bytes]:
    """Return a definition's parts with the ids of the workspace.

    :param ids: id of the item by its logical id in lower case.
    :param workspace_id: what a GUID of zeros after ``workspaceId`` stands for.
    """
    if item_type in KEPT_AS_WRITTEN:
        return dict(parts)

    def put_in(found: re.Match[bytes]) -> bytes:
        text = found.group()
        return ids.get(text.decode().lower(), text.decode()).encode()

    def this_workspace(found: re.Match[bytes]) -> bytes:
        return found.group()[: -len(NO_LOGICAL_ID)] + workspace_id.encode()

    result = {}
    for path, content in parts.items():
        if path != PLATFORM and is_text(content):
            content = GUID.sub(put_in, content)
            content = THIS_WORKSPACE.sub(this_workspace, content)
            content = THIS_WORKSPACE_BY_NAME.sub(this_workspace, content)
        result[path] = content
    return result


def in_order(items: Sequence[SourceItem], needs: Mapping[SourceItem, Iterable[SourceItem]]) -> list[SourceItem]:
    """Return items so that each comes after those it needs, and by kind where that leaves it open.

    :param items: what to order.
    :param needs: the items that one names; those not in ``items`` do not count, nor does the item itself.
    :raises FabricInputError: some need each other in a circle.
    """
    chosen = set(items)
    graph = {item: {other for other in needs.get(item, ()) if other in chosen and other != item} for item in items}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(repr(item.path) for item in reversed(error.args[1]))
        raise FabricInputError(
            f"folder: these items name each other in a circle, so none can be made first: {circle}. Remove one of the "
            "references."
        ) from None
    ready: list[tuple[int, str, SourceItem]] = []
    ordered: list[SourceItem] = []
    while sorter.is_active():
        for item in sorter.get_ready():
            heapq.heappush(ready, (RANK.get(item.item_type, len(RANK)), item.path, item))
        *_, item = heapq.heappop(ready)
        ordered.append(item)
        sorter.done(item)
    return ordered
