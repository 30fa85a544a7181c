"""Calls of the coverage table, made against an emulator with real ids in the place of placeholders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_fabric.api.auth.sign_in import token_source
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.transport import RequestsDriver
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.docs.rest_operations import CONFIGURATION, ITEM, JOB, OPERATION, SCHEDULE, WORKSPACE, Call, SeedOperation

ITEM_ID = "22222222-2222-4222-8222-222222222222"

Ask = Callable[..., Any]
"""Calls a method of the hook by its name, with its arguments."""


def driver_for(emulator: FabricEmulator) -> RequestsDriver:
    """Return a driver that is signed in to an emulator."""
    given = emulator.connection
    settings = FabricSettings.from_connection(
        "emulator", login=given["login"], password=given["password"], host=given["host"], extra=given["extra"]
    )
    return RequestsDriver(settings, token_source(settings))


def asker(emulator: FabricEmulator) -> Ask:
    """Return a way to run the hook's flows without a hook: no Airflow connection is looked up."""

    def ask(method: str, **arguments: Any) -> Any:
        driver = driver_for(emulator)
        try:
            return driver.run(getattr(FabricHook, method).__wrapped__(**arguments))
        finally:
            driver.close()

    return ask


class Tour:
    """Makes the calls of one operation, each in a tenant as new.

    :param emulator: whom to call.
    :param operation: a row of the table.
    :param ask: how to call.
    """

    def __init__(self, emulator: FabricEmulator, operation: SeedOperation, ask: Ask) -> None:
        self._emulator = emulator
        self._control = emulator.control
        self._item_type = operation.item_type or "DataPipeline"
        self._ask = ask
        self._one = {"workspace_id": emulator.workspace_id, "item_id": ITEM_ID}

    def make(self, call: Call, *, force_lro: bool) -> Any:
        """Make a call and return what the hook returns.

        :param force_lro: answer with 202 where that is documented; at once otherwise.
        """
        self._control.reset()
        self._control.configure(force_lro=force_lro)
        item = {"id": ITEM_ID, "type": self._item_type, "displayName": "Seeded"}
        self._control.seed(workspaces=[{"id": self._emulator.workspace_id, "items": [item]}])
        if call.refused_first:
            self._control.add_job_rule(accept_only_query_form=True)
        arguments = {name: self._real(value) for name, value in call.arguments.items()}
        return self._ask(call.method, **arguments)

    def _real(self, value: Any) -> Any:
        """Return the id that a placeholder stands for, made now if need be; any other value as it is."""
        if not isinstance(value, str):
            return value
        makers = {
            WORKSPACE: lambda: self._emulator.workspace_id,
            ITEM: lambda: ITEM_ID,
            JOB: self._started,
            SCHEDULE: self._scheduled,
            OPERATION: self._begun,
        }
        return makers.get(value, lambda: value)()

    def _started(self) -> str:
        self._control.add_job_rule(duration_seconds=30)
        return self._control.start_job(item_id=ITEM_ID)

    def _scheduled(self) -> str:
        schedule = {"job_type": "Execute", "enabled": False, "configuration": CONFIGURATION}
        return str(self._ask("create_item_schedule", **self._one, **schedule)["id"])

    def _begun(self) -> str:
        """Start an operation and return its id, as the emulator's log has it."""
        self._control.configure(force_lro=True)
        self._ask("get_item_definition", **self._one)
        path = next(e["path"] for e in self._control.request_log() if "/operations/" in e["path"])
        return str(path.split("/operations/")[1].split("/")[0])
