"""The parameters of a dataflow (OpenAPI ``Items_DiscoverDataflowParameters``), and the result of one of its queries."""

from __future__ import annotations

import base64
import re
import zlib

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.http.pages import page_response, read_cursor
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.state.mashup import query_names, read_parameters
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


ARROW = "application/vnd.apache.arrow.stream"
_ACCEPTED = re.compile(rf"\*/\*|{re.escape(ARROW)}\s*;\s*pq-arrow-version=[12]")
_ARROW_STREAM = (
    "eNp1UDkOwjAQnDjOochFigiloKDkGWnoqEB5QoSQUKjgFzS8gpInUFLwJzNebSCKYCx7dtezh+299zcAJQIKOKRIkNMiIksf9HKeVk/AcK/V"
    "fjGfwjjkLzQWkHFvunPXnzpaKXNTLkh2iUr8TKqX2jtKAs9HNVKpsdsf+xCzEmc7/yRXqnGY6cROqiG2qElLDCjoO5k+vOmgbzX4IsF/OOVS"
    "eZitnujqiQ7aw0x05kcPM6q7atvt5+JxbYTvl8bLPwNveDUeZg=="
)
"""The emulator computes no queries: every one gives two rows, ``Region`` (text) and ``Revenue`` (number)."""


def execute_query(world: World, request: ApiRequest) -> Response:
    """``POST …/dataflows/{dataflowId}/executeQuery``: a table as an Apache Arrow stream.

    ``customMashupDocument`` takes the place of the dataflow's own queries.
    """
    item = item_of(world, request)
    accepted = request.header("accept") or "*/*"
    if not any(_ACCEPTED.fullmatch(choice.strip()) for choice in accepted.split(",")):
        raise ServiceError(406, "NotAcceptable", f"The media type '{accepted}' cannot be produced")
    body = request.json_object()
    name, custom = body.get("queryName"), body.get("customMashupDocument")
    if not isinstance(name, str) or name not in query_names(item.parts, custom):
        raise ServiceError(400, "DataflowExecuteQueryError", f"The query '{name}' was not found", is_retriable=False)
    return Response(zlib.decompress(base64.b64decode(_ARROW_STREAM)), 200, None, ARROW)
