"""Every flow of the hook against random answers: a typed error or a value, in bounded time, and one submit at most."""

from __future__ import annotations

import inspect
import json
import random
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance, JobRef, Submission, is_guid
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricAuthError, FabricError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.retry_policies import is_permanent
from tests.flow_driver import ITEM, JOB, OPERATION, WORKSPACE, FakeClock
from tests.fuzz import CASES, SHARDS, answers, case, numbers

FLOWS = {
    name: inspect.unwrap(method)
    for name, method in vars(FabricHook).items()
    if hasattr(method, "__wrapped__") and hasattr(FabricHook, f"a{name}")
}
SUBMITS = {
    "run_item_job",
    "refresh_semantic_model",
    "invoke_user_data_function",
    "create_item_schedule",
    "create_folder",
    "request",
}
"""Flows that may start something, and for which no later answer can allow another attempt."""
STEPS = 20_000

DEFINITION = {"pipeline-content.json": {"properties": {}}}


def arguments(rng: random.Random, flow: Any, clock: FakeClock) -> dict[str, Any]:
    """Return arguments that a user might give."""
    known: dict[str, Any] = {
        "workspace_id": WORKSPACE,
        "workspace": rng.choice((WORKSPACE, "Sales")),
        "workspaces": [WORKSPACE],
        "item_id": ITEM,
        "item": rng.choice((ITEM, "Daily load")),
        "model_id": ITEM,
        "copy_job_id": ITEM,
        "dataflow_id": ITEM,
        "pipeline_id": ITEM,
        "notebook_id": ITEM,
        "schedule_id": ITEM,
        "refresh_id": JOB,
        "job_instance_id": JOB,
        "operation_id": OPERATION,
        "folder_id": ITEM,
        "folder": rng.choice((ITEM, "A/B")),
        "job_type": "Execute",
        "item_type": "DataPipeline",
        "display_name": "Daily load",
        "definition": DEFINITION,
        "function": "f",
        "after": datetime(2024, 1, 1, tzinfo=timezone.utc),
        "before": datetime(2024, 1, 2, tzinfo=timezone.utc),
        "enabled": True,
        "configuration": {"type": "Cron", "interval": 5},
        "capacity": rng.choice((ITEM, "capacity")),
        "method": rng.choice(("GET", "POST", "DELETE")),
        "path": "/workspaces",
        "replay_safe": False,
        "poll": JobPoll(JobRef(WORKSPACE, ITEM, JOB), clock(), 60.0, clock(), clock() + 3600),
        "timeout": 3600.0,
        "deadline": clock() + 3600,
        "since": clock() - 3600,
        "clock": clock,
        "steady": clock,
    }
    optional = {"item_type", "timeout", "deadline", "since", "clock", "steady", "folder", "replay_safe", "definition"}
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(flow).parameters.items():
        needed = parameter.default is parameter.empty
        if needed or (name in optional and (name not in {"item_type", "folder"} or rng.random() < 0.5)):
            given[name] = known[name] if name in known else ITEM if name.endswith("_id") else "text"
    return given


def may_have_started(answer: Response | TransportFailure) -> bool:
    """Whether a submit with such an answer may have started something."""
    if isinstance(answer, TransportFailure):
        return not answer.unsent
    return answer.status < 300 or answer.status >= 500 or answer.status in {303, 408}


def is_start(request: Request) -> bool:
    return request.method == "POST" and not request.path.endswith(("/cancel", "/getDefinition", "/queryactivityruns"))


def converse(rng: random.Random, name: str, flow: Flow[Any], clock: FakeClock) -> Any:
    """Run a flow against random answers, and judge its sends."""
    started = False
    reply: Any = None
    fault: FabricError | None = None
    for _ in range(STEPS):
        wish = flow.send(reply) if fault is None else flow.throw(fault)
        reply = fault = None
        if rng.random() < 0.01:  # cancelled, wherever it is
            flow.close()
            return None
        if isinstance(wish, Sleep):
            assert wish.seconds >= 0
            clock.now += wish.seconds
        elif rng.random() < 0.02:
            fault = FabricAuthError("no token", is_retriable=rng.random() < 0.5)
        else:
            assert isinstance(wish, Request)
            assert wish.path.startswith("/")
            assert not (started and name in SUBMITS and is_start(wish)), "sent again after it may have been accepted"
            reply = answers.answer(rng, wish)
            started = started or (is_start(wish) and may_have_started(reply))
    raise AssertionError("the flow does not end")


def check_value(value: Any) -> None:
    """Check that what a flow returns has the types that it promises."""
    if isinstance(value, list):
        for entry in value:
            check_value(entry)
    if isinstance(value, Submission):
        assert is_guid(value.job_instance_id)
    if isinstance(value, JobInstance):
        assert isinstance(value.status, JobStatus)
        texts = (value.id, value.item_id, value.job_type, value.invoke_type, value.status_text)
        assert all(isinstance(text, str) and text.isprintable() for text in texts)
        json.dumps(value.result(WORKSPACE)).encode()
        str(value.failure_reason).encode()


def run_case(number: int) -> None:
    rng, clock = case("flow", number), FakeClock()
    name = list(FLOWS)[number % len(FLOWS)]
    flow = FLOWS[name](**arguments(rng, FLOWS[name], clock))
    failed = None
    try:
        converse(rng, name, flow, clock)
    except StopIteration as end:
        check_value(end.value)
    except FabricError as error:
        failed = error
    if failed is not None:
        assert len(str(failed)) < 20_000
        assert str(failed).isprintable(), repr(str(failed))
        assert is_permanent(failed) in (True, False)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_flow_ends_well(shard: int) -> None:
    for number in numbers(shard, CASES * 3 // 4):
        try:
            run_case(number)
        except Exception as error:
            raise AssertionError(f"flow case {number} ({list(FLOWS)[number % len(FLOWS)]}): {error!r}") from error


def test_every_flow_of_the_hook_is_tried() -> None:
    assert len(FLOWS) >= 40
    assert set(FLOWS) >= SUBMITS
