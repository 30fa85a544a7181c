"""Capacities: how they are found, and what is asked of Azure in which state."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_fabric.api.capacities import ACTIVE, PAUSED, get_capacity, resolve_capacity
from airflow_provider_fabric.api.capacity_states import (
    change_state,
    resume_capacity,
    suspend_capacity,
    wait_for_capacity,
)
from airflow_provider_fabric.api.http.flow import Request, Response, Service, TransportFailure
from airflow_provider_fabric.exceptions import (
    FabricBadRequestError,
    FabricInputError,
    FabricNameError,
    FabricOperationError,
    FabricPermissionError,
    FabricProtocolError,
)
from tests.flow_driver import FakeClock, drive

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
FABRIC_ID = "33333333-3333-4333-8333-333333333333"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/data/providers/Microsoft.Fabric/capacities/mycapacity"


def ok(content: Any, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())


def refused(status: int, code: str = "BadRequest") -> Response:
    return ok({"error": {"code": code, "message": "no"}}, status)


def capacity(state: str, resource_id: str = ID) -> dict[str, Any]:
    return {"id": resource_id, "name": resource_id.rsplit("/", 1)[-1], "properties": {"state": state}}


class Azure:
    """One capacity that changes as a script says: each Get shows the next state, the last one for ever."""

    def __init__(self, *states: str, posts: list[Response] | None = None) -> None:
        self.states = list(states)
        self.posts = posts or []

    def __call__(self, request: Request) -> Response:
        assert request.service is Service.ARM
        assert request.params["api-version"] == "2023-11-01"
        if request.method == "POST":
            return self.posts.pop(0) if self.posts else Response(202)
        return ok(capacity(self.states.pop(0) if len(self.states) > 1 else self.states[0]))


def test_a_resource_id_needs_no_call() -> None:
    talk = drive(resolve_capacity(f" {ID}/ "))
    assert (talk.result(), talk.requests) == (ID, [])


def test_subscription_group_and_name_need_no_call() -> None:
    talk = drive(resolve_capacity("mycapacity", subscription_id=SUBSCRIPTION.upper(), resource_group="data"))
    assert (talk.result(), talk.requests) == (ID, [])


@pytest.mark.parametrize(
    ("value", "more", "names"),
    [
        ("", {}, "capacity"),
        (None, {}, "capacity"),
        (7, {}, "capacity"),
        ("a b", {}, "capacity"),
        ("my-capacity", {}, "capacity"),
        ("../x", {}, "capacity"),
        ("/subscriptions/x/resourceGroups/g/providers/Microsoft.Fabric/capacities/abc", {}, "capacity"),
        (ID.replace("Microsoft.Fabric", "Microsoft.PowerBIDedicated"), {}, "capacity"),
        (ID + "/suspend", {}, "capacity"),
        (ID.replace("data", ".."), {"resource_group": "x"}, "resource_group"),
        ("mycapacity", {"subscription_id": "prod"}, "subscription_id"),
        ("mycapacity", {"resource_group": "a/b"}, "resource_group"),
        (ID, {"subscription_id": OTHER}, "subscription_id"),
        (ID, {"resource_group": "other"}, "resource_group"),
    ],
)
def test_what_names_no_capacity_is_refused_before_anything_is_sent(value: Any, more: Any, names: str) -> None:
    talk = drive(resolve_capacity(value, **more))
    with pytest.raises(FabricInputError, match=names):
        talk.result()
    assert talk.requests == []


def listing(*found: str, subscriptions: tuple[str, ...] = (SUBSCRIPTION, OTHER)) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        if request.path == "/v1/capacities":
            return ok({"value": [{"id": FABRIC_ID, "displayName": "mycapacity"}]})
        if request.path == "/subscriptions":
            return ok({"value": [{"subscriptionId": s} for s in subscriptions]})
        inside = request.path.split("/")[2]
        return ok({"value": [capacity("Active", f) for f in found if f"/{inside}/" in f]})

    return answer


@pytest.mark.parametrize("value", ["mycapacity", "MyCapacity", FABRIC_ID, FABRIC_ID.upper()])
def test_a_name_or_a_guid_is_looked_up_in_all_subscriptions(value: str) -> None:
    elsewhere = ID.replace(SUBSCRIPTION, OTHER).replace("mycapacity", "another")
    assert drive(resolve_capacity(value), listing(ID, elsewhere)).result() == ID


def test_an_unknown_capacity_is_named_with_those_that_are_like_it() -> None:
    with pytest.raises(FabricNameError, match=r"No capacity is named 'mycapacit'.*'mycapacity'.*role on the capacity"):
        drive(resolve_capacity("mycapacit"), listing(ID)).result()


def test_an_unknown_guid_says_what_would_show_it() -> None:
    with pytest.raises(FabricNameError, match=f"{OTHER}.*administrator or contributor"):
        drive(resolve_capacity(OTHER), listing(ID)).result()


def test_two_of_a_name_are_no_guess_and_the_group_decides() -> None:
    second = ID.replace("/data/", "/other/")
    with pytest.raises(FabricNameError, match="2 capacities are named"):
        drive(resolve_capacity("mycapacity"), listing(ID, second)).result()
    found = drive(resolve_capacity("mycapacity", resource_group="Other"), listing(ID, second))
    assert found.result() == second


def test_pages_are_followed_by_their_token_alone() -> None:
    pages = [
        ok({"value": [], "nextLink": "https://evil.example/x?api-version=1&$skiptoken=a%2Bb"}),
        ok({"value": [capacity("Active")]}),
    ]
    talk = drive(resolve_capacity("mycapacity", subscription_id=SUBSCRIPTION), pages)
    assert talk.result() == ID
    assert talk.requests[1].params["$skiptoken"] == "a+b"
    assert talk.requests[0].path == talk.requests[1].path


@pytest.mark.parametrize("link", ["https://x/y", "https://x/y?$skiptoken="])
def test_pages_that_do_not_go_on_are_an_error(link: str) -> None:
    with pytest.raises(FabricProtocolError):
        drive(
            resolve_capacity("mycapacity", subscription_id=SUBSCRIPTION), [ok({"value": [], "nextLink": link})]
        ).result()


@pytest.mark.parametrize(
    ("state", "shown", "asked", "posts"),
    [
        (ACTIVE, ["Paused"], True, 1),
        (ACTIVE, ["Suspended"], True, 1),
        (ACTIVE, ["Active"], False, 0),
        (ACTIVE, ["Resuming"], False, 0),
        (ACTIVE, ["Pausing", "Pausing", "Paused"], True, 1),
        (ACTIVE, ["Updating", "Active"], False, 0),
        (PAUSED, ["Active"], True, 1),
        (PAUSED, ["Paused"], False, 0),
        (PAUSED, ["Suspending"], False, 0),
        (PAUSED, ["Scaling", "SomethingNew", "Active"], True, 1),
    ],
)
def test_a_change_is_asked_for_once_and_only_where_it_is_needed(
    state: str, shown: list[str], asked: bool, posts: int
) -> None:
    clock = FakeClock()
    talk = drive(change_state(ID, state, clock=clock), Azure(*shown), clock)
    assert (talk.result(), talk.posts) == (asked, posts)


@pytest.mark.parametrize("status", [400, 409])
def test_a_refusal_is_fine_if_somebody_else_did_it_meanwhile(status: int) -> None:
    talk = drive(change_state(ID, ACTIVE), Azure("Paused", "Resuming", posts=[refused(status)]))
    assert talk.result() is False


def test_a_refusal_that_stays_is_an_error_with_azure_s_words() -> None:
    talk = drive(change_state(ID, ACTIVE), Azure("Paused", posts=[refused(400, "InsufficientCapacity")] * 5))
    with pytest.raises(FabricBadRequestError, match="resume capacity 'mycapacity': 400 InsufficientCapacity: no"):
        talk.result()
    assert talk.posts == 3


def test_missing_rights_are_not_repeated() -> None:
    talk = drive(change_state(ID, PAUSED), Azure("Active", posts=[refused(403, "AuthorizationFailed")] * 5))
    with pytest.raises(FabricPermissionError):
        talk.result()
    assert talk.posts == 1


@pytest.mark.parametrize("state", ["Failed", "Deleting"])
def test_a_broken_capacity_is_an_error(state: str) -> None:
    for flow in (change_state(ID, ACTIVE), wait_for_capacity(ID, ACTIVE)):
        with pytest.raises(FabricOperationError, match=state):
            drive(flow, Azure(state)).result()


def test_a_change_that_does_not_end_is_an_error_in_time() -> None:
    for make in (change_state, wait_for_capacity):
        clock = FakeClock()
        began = clock.now
        talk = drive(make(ID, ACTIVE, deadline=began + 60, clock=clock), Azure("Pausing"), clock)
        with pytest.raises(FabricOperationError, match="'Pausing' in Azure"):
            talk.result()
        assert clock.now - began < 90


@pytest.mark.parametrize(
    ("flow", "shown"),
    [
        (resume_capacity, ["Paused", "Paused", "Resuming", "Active"]),
        (suspend_capacity, ["Active", "Pausing", "Paused"]),
    ],
)
def test_it_is_waited_for(flow: Any, shown: list[str]) -> None:
    clock = FakeClock()
    talk = drive(flow(ID, clock=clock), Azure(*shown), clock)
    assert talk.result().state == shown[-1]
    assert talk.posts == 1


def test_a_wait_outlasts_errors_that_pass() -> None:
    answers = [TransportFailure("gone", unsent=False)] * 5 + [ok(capacity("Active"))]
    assert drive(wait_for_capacity(ID, ACTIVE), answers).result().state == "Active"


@pytest.mark.parametrize(
    "content", [{}, {"id": ID}, {"id": "x", "properties": {"state": "Active"}}, {"id": ID, "properties": []}]
)
def test_what_is_no_capacity_is_an_error(content: Any) -> None:
    with pytest.raises(FabricProtocolError):
        drive(get_capacity(ID), [ok(content)]).result()
