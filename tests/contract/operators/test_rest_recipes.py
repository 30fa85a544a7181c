"""The recipes of docs/capabilities/rest.md, as the page has them, against the emulator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_ID
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.rest import FabricRestOperator
from tests.conformance.comparison import problems
from tests.conformance.recorder import recorded_emulator
from tests.conformance.specs import specs_or_none
from tests.page_functions import page_function
from tests.task_runner import TaskRunner

PAGE = Path(__file__).parents[3] / "docs" / "capabilities" / "rest.md"
WORKSPACE = "33333333-3333-4333-8333-333333333333"
MASHUP = "section Section1;\nshared Revenue = 1;\n"


def recipes() -> dict[str, FabricRestOperator]:
    """Return the page's operators, made anew, by task id."""
    found: dict[str, FabricRestOperator] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S):
        names: dict[str, Any] = {"__name__": "page"}
        exec(compile(block, str(PAGE), "exec"), names)
        found |= {value.task_id: value for value in names.values() if isinstance(value, FabricRestOperator)}
    return found


class Answers:
    """What earlier tasks returned; stands in for the task instance of templates."""

    def __init__(self) -> None:
        self.by_task: dict[str, Any] = {}

    def xcom_pull(self, task_ids: str) -> Any:
        return self.by_task[task_ids]


class Page:
    """Runs the page's tasks."""

    def __init__(self, emulator: FabricEmulator) -> None:
        self.emulator = emulator
        self.answers = Answers()

    def run(self, *task_ids: str) -> Any:
        for task_id in task_ids:
            runner = TaskRunner(lambda task_id=task_id: recipes()[task_id], values={"ti": self.answers})
            self.answers.by_task[task_id] = runner.run()
            json.dumps(self.answers.by_task[task_id])  # it fits into an XCom
        return self.answers.by_task[task_ids[-1]]

    def seed(self, *items: dict[str, Any], **more: Any) -> None:
        self.emulator.control.seed(workspaces=[{"id": WORKSPACE, "items": list(items), **more}])

    def items(self, workspace_id: str = WORKSPACE) -> list[str]:
        return [item.display_name for item in FabricHook().list_items(workspace_id)]


@pytest.fixture(scope="module")
def recorded() -> Iterator[Any]:
    with recorded_emulator(lro_seconds=0.1, retry_after_seconds=0) as running:
        yield running


@pytest.fixture
def page(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    emulator, recorder = recorded
    emulator.control.reset()
    recorder.take()
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", emulator.connection_json)
    emulator.control.seed(workspaces=[{"id": WORKSPACE, "displayName": "Sales"}])
    yield Page(emulator)
    specs = specs_or_none()
    if specs is not None:
        assert problems(specs, recorder.take()) == []


def update_from_git(page: Page) -> None:
    page.seed(git={"changes": [{"itemType": "Notebook", "displayName": "New", "remoteChange": "Added"}]})
    status = page.run("git_status")
    assert status["workspaceHead"] != status["remoteCommitHash"]
    page.run("update_from_git")
    assert page.items() == ["New"]
    assert page.run("git_status")["changes"] == []


def commit_to_git(page: Page) -> None:
    page.seed(git={"changes": [{"itemType": "Notebook", "displayName": "Mine", "workspaceChange": "Modified"}]})
    before = page.run("git_status")
    page.run("commit_to_git")
    after = page.run("git_status")
    assert (len(before["changes"]), after["changes"]) == (1, [])
    assert after["workspaceHead"] == after["remoteCommitHash"] != before["remoteCommitHash"]


def deploy_stage(page: Page) -> None:
    hook = FabricHook()
    page.seed({"type": "Notebook", "displayName": "Clean"})
    stages = [{"displayName": "Development"}, {"displayName": "Test"}]
    body = {"displayName": "Sales", "stages": stages}
    made = hook.request("POST", "/deploymentPipelines", json=body, replay_safe=False)
    for stage, workspace in zip(made["stages"], (WORKSPACE, page.emulator.workspace_id), strict=True):
        path = f"/deploymentPipelines/{made['id']}/stages/{stage['id']}/assignWorkspace"
        hook.request("POST", path, json={"workspaceId": workspace}, replay_safe=True)
    counts = page.run("find_pipelines", "find_stages", "deploy")
    assert counts == {"newItemsCount": 1, "differentItemsCount": 0, "noDifferenceItemsCount": 0}
    assert page.items(page.emulator.workspace_id) == ["Clean"]
    assert page.run("deploy")["noDifferenceItemsCount"] == 1


def mirroring(page: Page) -> None:
    page.seed({"type": "MirroredDatabase", "displayName": "Orders", "tables": [{"name": "lines"}]})
    assert page.run("mirroring_status") == "Initialized"
    page.run("start_mirroring")
    assert page.run("mirroring_status") in ("Starting", "Running")
    page.emulator.control.configure(lro_seconds=0)
    page.run("stop_mirroring")
    assert page.run("mirroring_status") == "Stopped"
    assert page_function("capabilities/rest.md", "mirror_runs")() is False
    page.run("start_mirroring")
    assert page.run("mirroring_status") == "Running"
    assert page_function("capabilities/rest.md", "mirror_runs")() is True
    assert page.run("mirrored_tables") == {"lines": "Replicating"}


def publish_environment(page: Page) -> None:
    page.seed({"type": "Environment", "displayName": "Spark 3"})
    page.emulator.control.configure(force_lro=True)
    assert page.run("publish_environment") is None
    assert page.run("upload_library") == "uploaded"
    page.emulator.control.configure(force_lro=False, lro_seconds=60)
    assert page.run("publish_environment") == "Running"
    assert page.run("cancel_publish") == "Cancelled"


def load_table(page: Page) -> None:
    page.seed({"type": "Lakehouse", "displayName": "Bronze", "files": {"Files/in/2024-01-05.csv": "a,b\n1,2\n"}})
    assert page.run("list_tables") == []
    page.run("load_table")
    assert page.run("list_tables") == ["orders"]


def execute_query(page: Page) -> None:
    part = {"path": "mashup.pq", "payload": _base64(MASHUP), "payloadType": "InlineBase64"}
    metadata = {"path": "queryMetadata.json", "payload": _base64("{}"), "payloadType": "InlineBase64"}
    page.seed({"type": "Dataflow", "displayName": "Revenue by region", "definition": {"parts": [part, metadata]}})
    assert Path(page.run("execute_query")).read_bytes()[:4] == b"\xff\xff\xff\xff"  # an Arrow stream begins so


def assign_capacity(page: Page) -> None:
    page.seed(capacityId=WORKSPACE)  # another capacity's id
    is_assigned = page_function("capabilities/rest.md", "capacity_is_assigned")
    assert not is_assigned()
    page.run("assign_capacity")
    assert is_assigned()
    assert FabricHook().request("GET", f"/workspaces/{WORKSPACE}")["capacityId"] == CAPACITY_ID


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


CHECKS: dict[Callable[[Page], None], set[str]] = {
    update_from_git: {"git_status", "update_from_git"},
    commit_to_git: {"commit_to_git"},
    deploy_stage: {"find_pipelines", "find_stages", "deploy"},
    mirroring: {"start_mirroring", "mirroring_status", "mirrored_tables", "stop_mirroring"},
    publish_environment: {"upload_library", "publish_environment", "cancel_publish"},
    load_table: {"load_table", "list_tables"},
    execute_query: {"execute_query"},
    assign_capacity: {"assign_capacity"},
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_recipe(page: Page, check: Callable[[Page], None]) -> None:
    check(page)


def test_every_recipe_is_run() -> None:
    assert set(recipes()) == set().union(*CHECKS.values())
    assert len(recipes()) >= 12
