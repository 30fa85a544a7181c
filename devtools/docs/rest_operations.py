"""The operations of the seed articles, as calls of the hook: the one table that documents and tests go through.

A call's arguments hold placeholders, such as ``{itemId}``. The documentation keeps them: driven one step, a flow shows
the route it takes. The contract and conformance suites put real ids in their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

WORKSPACE, ITEM = "{workspaceId}", "{itemId}"
JOB, SCHEDULE, OPERATION = "{jobInstanceId}", "{scheduleId}", "{operationId}"
PLACEHOLDERS = (WORKSPACE, ITEM, JOB, SCHEDULE, OPERATION)

PIPELINE_CONTENT = {
    "properties": {"activities": [{"name": "Wait", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}
}
DEFINITIONS: Mapping[str, Mapping[str, Any]] = {
    "Dataflow": {
        "mashup.pq": "section Section1;\nshared Numbers = {1, 2, 3};\n",
        "queryMetadata.json": {"formatVersion": "202502", "computeEngineSettings": {}, "queriesMetadata": {}},
    },
    "DataPipeline": {"pipeline-content.json": PIPELINE_CONTENT},
    "CopyJob": {"copyjob-content.json": {"properties": {"jobMode": "Batch"}, "activities": []}},
}
CONFIGURATION = {
    "type": "Weekly",
    "startDateTime": "2030-01-01T00:00:00",
    "endDateTime": "2031-01-01T00:00:00",
    "localTimeZoneId": "UTC",
    "times": ["06:00"],
    "weekdays": ["Monday", "Friday"],
}
KINDS: Mapping[str, str] = {"dataflow": "Dataflow", "pipeline": "DataPipeline", "copy job": "CopyJob"}


@dataclass(frozen=True)
class Call:
    """One way to call the hook.

    :param method: name of the method.
    :param arguments: its arguments, with placeholders.
    :param refused_first: the service answers ``InvalidJobType`` to the first form, so that the second is taken.
    """

    method: str
    arguments: Mapping[str, Any] = field(hash=False)
    refused_first: bool = False


@dataclass(frozen=True)
class SeedOperation:
    """One operation of the seed articles.

    :param kind: ``dataflow``, ``pipeline``, ``copy job``; empty where there is no item.
    :param name: what the articles call it.
    :param item_type: the kind in the service's word.
    :param calls: every way to call it: each dialect of the URL.
    """

    kind: str
    name: str
    item_type: str | None
    calls: tuple[Call, ...]

    @property
    def id(self) -> str:
        """Name of the row, as tests show it."""
        return " ".join(part for part in (self.name, self.kind) if part).replace(" ", "-")


def seed_operations() -> tuple[SeedOperation, ...]:
    """Return every row of the table."""
    return (*_of_items(), *_of_everything_else())


def _of_items() -> Iterator[SeedOperation]:
    for kind, item_type in KINDS.items():
        own_calls = _OWN_CALLS[item_type]()
        for name, calls in (*_item_calls(item_type), *_job_calls(item_type), own_calls, *_schedule_calls()):
            yield SeedOperation(kind, name, item_type, calls)


def _of_everything_else() -> Iterator[SeedOperation]:
    yield SeedOperation("", "list workspaces", None, (Call("list_workspaces", {}),))
    for name, method in (("operation state", "get_operation_state"), ("operation result", "get_operation_result")):
        yield SeedOperation("", name, None, (Call(method, {"operation_id": OPERATION}),))


def _item_calls(item_type: str) -> Iterator[tuple[str, tuple[Call, ...]]]:
    """Yield what both ``/items`` and the typed collection offer."""
    here, one = {"workspace_id": WORKSPACE}, {"workspace_id": WORKSPACE, "item_id": ITEM}
    kind, definition = {"item_type": item_type}, {"definition": DEFINITIONS[item_type]}
    for name, method, arguments in (
        ("create", "create_item", {**here, **kind, "display_name": "New", "description": "Made by a test"}),
        ("create with definition", "create_item", {**here, **kind, "display_name": "New", **definition}),
        ("get", "get_item", {**one, **kind}),
        ("list", "list_items", {**here, **kind}),
        ("get definition", "get_item_definition", {**one, **kind}),
        ("update", "update_item", {**one, **kind, "display_name": "Renamed", "description": "Changed by a test"}),
        ("update definition", "update_item_definition", {**one, **kind, **definition}),
        ("delete", "delete_item", {**one, **kind}),
    ):
        yield name, tuple(Call(method, {**arguments, "typed": typed}) for typed in (False, True))


def _job_calls(item_type: str) -> Iterator[tuple[str, tuple[Call, ...]]]:
    bodies: Mapping[str, Any] = {
        "Dataflow": {"executionData": {"executeOption": "ApplyChangesIfNeeded"}},
        "DataPipeline": {"executionData": {"parameters": {"day": "2030-01-01", "rows": 3}}},
        "CopyJob": None,
    }
    one = {"workspace_id": WORKSPACE, "item_id": ITEM}
    yield "run", _runs({"job_type": "Execute", "body": bodies[item_type]})
    yield "get job instance", _in_dialects("get_item_job_instance", {**one, "job_instance_id": JOB}, item_type)
    yield "list job instances", (Call("list_item_job_instances", one),)
    yield "cancel", _in_dialects("cancel_item_job_instance", {**one, "job_instance_id": JOB}, item_type)


def _in_dialects(method: str, arguments: Mapping[str, Any], item_type: str) -> tuple[Call, ...]:
    """Return the call by ``/items``, and by the typed collection where a seed does so: for copy jobs."""
    typed = Call(method, {**arguments, "item_type": item_type, "typed": True})
    return (Call(method, arguments), typed) if item_type == "CopyJob" else (Call(method, arguments),)


def _runs(arguments: Mapping[str, Any]) -> tuple[Call, ...]:
    """Return both forms of starting a job: by path, and the seeds' by query."""
    given = {"workspace_id": WORKSPACE, "item_id": ITEM, **arguments}
    return Call("run_item_job", given), Call("run_item_job", given, refused_first=True)


def _schedule_calls() -> Iterator[tuple[str, tuple[Call, ...]]]:
    one = {"workspace_id": WORKSPACE, "item_id": ITEM, "job_type": "Execute"}
    content = {"enabled": True, "configuration": CONFIGURATION}
    yield "list schedules", (Call("list_item_schedules", one),)
    yield "create schedule", (Call("create_item_schedule", {**one, **content}),)
    yield "get schedule", (Call("get_item_schedule", {**one, "schedule_id": SCHEDULE}),)
    yield "update schedule", (Call("update_item_schedule", {**one, "schedule_id": SCHEDULE, **content}),)
    yield "delete schedule", (Call("delete_item_schedule", {**one, "schedule_id": SCHEDULE}),)


def _publish() -> tuple[str, tuple[Call, ...]]:
    return "publish", _runs({"job_type": "ApplyChanges"})


def _query_activity_runs() -> tuple[str, tuple[Call, ...]]:
    moments = {"after": datetime(2025, 1, 1, tzinfo=timezone.utc), "before": datetime(2099, 1, 1, tzinfo=timezone.utc)}
    arguments = {"workspace_id": WORKSPACE, "job_instance_id": JOB, **moments}
    return "query activity runs", (Call("query_activity_runs", arguments),)


def _reset() -> tuple[str, tuple[Call, ...]]:
    return "reset", (Call("reset_copy_job", {"workspace_id": WORKSPACE, "copy_job_id": ITEM}),)


_OWN_CALLS = {"Dataflow": _publish, "DataPipeline": _query_activity_runs, "CopyJob": _reset}
