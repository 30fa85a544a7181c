"""What a task may know of its own earlier attempts and of other tasks, on every version of Airflow.

================  =====================================  =============================================
Airflow           what outlives an attempt               other tasks
================  =====================================  =============================================
3.3 and newer     the task state store                   the task's API: states, XComs of a DAG named
3.0 to 3.2        an Airflow variable until a good end   the same
2.10 and 2.11     the audit log of the task instance     the metadata database: XComs of every DAG
================  =====================================  =============================================

An attempt's own XComs do not do: Airflow deletes them before the next one. What all DAGs know together is a variable.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

TaskKey = tuple[str, str, str, int]
"""A task instance: DAG id, run id, task id, map index (-1 if it is not mapped)."""

RECENT_RUNS = 25
"""DAG runs that have ended whose tasks are asked, too: the newest ones."""

NEAR_RUNS = 16
"""And so many right before and right after one's own in date: a backfill may have run them at the same time."""

UNFINISHED = frozenset(
    {"running", "deferred", "restarting", "up_for_retry", "up_for_reschedule", "queued", "scheduled"}
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T_ ]?[\d:.]*")


class TaskStore(Protocol):
    """Keeps values for one task instance over its attempts."""

    def get(self, key: str) -> Any:
        """Return a value, or ``None``."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value that is plain JSON."""

    def delete(self, key: str) -> None:
        """Forget a value."""


def is_airflow_2() -> bool:
    """Whether this is Airflow 2, whose workers read the metadata database."""
    return find_spec("airflow.sdk") is None


def has_task_state() -> bool:
    """Whether this is Airflow 3.3 or newer."""
    return not is_airflow_2() and find_spec("airflow.sdk.definitions.retry_policy") is not None


def task_store(context: Mapping[str, Any]) -> TaskStore | None:
    """Return what outlives the attempts of the context's task, or ``None`` if nothing does."""
    store: TaskStore | None = context.get("task_state_store")
    if store is not None:
        return store
    if is_airflow_2():
        return AuditLogStore(context["ti"])
    return None if has_task_state() else VariableStore(context["ti"])


def keeps_delivered(store: TaskStore) -> bool:
    """Whether a store may keep what is of no more use: others clean up by themselves, variables do not."""
    return not isinstance(store, VariableStore)


def call_when_over(context: Mapping[str, Any], callback: Callable[[Any], None]) -> bool:
    """Have Airflow 3 call something once no attempt follows but after a clear: a success, a skip, the last failure.

    It calls a task's callbacks in the task's own process once the end is recorded (in 3.0.0: reported), and not at all
    if the process dies before that, or if the end cannot be recorded.

    :param callback: gets the context.
    :returns: whether it will be called.
    """
    task = getattr(context["ti"], "task", None)
    if task is None:
        return False
    for kind in ("on_success_callback", "on_skipped_callback", "on_failure_callback"):
        theirs = getattr(task, kind, None) or ()
        setattr(task, kind, [callback, *([theirs] if callable(theirs) else theirs)])  # one alone: by a cluster policy
    return True


class AuditLogStore:
    """Rows of the audit log of a task instance; the newest counts (Airflow 2)."""

    def __init__(self, ti: Any) -> None:
        self._ti = ti

    def get(self, key: str) -> Any:
        """Return the value that was written last, or ``None``."""
        ti = self._ti
        with _session() as session:
            log = _model("log", "Log")
            row = (
                session.query(log.extra)
                .filter_by(event=key, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index)
                .order_by(log.id.desc())
                .first()
            )
            return None if row is None else json.loads(row[0])

    def set(self, key: str, value: Any) -> None:
        """Add a row."""
        ti = self._ti
        with _session() as session:
            row = _model("log", "Log")(event=key, task_instance=ti, owner="airflow", extra=json.dumps(value))
            row.map_index, row.run_id = ti.map_index, ti.run_id
            session.add(row)

    def delete(self, key: str) -> None:
        """Add a row that says that there is nothing."""
        self.set(key, None)


class VariableStore:
    """An Airflow variable for one task instance, until the task has ended well (Airflow 3.0 to 3.2)."""

    def __init__(self, ti: Any) -> None:
        self._name = ":".join((ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index)))

    def get(self, key: str) -> Any:
        """Return the value, or ``None``."""
        return _variables().get(f"{key}:{self._name}", default=None, deserialize_json=True)

    def set(self, key: str, value: Any) -> None:
        """Write the variable."""
        what = "Written by airflow-provider-fabric: which Fabric run is this task's, until the task has succeeded."
        _variables().set(f"{key}:{self._name}", value, description=what, serialize_json=True)

    def delete(self, key: str) -> None:
        """Delete the variable."""
        if self.get(key) is None:
            return
        delete = getattr(_variables(), "delete", None)  # since 3.1
        if delete is None:
            self.set(key, {"nothing": True})
        else:
            delete(f"{key}:{self._name}")


def shared_value(key: str) -> Any:
    """Return what tasks of any DAG keep together under a key, or ``None``."""
    default = {"default_var" if is_airflow_2() else "default": None}
    return _variables().get(key, deserialize_json=True, **default)


def set_shared_value(key: str, value: Any, what: str) -> None:
    """Write it: an Airflow variable.

    :param what: its description.
    """
    _variables().set(key, value, description=what, serialize_json=True)


def _variables() -> Any:
    return import_module("airflow.models.variable" if is_airflow_2() else "airflow.sdk").Variable


def previous_attempt_returned(context: Mapping[str, Any]) -> bool:
    """Whether the task's previous attempt ended well, as far as Airflow tells: then it was cleared since."""
    ti = context["ti"]
    if is_airflow_2():
        return _newest_state("taskinstancehistory", "TaskInstanceHistory", ti) in {"success", "skipped"}
    server = getattr(ti, "_ti_context_from_server", None)
    return "return_value" in (getattr(server, "xcom_keys_to_clear", None) or ())


def is_being_cleared(context: Mapping[str, Any]) -> bool:
    """Whether the task, while it is killed, is so because it was cleared: its own state says ``restarting`` then.

    Airflow 2, and Airflow 3 where several running tasks are cleared at once, do not change ``max_tries`` for it.
    """
    ti = context["ti"]
    if is_airflow_2():
        return _newest_state("taskinstance", "TaskInstance", ti) == "restarting"
    states = _states_told(partial(ti.get_task_states, run_ids=[ti.run_id]), ti.dag_id, [ti.task_id])
    return states.get((ti.dag_id, ti.run_id, ti.task_id, ti.map_index)) == "restarting"


def _newest_state(module: str, model: str, ti: Any) -> str | None:
    """Return the state of a task instance's newest row in a table of Airflow 2; ``None`` if there is no row."""
    with _session() as session:
        table = _model(module, model)
        rows = session.query(table.state).filter_by(
            dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
        )
        row = rows.order_by(table.try_number.desc()).first()
        return None if row is None else str(row[0])


def is_talking_to_airflow() -> bool:
    """Whether this thread, interrupted by a signal, is in the middle of a call to its supervisor (Airflow 3).

    Whoever asks for more then, in this thread or in another, gets the answer to that call instead of its own (3.0 to
    3.2; seen on 3.1.8), or waits for a lock (3.3).
    """
    frame = sys._getframe().f_back
    while frame is not None:
        if type(frame.f_locals.get("self")).__name__ == "CommsDecoder":
            return True
        frame = frame.f_back
    return False


# Other tasks.


@dataclass(frozen=True)
class Published:
    """What a task instance of this or another DAG published under a key.

    :param task: which.
    :param value: what.
    """

    task: TaskKey
    value: Any


def states_of_tasks(context: Mapping[str, Any], tasks: Mapping[str, Collection[str]]) -> dict[TaskKey, str] | None:
    """Return the states of all instances of some tasks, in every DAG run; ``None`` if nobody tells.

    :param tasks: task ids by DAG id.
    """
    ask = getattr(context["ti"], "get_task_states", None)
    if not is_airflow_2() and ask is None:
        return None
    found: dict[TaskKey, str] = {}
    for dag_id, task_ids in tasks.items():
        found.update(_states_in_database(dag_id, task_ids) if is_airflow_2() else _states_told(ask, dag_id, task_ids))
    return found


def _states_in_database(dag_id: str, task_ids: Collection[str]) -> dict[TaskKey, str]:
    with _session() as session:
        model = _model("taskinstance", "TaskInstance")
        rows = session.query(model.run_id, model.task_id, model.map_index, model.state).filter(
            model.dag_id == dag_id, model.task_id.in_(list(task_ids)), model.state.isnot(None)
        )
        return {(dag_id, run, task, index): str(state) for run, task, index, state in rows}


def _states_told(ask: Any, dag_id: str, task_ids: Collection[str]) -> dict[TaskKey, str]:
    found: dict[TaskKey, str] = {}
    for asked in _told_apart(task_ids):
        for run_id, states in (ask(dag_id=dag_id, task_ids=asked) or {}).items():
            for name, state in states.items():
                instance = _instance(name, asked)
                if instance is not None and state is not None:
                    found[dag_id, run_id, instance[0], instance[1]] = str(getattr(state, "value", state))
    return found


def _told_apart(task_ids: Collection[str]) -> list[list[str]]:
    """Return the ids in groups in whose answers no name is ambiguous.

    The API calls instance 2 of a mapped task ``load`` ``load_2``, and so it calls a task of that id; asked for both, it
    names one of them only.
    """
    alike = {name for name in task_ids if any(re.fullmatch(re.escape(name) + r"_\d+(_\d+)?", o) for o in task_ids)}
    rest = [name for name in task_ids if name not in alike]
    return [*([rest] if rest else []), *([name] for name in sorted(alike))]


def _instance(name: str, task_ids: Collection[str]) -> tuple[str, int] | None:
    """Read the API's name of a task instance: the task's id, and the map index behind it if it is mapped."""
    if name in task_ids:
        return name, -1
    task_id, _, index = name.rpartition("_")
    return (task_id, int(index)) if task_id in task_ids and index.isdecimal() else None


def published_by(context: Mapping[str, Any], key: str, tasks: Collection[TaskKey]) -> Iterator[Published]:
    """Yield what task instances published under a key: of these, and on Airflow 2 of those of every DAG.

    :param tasks: see :func:`worth_asking`.
    """
    if is_airflow_2():
        yield from _published_anywhere(key)
        return
    for task in tasks:
        dag_id, run_id, task_id, index = task
        value = context["ti"].xcom_pull(dag_id=dag_id, run_id=run_id, task_ids=task_id, map_indexes=index, key=key)
        if value is not None:
            yield Published(task, value)


def _published_anywhere(key: str) -> Iterator[Published]:
    model = _model("xcom", "XCom")
    with _session() as session:
        rows = session.query(model).filter(model.key == key).order_by(model.timestamp.desc()).limit(2000).all()
        found = [((row.dag_id, row.run_id, row.task_id, row.map_index), row.value) for row in rows]
    yield from (Published(task, value) for task, value in found)


def worth_asking(states: Mapping[TaskKey, str], own_run: str) -> list[TaskKey]:
    """Return the task instances that may matter now: of DAG runs that have ended, the newest and the nearest ones.

    :param own_run: id of one's own DAG run.
    """
    by_dag: dict[str, dict[TaskKey, str]] = {}
    for key, state in states.items():
        by_dag.setdefault(key[0], {})[key] = state
    return [key for of_dag in by_dag.values() for key in _worth_asking(of_dag, own_run)]


def _worth_asking(states: Mapping[TaskKey, str], own_run: str) -> list[TaskKey]:
    """Do the same for the instances of one DAG."""
    busy = {own_run, *(key[1] for key, state in states.items() if state in UNFINISHED)}
    others = sorted({key[1] for key in states} - busy, key=_date_of, reverse=True)
    later = sum(_date_of(run) > _date_of(own_run) for run in others)
    near = others[max(later - NEAR_RUNS, 0) : later + NEAR_RUNS] if _date_of(own_run) else []
    runs = busy | {*others[:RECENT_RUNS], *near}
    return [key for key in states if key[1] in runs]


def _date_of(run_id: str) -> str:
    found = _DATE.search(run_id)
    return found.group() if found else ""


@contextmanager
def _session() -> Iterator[Any]:
    with import_module("airflow.utils.session").create_session() as session:
        yield session


def _model(module: str, name: str) -> Any:
    return getattr(import_module(f"airflow.models.{module}"), name)
