"""``fabric-events``: the eventstream is made, extended, shown and taken away over REST, held to Microsoft's files."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.eventstreams import build_definition, carried_by, get_topology
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.events import Events, main
from airflow_provider_fabric.exceptions import FabricError, FabricInputError, FabricNameError
from airflow_provider_fabric.hooks.fabric import FabricHook

WORKSPACE = "Emulator workspace"


@pytest.fixture
def hook(emulator: FabricEmulator) -> FabricHook:
    hook = FabricHook()
    for name in ("Daily load", "Hourly load"):
        hook.create_item(emulator.workspace_id, name, "DataPipeline")
    return hook


def stream_of(hook: FabricHook, emulator: FabricEmulator) -> str:
    (item,) = hook.list_items(emulator.workspace_id, "Eventstream")
    return str(item.id)


def test_a_stream_is_made_extended_and_taken_away(
    hook: FabricHook, emulator: FabricEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["create", "--workspace", WORKSPACE, "--yes", "Daily load"]) == 0
    said = capsys.readouterr().out
    assert "0.022 CU" in said
    assert "1 new items cost 0.24 capacity units all the time (the eventstream among them)" in said
    extras = json.loads(said[said.index("{") :])
    assert set(extras) == {"events_hub", "events_consumer_group", "events_stream"}
    settings = FabricSettings.from_connection(
        "c", login="app", password="secret", extra={"tenant_id": "t.example", **extras}
    )
    assert settings.events_stream == (emulator.workspace_id, stream_of(hook, emulator))
    assert main(["create", "--workspace", WORKSPACE, "--yes", "Daily load", "Hourly load"]) == 0
    said = capsys.readouterr().out
    assert re.search("carried already +Daily load", said)
    assert "2 items in all cost 0.27" in said
    topology = hook.run(get_topology(emulator.workspace_id, stream_of(hook, emulator)))
    assert len(topology.carried) == 2
    assert main(["show", "--workspace", WORKSPACE]) == 0
    assert capsys.readouterr().out.count("Running") == 3
    assert main(["remove", "--workspace", WORKSPACE, "Daily load"]) == 0
    held = hook.get_item_definition(emulator.workspace_id, stream_of(hook, emulator))
    assert len(carried_by(held)) == 1
    assert main(["remove", "--workspace", WORKSPACE]) == 0
    assert hook.list_items(emulator.workspace_id, "Eventstream") == []


def test_nothing_is_made_unless_the_cost_is_agreed_to(
    hook: FabricHook, emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "")
    assert main(["create", "--workspace", WORKSPACE, "Daily load"]) == 1
    assert "Nothing was changed" in capsys.readouterr().err
    assert hook.list_items(emulator.workspace_id, "Eventstream") == []


def test_no_key_is_printed(hook: FabricHook, emulator: FabricEmulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "--workspace", WORKSPACE, "--yes", "Daily load"]) == 0
    assert "SharedAccessKey" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [["create"], ["create", "Nobody"], ["remove"], ["show"]])
def test_what_cannot_be_done_is_said(
    hook: FabricHook, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--workspace", WORKSPACE, "--yes"]) == 1
    assert capsys.readouterr().err


def test_a_stream_that_does_not_run_in_time_is_named(hook: FabricHook, emulator: FabricEmulator) -> None:
    emulator.control.configure(lro_seconds=3600)
    waited: list[float] = []
    events = Events(hook, WORKSPACE, say=lambda line: None, sleep=waited.append)
    emulator.control.configure(force_lro=False)
    with pytest.raises(FabricError, match=r"does not run after 600 s: .*Creating"):
        events.create(events.keys(["Daily load"]), lambda: True)
    assert sum(waited) == 600


def test_what_others_have_put_into_the_stream_stays(hook: FabricHook, emulator: FabricEmulator) -> None:
    events = Events(hook, WORKSPACE, say=lambda line: None, sleep=lambda seconds: None)
    events.create(events.keys(["Daily load"]), lambda: True)
    stream = stream_of(hook, emulator)
    held = hook.get_item_definition(emulator.workspace_id, stream)
    content = json.loads(held["eventstream.json"])
    content["sources"].append({"name": "bikes", "type": "SampleData", "properties": {"type": "Bicycles"}})
    content["streams"][0]["inputNodes"].append({"name": "bikes"})
    changed = {"eventstream.json": json.dumps(content).encode()}
    hook.update_item_definition(emulator.workspace_id, stream, "Eventstream", changed)
    events.create(events.keys(["Hourly load"]), lambda: True)
    after = json.loads(hook.get_item_definition(emulator.workspace_id, stream)["eventstream.json"])
    assert "bikes" in [node["name"] for node in after["sources"]]
    assert "bikes" in [node["name"] for node in after["streams"][0]["inputNodes"]]
    assert len(after["streams"][0]["inputNodes"]) == len(after["sources"]) == 3
    with pytest.raises(FabricInputError, match="bikes"):
        events.remove({})


def test_a_stream_of_another_name_is_not_touched(hook: FabricHook, emulator: FabricEmulator) -> None:
    with pytest.raises(FabricNameError, match="no eventstream 'other'"):
        Events(hook, WORKSPACE, "other").remove({})


@pytest.mark.parametrize("held", [b"[]", b"no json", b"12"])
def test_a_definition_that_cannot_be_read_is_not_replaced(held: bytes) -> None:
    with pytest.raises(FabricInputError, match=r"eventstream\.json"):
        build_definition([], {"eventstream.json": held})


@pytest.mark.parametrize(
    ("node", "carried"),
    [
        ({}, True),
        ({"status": "Paused"}, False),
        ({"status": "Creating"}, False),
        ({"includedEventTypes": ["Microsoft.Fabric.JobEvents.ItemJobFailed"]}, False),
        ({"filters": [{"key": "data.jobType"}]}, False),
        ({"eventScope": "Workspace"}, False),
        ({"itemId": "daily"}, False),
    ],
)
def test_an_item_is_carried_only_if_all_that_matters_comes(node: dict[str, Any], carried: bool) -> None:
    from airflow_provider_fabric.api.http.flow import Response

    status = node.pop("status", "Running")
    ids = {"workspaceId": "1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11", "itemId": "5b218778-e7a5-4d73-8187-f10824047715"}
    source = {"name": "s", "type": "FabricJobEvents", "status": status,
              "properties": {"eventScope": "Item", **ids, **node}}  # fmt: skip
    end = {"id": ids["itemId"], "name": "e", "type": "CustomEndpoint", "status": "Running", "properties": {}}
    flow = get_topology(ids["workspaceId"], ids["itemId"])
    next(flow)
    body = json.dumps({"sources": [source], "destinations": [end]}).encode()
    with pytest.raises(StopIteration) as found:
        flow.send(Response(200, {}, body))
    assert bool(found.value.value.carried) is carried
