"""The portal over HTTP: one page under several addresses, its two files, and the state it polls.

The addresses are those of the Fabric portal that :mod:`airflow_provider_fabric.links` builds, so that the link of a
task leads to its run. The page is the same everywhere; its script reads the address and asks for what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import not_found
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.http.routing import Route
from airflow_provider_fabric.emulator.portal.views import Run, find_run, item_state, overview, run_state
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.world import World

BUCKET = "portal"
FOLDER = Path(__file__).parent
FILES = {"portal.css": "text/css; charset=utf-8", "portal.js": "text/javascript; charset=utf-8"}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STATE = "/portal/state"
OF_ITEM = "/{workspaceId}/{itemId}"
OF_RUN = OF_ITEM + "/{jobInstanceId}"


def portal_routes() -> Iterator[Route]:
    """Return the portal's routes."""
    for template, handler in (
        ("/", _overview_page),
        ("/groups/{workspaceId}/{kind}/{itemId}", _item_page),
        ("/workloads/data-pipeline/monitoring/workspaces/{workspaceId}/pipelines/{itemId}/{jobInstanceId}", _run_page),
        ("/portal/{file}", _file),
        (STATE, _overview_state),
        (STATE + OF_ITEM, _item_state),
        (STATE + OF_RUN, _run_state),
    ):
        yield Route("GET", template, handler, BUCKET)


def _overview_page(world: World, request: ApiRequest) -> Response:
    return _page(known=True)


def _item_page(world: World, request: ApiRequest) -> Response:
    """Answer for an item, or with ``?jobInstanceId=`` for one of its runs."""
    job_id = request.query.get("jobInstanceId")
    found = _find_item(world, request) if job_id is None else _find(world, request, job_id)
    return _page(known=found is not None)


def _run_page(world: World, request: ApiRequest) -> Response:
    return _page(known=_find(world, request, request.params["jobInstanceId"]) is not None)


def _page(*, known: bool) -> Response:
    """Return the page; what the emulator does not know gets the same one, which says so, with the status 404."""
    return Response(_content("portal.html"), 200 if known else 404, HEADERS, "text/html; charset=utf-8")


def _file(world: World, request: ApiRequest) -> Response:
    name = request.params["file"]
    if name not in FILES:
        raise not_found("EntityNotFound", "file", name)
    return Response(_content(name), 200, HEADERS, FILES[name])


def _overview_state(world: World, request: ApiRequest) -> Response:
    return json_response(overview(world, request.now), headers=HEADERS)


def _item_state(world: World, request: ApiRequest) -> Response:
    item = _find_item(world, request)
    if item is None:
        raise not_found("ItemNotFound", "item", request.params["itemId"])
    return json_response(item_state(world, item, request.now), headers=HEADERS)


def _run_state(world: World, request: ApiRequest) -> Response:
    job_id = request.params["jobInstanceId"]
    run = _find(world, request, job_id)
    if run is None:
        raise not_found("ItemNotFound", "run", job_id)
    return json_response(run_state(world, run, request.now), headers=HEADERS)


def _find(world: World, request: ApiRequest, job_id: str) -> Run | None:
    return find_run(world, request.params["workspaceId"], request.params["itemId"], job_id)


def _find_item(world: World, request: ApiRequest) -> Item | None:
    item = world.items.get(request.params["itemId"])
    return item if item is not None and item.workspace_id == request.params["workspaceId"] else None


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
