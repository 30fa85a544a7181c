"""Other tasks that run jobs of the same item: which runs they claimed, and which may own one that nobody claimed.

A run that the service did not name can be ours only if it is no other task's. What a task publishes right after its
submit (XCom ``job_instance_id``) is its claim; what it cannot tell from others it names (``job_instance_candidates``),
and an empty list there says that it surely started nothing. A task that may have sent a submit and published neither
may own whatever nobody claims. Asked are other map indexes, other tasks of the DAG, its other DAG runs, and the tasks
of other DAGs that are known to run the item (:mod:`.item_users`); on Airflow 2 all DAGs are asked for claims.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.compat_tasks import TaskKey, published_by, states_of_tasks, worth_asking
from airflow_provider_fabric.lifecycle.item_users import ItemUsers

CLAIM_KEY = "job_instance_id"
CANDIDATES_KEY = "job_instance_candidates"

MAY_HAVE_SUBMITTED = frozenset({"running", "deferred", "restarting", "up_for_retry", "failed"})
"""States in which a task may have sent a submit a short while ago, or died right after it."""

MAY_HAVE_DIED = MAY_HAVE_SUBMITTED | {"queued", "scheduled"}
"""States in which it may have sent one some time ago, before it died."""

DID_NOT_RUN = frozenset({"queued", "scheduled", "skipped", "upstream_failed", "removed"})
"""States that a task comes to without a submit; any other that is new says that it ran meanwhile."""

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
    """The other tasks: as they were when a submit was answered unclearly, and as they are when that is judged.

    :param context: the task's context.
    :param operator: the task's operator, its templates rendered.
    :param users: the tasks of all DAGs that run the item.
    :param died: the submit was an earlier attempt's, some time ago.
    """

    def __init__(self, context: Mapping[str, Any], operator: Any, users: ItemUsers, *, died: bool) -> None:
        self._context = context
        ti = context["ti"]
        self._own: TaskKey = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        self._of_this_dag = _tasks_that_may_share(operator, ti.task_id)
        self._users = users
        self._may_own = MAY_HAVE_DIED if died else MAY_HAVE_SUBMITTED
        self._before = self._states()

    def claims(self) -> Claims:
        """Ask what they have published by now: to be called once the item's list has been read for the last time.

        A run in that list was submitted before. So whoever submitted it shows in the states, which are read first, and
        its claim, unless it is still to come, in what is read after them.
        """
        now = self._states()
        if self._before is None or now is None:
            _, _, own_task, index = self._own
            alone = index < 0 and self._tasks() == {self._own[0]: {own_task}}
            unknown = "this Airflow does not tell what the other tasks that run this item have started"
            return Claims(unresolved="" if alone else unknown)
        changed = {key: state for key, state in now.items() if self._before.get(key) != state}
        own_run = self._own[1]
        asked = sorted({*worth_asking(self._before, own_run), *worth_asking(now, own_run), *changed})
        if len(asked) > MAX_ASKED:
            return Claims(unresolved=f"{len(asked)} other task instances may run the same item, too many to check")
        may_own = {key for states in (self._before, now) for key, state in states.items() if state in self._may_own}
        may_own |= {key for key, state in changed.items() if state not in DID_NOT_RUN}
        return self._published(asked, may_own & set(asked))

    def _published(self, asked: Collection[TaskKey], may_own: Set[TaskKey]) -> Claims:
        claims = [(task, id_.lower()) for task, id_ in self._others(CLAIM_KEY, asked) if is_guid(id_)]
        named = [(task, ids) for task, ids in self._others(CANDIDATES_KEY, asked) if isinstance(ids, list | tuple)]
        resolved = {task for task, _ in claims} | {task for task, ids in named if not ids}
        return Claims(
            frozenset(id_ for _, id_ in claims),
            frozenset(str(id_).lower() for _, ids in named for id_ in ids),
            self._unresolved(may_own - resolved),
        )

    def _unresolved(self, tasks: Iterable[TaskKey]) -> str:
        own_dag = self._own[0]
        names = sorted(
            f"{'' if dag_id == own_dag else f'{dag_id}.'}{task}{f'[{index}]' if index >= 0 else ''}"
            for dag_id, _, task, index in tasks
        )
        if not names:
            return ""
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        named = f"{', '.join(names[:3])}{more}"
        return f"task instances that may run the same item have not yet recorded which run they started: {named}"

    def _tasks(self) -> dict[str, set[str]]:
        """Return the ids of the tasks that may run the item, by DAG; ours is always one."""
        tasks = self._users.tasks()
        return {**tasks, self._own[0]: {*tasks.get(self._own[0], ()), *self._of_this_dag}}

    def _states(self) -> dict[TaskKey, str] | None:
        """Return the states of the others, or ``None`` if nobody tells."""
        states = states_of_tasks(self._context, self._tasks())
        return None if states is None else {key: state for key, state in states.items() if key != self._own}

    def _others(self, key: str, asked: Collection[TaskKey]) -> Iterator[tuple[TaskKey, Any]]:
        """Yield what others published under a key, and who did."""
        for found in published_by(self._context, key, asked):
            if found.task != self._own:
                yield found.task, found.value


def publish_candidates(ti: Any, candidates: Collection[str], log: Any) -> None:
    """Let other tasks know which runs may be this one's; none says that it surely started nothing."""
    try:
        ti.xcom_push(key=CANDIDATES_KEY, value=list(candidates))
    except Exception as error:  # noqa: BLE001 - the error that follows counts
        log.warning("Could not write XCom %s: %r", CANDIDATES_KEY, error)


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
