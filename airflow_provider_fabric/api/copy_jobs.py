"""Copy jobs: what no other kind of item has.

https://learn.microsoft.com/rest/api/fabric/copyjob/items
"""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import item_path
from airflow_provider_fabric.api.jobs.payloads import string_list
from airflow_provider_fabric.exceptions import FabricInputError


def reset_copy_job(workspace_id: str, copy_job_id: str, entity_ids: list[str] | None = None) -> Flow[None]:
    """Make a copy job start over: the next run copies everything again.

    https://learn.microsoft.com/rest/api/fabric/copyjob/items/reset-copy-job

    :param entity_ids: GUIDs of the copy job's entities; ``None`` for all.
    """
    body = reset_body(entity_ids)
    path = item_path(workspace_id, copy_job_id, "CopyJob", typed=True) + "/resetCopyJob"
    yield from send(Request("POST", path, f"reset copy job {copy_job_id}", json=body), replay=Replay.SAFE)


def reset_body(entity_ids: list[str] | None) -> dict[str, Any]:
    """Return the body of a reset.

    :raises FabricInputError: it is not known what to reset.
    """
    body: dict[str, Any] = {"resetAllCopyJobEntities": entity_ids is None}
    if entity_ids is not None:
        if not entity_ids:
            raise FabricInputError("entity_ids is empty: give the ids of the entities to reset, or None for all.")
        body["copyJobEntitiesToReset"] = [{"copyJobEntityId": e} for e in string_list(entity_ids, "entity_ids") or ()]
    return body
