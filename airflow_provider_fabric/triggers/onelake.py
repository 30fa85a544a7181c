"""A trigger that waits for files in OneLake; its calls are none of the job scheduler's."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_fabric.api.onelake import wait_for_files
from airflow_provider_fabric.triggerer import shared


class FabricOneLakeFileTrigger(BaseTrigger):
    """Fires once, when files are there, or can no longer be waited for.

    The event is ``{"files": list or None, "timeout": bool, "message": str}``.

    :param fabric_conn_id: id of the connection.
    :param workspace_id: GUID.
    :param item_id: GUID.
    :param path: a path below the item, or a pattern.
    :param unchanged_for: seconds since the last change of any of the files.
    :param check_interval: seconds between polls.
    :param deadline: epoch seconds at which to give up.
    :param next_poll_at: epoch seconds of the first poll.
    """

    def __init__(
        self,
        fabric_conn_id: str,
        workspace_id: str,
        item_id: str,
        path: str,
        unchanged_for: float | None,
        check_interval: float,
        deadline: float,
        next_poll_at: float = 0.0,
    ) -> None:
        super().__init__()
        self.fabric_conn_id = fabric_conn_id
        self.workspace_id = workspace_id
        self.item_id = item_id
        self.path = path
        self.unchanged_for = unchanged_for
        self.check_interval = check_interval
        self.deadline = deadline
        self.next_poll_at = next_poll_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        names = ("fabric_conn_id", "workspace_id", "item_id", "path", "unchanged_for", "check_interval", "deadline")
        arguments = {name: getattr(self, name) for name in (*names, "next_poll_at")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event, whatever happened."""
        flow = wait_for_files(
            self.workspace_id,
            self.item_id,
            self.path,
            unchanged_for=self.unchanged_for,
            check_interval=self.check_interval,
            first_poll_after=self.next_poll_at - time.time(),
            deadline=self.deadline,
        )
        event: dict[str, Any]
        try:
            files, why_not = await shared.arun(self.fabric_conn_id, flow)
            found = None if why_not else [asdict(file) for file in files]
            event = {"files": found, "timeout": bool(why_not), "message": why_not}
        except Exception as error:  # noqa: BLE001 - every error must reach the task, or it would wait for ever
            event = {"files": None, "timeout": False, "message": str(error)}
        yield TriggerEvent(event)
