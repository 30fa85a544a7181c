"""What differs between the Airflow versions that the stack runs: components, settings, REST dialect."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from devtools.airflow.processes import LOOPBACK

_ASK = "from importlib.metadata import version; print(version('apache-airflow'))"
_SECRET = "throw-away-secret-of-a-throw-away-airflow-that-listens-on-loopback-only"  # noqa: S105
_FERNET_KEY = "ZGV2dG9vbHMtdGhyb3ctYXdheS1haXJmbG93LWtleSE="

PUBLIC_WEBSERVER = '"""Everybody on loopback is the admin."""\nAUTH_ROLE_PUBLIC = "Admin"\nWTF_CSRF_ENABLED = False\n'


def installed_airflow(python: str = sys.executable) -> str:
    """Return the version of Airflow in the environment of an interpreter."""
    if python == sys.executable:
        return metadata.version("apache-airflow")
    answer = subprocess.run([python, "-c", _ASK], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How to run and ask one Airflow version."""

    version: str
    rest: str
    """Path prefix of the REST API."""

    @property
    def major(self) -> int:
        """2 or 3."""
        return int(self.version.split(".")[0])

    @property
    def counts_tries(self) -> bool:
        """Whether ``try_number`` can be trusted: 2.x on SQLite counts the only try of some tasks as their second."""
        return self.major >= 3

    def components(
        self, *, port: int, triggerers: int, celery_workers: int, api_server: bool
    ) -> Iterator[tuple[str, list[str]]]:
        """Yield (name, arguments of ``airflow``) in the order of their start."""
        if self.major >= 3:
            if api_server:
                server = ["api-server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
                yield "api-server", server
            yield "dag-processor", ["dag-processor"]
        elif api_server:
            server = ["webserver", "--hostname", LOOPBACK, "--port", str(port), "--workers", "1"]
            yield "api-server", [*server, "--access-logfile", "-", "--error-logfile", "-"]
        yield "scheduler", ["scheduler", "--skip-serve-logs"]
        for number in range(1, triggerers + 1):
            yield f"triggerer-{number}", ["triggerer", "--skip-serve-logs"]
        for number in range(1, celery_workers + 1):
            name = f"celery-worker-{number}"
            worker = ["celery", "worker", "--celery-hostname", f"{name}@{LOOPBACK}", "--concurrency", "6"]
            yield name, [*worker, "--skip-serve-logs"]

    def settings(self, *, home: Path, port: int, executor: str, database: str, dags: Path) -> dict[str, str]:
        """Return the ``AIRFLOW__…`` environment of this version."""
        common = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": executor,
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__FERNET_KEY": _FERNET_KEY,
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "2",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return common | (self._three(port) if self.major >= 3 else self._two(port, home))

    def _three(self, port: int) -> dict[str, str]:
        base = f"http://{LOOPBACK}:{port}"
        return {
            "AIRFLOW__API__BASE_URL": base,
            "AIRFLOW__API__SECRET_KEY": _SECRET,
            "AIRFLOW__API_AUTH__JWT_SECRET": _SECRET,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            # A supervisor that sees its task's sockets close before the process ends (3.1.8, 3.3.2) sleeps this long
            # before it says that the task has left. Had the task been deferred and resumed meanwhile, the scheduler
            # would fail it: "reported … finished with state success, but the task instance's state is running".
            # The default of 5 s is longer than the runs of the emulator. See ``compat.settling_seconds``.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "2",
        }

    def _two(self, port: int, home: Path) -> dict[str, str]:
        return {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
            "AIRFLOW__WEBSERVER__BASE_URL": f"http://{LOOPBACK}:{port}",
            "AIRFLOW__WEBSERVER__CONFIG_FILE": str(home / "webserver_config.py"),
            "AIRFLOW__WEBSERVER__SECRET_KEY": _SECRET,
            # 2.x refuses any executor but the sequential one on SQLite; with write-ahead logging a few tasks at once
            # are fine for tests, and one task at a time would hide what happens at once.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
        }

    def prepare(self, home: Path) -> None:
        """Write the files that this version reads from its home."""
        if self.major < 3:
            (home / "webserver_config.py").write_text(PUBLIC_WEBSERVER)

    def job_types(self, *, triggerers: int) -> dict[str, int]:
        """Return how many of which jobs report in the metadata database when all components are up."""
        jobs = {"SchedulerJob": 1, "TriggererJob": triggerers}
        if self.major >= 3:
            jobs["DagProcessorJob"] = 1
        return {job: count for job, count in jobs.items() if count}

    def trigger_payload(self, run_id: str, conf: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body that starts a DAG run."""
        payload: dict[str, Any] = {"dag_run_id": run_id, "conf": dict(conf)}
        return payload | {"logical_date": None} if self.major >= 3 else payload

    def state_payload(self, state: str) -> dict[str, Any]:
        """Return the body that marks a task instance, as the UI does."""
        return {"new_state": state} if self.major >= 3 else {"new_state": state, "dry_run": False}


def dialect(version: str) -> Dialect:
    """Return how to run and ask this Airflow version."""
    return Dialect(version=version, rest="/api/v2" if int(version.split(".")[0]) >= 3 else "/api/v1")


def connection_variable(conn_id: str, connection: Mapping[str, Any]) -> tuple[str, str]:
    """Return the environment variable by which Airflow learns of a connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(dict(connection))
