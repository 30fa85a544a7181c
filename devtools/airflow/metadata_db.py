"""Reads of Airflow's metadata database: cheap to poll, and answering when the API server is the one that was killed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import sqlalchemy
from sqlalchemy.pool import NullPool

TERMINAL_RUN_STATES = frozenset({"success", "failed"})
TERMINAL_TASK_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True, kw_only=True)
class TaskInstance:
    """One row of ``task_instance``: where a task of a run stands now."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    max_tries: int
    start: datetime | None
    end: datetime | None
    operator: str
    pid: int | None
    trigger_id: int | None
    next_method: str | None

    @property
    def deferred(self) -> bool:
        """Whether it waits in the triggerer at this moment."""
        return self.state == "deferred"

    @property
    def done(self) -> bool:
        """Whether Airflow will do nothing more about it by itself."""
        return self.state in TERMINAL_TASK_STATES


class MetadataDatabase:
    """The tables of 2.10 to 3.x that the stack looks at, by plain SQL."""

    def __init__(self, url: str) -> None:
        arguments = {"timeout": 60} if url.startswith("sqlite") else {}
        self._engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=arguments)

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a SELECT and return its rows."""
        with self._engine.connect() as connection:
            answer = connection.execute(sqlalchemy.text(statement), parameters)
            return [dict(row._mapping) for row in answer]

    def use_write_ahead_log(self) -> None:
        """SQLite: let readers and one writer work at once (the mode stays with the file; 3.3 sets it itself)."""
        with self._engine.connect() as connection:
            connection.execute(sqlalchemy.text("PRAGMA journal_mode=WAL"))

    def running_jobs(self) -> dict[str, int]:
        """Return how many components of which job type report as running."""
        rows = self.rows("SELECT job_type, count(*) AS n FROM job WHERE state = 'running' GROUP BY job_type")
        return {row["job_type"]: row["n"] for row in rows}

    def knows_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed."""
        return bool(self.rows("SELECT dag_id FROM serialized_dag WHERE dag_id = :dag_id", dag_id=dag_id))

    def import_errors(self) -> dict[str, str]:
        """Return the stack trace of every DAG file that does not import."""
        rows = self.rows("SELECT filename, stacktrace FROM import_error")
        return {row["filename"]: row["stacktrace"] for row in rows}

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a DAG run, None if there is no such run."""
        statement = "SELECT state FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id"
        rows = self.rows(statement, dag_id=dag_id, run_id=run_id)
        return rows[0]["state"] if rows else None

    def logical_date(self, dag_id: str, run_id: str) -> datetime:
        """Return what 2.x calls the execution date of a DAG run."""
        statement = "SELECT execution_date FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id"
        found = moment(self.rows(statement, dag_id=dag_id, run_id=run_id)[0]["execution_date"])
        assert found is not None, run_id  # noqa: S101 - the column is never null
        return found

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return the task instances of a run, those that started first first."""
        statement = "SELECT * FROM task_instance WHERE dag_id = :dag_id AND run_id = :run_id"
        found = [
            TaskInstance(
                task_id=row["task_id"],
                map_index=row["map_index"],
                state=row["state"],
                try_number=row["try_number"],
                max_tries=row["max_tries"],
                start=moment(row["start_date"]),
                end=moment(row["end_date"]),
                operator=row["operator"] or "",
                pid=row["pid"],
                trigger_id=row["trigger_id"],
                next_method=row["next_method"],
            )
            for row in self.rows(statement, dag_id=dag_id, run_id=run_id)
        ]
        late = datetime.max.replace(tzinfo=timezone.utc)
        return sorted(found, key=lambda row: (row.start or late, row.task_id, row.map_index))

    def xcoms(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return what a task instance pushed, by key."""
        statement = (
            "SELECT key, value FROM xcom WHERE dag_id = :dag_id AND run_id = :run_id"
            " AND task_id = :task_id AND map_index = :map_index"
        )
        rows = self.rows(statement, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
        return {row["key"]: _value(row["value"]) for row in rows}


def moment(value: Any) -> datetime | None:
    """Return a UTC time of what the driver gives: text on SQLite, a time on PostgreSQL."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _value(value: Any) -> Any:
    """Return an XCom as Python: JSON twice over on 3.x with SQLite (the column, then the value), bytes on 2.x."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value).decode()
    for _ in range(2):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except ValueError:
            break
    return value
