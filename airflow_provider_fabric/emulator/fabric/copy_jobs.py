"""Resetting a copy job (OpenAPI ``CopyJobEntityResetPayload``): all of its entities, or the named ones."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import invalid_input
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response
from airflow_provider_fabric.emulator.state.ids import read_guid
from airflow_provider_fabric.emulator.state.world import World


def reset_copy_job(world: World, request: ApiRequest) -> Response:
    """``POST …/copyJobs/{copyJobId}/resetCopyJob``."""
    item_of(world, request)
    body = request.json_object()
    everything, entities = body.get("resetAllCopyJobEntities", False), body.get("copyJobEntitiesToReset")
    if not isinstance(everything, bool):
        raise invalid_input("resetAllCopyJobEntities must be true or false")
    if entities is not None:
        if not isinstance(entities, list) or not all(isinstance(entry, dict) for entry in entities):
            raise invalid_input("copyJobEntitiesToReset must be a list of objects")
        for entry in entities:
            read_guid(entry.get("copyJobEntityId"), "copyJobEntityId")
    if not everything and not entities:
        raise invalid_input("Name the entities to reset, or reset them all")
    return empty_response()
