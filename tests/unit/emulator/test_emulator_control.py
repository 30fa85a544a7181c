"""The control endpoints: seeding, settings, starting anew."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_provider_fabric.emulator.app import EmulatorApp

from .conftest import DirectTransport, Service, definition, error_of


def test_reset_leaves_the_seeded_tenant_and_its_tokens(service: Service) -> None:
    service.create()
    service.control("POST", "config", {"page_size": 1})
    service.control("POST", "faults", {"count": None})
    service.control("POST", "jobs", {"outcome": "Failed"})
    service.control("POST", "reset", {})
    assert service.get("/items").json() == {"value": []}
    assert service.control("GET", "config")["page_size"] == 100
    assert service.control("GET", "faults") == service.control("GET", "jobs/rules") == {"value": []}
    stats = service.control("GET", "stats")
    assert (stats["calls"]["platform"], stats["tokens_issued"], stats["jobs"]["started"]) == (1, 0, 0)


def test_settings_merge_and_are_checked(service: Service) -> None:
    service.control("POST", "config", {"quotas": {"platform": 7}})
    config = service.control("POST", "config", {"quotas": {"operations": 8}, "job_seconds": 0.5})
    assert config["quotas"] == {"job_scheduler": None, "platform": 7, "operations": 8}
    assert config["job_seconds"] == 0.5


@pytest.mark.parametrize(
    "body",
    [
        {"colour": "red"},
        {"time_scale": 0},
        {"time_scale": "fast"},
        {"quotas": {"lunch": 1}},
        {"quotas": {"platform": 0}},
        {"page_size": 0},
        {"force_lro": {"dance": True}},
        {"job_seconds": -1},
        {"job_seconds": True},
        {"dedupe_item_types": "Dataflow"},
        {"activity_runs_shape": "tree"},
        {"name_conflict_status": 418},
        [],
    ],
)
def test_bad_settings(service: Service, body: Any) -> None:
    before = service.control("GET", "config")
    answer = service.http.post("/_emulator/config", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "InvalidInput")
    assert service.control("GET", "config") == before


def test_seeding_items_with_ids_and_copies(service: Service) -> None:
    wanted = "11111111-2222-3333-4444-555555555555"
    item = {
        "id": wanted,
        "type": "CopyJob",
        "displayName": "Mine",
        "definition": definition(copyjob_content__json={}),
    }
    workspace = {"id": service.world.tenant.workspace_id, "items": [item]}
    service.control("POST", "seed", {"workspaces": [workspace]})
    assert service.get(f"/copyJobs/{wanted}").json()["displayName"] == "Mine"
    body = {"copies": {"type": "DataPipeline", "count": 50}}
    (seeded,) = service.control("POST", "seed", body)["workspaces"]
    assert len({entry["id"] for entry in seeded["items"]}) == 50
    assert seeded["items"][49]["displayName"] == "DataPipeline 0050"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("seed", {"copies": {"type": "DataPipeline"}}),
        ("seed", {"workspaces": [{}]}),
        ("seed", {"workspaces": [{"displayName": "W", "items": [{"type": "X", "displayName": "x"}]}]}),
        ("seed", {"workspaces": [7]}),
        ("seed", {"identities": [{"kind": "robot"}]}),
        ("seed", {"identities": [{"certificate": "x"}]}),
        ("seed", {"identities": [{"workspaces": "all"}]}),
        ("jobs", {"colour": 1}),
        ("jobs", {"duration_seconds": [1, 2, 3]}),
        ("jobs", {"duration_seconds": "long"}),
        ("jobs", {"invisible_as": "ghost"}),
        ("jobs", {"statuses": [["a"]]}),
        ("jobs", {"refuse": {}}),
        ("jobs/start", {"item_id": "x"}),
        ("jobs/nothing", {"status": "Failed"}),
        ("tokens/issue", {"client_id": "nobody"}),
    ],
)
def test_bad_control_calls(service: Service, path: str, body: Any) -> None:
    answer = service.http.post(f"/_emulator/{path}", json=body)
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["errorCode"]


def test_control_can_be_off(service: Service) -> None:
    app = EmulatorApp(service.world, control=None)
    with httpx.Client(transport=DirectTransport(app), base_url="https://fabric.test") as client:
        answer = client.get("/_emulator/stats")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "EntityNotFound")


def test_tokens_for_anybody(service: Service) -> None:
    wish = {"client_id": service.world.tenant.user_id, "lifetime_seconds": 5}
    token = service.control("POST", "tokens/issue", wish)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert service.get("/items", headers=headers).status_code == 200
    service.clock.advance(5)
    assert service.get("/items", headers=headers).status_code == 401


def test_a_token_of_another_tenant(service: Service) -> None:
    """Fabric was seen to answer 401 ``UserNotLicensed``; a restart does not make such a token a good one."""
    other = "5d1f0a52-0f4c-4d09-a8a5-6d0f6ab8f001"
    token = service.control("POST", "tokens/issue", {"tenant_id": other})["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert error_of(service.get("/items", headers=headers)) == (401, "UserNotLicensed")
    service.world.tokens._access.clear()
    assert error_of(service.get("/items", headers=headers)) == (401, "UserNotLicensed")
    ours = service.control("POST", "tokens/issue", {})["access_token"]
    assert service.get("/items", headers={"Authorization": f"Bearer {ours}"}).status_code == 200
