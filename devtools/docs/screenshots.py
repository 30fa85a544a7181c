"""The documentation's pictures, taken in a real Airflow and a real browser.

::

    python -m devtools.docs.screenshots             all of them
    python -m devtools.docs.screenshots --portal    those of the emulator's portal, which need no Airflow

Two runs of the example DAG wait for their Fabric jobs in the triggerer. The pictures show the grid, the link from a
task to its run, the pages of the emulator that it leads to, a failed run with its failed activity, and the form of a
connection.

``docs/images/sources.json`` says of which code each picture was taken; a test compares it with the code of today.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_fabric.api.connection.fields import FIELDS
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.connection_form import conn_fields, ui_field_behaviour
from airflow_provider_fabric.links import run_url
from devtools.airflow.stack import AirflowStack
from devtools.docs.browser import Browser, BrowserError, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "docs" / "images"
DAG_ID = "fabric_data_factory"
PATIENCE_SECONDS = 300.0
PAGE = (1280, 800)
FORM = (1280, 3700)
"""As tall as the whole form of a connection; :func:`connection_form` checks it."""
LAST_FIELD = list(FIELDS.values())[-1].label
RUN = (1280, 1060)
"""As tall as the page of a run that failed, its activities included."""
OVERVIEW = (1280, 440)

SOURCES = IMAGES / "sources.json"


def _files(*patterns: str) -> bytes:
    """Return the contents of files with their names; each pattern must find one."""
    contents = []
    for pattern in patterns:
        found = sorted(path for path in REPOSITORY.glob(pattern) if path.is_file())
        if not found:
            raise FileNotFoundError(f"no file is called {pattern}")
        contents += [path.relative_to(REPOSITORY).as_posix().encode() + b"\0" + path.read_bytes() for path in found]
    return b"".join(contents)


def _standard_fields() -> bytes:
    """Return what the form's standard fields are drawn from."""
    return json.dumps(ui_field_behaviour()).encode()


def _extra_fields() -> bytes:
    """Return what the form's extra fields are drawn from."""
    return json.dumps(conn_fields()).encode()


_PORTAL = partial(_files, "airflow_provider_fabric/emulator/portal/*")
_AIRFLOW = partial(_files, "example_dags/fabric_data_factory.py", "airflow_provider_fabric/links.py")
SHOWN: dict[str, Callable[[], bytes]] = {
    "airflow-extra-link.png": _AIRFLOW,
    "airflow-grid.png": _AIRFLOW,
    "connection-form-extra.png": _extra_fields,
    "connection-form.png": _standard_fields,
    "portal-failure.png": _PORTAL,
    "portal-run.png": _PORTAL,
    "portal.png": _PORTAL,
}
"""Picture → a function that returns what it shows the work of."""

REASON = {
    "errorCode": "UserErrorSqlLoginFailed",
    "message": "Cannot open server 'sql-sales' requested by the login: the client's address is not allowed.",
    "requestId": "3d8b5b6f-5d0e-4c3a-9f43-0e3d7b0c1a52",
}
ACTIVITIES = [
    {"activityName": "Look up regions", "activityType": "Lookup", "status": "Succeeded"},
    {"activityName": "Copy orders", "activityType": "Copy", "status": "Failed", "error": REASON},
]
"""What a run shows whose copy activity fails."""
COPYING = {"activityName": "Copy orders", "activityType": "Copy", "status": "InProgress"}
NIGHTLY = "7c1d2e3f-4a5b-4c6d-8e7f-90a1b2c3d4e5"

DIALOG = "[role=dialog]"
IN_DIALOG = "//*[@role='dialog']"


@dataclass(frozen=True)
class Stage:
    """An Airflow connected to an emulator, and somebody who looks at both.

    :param folder: where the pictures go.
    """

    airflow: AirflowStack
    emulator: FabricEmulator
    browser: Browser
    folder: Path


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Start an emulator, an Airflow and a browser.

    :raises devtools.docs.browser.BrowserError: without a browser; before anything else is started.
    """
    with Browser(PAGE) as browser, FabricEmulator(job_seconds=2) as emulator:
        connections = {"fabric_default": emulator.connection}
        with AirflowStack(dags=REPOSITORY / "example_dags", connections=connections) as airflow:
            yield Stage(airflow, emulator, browser, folder)


def take_all(on: Stage) -> list[Path]:
    """Take every picture and return the files."""
    waiting = start_runs(on)
    airflows = [*connection_form(on), grid(on, waiting), extra_link(on, waiting)]
    return [*airflows, *portal(on.emulator, on.browser, on.folder)]


def sources() -> dict[str, str]:
    """Return picture → digest of what it shows the work of."""
    return {name: hashlib.sha256(source()).hexdigest() for name, source in sorted(SHOWN.items())}


# -- the example DAG ---------------------------------------------------------------------------------------------------


def start_runs(on: Stage) -> str:
    """Start a run to its end, and two that wait; return the one that waits for its pipeline."""
    control = on.emulator.control
    _start_and_end(on, "first", "success")
    control.add_job_rule(item_type="DataPipeline", statuses=[[0, "InProgress"]], duration_seconds=3600)
    waiting = _start_and_wait(on, "second", "run_pipeline")
    control.add_job_rule(item_type="Dataflow", statuses=[[0, "InProgress"]], duration_seconds=3600)
    _start_and_wait(on, "third", "publish_dataflow")
    return waiting


def _start_and_end(on: Stage, run_id: str, wanted: str) -> None:
    on.airflow.trigger(DAG_ID, run_id=run_id, timeout=PATIENCE_SECONDS)
    state = on.airflow.wait_for_run(DAG_ID, run_id, PATIENCE_SECONDS)
    if state != wanted:
        failed = [task.task_id for task in on.airflow.task_instances(DAG_ID, run_id) if task.state == "failed"]
        logs = [f"{task}:\n{on.airflow.task_log(DAG_ID, run_id, task)[-4000:]}" for task in failed]
        logs.append(f"scheduler:\n{on.airflow.component('scheduler').tail(60)}")  # its workers write there, too
        raise RuntimeError("\n".join([f"The run {run_id} of the example DAG ended {state}, not {wanted}.", *logs]))


def _start_and_wait(on: Stage, run_id: str, task_id: str) -> str:
    on.airflow.trigger(DAG_ID, run_id=run_id)

    def deferred() -> bool:
        return on.airflow.task(DAG_ID, run_id, task_id).state == "deferred"

    on.airflow.wait_until(deferred, PATIENCE_SECONDS, f"{task_id} of {run_id} is deferred")
    return run_id


# -- Airflow's pages ---------------------------------------------------------------------------------------------------


def grid(on: Stage, run_id: str) -> Path:
    """The grid with deferred Fabric tasks."""
    browser, address = on.browser, f"{on.airflow.base_url}/dags/{DAG_ID}"
    browser.open(address)
    # At its first width the grid of Airflow 3.3 shows two runs only; it reads its width from here.
    layout = {"details-panel,main-panel": {"expandToSizes": {}, "layout": [27, 73]}}
    browser.run("localStorage.setItem('react-resizable-panels:grid-ltr', arguments[0])", json.dumps(layout))
    browser.open(f"{address}/runs/{run_id}")
    browser.wait_for("Deferred", PATIENCE_SECONDS)
    tasks = len(on.airflow.task_instances(DAG_ID, run_id))
    states = 'return document.querySelectorAll(\'a[href*="/runs/"][href*="/tasks/"] svg\').length'
    wait_until(lambda: browser.run(states) >= 3 * tasks, PATIENCE_SECONDS, "the grid shows three runs")
    return browser.screenshot(on.folder / "airflow-grid.png")


def extra_link(on: Stage, run_id: str) -> Path:
    """The link on the page of a deferred task; it stays clicked, and the browser goes on in the window it opens."""
    on.browser.open(f"{on.airflow.base_url}/dags/{DAG_ID}/runs/{run_id}/tasks/run_pipeline/details")
    link = "//a[normalize-space(.)='Fabric run']"
    on.browser.wait_for("Fabric run", PATIENCE_SECONDS)
    picture = on.browser.screenshot(on.folder / "airflow-extra-link.png")
    on.browser.click(link)
    on.browser.use_newest_window()
    on.browser.wait_for("Activity runs")
    on.browser.wait_for("InProgress", selector="#status")
    return picture


def connection_form(on: Stage) -> list[Path]:
    """The dialog of a new connection: its standard fields and its own."""
    browser = on.browser
    browser.resize(*FORM)
    open_form(on, "fabric_default")
    pictures = [browser.screenshot(on.folder / "connection-form.png", DIALOG)]
    unfold(browser, "Extra Fields", last=LAST_FIELD)
    fits = f"return document.querySelector('{DIALOG}').scrollHeight <= window.innerHeight"
    wait_until(lambda: bool(browser.run(fits)), 30, f"the form fits into {FORM[1]} pixels; make FORM taller")
    pictures.append(browser.screenshot(on.folder / "connection-form-extra.png", DIALOG))
    browser.resize(*PAGE)
    return pictures


def open_form(on: Stage, connection_id: str) -> None:
    """Begin a new connection of our type."""
    browser = on.browser
    browser.open(f"{on.airflow.base_url}/connections")
    browser.click("//button[contains(., 'Add Connection')]", PATIENCE_SECONDS)
    browser.type(f"{IN_DIALOG}//input[@name='connection_id']", connection_id)
    browser.type(f"{IN_DIALOG}//input[@role='combobox']", "Fabric")
    browser.click("//*[@role='option' and normalize-space(.)='Microsoft Fabric']", PATIENCE_SECONDS)
    browser.wait_for("Client ID", PATIENCE_SECONDS, DIALOG)


def unfold(browser: Browser, title: str, last: str) -> None:
    """Open a part of the dialog, and wait until it is open in full: its last field is seen, and nothing moves."""
    browser.click(f"{IN_DIALOG}//button[normalize-space(.)='{title}']")
    browser.wait_for(last, PATIENCE_SECONDS, DIALOG)
    heights: list[float] = []

    def at_rest() -> bool:
        heights.append(browser.run(f"return document.querySelector('{DIALOG}').getBoundingClientRect().height"))
        return len(heights) > 3 and len(set(heights[-3:])) == 1

    wait_until(at_rest, PATIENCE_SECONDS, f"{title} unfolded")


# -- the emulator's pages ----------------------------------------------------------------------------------------------


def portal(emulator: FabricEmulator, browser: Browser, folder: Path) -> list[Path]:
    """Pages of a run that goes on and of one that failed, and the overview."""
    control, workspace = emulator.control, emulator.workspace_id
    others = [{"type": "Dataflow", "displayName": "Regions"}, {"type": "CopyJob", "displayName": "Orders to lakehouse"}]
    pipeline = {"type": "DataPipeline", "displayName": "Nightly load", "id": NIGHTLY}
    control.seed(workspaces=[{"id": workspace, "items": [pipeline, *others]}])

    def start(**rule: Any) -> str:
        control.add_job_rule(item_id=NIGHTLY, count=1, **rule)
        return control.start_job(NIGHTLY)

    def is_over(job_id: str) -> bool:
        return any(job["id"] == job_id and not job["active"] for job in control.jobs())

    ended = start(duration_seconds=1)
    wait_until(lambda: is_over(ended), 60, "the run ends")
    failed = start(duration_seconds=1, outcome="Failed", failure_reason=REASON, activities=ACTIVITIES)
    wait_until(lambda: is_over(failed), 60, "the run fails")
    running = start(duration_seconds=3600, statuses=[[0, "InProgress"]], activities=[ACTIVITIES[0], COPYING])
    browser.resize(*RUN)
    browser.open(run_url(emulator.url, workspace, NIGHTLY, "DataPipeline", running))
    browser.wait_for("Copy orders")
    browser.wait_for("InProgress", selector="#status")
    pictures = [browser.screenshot(folder / "portal-run.png")]
    browser.open(run_url(emulator.url, workspace, NIGHTLY, "DataPipeline", failed))
    browser.wait_for("UserErrorSqlLoginFailed")
    browser.wait_for("Copy orders")
    pictures.append(browser.screenshot(folder / "portal-failure.png"))
    browser.resize(*OVERVIEW)
    browser.open(emulator.url)
    browser.wait_for("Failed", selector="#runs")
    return [*pictures, browser.screenshot(folder / "portal.png")]


def remember(pictures: Sequence[Path]) -> None:
    """Write of which code pictures were taken."""
    known = json.loads(SOURCES.read_text()) if SOURCES.exists() else {}
    current = sources()
    known |= {picture.name: current[picture.name] for picture in pictures}
    SOURCES.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Take the pictures; 2 without a browser."""
    parser = argparse.ArgumentParser(prog="python -m devtools.docs.screenshots", description=take_all.__doc__)
    parser.add_argument("--folder", type=Path, default=IMAGES, help="default: docs/images")
    parser.add_argument("--portal", action="store_true", help="only those of the emulator's portal")
    arguments = parser.parse_args(argv)
    try:
        taken = take(arguments.folder, portal_only=arguments.portal)
    except BrowserError as problem:
        print(f"screenshots: {problem}", file=sys.stderr)
        return 2
    for file in taken:
        print(f"{file} {file.stat().st_size // 1024} KB")
    if arguments.folder == IMAGES:
        remember(taken)
    return 0


def take(folder: Path, *, portal_only: bool) -> list[Path]:
    """Start what the pictures need, and take them."""
    if not portal_only:
        with stage(folder) as on:
            return take_all(on)
    with Browser(PAGE) as browser, FabricEmulator(job_seconds=2) as emulator:
        return portal(emulator, browser, folder)


if __name__ == "__main__":
    sys.exit(main())
