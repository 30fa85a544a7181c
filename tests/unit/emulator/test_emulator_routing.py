"""Paths: literals before parameters, strictness, and answers to what is not there."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from airflow_provider_fabric.emulator.http.routing import Route, Router
from airflow_provider_fabric.emulator.routes import all_routes

from .conftest import Service, error_of


def handler(world: object, call: object) -> Response:
    return Response()


ROUTER = Router(
    Route(method, template, handler)
    for method, template in (
        ("POST", "/jobs/{jobType}/instances"),
        ("POST", "/jobs/instances"),
        ("GET", "/jobs/instances/{id}"),
        ("GET", "/{tenant}/token"),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "template", "params"),
    [
        ("POST", "/jobs/Execute/instances", "/jobs/{jobType}/instances", {"jobType": "Execute"}),
        ("POST", "/jobs/instances/instances", "/jobs/{jobType}/instances", {"jobType": "instances"}),
        ("POST", "/JOBS/Instances", "/jobs/instances", {}),
        ("GET", "/jobs/instances/a%2Fb", "/jobs/instances/{id}", {"id": "a/b"}),
        ("GET", "/contoso/token", "/{tenant}/token", {"tenant": "contoso"}),
        ("GET", "/jobs/token", "/{tenant}/token", {"tenant": "jobs"}),
    ],
)
def test_matches(method: str, path: str, template: str, params: dict[str, str]) -> None:
    found = ROUTER.match(method, path)
    assert found.route is not None
    assert (found.route.template, found.params) == (template, params)


@pytest.mark.parametrize("path", ["/", "", "//token", "/jobs/instances/", "/jobs//instances", "/a/b/c", "/jobs/x/y"])
def test_what_does_not_match(path: str) -> None:
    found = ROUTER.match("GET", path)
    assert (found.route, found.allowed) == (None, ())


def test_a_route_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes"):
        Router([Route("GET", "/a/{x}", handler), Route("GET", "/a/{y}", handler)])


def test_the_table_of_routes_is_free_of_conflicts() -> None:
    routes = list(all_routes())
    Router(routes)
    assert len({route.name for route in routes}) == len(routes)


def test_unknown_endpoints_and_methods(service: Service) -> None:
    assert error_of(service.get("/v1/nonsense")) == (404, "EntityNotFound")
    assert error_of(service.get("/spreadsheets")) == (404, "EntityNotFound")
    answer = service.call("PUT", "/items")
    assert error_of(answer) == (405, "MethodNotAllowed")
    assert answer.headers["allow"] == "GET, POST"
    assert service.control("GET", "stats")["routes"] == {"unknown": {"404": 2, "405": 1}}
