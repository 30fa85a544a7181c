"""``python -m devtools.docs.screenshots``: the documentation's pictures, taken in a real Airflow and a real browser.

Two runs of the example DAG wait for their Fabric jobs in the triggerer, and the pipeline of another one fails. The
pictures show the grid, the link from a task to its run, the pages of the emulator that it leads to, the log of the
failed task, and the form of a connection.

``docs/images/sources.json`` says of which code each picture was taken; a test compares it with the code of today.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.links import RUN_URL_KEY
from devtools.airflow.stack import AirflowStack
from devtools.docs.browser import Browser, BrowserError, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "docs" / "images"
DAG_ID = "fabric_data_factory"
PATIENCE_SECONDS = 300.0
PAGE = (1280, 800)
FORM = (1280, 2600)
"""As tall as the whole form of a connection."""

SOURCES = IMAGES / "sources.json"
PORTAL = ("airflow_provider_fabric/emulator/portal/*",)
AIRFLOW = (
    "example_dags/fabric_data_factory.py",
    "airflow_provider_fabric/links.py",
    "airflow_provider_fabric/lifecycle/errors.py",
)
FORM_OF = ("airflow_provider_fabric/hooks/connection_form.py", "airflow_provider_fabric/api/connection/fields.py")
SHOWN = {
    "airflow-extra-link.png": AIRFLOW,
    "airflow-failure.png": AIRFLOW,
    "airflow-grid.png": AIRFLOW,
    "connection-form-extra.png": FORM_OF,
    "connection-form.png": FORM_OF,
    "portal-failure.png": PORTAL,
    "portal-run.png": PORTAL,
    "portal.png": PORTAL,
}
"""Picture → the files whose work it shows."""

FAILING = "failing"
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
    return [
        *connection_form(on),
        grid(on, waiting),
        failure(on),
        extra_link(on, waiting),
        portal_run(on),
        *portal_others(on),
    ]


def sources() -> dict[str, str]:
    """Return picture → digest of the files whose work it shows."""
    return {name: _digest(patterns) for name, patterns in sorted(SHOWN.items())}


def _digest(patterns: Sequence[str]) -> str:
    found = sorted(path for pattern in patterns for path in REPOSITORY.glob(pattern) if path.is_file())
    digest = hashlib.sha256()
    for path in found:
        digest.update(path.relative_to(REPOSITORY).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


# -- the example DAG ---------------------------------------------------------------------------------------------------


def start_runs(on: Stage) -> str:
    """Start a run to its end, one that fails, and two that wait; return the one that waits for its pipeline."""
    control = on.emulator.control
    _start_and_end(on, "first", "success")
    control.add_job_rule(
        item_type="DataPipeline", outcome="Failed", failure_reason=REASON, activities=ACTIVITIES, count=1
    )
    _start_and_end(on, FAILING, "failed")
    control.add_job_rule(item_type="DataPipeline", statuses=[[0, "InProgress"]], duration_seconds=3600)
    waiting = _start_and_wait(on, "second", "run_pipeline")
    control.add_job_rule(item_type="Dataflow", statuses=[[0, "InProgress"]], duration_seconds=3600)
    _start_and_wait(on, "third", "publish_dataflow")
    return waiting


def _start_and_end(on: Stage, run_id: str, wanted: str) -> None:
    on.airflow.trigger(DAG_ID, run_id=run_id, timeout=PATIENCE_SECONDS)
    state = on.airflow.wait_for_run(DAG_ID, run_id, PATIENCE_SECONDS)
    if state != wanted:
        raise RuntimeError(f"the run {run_id} of the example DAG ended {state}, not {wanted}")


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
    wait_until(lambda: browser.run(states) >= 4 * tasks, PATIENCE_SECONDS, "the grid shows four runs")
    return browser.screenshot(on.folder / "airflow-grid.png")


def failure(on: Stage) -> Path:
    """The log of the failed task, with the failed activity."""
    on.browser.open(f"{on.airflow.base_url}/dags/{DAG_ID}/runs/{FAILING}/tasks/run_pipeline")
    on.browser.wait_for("Copy orders", PATIENCE_SECONDS)
    on.browser.run(
        "[...document.querySelectorAll('*')]"
        ".filter(one => one.children.length == 0 && one.innerText?.includes('Copy orders'))"
        ".at(-1)?.scrollIntoView({block: 'center'})"
    )
    return on.browser.screenshot(on.folder / "airflow-failure.png")


def extra_link(on: Stage, run_id: str) -> Path:
    """The link on the page of a deferred task; it stays clicked, and the browser goes on in the window it opens."""
    on.browser.open(f"{on.airflow.base_url}/dags/{DAG_ID}/runs/{run_id}/tasks/run_pipeline/details")
    link = "//a[normalize-space(.)='Fabric run']"
    on.browser.wait_for("Fabric run", PATIENCE_SECONDS)
    picture = on.browser.screenshot(on.folder / "airflow-extra-link.png")
    on.browser.click(link)
    on.browser.use_newest_window()
    return picture


def connection_form(on: Stage) -> list[Path]:
    """The dialog of a new connection: its standard fields and its own."""
    browser = on.browser
    browser.resize(*FORM)
    open_form(on, "fabric_default")
    pictures = [browser.screenshot(on.folder / "connection-form.png", DIALOG)]
    unfold(browser, "Extra Fields", last="Job calls per minute")
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


def portal_run(on: Stage) -> Path:
    """The page that the extra link has led to."""
    on.browser.wait_for("Activity runs")
    on.browser.wait_for("InProgress", selector="#status")
    return on.browser.screenshot(on.folder / "portal-run.png")


def portal_others(on: Stage) -> list[Path]:
    """The overview, and the run that has failed."""
    browser = on.browser
    browser.open(on.airflow.xcoms(DAG_ID, FAILING, "run_pipeline")[RUN_URL_KEY])
    browser.wait_for("UserErrorSqlLoginFailed")
    browser.wait_for("Copy orders")
    pictures = [browser.screenshot(on.folder / "portal-failure.png")]
    browser.open(on.emulator.url)
    browser.wait_for("Failed", selector="#runs")
    return [*pictures, browser.screenshot(on.folder / "portal.png")]


def main(argv: Sequence[str] | None = None) -> int:
    """Take the pictures; 2 without a browser."""
    parser = argparse.ArgumentParser(prog="python -m devtools.docs.screenshots", description=take_all.__doc__)
    parser.add_argument("--folder", type=Path, default=IMAGES, help="default: docs/images")
    folder = parser.parse_args(argv).folder
    try:
        with stage(folder) as on:
            for file in take_all(on):
                print(f"{file} {file.stat().st_size // 1024} KB")
        if folder == IMAGES:
            SOURCES.write_text(json.dumps(sources(), indent=1) + "\n")
    except BrowserError as problem:
        print(f"screenshots: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
