"""Other tasks that run jobs of the same item: which runs they claimed, and which may own one that nobody claimed.

A run that the service did not name can be ours only if it is no other task's. What a task publishes right after its
submit (XCom ``job_instance_id``) is its claim; what it cannot tell from others it names (``job_instance_candidates``).
Asked are other map indexes, other tasks of the DAG, and its other DAG runs; on Airflow 2 all DAGs are asked for claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.compat_tasks import TaskKey, published_by, states_of_tasks, worth_asking

CLAIM_KEY = "job_instance_id"
CANDIDATES_KEY = "job_instance_candidates"

SUBMITTING = frozenset({"running", "deferred", "restarting", "up_for_retry"})
"""States in which a task may have sent a submit a short while ago; one that waits for its retry may have died since."""

MAY_HAVE_DIED = SUBMITTING | {"queued", "scheduled"}
"""States in which it may have sent one before it died."""

MAX_ASKED = 300
"""More task instances than this are not asked one by one: then nothing is excluded."""


@dataclass(frozen=True)
class Claims:
    """What other tasks say of the runs of an item.

    :param claimed: ids of runs that are another task's.
    :param disputed: ids of runs that another task names as perhaps its own.
    :param unresolved: why an unnamed run may be another task's, in words; empty if it cannot.
    """

    claimed: frozenset[str] = frozenset()
    disputed: frozenset[str] = frozenset()
    unresolved: str = ""


class Siblings:
    """The other tasks, as they were when a submit was answered unclearly.

    :param context: the task's context.
    :param operator: the task's operator, its templates rendered.
    :param died: the submit was an earlier attempt's, some time ago.
    """

    def __init__(self, context: Mapping[str, Any], operator: Any, *, died: bool) -> None:
        self._context = context
        ti = context["ti"]
        self._own: TaskKey = (ti.run_id, ti.task_id, ti.map_index)
        task_ids = _tasks_that_may_share(operator, ti.task_id)
        states = states_of_tasks(context, task_ids)
        self._unknown = states is None and (ti.map_index >= 0 or len(task_ids) > 1)
        others = {key: state for key, state in (states or {}).items() if key != self._own}
        self._asked = worth_asking(others, ti.run_id)
        busy = MAY_HAVE_DIED if died else SUBMITTING
        self._busy = frozenset(key for key, state in others.items() if state in busy)

    def claims(self) -> Claims:
        """Ask what they have published by now."""
        if self._unknown:
            return Claims(unresolved="this Airflow does not tell what the other tasks of this DAG have started")
        if len(self._asked) > MAX_ASKED:
            return Claims(
                unresolved=f"{len(self._asked)} other task instances may run the same item, too many to check"
            )
        claimed, tasks = set[str](), set[tuple[str, str, int]]()
        for found in published_by(self._context, CLAIM_KEY, self._asked):
            if found.task != (self._context["ti"].dag_id, *self._own) and is_guid(found.value):
                claimed.add(found.value.lower())
                tasks.add(found.task[1:])
        disputed = {
            str(id_).lower()
            for found in published_by(self._context, CANDIDATES_KEY, self._asked)
            if found.task != (self._context["ti"].dag_id, *self._own) and isinstance(found.value, list | tuple)
            for id_ in found.value
        }
        return Claims(frozenset(claimed), frozenset(disputed), _unresolved(self._busy - tasks))


def _unresolved(tasks: Iterable[TaskKey]) -> str:
    names = sorted(f"{task}[{index}]" if index >= 0 else task for _, task, index in tasks)
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    named = f"{', '.join(names[:3])}{more}"
    return f"task instances that may run the same item have not yet recorded which run they started: {named}"


def _tasks_that_may_share(operator: Any, own_id: str) -> list[str]:
    """Return the ids of the DAG's tasks that may run a job of the same item; ours is always one."""
    dag = getattr(operator, "dag", None) if operator.has_dag() else None
    others = [task for task in getattr(dag, "task_dict", {}).values() if task.task_id != own_id]
    return [own_id, *(task.task_id for task in others if _may_share(task, operator))]


def _may_share(task: Any, operator: Any) -> bool:
    """Whether another task of the DAG may run a job of our item, as far as the DAG file tells."""
    kind = getattr(task, "operator_class", type(task))
    item_field = getattr(kind, "item_field", None)
    if not isinstance(item_field, str):
        return False
    given = getattr(task, "partial_kwargs", None) or vars(task)
    own_type, other_type = operator.item_type, given.get("item_type")
    if own_type and isinstance(other_type, str) and "{" not in other_type and other_type != own_type:
        return False
    other, own = given.get(item_field), operator.item_name
    if not isinstance(other, str) or "{" in other or is_guid(other) != is_guid(own):
        return True
    return other.strip().casefold() == str(own).strip().casefold()
