"""Resuming and suspending a capacity by Azure Resource Manager, and waiting until it has the state.

https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities. What is under way, or done, is not
asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from airflow_provider_fabric.api.capacities import (
    ACTIVE,
    CAPACITY_VERSION,
    PAUSED,
    Capacity,
    capacity_path,
    find_capacity,
    read_capacity,
    resolve_capacity,
)
from airflow_provider_fabric.api.http.flow import Clock, Flow, Request, Service, Sleep
from airflow_provider_fabric.api.http.permanent import PATIENCE, is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.exceptions import FabricApiError, FabricError, FabricOperationError

_BROKEN = frozenset({"Failed", "Deleting"})
_ON_THE_WAY: Mapping[str, frozenset[str]] = {
    ACTIVE: frozenset({"Resuming"}),
    PAUSED: frozenset({"Pausing", "Suspending"}),
}
_VERBS: Mapping[str, str] = {ACTIVE: "resume", PAUSED: "suspend"}

DEFAULT_TIMEOUT = 900.0
CHECK_INTERVAL = 10.0
REFUSALS = 3
"""How often ARM may refuse a change in a row: right after another change it answers 400, "not ready to be updated"."""


def change_state(
    resource_id: str,
    state: str,
    *,
    before: Callable[[Capacity], Flow[None]] | None = None,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[bool]:
    """Have a capacity resumed or suspended, unless it is already, or that is under way; do not wait for it.

    https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities/resume

    :param resource_id: of the capacity.
    :param state: ``Active`` or ``Paused``.
    :param before: runs right before the change is asked for, and may refuse it.
    :param deadline: epoch seconds at which to give up waiting for a change that is under way; 15 minutes from now by
        default.
    :param clock: epoch seconds.
    :returns: whether it was asked for.
    :raises FabricOperationError: the capacity is being deleted, or in another change that does not end.
    """
    deadline = clock() + DEFAULT_TIMEOUT if deadline is None else deadline
    other = PAUSED if state == ACTIVE else ACTIVE
    refusals = 0
    while True:
        capacity = yield from find_capacity(resource_id)
        if capacity.is_in(state) or capacity.state in _ON_THE_WAY[state]:
            return False
        if capacity.is_in(other):
            if before is not None:
                yield from before(capacity)
            try:
                yield from _ask(capacity, state)
                return True
            except FabricApiError as error:
                refusals += 1
                if error.status_code not in (400, 409) or refusals >= REFUSALS or clock() >= deadline:
                    raise
        elif capacity.state in _BROKEN or clock() >= deadline:
            raise FabricOperationError(
                f"Could not {_VERBS[state]} capacity {capacity.name!r}: it is {capacity.state!r} in Azure."
            )
        yield Sleep(min(CHECK_INTERVAL, max(1.0, deadline - clock())), jitter=0.1)


def _ask(capacity: Capacity, state: str) -> Flow[None]:
    verb = _VERBS[state]
    request = Request(
        "POST",
        f"{capacity_path(capacity.resource_id)}/{verb}",
        f"{verb} capacity {capacity.name!r}",
        params={"api-version": CAPACITY_VERSION},
        service=Service.ARM,
    )
    yield from send(request, replay=Replay.SAFE)  # the second of two is refused, and finds the first under way


def wait_for_capacity(
    resource_id: str,
    state: str,
    *,
    first_poll_after: float = 0.0,
    check_interval: float = CHECK_INTERVAL,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[Capacity]:
    """Wait until a capacity has a state. It starts nothing.

    :param resource_id: of the capacity.
    :param state: ``Active`` or ``Paused``.
    :param first_poll_after: seconds until the first poll.
    :param check_interval: seconds between polls.
    :param deadline: epoch seconds at which to give up; 15 minutes from now by default.
    :param clock: epoch seconds.
    :raises FabricOperationError: it is broken, or does not get there in time.
    """
    deadline = clock() + DEFAULT_TIMEOUT if deadline is None else deadline
    failing_since: float | None = None
    pause = first_poll_after
    while True:
        if pause > 0:
            yield Sleep(max(0.0, min(pause, deadline - clock())), jitter=0.1)
        pause = check_interval
        try:
            capacity = yield from read_capacity(resource_id)
        except FabricError as error:
            failing_since = clock() if failing_since is None else failing_since
            if is_permanent(error) or clock() >= min(deadline, failing_since + PATIENCE):
                raise
            pause = max(check_interval, retry_after(error) or 0.0)
        else:
            failing_since = None
            if capacity.is_in(state):
                return capacity
            if capacity.state in _BROKEN or clock() >= deadline:
                late = "" if capacity.state in _BROKEN else " in time"
                raise FabricOperationError(
                    f"Capacity {capacity.name!r} did not become {state}{late}: it is {capacity.state!r} in Azure."
                )


def resume_capacity(
    capacity: str,
    *,
    subscription_id: str | None = None,
    resource_group: str | None = None,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[Capacity]:
    """Resume a capacity and wait until it is active; one that is active already stays so.

    The parameters are those of :func:`resolve_capacity` and :func:`wait_for_capacity`.
    """
    return (yield from _settle(capacity, ACTIVE, subscription_id, resource_group, deadline, clock))


def suspend_capacity(
    capacity: str,
    *,
    subscription_id: str | None = None,
    resource_group: str | None = None,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[Capacity]:
    """Suspend a capacity, whatever runs on it, and wait until it is paused; one that is paused already stays so.

    The parameters are those of :func:`resolve_capacity` and :func:`wait_for_capacity`.
    """
    return (yield from _settle(capacity, PAUSED, subscription_id, resource_group, deadline, clock))


def _settle(
    capacity: str,
    state: str,
    subscription_id: str | None,
    resource_group: str | None,
    deadline: float | None,
    clock: Clock,
) -> Flow[Capacity]:
    deadline = clock() + DEFAULT_TIMEOUT if deadline is None else deadline
    resource_id = yield from resolve_capacity(capacity, subscription_id=subscription_id, resource_group=resource_group)
    yield from change_state(resource_id, state, deadline=deadline, clock=clock)
    return (yield from wait_for_capacity(resource_id, state, deadline=deadline, clock=clock))
