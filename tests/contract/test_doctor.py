"""``fabric-doctor`` against the emulator: every step, well and with its fault, and who can grant what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_fabric import doctor
from airflow_provider_fabric.doctor import WHO, Doctor
from airflow_provider_fabric.emulator import FabricEmulator
from devtools.docs import doctor_transcript
from tests.contract.operators.items import add_item

ALIVE, DEAD = (lambda arguments: 0), (lambda arguments: 1)
CONNECTION = "AIRFLOW_CONN_DOCTORS"


@pytest.fixture(scope="module")
def tenant() -> Iterator[FabricEmulator]:
    with FabricEmulator(retry_after_seconds=0) as emulator:
        yield emulator


@pytest.fixture
def connect(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that changes the connection's fields."""
    tenant.control.reset()
    tenant.control.clear_faults()

    def change(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        connection = json.loads(tenant.connection_json)
        own = connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"])
        monkeypatch.setenv(CONNECTION, json.dumps({**connection, **fields, "extra": {**own, **(extra or {})}}))

    change()
    return change


def states(**arguments: Any) -> dict[str, str]:
    return {finding.step: finding.state for finding in Doctor("doctors", **arguments).examine()}


def text_of(step: str, **arguments: Any) -> str:
    (text,) = [str(f) for f in Doctor("doctors", **arguments).examine() if f.step == step]
    return text


def test_all_is_well(tenant: FabricEmulator, connect: Any) -> None:
    add_item(tenant, "DataPipeline", "Daily load")
    found = states(workspace="Emulator workspace", item="Daily load", airflow=ALIVE)
    assert list(found) == [
        "connection", "network", "TLS", "proxy", "authority", "token", "audience", "tenant setting", "workspace",
        "workspace role", "item", "job rights", "triggerer",
    ]  # fmt: skip
    assert set(found.values()) == {"ok"}


FAULTS = [
    pytest.param("connection", {"extra": {"tenant_id": ""}}, {}, "tenant_id", id="a field is missing"),
    pytest.param("network", {"host": "https://127.0.0.1:9"}, {}, "127.0.0.1:9", id="nobody listens"),
    pytest.param("network", {"host": "https://no-such-host.invalid"}, {}, "no-such-host.invalid", id="no such name"),
    pytest.param("TLS", {"extra": {"verify": True}}, {}, "verify", id="an unknown authority signs"),
    pytest.param("proxy", {"extra": {"proxies": {"https": "http://127.0.0.1:9"}}}, {}, "proxies", id="a dead proxy"),
    pytest.param("authority", {"extra": {"tenant_id": "nowhere.example"}}, {}, "tenant_id", id="another tenant"),
    pytest.param("token", {"password": "wrong"}, {}, "7000215", id="a wrong secret"),
    pytest.param(
        "audience", {"extra": {"scope": "https://storage.azure.com/.default"}}, {}, "scope", id="a wrong audience"
    ),
    pytest.param(
        "tenant setting",
        {},
        {"method": "GET", "path": "/v1/workspaces", "status": 403},
        "Tenant settings",
        id="not let in",
    ),
    pytest.param("item", {}, {"method": "GET", "path": "*/items/*", "status": 403}, "403", id="no right to the item"),
    pytest.param("job rights", {}, {"method": "GET", "path": "*/jobs/instances", "status": 403}, "403", id="no runs"),
]


@pytest.mark.parametrize(("step", "fields", "fault", "named"), FAULTS)
def test_each_step_says_what_is_missing_and_who_grants_it(
    tenant: FabricEmulator, connect: Any, step: str, fields: dict[str, Any], fault: dict[str, Any], named: str
) -> None:
    add_item(tenant, "DataPipeline", "Daily load")
    connect(**fields)
    if fault:
        tenant.control.add_fault(**fault)
    findings = list(Doctor("doctors", workspace="Emulator workspace", item="Daily load").examine())
    found = {finding.step: finding.state for finding in findings}
    assert found[step] == "failed", found
    after = list(found)[list(found).index(step) + 1 :]
    assert {found[name] for name in after} <= {"skipped"}
    (text,) = [str(finding) for finding in findings if finding.step == step]
    assert named in text
    assert WHO[step] in text
    assert "Traceback" not in text


def test_a_workspace_that_is_not_visible(tenant: FabricEmulator, connect: Any) -> None:
    assert states(workspace="No such place")["workspace"] == "failed"
    assert "Manage access" in text_of("workspace", workspace="No such place")


@pytest.mark.parametrize(("role", "state"), [("Member", "ok"), ("Contributor", "unsure"), ("Viewer", "unsure")])
def test_roles(tenant: FabricEmulator, connect: Any, role: str, state: str) -> None:
    identity = {"client_id": "11111111-0000-4000-8000-000000000001", "client_secret": "own", "role": role}
    tenant.control.seed(identities=[identity])
    connect(login=identity["client_id"], password="own")
    assert states(workspace="Emulator workspace")["workspace role"] == state


def test_a_missing_connection_names_the_variable(connect: Any) -> None:
    (first, *rest) = list(Doctor("nobody").examine())
    assert first.state == "failed"
    assert "AIRFLOW_CONN_NOBODY" in first.text
    assert {finding.state for finding in rest} == {"skipped"}


def test_a_dataflow_and_an_application(tenant: FabricEmulator, connect: Any) -> None:
    add_item(tenant, "Dataflow", "Customers")
    assert "users" in text_of("job rights", workspace="Emulator workspace", item="Customers", item_type="Dataflow")


def test_no_triggerer(connect: Any) -> None:
    assert states(airflow=DEAD)["triggerer"] == "failed"

    def broken(arguments: Any) -> int:
        raise OSError("no airflow")

    assert states(airflow=broken)["triggerer"] == "unsure"


def test_the_command(tenant: FabricEmulator, connect: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--conn-id", "doctors", "--no-airflow", "--workspace", "Emulator workspace"]) == 0
    assert "Nothing stands in the way." in capsys.readouterr().out
    connect(password="s3cr3t-and-wrong")
    assert doctor.main(["--conn-id", "doctors", "--no-airflow"]) == 1
    printed = capsys.readouterr().out
    assert "Fix what failed" in printed
    assert "s3cr3t" not in printed


def test_an_item_needs_a_workspace() -> None:
    with pytest.raises(SystemExit):
        doctor.main(["--item", "x"])


def test_the_transcript_in_the_docs_is_what_it_prints() -> None:
    shown = doctor_transcript.TRANSCRIPT.read_text()
    assert shown == doctor_transcript.transcript(), "stale: python -m devtools.docs.doctor_transcript"
    assert "failed  tenant setting" in shown
