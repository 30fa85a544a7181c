"""The parameters of a dataflow (OpenAPI ``Items_DiscoverDataflowParameters``)."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.http.pages import page_response, read_cursor
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.state.mashup import read_parameters
from airflow_provider_fabric.emulator.state.world import World


def list_parameters(world: World, request: ApiRequest) -> Response:
    """``GET …/dataflows/{dataflowId}/parameters``, read from the ``IsParameterQuery`` records of the mashup."""
    item = item_of(world, request)
    parameters = read_parameters(item.parts)
    if not parameters:
        raise ServiceError(400, "DataflowNotParametricError", "The requested dataflow is not parametric")
    start = read_cursor(request) or 0
    page = parameters[start : start + world.config.page_size]
    more = len(parameters) > start + len(page)
    return page_response(request, page, start + len(page) if more else None)
