"""Environments over HTTP: what is staged is published by an operation of its own (``Items_PublishEnvironment``)."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.fabric.item_properties import typed_item
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.world import World

LIBRARIES = (".jar", ".py", ".whl", ".tar.gz")


def publish(world: World, request: ApiRequest) -> Response:
    """``POST …/environments/{itemId}/staging/publish``: 202 with an operation, or 200 with the state."""
    item = item_of(world, request)
    if item.publish_ends_at is not None and request.now < item.publish_ends_at:
        raise ServiceError(400, "EnvironmentPublishInProgress", "The environment is being published already")
    item.publish_ends_at = request.now + world.config.scaled(world.config.lro_seconds)
    item.published_revision, item.publish_cancelled = item.revision, False
    beta = request.query.get("beta", "").lower() == "true"  # its preview documents no operation
    if not beta and world.config.is_long_running("publish_environment", by_default=False):
        return accepted_response(world, request)
    return json_response(typed_item(world, item, request.now)["properties"])


def cancel_publish(world: World, request: ApiRequest) -> Response:
    """``POST …/environments/{itemId}/staging/cancelPublish``."""
    item = item_of(world, request)
    if item.publish_ends_at is None or request.now >= item.publish_ends_at:
        text = "Environment cancel operation failed due to error: Code = EnvironmentUpsupportedStateForCancel"
        raise ServiceError(400, "InvalidEnvironmentCancel", text, is_retriable=False)
    item.publish_ends_at, item.publish_cancelled = request.now, True
    return json_response(typed_item(world, item, request.now)["properties"])


def upload_library(world: World, request: ApiRequest) -> Response:
    """``POST …/environments/{itemId}/staging/libraries/{libraryName}``; the emulator looks at the name only."""
    item_of(world, request)
    if not request.params["libraryName"].endswith(LIBRARIES):
        raise ServiceError(400, "EnvironmentValidationFailed", f"A library is one of {', '.join(LIBRARIES)}")
    if not request.body:
        raise invalid_input("The library is empty")
    return empty_response()
