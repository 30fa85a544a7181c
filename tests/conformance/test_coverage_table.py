"""``docs/rest-coverage.md``: every seed operation has its row, and the rows are what the code does."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator.http.routing import Router
from airflow_provider_fabric.emulator.routes import all_routes
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.docs import evidence
from devtools.docs.rest_coverage import DOCUMENT, document, routes_of
from devtools.docs.rest_operations import SeedOperation, seed_operations

OF_ITEMS = (
    "create",
    "create with definition",
    "get",
    "list",
    "get definition",
    "update",
    "update definition",
    "delete",
    "run",
    "get job instance",
    "list job instances",
    "cancel",
    "list schedules",
    "create schedule",
    "get schedule",
    "update schedule",
    "delete schedule",
)
SEEDS = {
    *((kind, name) for kind in ("dataflow", "pipeline", "copy job") for name in OF_ITEMS),
    ("dataflow", "publish"),
    ("pipeline", "query activity runs"),
    ("copy job", "reset"),
    ("", "list workspaces"),
    ("", "operation state"),
    ("", "operation result"),
}


def test_every_seed_operation_has_a_row() -> None:
    assert {(operation.kind, operation.name) for operation in seed_operations()} == SEEDS


def test_the_document_is_what_the_code_does() -> None:
    assert DOCUMENT.read_text() == document(), "write it anew: python -m devtools.docs.rest_coverage"


def test_the_evidence_is_what_the_tables_say() -> None:
    assert evidence.DOCUMENT.read_text() == evidence.document(), "write it anew: python -m devtools.docs.evidence"


@pytest.mark.parametrize("operation", seed_operations(), ids=lambda operation: operation.id)
def test_a_row_has_both_methods_and_an_emulator_route(operation: SeedOperation) -> None:
    router = Router(all_routes())
    for call in operation.calls:
        assert callable(getattr(FabricHook, call.method))
        assert callable(getattr(FabricHook, f"a{call.method}"))
    for route in routes_of(operation):
        method, _, path = route.partition("?")[0].partition(" ")
        assert router.match(method, path).route is not None, route
