"""Which tasks run an item, over all DAGs: an Airflow variable per item, which a task joins before it starts a run.

A task may ask Airflow what the tasks of another DAG have started, but must know which DAG to ask about. The variable
``fabric_item:<item id>`` holds a date for each task of each DAG: when it last said that it runs the item. Reading it is
one call to Airflow; it is written only once a month for each task.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_fabric.compat_tasks import set_shared_value, shared_value
from airflow_provider_fabric.exceptions import FabricInputError

KEY = "fabric_item"
DESCRIPTION = "Which tasks run this Fabric item, and when they last said so. Written by airflow-provider-fabric."

RENEWED_AFTER = timedelta(days=30)
FORGOTTEN_AFTER = timedelta(days=100)

WRITES = 8
"""Tasks that join at once may overwrite each other: each reads its entry back, and writes again if it is gone."""

LONGEST_PAUSE = 0.2
"""Seconds between writing and reading back, at most."""

Users = Mapping[str, Mapping[str, str]]
"""DAG id → task id → date."""


class ItemUsers:
    """The tasks that run an item, and this task among them.

    :param item_id: GUID of the item.
    :param ti: this task's instance.
    """

    def __init__(self, item_id: str, ti: Any) -> None:
        self._key = f"{KEY}:{item_id.lower()}"
        self._dag_id, self._task_id = str(ti.dag_id), str(ti.task_id)
        self._wrote = False

    def join(self) -> Users:
        """Make sure that this task is among them, and return all.

        :raises FabricInputError: the variable holds something else, or what is written to it is gone each time.
        :raises Exception: whatever Airflow raises if variables cannot be read or written.
        """
        for _ in range(WRITES):
            users, today = self._read(), datetime.now(timezone.utc).date()
            if users.get(self._dag_id, {}).get(self._task_id, "") > (today - RENEWED_AFTER).isoformat():
                return users
            oldest = (today - FORGOTTEN_AFTER).isoformat()
            kept = {dag: {t: day for t, day in tasks.items() if day > oldest} for dag, tasks in users.items()}
            kept.setdefault(self._dag_id, {})[self._task_id] = today.isoformat()
            set_shared_value(self._key, {dag: tasks for dag, tasks in kept.items() if tasks}, DESCRIPTION)
            self._wrote = True
            time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - apart from others, not unforeseeable
        raise FabricInputError(f"Airflow variable {self._key!r} does not keep what is written to it.")

    def confirm(self) -> None:
        """Join again if a task that joined at the same time has overwritten that: to be called after the submit.

        :raises Exception: as :meth:`join` does.
        """
        if self._wrote:
            self.join()

    def tasks(self) -> dict[str, set[str]]:
        """Return the ids of the tasks, by DAG id.

        :raises Exception: as :meth:`join` does.
        """
        return {dag_id: set(tasks) for dag_id, tasks in self.join().items()}

    def _read(self) -> Users:
        users = shared_value(self._key)
        if users is None:
            return {}
        texts = isinstance(users, dict) and all(
            isinstance(tasks, dict) and all(isinstance(day, str) for day in tasks.values()) for tasks in users.values()
        )
        if not texts:
            raise FabricInputError(f"Airflow variable {self._key!r} does not say which tasks run the item. Delete it.")
        return users  # type: ignore[no-any-return]
