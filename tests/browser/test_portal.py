"""The emulator's portal in a real browser: live, escaped, reachable by the links of tasks and by the keyboard."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.links import run_url
from devtools.docs.browser import Browser, wait_until

pytestmark = pytest.mark.browser

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ACTIVITIES = {"properties": {"activities": [{"name": SCRIPT, "type": "Wait"}, {"name": "Load", "type": "Copy"}]}}
TAB = "\ue004"
ENTER = "\ue007"


@pytest.fixture
def emulator() -> Iterator[FabricEmulator]:
    with FabricEmulator(job_seconds=3600) as running:
        yield running


def seeded(emulator: FabricEmulator, item_type: str, name: str) -> str:
    """Add an item and return its id."""
    item: dict[str, object] = {"type": item_type, "displayName": name}
    if item_type == "DataPipeline":
        payload = base64.b64encode(json.dumps(ACTIVITIES).encode()).decode()
        part = {"path": "pipeline-content.json", "payload": payload, "payloadType": "InlineBase64"}
        item["definition"] = {"parts": [part]}
    workspace = {"id": emulator.workspace_id, "items": [item]}
    return str(emulator.control.seed([workspace])["workspaces"][0]["items"][0]["id"])


def statuses(browser: Browser) -> list[str]:
    return list(browser.run("return [...document.querySelectorAll('#runs .badge')].map(node => node.textContent)"))


def complaints(browser: Browser) -> list[str]:
    """Return what the page's console has complained about: errors, refused scripts and styles."""
    return [entry["message"] for entry in browser.console() if entry["level"] in ("SEVERE", "WARNING")]


def test_a_run_moves_while_somebody_looks(browser: Browser, emulator: FabricEmulator, tmp_path: Path) -> None:
    item_id = seeded(emulator, "CopyJob", "Customers")
    emulator.control.add_job_rule(statuses=[[0, "InProgress"]])
    browser.open(emulator.url)
    browser.wait_for("None yet.")
    run_id = emulator.control.start_job(item_id)
    wait_until(lambda: statuses(browser) == ["InProgress"], 30, "the run shows up")
    browser.run("document.querySelector('#runs a').focus()")
    assert browser.screenshot(tmp_path / "running.png").stat().st_size > 10_000
    emulator.control.force_job(run_id, "Completed")
    wait_until(lambda: statuses(browser) == ["Completed"], 30, "the run is over")
    assert browser.run("return document.activeElement.textContent") == "Customers"  # the focus stays where it was
    assert browser.screenshot(tmp_path / "over.png").read_bytes() != (tmp_path / "running.png").read_bytes()
    assert complaints(browser) == []


@pytest.mark.parametrize("item_type", ["DataPipeline", "Dataflow", None])
def test_a_tasks_link_leads_to_its_run(browser: Browser, emulator: FabricEmulator, item_type: str | None) -> None:
    item_id = seeded(emulator, item_type or "Notebook", "Daily load")
    reason = {"errorCode": "SinkIsFull", "message": "No room left", "requestId": "7c1d"}
    run_id = emulator.control.start_job(item_id, submitter=emulator.user_id)
    browser.open(run_url(emulator.url, emulator.workspace_id, item_id, item_type, run_id))
    browser.wait_for("NotStarted", selector="#status")
    emulator.control.force_job(run_id, "Failed", reason)
    browser.wait_for("Failed", selector="#status")
    for text in ("Daily load", run_id, "user@emulator.example", "SinkIsFull", "No room left", "7c1d"):
        assert text in browser.text("main"), text
    assert ("SinkIsFull: No room left" in browser.text("#activities")) is (item_type == "DataPipeline")
    assert browser.run("return document.title") == "Daily load · Failed - Fabric emulator"
    assert complaints(browser) == []


def test_names_are_text_whatever_they_hold(browser: Browser, emulator: FabricEmulator) -> None:
    item_id = seeded(emulator, "DataPipeline", SCRIPT)
    run_id = emulator.control.start_job(item_id)
    pages = (
        "/",
        f"/groups/{emulator.workspace_id}/items/{item_id}",
        run_url("", emulator.workspace_id, item_id, None, run_id),
    )
    for page in pages:
        browser.open(emulator.url + page)
        browser.wait_for(SCRIPT)  # an alert that opened would make this command fail
        assert browser.run("return document.querySelectorAll('main script, main img').length") == 0
    assert SCRIPT in browser.text("#activities")
    assert complaints(browser) == []


def test_the_policy_holds_in_the_browser(browser: Browser, emulator: FabricEmulator) -> None:
    """What a slip in the script would let in, the browser refuses."""
    browser.open(emulator.url)
    inject = "const node = document.createElement('script'); node.textContent = 'window.slipped = true'; "
    browser.run(inject + "document.body.append(node)")
    assert browser.run("return window.slipped ?? null") is None
    assert any("Content Security Policy" in complaint for complaint in complaints(browser))


def test_from_the_overview_to_a_run_by_keyboard(browser: Browser, emulator: FabricEmulator) -> None:
    item_id = seeded(emulator, "CopyJob", "Customers")
    run_id = emulator.control.start_job(item_id)
    browser.open(emulator.url)
    browser.wait_for("Customers", selector="#runs")
    for _ in range(3):  # the link that skips the heading, the breadcrumb, the run
        browser.press(TAB)
    assert browser.run("return document.activeElement.textContent") == "Customers"
    browser.press(ENTER)
    browser.wait_for(run_id)
    assert f"jobInstanceId={run_id}" in browser.address


def test_the_page_says_when_nobody_answers(browser: Browser, emulator: FabricEmulator) -> None:
    item_id = seeded(emulator, "CopyJob", "Customers")
    run_id = emulator.control.start_job(item_id)
    browser.open(run_url(emulator.url, emulator.workspace_id, item_id, "CopyJob", run_id))
    browser.wait_for("NotStarted", selector="#status")
    emulator.control.reset()
    browser.wait_for("Unknown run", selector="#title")
    assert browser.text("#facts") == browser.text("#status") == ""
    emulator.stop()
    browser.wait_for("No answer", selector="#live")
