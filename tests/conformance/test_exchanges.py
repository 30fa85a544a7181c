"""(a) Every request our flows build, and every answer the emulator gives, is what the OpenAPI files describe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.routes import all_routes
from airflow_provider_fabric.emulator.state.tokens import FABRIC
from devtools.docs.rest_coverage import routes_of
from devtools.docs.rest_operations import seed_operations
from tests.conformance.comparison import problems
from tests.conformance.figures import FIGURES
from tests.conformance.gaps import as_documented, gap_of
from tests.conformance.recorder import Exchange, Recorder, recorded_emulator
from tests.conformance.specs import Operation, specs_or_skip
from tests.conformance.tour import Tour, asker

SPECS = specs_or_skip("requests and answers are not compared with them")
GUID = "11111111-1111-4111-8111-111111111111"
ROUTES = sorted({route for operation in seed_operations() for route in routes_of(operation)})


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[FabricEmulator, Recorder]]:
    """An emulator that is recorded."""
    with recorded_emulator(lro_seconds=0, retry_after_seconds=0, job_seconds=0, cancel_seconds=0) as running:
        yield running


@pytest.fixture(scope="module")
def exchanges(recorded: tuple[FabricEmulator, Recorder]) -> list[Exchange]:
    """Return what passes when every call of the table is made, at once and with 202."""
    emulator, recorder = recorded
    for force_lro in (False, True):
        for operation in seed_operations():
            for call in operation.calls:
                Tour(emulator, operation, asker(emulator)).make(call, force_lro=force_lro)
    return recorder.take()


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_of_the_table_is_spoken_as_documented(exchanges: list[Exchange], route: str) -> None:
    method, _, template = route.partition("?")[0].partition(" ")
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), re.IGNORECASE)
    met = [e for e in exchanges if e.method == method and pattern.fullmatch(unquote(e.path))]
    met = [e for e in met if ("jobType=" in e.query) == ("jobType=" in route)]
    assert any(e.status < 300 for e in met), "the tour has not been there"
    gap = gap_of(f"{method} {template}")
    if gap is not None and gap.like is None:
        pytest.skip(f"not in the files: {gap.reason}")
    FIGURES.table_routes[route] = False
    assert problems(SPECS, met) == []
    FIGURES.table_routes[route] = True


def test_everything_else_that_passed_is_as_documented(exchanges: list[Exchange]) -> None:
    assert problems(SPECS, exchanges) == []
    assert {str(e.status) for e in exchanges} >= {"200", "201", "202", "400"}


@pytest.mark.parametrize("route", [r for r in all_routes() if FABRIC in r.audiences], ids=lambda route: route.name)
def test_a_route_of_the_emulator_is_documented_or_explained(route: Any) -> None:
    path = re.sub(r"\{\w+\}", GUID, route.template.replace("{jobType}", "Execute"))
    exchange = Exchange(route.method, path, "", b"", 200, {}, b"")
    if SPECS.find(route.method, path) is None:
        assert gap_of(f"{route.method} {path}"), "say in gaps.py why the emulator has it"
        as_documented(SPECS, exchange)


def test_an_exchange_that_is_not_as_documented_is_seen() -> None:
    """The checks above can fail: each flaw of this exchange is named."""
    operation = SPECS.find("POST", f"/v1/workspaces/{GUID}/items")
    assert operation is not None
    found = " ".join(SPECS.check(operation, FLAWED))
    for flaw in (
        "'type' is a required",
        "'folderID'",
        "query: force",
        "'surprise'",
        "not a 'uuid'",
    ):
        assert flaw in found


FLAWED = Exchange(
    "POST",
    f"/v1/workspaces/{GUID}/items",
    "force=1",
    b'{"displayName": "A", "folderID": "1"}',
    201,
    {},
    b'{"type": "Dataflow", "workspaceId": "no-guid", "surprise": 1}',
)


@pytest.mark.parametrize(
    ("method", "path", "file"),
    [
        ("GET", "/v1/workspaces/1/items/2/jobs/instances/3", "platform/swagger.json"),
        ("POST", "/v1/workspaces/1/dataflows/2/jobs/ApplyChanges/instances", "dataflow/swagger.json"),
        ("POST", "/v1/workspaces/1/copyJobs/2/resetCopyJob", "copyJob/swagger.json"),
    ],
)
def test_a_path_finds_its_operation(method: str, path: str, file: str) -> None:
    found = SPECS.find(method, path)
    assert isinstance(found, Operation)
    assert found.file == file
