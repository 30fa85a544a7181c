"""Every snippet of the documentation in an Airflow: in a scheduled, a manual and an asset-triggered DAG run.

Airflow's own database, task runner and triggers, in processes of their own, against the emulator:
:mod:`tests.e2e.snippet_runner`. With a scheduler, on SQLite, 165 DAG runs would take half an hour; what a scheduler
does with the examples is seen in :mod:`tests.e2e.test_example_dags`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_provider_fabric.compat_tasks import is_airflow_2
from airflow_provider_fabric.emulator import FabricEmulator
from devtools.docs.snippets import Block, Kind, blocks, dag_file, kind_of, reason_not_to_run
from tests.e2e.receivers import Receivers
from tests.e2e.snippet_tenant import runs_from_elsewhere, seed_examples, seed_sales, write_definitions, write_workspace
from tests.e2e.test_example_dags import EXPECTED_STATES, LEVEL, OURS

pytestmark = [pytest.mark.e2e, pytest.mark.examples]

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
ARGUMENTS = {"workspace": "Sales", "day": f"{TODAY:%Y-%m-%d}", "source": "a", "target": "b"}
"""What the pages' functions are called with."""

SETTINGS = {
    "job_seconds": 0.5,
    "retry_after_seconds": 1,
    "lro_seconds": 5,
    "force_lro": {"create_item": False},
    "quotas": {"job_scheduler": None, "platform": None, "operations": None},
}
"""Of the emulator: all is quick, but not the publishing of an environment, which a snippet cancels; no process waits
for the calls of the others."""

PROCESSES = 4
SECONDS = 900.0
"""After which a process is ended: the tests then say which runs are missing."""

KINDS = {"scheduled": {"scheduled"}, "manual": {"manual"}, "asset-triggered": {"asset_triggered", "dataset_triggered"}}
"""Kinds of DAG runs, with what Airflow's database calls them."""

RESULT = "RUN OF A SNIPPET: "


def snippets() -> dict[str, Block]:
    """Return the blocks that run, each once, by a name for their DAGs."""
    found: dict[str, Block] = {}
    texts: set[str] = set()
    count: Counter[str] = Counter()
    for block in blocks():
        if reason_not_to_run(block, ARGUMENTS) is None and block.text not in texts:
            texts.add(block.text)
            page = re.sub(r"\W+", "_", block.path.stem.lower())
            count[page] += 1
            found[f"{page}_{count[page]}"] = block
    return found


SNIPPETS = snippets()


@dataclass(frozen=True)
class Run:
    """One DAG run of a snippet."""

    name: str
    dag_id: str
    kind: str
    type: str
    state: str
    tasks: list[tuple[str, int, str]]
    log: list[str]

    @property
    def expected(self) -> dict[str, str]:
        """Tasks that are not to succeed, with the state that they are to have."""
        return EXPECTED_STATES.get(self.dag_id.rpartition(".")[2], {})

    def problems(self) -> list[str]:
        """Return what did not end as it should."""
        return [
            f"{task_id} [{index}]: {state}"
            for task_id, index, state in self.tasks
            if state != self.expected.get(task_id, "success")
        ]


def environment(home: Path, folder: Path, names: list[str]) -> dict[str, str]:
    """Return the environment of an Airflow with a home of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "_AIRFLOW"))}
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder / name)},
        }
        for name in names
    ]
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "0",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_VAR_LAKEHOUSE_ID": "5b218778-e7a5-4d73-8187-f10824047715",
        "DAY_OF_THE_SNIPPETS": TODAY.isoformat(),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "XDG_CACHE_HOME": str(home / "cache"),
    }


def write_files(folder: Path, fabric: Path) -> None:
    """Write a folder for each snippet, with its DAG file and what that reads beside itself."""
    write_definitions(fabric)
    for name, block in SNIPPETS.items():
        (folder / name).mkdir()
        text = dag_file(block, name, ARGUMENTS).replace("/opt/airflow/fabric", str(fabric))
        (folder / name / f"{name}.py").write_text(text)
        (folder / name / "definitions").symlink_to(REPOSITORY / "example_dags" / "definitions")


def airflow_home(home: Path, more: dict[str, str]) -> None:
    """Make the home of an Airflow: its database, docs/cost.md's pool, docs/use-cases/deployment.md's folder."""
    write_workspace(home / "include" / "fabric")
    for command in (["db", "migrate"], ["pools", "set", "fabric_f64", "10", "of docs/cost.md"]):
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment(home, home, []) | more,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def runs_in(output: str) -> Iterator[Run]:
    """Yield the runs that a process reported, each with what was logged since the one before."""
    log: list[str] = []
    for line in output.splitlines():
        if line.startswith(RESULT):
            yield Run(**json.loads(line.removeprefix(RESULT)), log=log)
            log = []
        else:
            log.append(line)
    if log:
        yield Run("", "", "", "", "", [], log)  # what ended the process


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """All runs; each process has its part of the snippets and an Airflow of its own."""
    folder, first, fabric = (tmp_path_factory.mktemp(name) for name in ("dags", "airflow", "fabric"))
    write_files(folder, fabric)
    with FabricEmulator(**SETTINGS) as emulator, Receivers() as receivers:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", emulator.connection_json)
            seed_examples(emulator, attached_seconds=5)
            seed_sales(emulator, TODAY)
        known = {"fabric_default": emulator.connection, "fabric": emulator.connection, **receivers.connections()}
        connections = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in known.items()}
        airflow_home(first, connections)

        def run(number: int) -> str:
            home = shutil.copytree(first, first.with_name(f"airflow-{number}"))
            names = list(SNIPPETS)[number::PROCESSES]
            command = [sys.executable, str(HERE / "snippet_runner.py"), str(folder), *names]
            log = home / "log.txt"
            with log.open("w") as file:
                try:
                    subprocess.run(
                        command,
                        env=environment(home, folder, names) | connections,
                        cwd=home,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        timeout=SECONDS,
                        check=False,
                    )
                except subprocess.TimeoutExpired:
                    file.write("\nEnded, because it took too long.\n")
            return log.read_text(errors="replace")

        with runs_from_elsewhere(emulator), ThreadPoolExecutor(PROCESSES) as pool:
            outputs = list(pool.map(run, range(PROCESSES)))
    return [one for output in outputs for one in runs_in(output)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SNIPPETS, ids=lambda name: f"{name}:{SNIPPETS[name].included or 'page'}")
def test_it_runs(played: list[Run], name: str, kind: str) -> None:
    if is_airflow_2() and any((run.name, run.dag_id) == (name, "") for run in played):
        pytest.skip("for Airflow 3")
    runs = [run for run in played if (run.name, run.kind) == (name, kind)]
    assert runs, f"{SNIPPETS[name]} had no {kind} run:\n" + "\n".join(
        line for run in played if not run.name for line in run.log[-60:]
    )
    for run in runs:
        assert run.type in KINDS[kind]
        assert run.tasks
        assert not run.problems(), "\n".join([*run.problems(), *run.log[-150:]])
        assert run.state in ("success", "failed" if "failed" in run.expected.values() else "success")


def warnings_in(run: Run) -> list[str]:
    """Return the lines of a run's log that warn, by us or about us."""
    return [line[:600] for line in run.log if LEVEL.search(line[:200]) and OURS.search(line)]


def test_nothing_warned(played: list[Run]) -> None:
    quiet = [run for run in played if run.name and not run.expected]
    found = [f"{run.dag_id} ({run.kind}): {line}" for run in quiet for line in warnings_in(run)]
    assert not found, "\n".join(found)


def test_every_block_is_known() -> None:
    """Each runs, or is known by a rule to be nothing that runs."""
    assert len(SNIPPETS) > 45
    unrun = {str(block): reason_not_to_run(block, ARGUMENTS) for block in blocks() if kind_of(block) is Kind.FUNCTIONS}
    assert sum(reason is not None for reason in unrun.values()) <= 2, unrun


def test_a_warning_would_be_found() -> None:
    warning = (
        "2026-11-26T23:19:01Z [warning  ] Late [airflow.task.operators.airflow_provider_fabric.operators.rest] loc=x"
    )
    log = [warning, "2026-11-26T23:19:01Z [info     ] FabricHook is well"]
    assert warnings_in(Run("readme_1", "readme_1", "manual", "manual", "success", [], log)) == [warning]
