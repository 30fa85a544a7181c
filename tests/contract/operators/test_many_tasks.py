"""The worker's side of many tasks, each with a hook of its own as a process of its own has: what names cost them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.api.auth.sign_in import _forget_sources
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricNameError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.item import FabricDeleteItemOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.operators.rest import FabricRestOperator
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

WORKSPACE = "Emulator workspace"
LIST = "GET /v1/workspaces/{workspaceId}/items"
GET = "GET /v1/workspaces/{workspaceId}/items/{itemId}"
LIST_WORKSPACES = "GET /v1/workspaces"
DISCOVERY = "GET /{tenantId}/v2.0/.well-known/openid-configuration"
TOKEN = "POST /{tenantId}/oauth2/v2.0/token"
SUBMIT = "POST /v1/workspaces/{workspaceId}/items/{itemId}/jobs/{jobType}/instances"


class Tenant:
    """A tenant with a pipeline, and tasks that run it by name."""

    def __init__(self, emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.emulator, self.monkeypatch = emulator, monkeypatch
        self.pipeline = add_item(emulator, "DataPipeline", "Daily load")

    def connect(self, **extra: Any) -> None:
        connection = {**self.emulator.connection, **extra.pop("fields", {})}
        connection["extra"] = {**self.emulator.connection["extra"], **extra}
        self.monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(connection))

    def run(self, workspace: str = WORKSPACE, pipeline: str = "Daily load") -> str:
        """Run one task, which knows nothing of the others but what lies on disk; return the item that ran."""
        _forget_sources()
        task = partial(
            FabricRunPipelineOperator,
            task_id="run",
            workspace=workspace,
            pipeline=pipeline,
            deferrable=False,
            wait_for_termination=False,
        )
        return str(TaskRunner(task).run()["item_id"])

    def calls(self) -> Counter[str]:
        """Return the calls since the last time, by route."""
        routes = self.emulator.control.stats()["routes"]
        now = Counter({route: sum(answers.values()) for route, answers in routes.items()})
        before, self._before = getattr(self, "_before", Counter[str]()), now
        return now - before

    def change(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Change the tenant as somebody else does."""
        return getattr(FabricHook(), method)(self.emulator.workspace_id, *arguments, **more)


@pytest.fixture
def crowd(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    tenant.control.seed(copies={"type": "DataPipeline", "count": 250, "workspace_id": tenant.workspace_id})
    made = Tenant(tenant, monkeypatch)
    made.calls()
    return made


def test_the_first_task_reads_the_lists_and_each_other_one_makes_one_call(crowd: Tenant) -> None:
    assert crowd.run() == crowd.pipeline
    first = crowd.calls()
    assert (first[LIST_WORKSPACES], first[LIST], first[GET], first[DISCOVERY], first[TOKEN]) == (1, 3, 0, 1, 1)
    for name in ["Daily load", "DataPipeline 0007", "DataPipeline 0250", "Daily load"]:
        crowd.run(pipeline=name)
        assert {route for route in crowd.calls() if "/jobs/" not in route} == {GET, TOKEN}


@pytest.mark.parametrize("by", ["hook", "operator"])
def test_a_rest_call_by_name_costs_what_a_job_by_name_costs(crowd: Tenant, by: str) -> None:
    given = {"method": "GET", "path": "/workspaces/{workspace}/items/{item}", "item_type": "DataPipeline"}
    named = {"workspace": WORKSPACE, "item": "Daily load"}

    def read(**names: str) -> str:
        _forget_sources()
        if by == "hook":
            return str(FabricHook().request(**given, **names)["id"])
        return str(TaskRunner(partial(FabricRestOperator, task_id="read", **given, **names)).run()["id"])

    assert read(**named) == crowd.pipeline
    crowd.calls()
    assert read(**named) == crowd.pipeline
    assert crowd.calls() == {GET: 2, TOKEN: 1}  # one confirms the name, one is what was asked for
    crowd.change("update_item", crowd.pipeline, display_name="Daily load (old)")
    other = add_item(crowd.emulator, "DataPipeline", "Daily load")
    assert read(**named) == other


def test_ids_cost_no_call(crowd: Tenant) -> None:
    for _ in range(2):
        crowd.run(crowd.emulator.workspace_id, crowd.pipeline)
    assert {route for route in crowd.calls() if "/jobs/" not in route} == {DISCOVERY, TOKEN}


def test_renamed_away_and_another_put_under_its_name(crowd: Tenant) -> None:
    crowd.run()
    crowd.change("update_item", crowd.pipeline, display_name="Daily load (old)")
    other = add_item(crowd.emulator, "DataPipeline", "Daily load")
    assert crowd.run() == other
    assert crowd.run(pipeline="Daily load (old)") == crowd.pipeline


def test_deleted_and_made_anew(crowd: Tenant) -> None:
    crowd.run()
    crowd.change("delete_item", crowd.pipeline)
    with pytest.raises(FabricNameError, match="No DataPipeline is named 'Daily load'"):
        crowd.run()
    other = add_item(crowd.emulator, "DataPipeline", "Daily load")
    assert crowd.run() == other


def test_an_item_of_another_kind_under_the_name(crowd: Tenant) -> None:
    crowd.run()
    crowd.change("delete_item", crowd.pipeline)
    add_item(crowd.emulator, "Notebook", "Daily load")
    with pytest.raises(FabricNameError, match="No DataPipeline is named"):
        crowd.run()


def test_another_workspace_and_another_connection_remember_apart(crowd: Tenant) -> None:
    crowd.run()
    crowd.calls()
    seeded = crowd.emulator.control.seed(
        workspaces=[{"displayName": "Other", "items": [{"type": "DataPipeline", "displayName": "Daily load"}]}]
    )
    assert crowd.run("Other") == seeded["workspaces"][0]["items"][0]["id"]
    assert crowd.calls()[LIST] > 0
    token = crowd.emulator.control.issue_token()
    crowd.connect(fields={"login": None, "password": token}, auth_type="access_token")
    crowd.run()
    calls = crowd.calls()
    assert (calls[LIST_WORKSPACES], calls[LIST]) == (1, 3)


def test_switched_off_every_task_reads_the_lists_and_leaves_nothing(crowd: Tenant, cache_home: Path) -> None:
    crowd.connect(local_cache=False)
    for _ in range(2):
        crowd.run()
        calls = crowd.calls()
        assert (calls[LIST_WORKSPACES], calls[LIST], calls[GET], calls[DISCOVERY]) == (1, 3, 0, 1)
    assert list(cache_home.rglob("*")) == []


def test_in_a_directory_of_the_connections_choice(crowd: Tenant, cache_home: Path, tmp_path: Path) -> None:
    crowd.connect(local_cache=str(tmp_path / "here"))
    crowd.run()
    crowd.calls()
    crowd.run()
    assert crowd.calls()[GET] == 1
    assert list(cache_home.rglob("*")) == []
    assert list((tmp_path / "here").rglob("names-*"))


@pytest.mark.parametrize("spoil", ["garbage", "open", "link"])
def test_a_cache_that_cannot_be_used_costs_calls_and_nothing_else(
    crowd: Tenant, cache_home: Path, spoil: str, tmp_path: Path
) -> None:
    crowd.run()
    crowd.calls()
    directory = next(cache_home.iterdir())
    if spoil == "open":
        directory.chmod(0o777)
    for file in [] if spoil == "open" else [*directory.glob("names-*"), *directory.glob("disc*")]:
        if spoil == "garbage":
            file.write_text("garbage")
        elif not file.name.endswith(".lock"):
            file.rename(tmp_path / file.name)
            file.symlink_to(tmp_path / file.name)
    assert crowd.run() == crowd.pipeline
    calls = crowd.calls()
    assert (calls[LIST], calls[DISCOVERY]) == (3, 1)


def test_there_is_no_secret_in_it(crowd: Tenant, cache_home: Path) -> None:
    for _ in range(2):
        crowd.run()
    with pytest.raises(FabricNameError):
        crowd.run(pipeline="No such pipeline")
    token = FabricHook().credential().get_token("https://api.fabric.microsoft.com/.default").token
    files = [file for file in cache_home.rglob("*") if file.is_file()]
    kept = " ".join(file.name + file.read_text() for file in files)
    connection = crowd.emulator.connection
    assert crowd.pipeline in kept
    for secret in (connection["password"], token, token.rpartition(".")[2], "Bearer", "access_token", "eyJ"):
        assert secret not in kept
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_what_deletes_trusts_no_memory(crowd: Tenant) -> None:
    """Two items of a name are an error at once, though one of them is remembered."""
    crowd.run()
    crowd.emulator.control.configure(duplicate_names_allowed=["DataPipeline"])
    add_item(crowd.emulator, "DataPipeline", "Daily load")
    delete = TaskRunner(
        lambda: FabricDeleteItemOperator(
            task_id="delete", workspace=WORKSPACE, item="Daily load", item_type="DataPipeline"
        )
    )
    with pytest.raises(FabricNameError, match="2 DataPipelines are named"):
        delete.run()


TASKS = """
import sys
from airflow_provider_fabric.hooks.fabric import FabricHook
for name in sys.argv[2:]:
    hook = FabricHook()
    workspace = hook.resolve_workspace("Emulator workspace")
    print(sys.argv[1], name, hook.resolve_item(workspace, name, "DataPipeline"))
"""


def test_processes_that_start_at_once_read_the_lists_once(crowd: Tenant) -> None:
    names = [f"DataPipeline {number:04}" for number in range(1, 6)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", TASKS, str(number), *names],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    found = [worker.communicate(timeout=120)[0].split("\n") for worker in workers]
    answers = {line.partition(" ")[2] for lines in found for line in lines if " DataPipeline " in line}
    assert len(answers) == len(names)
    calls = crowd.calls()
    assert (calls[LIST_WORKSPACES], calls[LIST], calls[DISCOVERY]) == (1, 3, 1)
    assert calls[GET] == 3 * len(names) - 1
