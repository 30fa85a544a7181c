"""Definitions as the service treats them: formats, order of parts, ``.platform``, ``.schedules``; properties."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from .conftest import PIPELINE, Clock, Service, error_of
from .test_emulator_items import parts_of

SCHEDULE = {
    "enabled": True,
    "jobType": "Execute",
    "configuration": {
        "type": "Cron",
        "startDateTime": "2025-07-01T12:00:00",
        "endDateTime": "2029-07-01T12:00:00",
        "localTimeZoneId": "UTC",
        "interval": 15,
    },
}
NOTEBOOK = ("notebook-content.py", b"print(1)")
IPYNB = ("notebook-content.ipynb", b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["print(1)"]}]}')


def definition(*parts: tuple[str, bytes], format_name: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "parts": [
            {"path": path, "payload": base64.b64encode(content).decode(), "payloadType": "InlineBase64"}
            for path, content in parts
        ]
    }
    return body if format_name is None else {**body, "format": format_name}


def held(service: Service, item_id: str, format_name: str) -> list[str]:
    answer = service.post(f"/items/{item_id}/getDefinition?format={format_name}")
    assert answer.status_code == 200, answer.text
    return [part["path"] for part in answer.json()["definition"]["parts"]]


@pytest.mark.parametrize(
    ("item_type", "given"),
    [
        ("Dataflow", definition(("mashup.pq", b"section Section1;"), ("queryMetadata.json", b"{}"), format_name="V1")),
        ("Notebook", definition(NOTEBOOK, format_name="py")),
        ("DataPipeline", {**PIPELINE, "format": "json"}),
    ],
)
def test_an_unknown_format_is_refused(service: Service, item_type: str, given: dict[str, Any]) -> None:
    refused = service.post("/items", {"displayName": "A", "type": item_type, "definition": given})
    assert error_of(refused) == (400, "InvalidDefinitionFormat")
    item_id = service.create(item_type)
    assert error_of(service.post(f"/items/{item_id}/getDefinition?format=V7")) == (400, "InvalidDefinitionFormat")


@pytest.mark.parametrize(
    ("item_type", "given"),
    [
        ("Notebook", definition(("Resources/builtin/rows.json", b"{}"), NOTEBOOK)),
        ("Notebook", definition(IPYNB)),
        ("Notebook", definition(NOTEBOOK, format_name="ipynb")),
        ("SparkJobDefinition", definition(("SparkJobDefinitionV1.json", b"{}"), ("Main/main.py", b"1"))),
        ("SemanticModel", definition(("definition.pbism", b"{}"), ("model.bim", b"{}"))),
        ("SemanticModel", definition(("definition.pbism", b"{}"), (".pbi/cache.abf", b"data"))),
        (
            "Report",
            definition(("definition.pbir", b'{"datasetReference": {"byPath": {"path": "../A.SemanticModel"}}}')),
        ),
        ("KQLDatabase", definition(("DatabaseProperties.json", b'{"parentEventhouseItemId": "nowhere"}'))),
        ("DataPipeline", definition(("pipeline-content.json", b"{}"), (".platform", b'{"metadata": {"type": "Map"}}'))),
    ],
)
def test_what_does_not_fit_is_refused(service: Service, item_type: str, given: dict[str, Any]) -> None:
    refused = service.post("/items", {"displayName": "A", "type": item_type, "definition": given})
    assert refused.status_code == 400
    assert error_of(refused)[1] in ("CorruptedPayload", "InvalidInput")


def test_a_definition_is_read_in_the_format_that_is_asked_for(service: Service) -> None:
    notebook = service.create("Notebook", definition=definition(IPYNB, format_name="ipynb"))
    assert held(service, notebook, "ipynb") == ["notebook-content.ipynb", ".platform"]
    assert "notebook-content.py" in parts_of(service, notebook)
    job = definition(("SparkJobDefinitionV1.json", b"{}"), ("Main/main.py", b"1"), format_name="SparkJobDefinitionV2")
    spark = service.create("SparkJobDefinition", definition=job)
    assert "Main/main.py" in held(service, spark, "SparkJobDefinitionV2")
    assert "Main/main.py" not in parts_of(service, spark)
    model = service.create(
        "SemanticModel", definition=definition(("definition.pbism", b"{}"), ("model.bim", b"{}"), format_name="TMSL")
    )
    assert "model.bim" in held(service, model, "TMSL")
    assert "definition/model.tmdl" in parts_of(service, model)


def test_platform_gives_a_new_item_its_description(service: Service) -> None:
    platform = (".platform", b'{"metadata": {"type": "Notebook", "displayName": "Other", "description": "why"}}')
    created = service.post(
        "/items", {"displayName": "A", "type": "Notebook", "definition": definition(platform, NOTEBOOK)}
    ).json()
    assert (created["displayName"], created["description"]) == ("A", "why")


def test_schedules_are_those_of_the_schedule_list(service: Service) -> None:
    part = (".schedules", json.dumps({"schedules": [SCHEDULE]}).encode())
    content = ("pipeline-content.json", b'{"properties": {}}')
    item_id = service.create(definition=definition(content, part))
    listed = service.get(f"/items/{item_id}/jobs/Execute/schedules").json()["value"]
    assert [entry["configuration"] for entry in listed] == [SCHEDULE["configuration"]]
    service.call("DELETE", f"/items/{item_id}/jobs/Execute/schedules/{listed[0]['id']}")
    assert ".schedules" not in parts_of(service, item_id)
    body = {"enabled": False, "configuration": SCHEDULE["configuration"]}
    assert service.post(f"/items/{item_id}/jobs/Execute/schedules", body).status_code == 201
    service.post(f"/items/{item_id}/updateDefinition", {"definition": definition(content)})
    found = json.loads(parts_of(service, item_id)[".schedules"])
    assert [entry["enabled"] for entry in found["schedules"]] == [False], "a definition without them leaves them alone"


def test_schedules_that_cannot_be(service: Service) -> None:
    for entry in ({**SCHEDULE, "jobType": "Bake"}, {**SCHEDULE, "enabled": "yes"}, {"enabled": True}):
        part = (".schedules", json.dumps({"schedules": [entry]}).encode())
        given = definition(("pipeline-content.json", b"{}"), part)
        refused = service.post("/items", {"displayName": "A", "type": "DataPipeline", "definition": given})
        assert error_of(refused) == (400, "InvalidInput")


def test_properties_of_the_kinds_that_have_them(service: Service) -> None:
    eventhouse = service.create("Eventhouse")
    parent = json.dumps({"parentEventhouseItemId": eventhouse}).encode()
    database = service.create("KQLDatabase", definition=definition(("DatabaseProperties.json", parent)))
    of_database = service.get(f"/kqlDatabases/{database}").json()["properties"]
    of_eventhouse = service.get(f"/eventhouses/{eventhouse}").json()["properties"]
    assert of_database["queryServiceUri"] == of_eventhouse["queryServiceUri"]
    assert of_eventhouse["databasesItemIds"] == [database]
    created = service.post("/lakehouses", {"displayName": "L", "creationPayload": {"enableSchemas": True}}).json()
    lakehouse = service.get(f"/lakehouses/{created['id']}").json()["properties"]
    assert lakehouse["defaultSchema"] == "dbo"
    assert lakehouse["sqlEndpointProperties"]["provisioningStatus"] == "Success"
    assert "properties" not in service.get(f"/items/{created['id']}").json()


def test_an_environment_is_published(service: Service, clock: Clock) -> None:
    environment = service.create("Environment")
    path = f"/environments/{environment}"
    assert service.get(path).json()["properties"]["publishDetails"] == {}
    assert service.post(f"{path}/staging/publish?beta=false").json()["publishDetails"]["state"] == "Running"
    assert error_of(service.post(f"{path}/staging/publish"))[1] == "EnvironmentPublishInProgress"
    clock.advance(5)
    listed = service.get("/environments/").json()["value"]
    assert listed[0]["properties"]["publishDetails"]["state"] == "Success"


def test_the_active_value_set_of_a_variable_library(service: Service) -> None:
    given = definition(("variables.json", b"{}"), ("valueSets/PROD.json", b'{"name": "PROD"}'))
    library = service.create("VariableLibrary", definition=given)
    path = f"/variableLibraries/{library}"
    assert service.get(path).json()["properties"] == {"activeValueSetName": "Default value set"}
    changed = service.call("PATCH", path, {"properties": {"activeValueSetName": "PROD"}})
    assert changed.json()["properties"] == {"activeValueSetName": "PROD"}
    for body in ({"properties": {"activeValueSetName": "DEV"}}, {"properties": 5}):
        assert error_of(service.call("PATCH", path, body)) == (400, "InvalidInput")
