"""What 300 mapped tasks cost the service: LocalExecutor with 16 slots, a workspace of 1,000 items, a real Airflow.

Each task is a process of its own that starts a deferrable run of another pipeline, by name or by id, under quotas of
200 calls a minute for both buckets; each way with the local cache and without it, as it was before there was one.
Counts of calls are what is compared: they do not depend on the machine.

Run it: ``make bench-tasks``, or ``python -m benchmarks.mapped_tasks --way name --cache on``. It prints a table and ends
with 1 when a criterion fails. With ``--processes`` there is no Airflow around the tasks: 16 processes at a time, which
start runs and do not wait for them. That needs a tenth of the processor time, and makes the same calls for names.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from benchmarks.processes import Emulator, emulator
from benchmarks.report import Check, checks_table, table, write_json
from devtools.airflow.stack import AirflowStack
from tests.task_runner import TaskRunner

TASKS, ITEMS, SLOTS, QUOTA = 300, 1000, 16, 200
PATIENCE = 3600.0

DAG = """
import json
from pathlib import Path

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow.models.dag import DAG
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

given = json.loads(Path(__file__).with_suffix(".json").read_text())
with DAG("mapped", schedule=None, max_active_tasks={slots}):
    FabricRunPipelineOperator.partial(
        task_id="run", workspace=given["workspace"], deferrable=True, check_interval=60, retries=0
    ).expand(pipeline=given["pipelines"])
"""

NAMES = {"GET /v1/workspaces", "GET /v1/workspaces/{workspaceId}", "GET /v1/workspaces/{workspaceId}/items",
         "GET /v1/workspaces/{workspaceId}/items/{itemId}"}  # fmt: skip
SUBMIT = "POST /v1/workspaces/{workspaceId}/items/{itemId}/jobs/{jobType}/instances"
DISCOVERY = "GET /{tenantId}/v2.0/.well-known/openid-configuration"
TOKEN = "POST /{tenantId}/oauth2/v2.0/token"


def measure(way: str, cache: bool, tasks: int = TASKS, *, airflow: bool = True) -> dict[str, Any]:
    """Run the tasks, and return what the service saw of them.

    :param way: ``name`` or ``id``.
    :param cache: the connection's *Local cache*.
    :param tasks: how many.
    :param airflow: run them in a real Airflow.
    """
    quotas = {"platform": QUOTA, "job_scheduler": QUOTA, "operations": None}
    with emulator(quotas=quotas, job_seconds=30, retry_after_seconds=30) as server:
        seeded = server.control("POST", "seed", {"copies": {"type": "DataPipeline", "count": ITEMS}})["workspaces"][-1]
        key = {"name": "displayName", "id": "id"}[way]
        given = {"workspace": seeded[key], "pipelines": [item[key] for item in seeded["items"][:tasks]]}
        connection = {**server.connection}
        connection["extra"] = {**connection["extra"], "local_cache": cache, "verify": server.ca_bundle}
        with tempfile.TemporaryDirectory(prefix="mapped-tasks-") as folder:
            began = time.monotonic()
            state = (in_airflow if airflow else in_processes)(given, connection, Path(folder))
            seconds = time.monotonic() - began
        return {"way": way, "cache": cache, "tasks": tasks, "state": state, "seconds": seconds, **counts(server, tasks)}


def in_airflow(given: dict[str, Any], connection: dict[str, Any], folder: Path) -> str:
    """Run the DAG once in an Airflow; return how it ended."""
    (folder / "mapped.py").write_text(DAG.format(slots=SLOTS))
    (folder / "mapped.json").write_text(json.dumps(given))
    settings = {
        "AIRFLOW__CORE__PARALLELISM": str(SLOTS),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(SLOTS),
        # A machine with few cores starts 16 tasks in minutes; Airflow itself would take them for lost.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "1200",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "3600",
    }
    with AirflowStack(dags=folder, connections={"fabric_default": connection}, env=settings) as airflow:
        run_id = airflow.trigger("mapped", timeout=300)
        return airflow.wait_for_run("mapped", run_id, timeout=PATIENCE)


def in_processes(given: dict[str, Any], connection: dict[str, Any], folder: Path) -> str:
    """Run each task in a process of its own; return how they ended."""
    os.environ |= {"AIRFLOW_CONN_FABRIC_DEFAULT": json.dumps(connection), "XDG_CACHE_HOME": str(folder)}
    with ProcessPoolExecutor(SLOTS, mp_context=get_context("fork")) as pool:
        ended = list(pool.map(start_apart, [(given["workspace"], pipeline) for pipeline in given["pipelines"]]))
    return "success" if all(ended) else f"{ended.count(False)} failed"


def start_apart(item: tuple[str, str]) -> bool:
    """Start a run in a new process; return whether that went well."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        task = partial(
            FabricRunPipelineOperator,
            task_id="run",
            workspace=item[0],
            pipeline=item[1],
            wait_for_termination=False,
            deferrable=False,
        )
        TaskRunner(task).run()
    except BaseException:  # noqa: BLE001 - whatever it is, the parent counts it
        os._exit(1)
    os._exit(0)


def counts(server: Emulator, tasks: int) -> dict[str, Any]:
    """Return the calls of the workers, by what they are for."""
    stats = server.control("GET", "stats")
    routes = {route: Counter(answers) for route, answers in stats["routes"].items()}
    names = sum((routes.get(route, Counter()) for route in NAMES), Counter[str]())
    submits = routes.get(SUBMIT, Counter())
    return {
        "platform_calls": names.total() / tasks,
        "platform_refused": names["429"],
        "submits": submits.total() / tasks,
        "submits_refused": submits["429"],
        "runs": submits["202"],
        "sign_in_calls": sum(routes.get(route, Counter()).total() for route in (DISCOVERY, TOKEN)) / tasks,
        "routes": stats["routes"],
    }


def shown(results: list[dict[str, Any]]) -> str:
    """Return the figures as a table."""
    heads = ["Tasks by", "Local cache", "Calls for names a task", "answered 429", "Submits a task", "answered 429",
             "Sign-in calls a task", "Minutes"]  # fmt: skip
    rows = [
        [
            result["way"],
            "on" if result["cache"] else "off",
            f"{result['platform_calls']:.2f}",
            str(result["platform_refused"]),
            f"{result['submits']:.2f}",
            str(result["submits_refused"]),
            f"{result['sign_in_calls']:.2f}",
            f"{result['seconds'] / 60:.1f}",
        ]
        for result in results
    ]
    return table(heads, rows)


def criteria(result: dict[str, Any]) -> list[Check]:
    """Return what must hold with the local cache."""
    what = f"by {result['way']}"
    return [
        Check(f"{what}: all tasks are green", result["state"], result["state"] == "success"),
        Check(f"{what}: one run a task", str(result["runs"]), result["runs"] == result["tasks"]),
        Check.at_most(
            f"{what}: calls for names a task", result["platform_calls"], 1.2 if result["way"] == "name" else 0
        ),
        Check.at_most(f"{what}: answers 429 to them", result["platform_refused"], 0),
        Check.at_most(f"{what}: submits a task", result["submits"], 1.3),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and say whether the criteria hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=["name", "id"], action="append")
    parser.add_argument("--cache", choices=["on", "off"], action="append")
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--processes", action="store_true", help="without an Airflow around the tasks")
    options = parser.parse_args(arguments)
    results, checks = [], list[Check]()
    for way in options.way or ["name", "id"]:
        for cache in options.cache or ["off", "on"]:
            result = measure(way, cache == "on", options.tasks, airflow=not options.processes)
            results.append(result)
            checks += criteria(result) if result["cache"] else []
            write_json("mapped_tasks", results)
            print(shown([result]), flush=True)
    print(f"\n{shown(results)}\n\n{checks_table(checks)}")
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
