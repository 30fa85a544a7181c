"""A real Airflow in a throw-away home: scheduler, triggerers, API server and (3.x) DAG processor, as processes.

::

    with AirflowStack(dags=Path("example_dags"), connections={"fabric_default": emulator.connection}) as airflow:
        run_id = airflow.trigger("fabric_data_factory")
        assert airflow.wait_for_run("fabric_data_factory", run_id, timeout=120) == "success"
        airflow.component("triggerer-1").kill()

It runs the Airflow of the interpreter it is given (2.10 to 3.x), listens on loopback only, and leaves no process
behind, whatever happened inside the ``with``.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from devtools.airflow.metadata_db import TERMINAL_RUN_STATES, MetadataDatabase, TaskInstance
from devtools.airflow.processes import LOOPBACK, MARK, Component, claim_port, end, sweep, uninterrupted
from devtools.airflow.rest import AirflowRest, as_a_person
from devtools.airflow.task_logs import log_files, read_log
from devtools.airflow.versions import connection_variable, dialect, installed_airflow

CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
START_SECONDS = 180.0
GRACE_SECONDS = 5.0
PATIENCE = 60
"""Seconds that a component waits for SQLite's one write lock before it gives up, and most components with it."""
API_SERVER_PATIENCE = 2
"""The same for the API server. It writes the audit log of a person's request in its event loop (3.3.2): when a worker's
request holds the lock meanwhile, that one is committed only once the loop runs again, so that nothing moves until
the wait ends. The person is answered 500 and asks again (``devtools.airflow.rest.TRIES``)."""
RESTARTS = 3
"""How often a component that died by itself is started again, as systemd or Kubernetes would."""
MEMORY = Path("/dev/shm")  # noqa: S108
MEMORY_BYTES = 2**30

log = logging.getLogger(__name__)


class AirflowStack:
    """A running Airflow, and what a person or an accident does to it.

    :param dags: the DAG folder.
    :param connections: connection id → connection (``conn_type``, ``login``, ``password``, ``host``, ``extra``).
    :param env: added to the environment of every component; ``AIRFLOW__SECTION__KEY`` settings win over the defaults.
    :param python: interpreter whose Airflow runs; the current one by default.
    :param database: SQLAlchemy URL of an empty or migrated database; SQLite in the home by default.
    :param triggerers: how many triggerers to start.
    :param celery_workers: how many workers to start, for the ``CeleryExecutor``; ``env`` names their broker.
    :param api_server: 3.x needs it to run any task; 2.x only for :meth:`trigger`, :meth:`clear` and :meth:`set_state`.
    :param port: of the API server; any free one for 0.
    :param home: the throw-away home, kept at the end; a temporary directory, removed at the end, by default.
    :raises devtools.airflow.processes.PortInUse: when somebody listens on ``port``.
    """

    def __init__(
        self,
        *,
        dags: Path,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        python: str = sys.executable,
        executor: str = "LocalExecutor",
        database: str | None = None,
        triggerers: int = 1,
        celery_workers: int = 0,
        api_server: bool = True,
        port: int = 0,
        home: Path | None = None,
    ) -> None:
        self.python = python
        self.dialect = dialect(installed_airflow(python))
        self.port = claim_port(port)
        self.base_url = f"http://{LOOPBACK}:{self.port}"
        self._keep = home is not None
        self.home = (home or Path(tempfile.mkdtemp(prefix="airflow-stack-", dir=_fast_directory()))).resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.logs = self.home / "logs"
        self.component_logs = self.home / "components"
        self.component_logs.mkdir(exist_ok=True)
        self.database = database or f"sqlite:///{self.home / 'airflow.db'}?timeout={PATIENCE}"
        self.db = MetadataDatabase(self.database.split("?")[0])
        self.rest = AirflowRest(self.base_url, self.dialect)
        settings = self.dialect.settings(
            home=self.home, port=self.port, executor=executor, database=self.database, dags=dags.resolve()
        )
        variables = dict(connection_variable(*item) for item in (connections or {}).items())
        own = {"XDG_CACHE_HOME": str(self.home / "cache")}  # nothing is remembered of other homes
        self.env = {**self._clean_environment(), **settings, **variables, **own, **(env or {}), MARK: str(self.home)}
        self._api_server = api_server
        self._triggerers = triggerers
        plan = self.dialect.components(
            port=self.port, triggerers=triggerers, celery_workers=celery_workers, api_server=api_server
        )
        self.components = {name: self._component(name, arguments) for name, arguments in plan}
        self.deaths: list[str] = []

    # -- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> AirflowStack:
        try:
            self.migrate()
            for component in self.components.values():
                component.start()
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def migrate(self) -> None:
        """Create the metadata database."""
        self.dialect.prepare(self.home)
        self.airflow("db", "migrate", log="db-migrate")
        if self.database.startswith("sqlite"):
            self.db.use_write_ahead_log()

    def wait_ready(self, timeout: float = START_SECONDS) -> None:
        """Wait until every component reports and the API server answers.

        :raises RuntimeError: when a component has died, with the end of its log.
        """
        wanted = self.dialect.job_types(triggerers=self._triggerers)

        def ready() -> bool:
            for component in self.components.values():
                if not component.running:
                    raise RuntimeError(f"{component.name} ended at start:\n{component.tail(40)}")
            running = self.db.running_jobs()
            up = all(running.get(job, 0) >= count for job, count in wanted.items())
            return up and (not self._api_server or self.rest.answers())

        self.wait_until(ready, timeout, "all components up", every=0.5)

    def close(self) -> None:
        """Stop everything by process id, politely first, and remove the home unless it was given."""
        with uninterrupted():
            families = [process for one in self.components.values() for process in one.family()]
            for component in self.components.values():
                component.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
            for component in self.components.values():
                component.wait(max(0.0, deadline - time.monotonic()))
            end(families)
            for component in self.components.values():
                component.wait(5)
            sweep(self.home)
            if not self._keep:
                shutil.rmtree(self.home, ignore_errors=True)

    def component(self, name: str) -> Component:
        """Return a component to kill, stop or restart.

        :param name: ``api-server``, ``scheduler``, ``dag-processor``, ``triggerer-<n>`` or ``celery-worker-<n>``.
        """
        return self.components[name]

    def airflow(self, *arguments: str, log: str = "cli", timeout: float = 300.0) -> str:
        """Run ``airflow …`` in this home and return what it printed.

        :raises RuntimeError: when it fails, with its output.
        """
        answer = subprocess.run(
            [self.python, "-m", "airflow", *arguments],
            env=self.env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        with (self.component_logs / f"{log}.log").open("a") as file:
            file.write(answer.stdout)
        if answer.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} ended {answer.returncode}:\n{answer.stdout[-4000:]}")
        return answer.stdout

    # -- what a person does ----------------------------------------------------------------------------------------

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None, *, timeout: float = 60.0
    ) -> str:
        """Start a run, once the DAG is parsed, and return its id.

        :raises RuntimeError: when a DAG file does not import, with its stack trace.
        """

        def parsed() -> bool:
            if self.db.knows_dag(dag_id):
                return True
            for file, trace in self.db.import_errors().items():
                raise RuntimeError(f"{file} does not import:\n{trace}")
            return False

        self.wait_until(parsed, timeout, f"DAG {dag_id} parsed")
        chosen = run_id or f"stack__{uuid4().hex[:12]}"
        as_a_person(
            lambda: self.rest.trigger(dag_id, chosen, conf or {}),
            done=lambda: self.run_state(dag_id, chosen) is not None,
        )
        return chosen

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None, *, downstream: bool = False
    ) -> None:
        """Clear task instances (all for None), as a person does; the run goes on."""
        if self.dialect.major >= 3:
            self.rest.clear(dag_id, run_id, task_ids, downstream=downstream)
        else:
            self._clear_two(dag_id, run_id, task_ids, downstream=downstream)

    def _clear_two(self, dag_id: str, run_id: str, task_ids: Sequence[str] | None, *, downstream: bool) -> None:
        """Clear by the command line: the REST API of 2.x forgets to store the new state of a task that is running."""
        date = self.db.logical_date(dag_id, run_id).isoformat()
        chosen = [] if task_ids is None else ["--task-regex", f"^({'|'.join(map(re.escape, task_ids))})$"]
        more = ["--downstream"] if downstream else []
        self.airflow("tasks", "clear", dag_id, "--yes", "--start-date", date, "--end-date", date, *chosen, *more)

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task instance ``success`` or ``failed``, as the UI does."""
        self.rest.set_state(dag_id, run_id, task_id, state, map_index)

    # -- what it shows ---------------------------------------------------------------------------------------------

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run."""
        return self.db.run_state(dag_id, run_id)

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return the task instances of a run."""
        return self.db.task_instances(dag_id, run_id)

    def task(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance:
        """Return one task instance."""
        rows = self.task_instances(dag_id, run_id)
        return next(row for row in rows if (row.task_id, row.map_index) == (task_id, map_index))

    def xcoms(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return what a task pushed."""
        return self.db.xcoms(dag_id, run_id, task_id, map_index)

    def task_log_files(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> list[Path]:
        """Return the log files of one try, the worker's and the triggerers'."""
        return log_files(self.logs, dag_id, run_id, task_id, try_number, map_index)

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try as text."""
        return read_log(self.task_log_files(dag_id, run_id, task_id, try_number, map_index))

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 300.0) -> str:
        """Wait until the run has ended and return its state."""
        ended = lambda: self.run_state(dag_id, run_id) in TERMINAL_RUN_STATES  # noqa: E731
        self.wait_until(ended, timeout, f"{dag_id} {run_id} ended")
        return str(self.run_state(dag_id, run_id))

    def wait_until(
        self, predicate: Callable[[], Any], timeout: float = 60.0, what: str = "", every: float = 0.2
    ) -> Any:
        """Wait until the predicate holds and return what it returned.

        :raises TimeoutError: naming what was waited for, and what died meanwhile.
        """
        deadline = time.monotonic() + timeout
        while not (answer := predicate()):
            self._revive()
            if time.monotonic() > deadline:
                late = f"not within {timeout:.0f} s: {what or predicate}; home {self.home}"
                raise TimeoutError("\n".join([late, *self.deaths]))
            time.sleep(every)
        return answer

    def _revive(self) -> None:
        """Start again what died by itself: on SQLite, a scheduler that waits too long for the write lock ends.

        :raises RuntimeError: when components died again and again, with the ends of their logs.
        """
        for component in self.components.values():
            if component.died:
                self.deaths.append(f"{component.name} ended by itself:\n{component.tail(40)}")
                if len(self.deaths) > RESTARTS:
                    raise RuntimeError("\n".join(self.deaths))
                log.warning("%s", self.deaths[-1])
                component.start()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _component(self, name: str, arguments: Sequence[str]) -> Component:
        argv = [self.python, "-m", "airflow", *arguments]
        env = dict(self.env)
        if name == "api-server" and self.dialect.major >= 3:
            env[CONNECTION] = env[CONNECTION].replace(f"?timeout={PATIENCE}", f"?timeout={API_SERVER_PATIENCE}")
        return Component(name, argv, env=env, cwd=self.home, log=self.component_logs / f"{name}.log")

    def _clean_environment(self) -> dict[str, str]:
        """Return our environment without anybody's Airflow settings, connections and variables."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "_AIRFLOW"))}
        kept["PATH"] = os.pathsep.join([str(Path(self.python).parent), kept.get("PATH", os.defpath)])
        for key in ("NO_PROXY", "no_proxy"):  # a proxy of the environment must not see loopback
            kept[key] = ",".join(filter(None, [kept.get(key), LOOPBACK, "localhost"]))
        # setproctitle would overwrite the environment by which the processes of this home are found again.
        return kept | {"SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"}


def _fast_directory() -> Path | None:
    """Return where memory stands in for a disk, if there is room: SQLite's one writer holds its lock for less time."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        return MEMORY
    return None
