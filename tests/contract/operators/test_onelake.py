"""Waiting for files in OneLake, as a task and by both drivers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Service
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricConnectionError,
    FabricInputError,
    FabricNameError,
    FabricNotFoundError,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.sensors.onelake import FabricOneLakeFileSensor
from tests.contract.conftest import ask_asynchronously, ask_synchronously
from tests.task_runner import TaskRunner

FILES = {"Files/in/a.csv": "1,2", "Files/in/b.csv": "3", "Files/in/deep/c.csv": "4", "Files/in/[x].txt": ""}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_fabric.sensors.onelake.settling_seconds", lambda: 0.1)


@pytest.fixture
def lakehouse(tenant: FabricEmulator) -> str:
    item = {"type": "Lakehouse", "displayName": "Sales", "files": FILES}
    seeded = tenant.control.seed(workspaces=[{"id": tenant.workspace_id, "items": [item]}])
    return str(seeded["workspaces"][0]["items"][0]["id"])


def task(**arguments: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "item": "Sales", "poke_interval": 1, "timeout": 3, **arguments}
    return TaskRunner(lambda: FabricOneLakeFileSensor(task_id="wait", **given))


def write(tenant: FabricEmulator, lakehouse: str, path: str, content: bytes) -> None:
    """Write a file as Azure's SDK does."""
    place = f"/{tenant.workspace_id}/{lakehouse}/{path}"

    def flow() -> Any:
        for method, params, body in (
            ("PUT", {"resource": "file"}, None),
            ("PATCH", {"action": "append", "position": "0"}, content),
            ("PATCH", {"action": "flush", "position": str(len(content))}, None),
        ):
            wish = Request(method, place, "write", params=params, content=body, service=Service.ONELAKE)
            yield from send(wish, replay=Replay.SAFE)

    FabricHook().run(flow())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Files/in/a.csv", ["Files/in/a.csv"]),
        ("/Files/in/a.csv/", ["Files/in/a.csv"]),
        ("Files/in", ["Files/in"]),
        ("Files/in/*.csv", ["Files/in/a.csv", "Files/in/b.csv"]),
        ("Files/in/?.csv", ["Files/in/a.csv", "Files/in/b.csv"]),
        ("Files/in/[!a].csv", ["Files/in/b.csv"]),
        ("Files/in/[[]x].txt", ["Files/in/[x].txt"]),
        ("Files/**/*.csv", ["Files/in/a.csv", "Files/in/b.csv", "Files/in/deep/c.csv"]),
        ("Files/*/deep/*", ["Files/in/deep/c.csv"]),
        ("Files/in/**", sorted(FILES)),
    ],
)
@pytest.mark.parametrize("ask", [ask_synchronously, ask_asynchronously])
def test_paths_and_patterns(tenant: FabricEmulator, lakehouse: str, path: str, found: list[str], ask: Any) -> None:
    tenant.control.configure(page_size=2)
    files = ask("find_onelake_files", workspace_id=tenant.workspace_id, item_id=lakehouse, path=path)
    assert sorted(file.path for file in files) == sorted(found)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("Files/out.csv", "In 'Files' there is: in/."),
        ("Files/in/*.parquet", "In 'Files/in' there is: "),
        ("Files/out/*.csv", "There is nothing in 'Files/out'."),
        ("Files/in/A.csv", "In 'Files/in' there is: a.csv, "),
    ],
)
def test_a_pattern_without_a_match_is_waited_for_in_vain(
    tenant: FabricEmulator, lakehouse: str, path: str, there: str, caplog: Any, capfd: Any
) -> None:
    """The error names what is there instead; where Airflow itself ends the wait, the log does."""
    caplog.set_level("INFO")
    with pytest.raises(AirflowSensorTimeout):
        task(path=path, timeout=1.5, deferrable=False).run()
    assert there in "".join(capfd.readouterr()) + "\n".join(caplog.messages)
    with pytest.raises(AirflowSensorTimeout, match=f"No file fitted.*{re.escape(there)}"):
        task(path=path, timeout=1.5, deferrable=True).run()


@pytest.mark.parametrize("deferrable", [False, True])
def test_soft_fail(tenant: FabricEmulator, lakehouse: str, deferrable: bool) -> None:
    with pytest.raises(AirflowSkipException):
        task(path="Files/no", timeout=1.5, deferrable=deferrable, soft_fail=True).run()


def test_what_is_there_needs_no_triggerer(tenant: FabricEmulator, lakehouse: str) -> None:
    run = task(path="Files/in/a.csv", deferrable=True)
    (file,) = run.run()
    assert (file["path"], file["size"], file["is_directory"], run.deferrals) == ("Files/in/a.csv", 3, False, 0)


def test_a_file_that_is_being_written_is_waited_for(tenant: FabricEmulator, lakehouse: str) -> None:
    write(tenant, lakehouse, "Files/new/x.csv", b"abc")
    for path in ("Files/new/x.csv", "Files/new/*", "Files/new"):
        with pytest.raises(AirflowSensorTimeout, match="had changed in the 100 s"):
            task(path=path, timeout=1.5, unchanged_for=100, deferrable=True).run()
    run = task(path="Files/new/x.csv", timeout=20, unchanged_for=2, deferrable=True)
    assert run.run()[0]["size"] == 3
    write(tenant, lakehouse, "Files/new/x.csv", b"abcd")
    assert task(path="Files/new", timeout=20, unchanged_for=2).run()[0]["is_directory"] is True


def test_errors_that_pass_are_outlasted(tenant: FabricEmulator, lakehouse: str) -> None:
    tenant.control.add_fault(method="HEAD", path="/onelake/*", status=503, count=2)
    assert task(path="Files/in/a.csv", timeout=30).run()


@pytest.mark.parametrize(
    ("arguments", "error", "names"),
    [
        ({"path": ""}, FabricInputError, "path"),
        ({"path": "Files/../../other"}, FabricInputError, "path"),
        ({"path": "abfss://x@onelake/Files"}, FabricInputError, "path"),
        ({"path": "in/a.csv"}, FabricInputError, "Files/ or Tables/"),
        ({"path": "Files/a\\b"}, FabricInputError, "path"),
        ({"path": "Files/x", "unchanged_for": 0}, FabricInputError, "unchanged_for"),
        ({"path": "Files/x", "unchanged_for": "5"}, FabricInputError, "unchanged_for"),
        ({"path": "Files/x", "item": "Sale"}, FabricNameError, "Sale"),
        ({"path": "Files/x", "item": "11111111-1111-4111-8111-111111111111"}, FabricNotFoundError, "item"),
    ],
)
def test_bad_input(tenant: FabricEmulator, lakehouse: str, arguments: Any, error: Any, names: str) -> None:
    with pytest.raises(error, match=names):
        task(**arguments).run()
    assert not [e for e in tenant.control.request_log() if "/onelake/" in e["path"]]


def test_another_cloud_must_name_onelake(
    tenant: FabricEmulator, lakehouse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = tenant.connection
    del connection["extra"]["onelake_host"]
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(connection))
    with pytest.raises(FabricConnectionError, match="onelake_host"):
        task(path="Files/x").run()


def test_no_call_counts_as_a_job(tenant: FabricEmulator, lakehouse: str) -> None:
    task(path="Files/in/*").run()
    assert tenant.control.stats()["calls"].get("job_scheduler", 0) == 0


def test_names_and_guids_are_not_mixed_by_the_service(tenant: FabricEmulator, lakehouse: str) -> None:
    def head(place: str) -> Any:
        return FabricHook().run(send(Request("HEAD", place, "x", service=Service.ONELAKE), replay=Replay.SAFE))

    assert head("/Emulator%20workspace/Sales.Lakehouse/Files/in/a.csv").status == 200
    with pytest.raises(Exception, match="400"):
        head(f"/{tenant.workspace_id}/Sales.Lakehouse/Files/in/a.csv")
