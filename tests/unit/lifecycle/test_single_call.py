"""The record of a call that the attempts of a task must not send twice."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, TransportFailure
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.compat import AirflowFailException, AirflowSkipException
from airflow_provider_fabric.compat_tasks import VariableStore, is_airflow_2
from airflow_provider_fabric.exceptions import (
    FabricAuthError,
    FabricBadRequestError,
    FabricInputError,
    FabricOperationError,
    FabricProtocolError,
    FabricThrottledError,
)
from airflow_provider_fabric.lifecycle.not_retried import FabricNotRetriedError
from airflow_provider_fabric.lifecycle.single_call import KEY, Earlier, SingleCall, call_of
from airflow_provider_fabric.operators.rest import FabricRestOperator
from tests.flow_driver import OPERATION, drive
from tests.variables import Variables

from .attempts import CommsDecoder, call_back
from .test_store import Store

PUBLISH = call_of("POST /publish", path="/v1/publish", body={"password": "hunter2"})
OTHER = call_of("POST /publish", path="/v1/publish", body={"password": "other"})


class WorkerDied(BaseException):
    """kill -9."""


def attempt(
    store: Store | None,
    number: int = 1,
    *,
    max_tries: int = 2,
    retries: int = 2,
    clears: int | None = None,
    began: float = 1000.0,
    **ti: Any,
) -> SingleCall:
    given = {"try_number": number, "max_tries": max_tries, "dag_id": "d", "run_id": "r", "task_id": "t", **ti}
    context = {"ti": SimpleNamespace(map_index=-1, **given), "task": SimpleNamespace(retries=retries)}
    dag_run = SimpleNamespace(clear_number=clears, start_date=datetime.fromtimestamp(began, timezone.utc))
    return SingleCall({**context, "dag_run": dag_run, "task_state_store": store}, logging.getLogger("test"))


def publish() -> Flow[Response]:
    return send(Request("POST", "/v1/publish", "publish it"), replay=Replay.IF_UNSENT)


def answering(*answers: Any) -> Any:
    return lambda flow: drive(flow, answers).result()


def dying(flow: Flow[Any]) -> Any:
    next(flow)
    raise WorkerDied


def test_at_first_it_is_sent_and_nothing_secret_is_kept() -> None:
    store = Store()
    first = attempt(store)
    assert first.earlier(PUBLISH) is None
    assert first.send(answering(Response(200, {}, b"{}")), publish(), PUBLISH).status == 200
    assert "hunter2" not in str(store)


def test_after_a_death_in_the_request_it_is_not_sent_again_and_the_error_says_so() -> None:
    store = Store()
    with pytest.raises(WorkerDied):
        attempt(store).send(dying, publish(), PUBLISH)
    for number in (2, 3):
        with pytest.raises(FabricNotRetriedError, match=r"POST /publish.*may have been carried out.*clear this task"):
            attempt(store, number).earlier(PUBLISH)
    assert issubclass(FabricNotRetriedError, AirflowFailException)
    assert attempt(store, 4, max_tries=5).earlier(PUBLISH) is None  # cleared


def test_a_clear_that_left_max_tries_as_it_was() -> None:
    store = Store()
    with pytest.raises(WorkerDied):
        attempt(store).send(dying, publish(), PUBLISH)
    with pytest.raises(FabricNotRetriedError):
        attempt(store, 2).earlier(PUBLISH)
    assert attempt(store, 3, max_tries=2, retries=0).earlier(PUBLISH) is None  # retries were 2


def test_other_tasks_of_the_dag_run_that_were_cleared_send_nothing_twice() -> None:
    """For a job, one run more is the safe side; for such a call it is not."""
    store = Store()
    with pytest.raises(WorkerDied):
        attempt(store).send(dying, publish(), PUBLISH)
    store[KEY]["clears"] = 7
    with pytest.raises(FabricNotRetriedError):
        attempt(store, 2).earlier(PUBLISH)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([Response(400, {}, b'{"errorCode": "Bad"}')], FabricBadRequestError),
        ([TransportFailure("refused", unsent=True, permanent=True)], None),
        ([Response(429, {"retry-after": "300"}, b"{}")] * 3, FabricThrottledError),
    ],
)
def test_what_was_surely_not_carried_out_is_sent_by_the_next_attempt(answers: list[Any], error: Any) -> None:
    store = Store()
    with pytest.raises(error or Exception) as caught:
        attempt(store).send(answering(*answers), publish(), PUBLISH)
    assert not isinstance(caught.value, AirflowFailException)
    assert attempt(store, 2).earlier(PUBLISH) is None


@pytest.mark.parametrize("status", [408, 500, 503])
def test_an_unclear_answer_fails_for_good(status: int) -> None:
    store = Store()
    with pytest.raises(FabricNotRetriedError, match="may have been accepted"):
        attempt(store).send(answering(Response(status)), publish(), PUBLISH)
    with pytest.raises(FabricNotRetriedError):
        attempt(store, 2).earlier(PUBLISH)


def test_an_answer_that_makes_no_sense_fails_for_good() -> None:
    def sense() -> Flow[Any]:
        answer = yield from publish()
        raise FabricProtocolError(f"{answer.status} names no operation.")

    store = Store()
    with pytest.raises(FabricNotRetriedError, match="names no operation"):
        attempt(store).send(answering(Response(202)), sense(), PUBLISH)
    with pytest.raises(FabricNotRetriedError):
        attempt(store, 2).earlier(PUBLISH)


def test_a_worker_that_dies_while_it_is_throttled_has_sent_nothing() -> None:
    def dies_in_the_pause(flow: Flow[Any]) -> Any:
        next(flow)
        flow.send(Response(429, {"retry-after": "60"}))
        raise WorkerDied

    store = Store()
    with pytest.raises(WorkerDied):
        attempt(store).send(dies_in_the_pause, publish(), PUBLISH)
    assert attempt(store, 2).earlier(PUBLISH) is None


def test_a_sign_in_that_fails_has_sent_nothing() -> None:
    def refused(flow: Flow[Any]) -> Any:
        next(flow)
        return flow.throw(FabricAuthError("no token"))

    store = Store()
    with pytest.raises(FabricAuthError):
        attempt(store).send(refused, publish(), PUBLISH)
    assert attempt(store, 2).earlier(PUBLISH) is None


def test_nothing_is_sent_if_the_record_cannot_be_written() -> None:
    class Broken(Store):
        def set(self, key: str, value: Any) -> None:
            raise OSError("the API server is away")

    steps: list[Any] = []
    with pytest.raises(OSError, match="away"):
        attempt(Broken()).send(lambda flow: steps.append(next(flow)), publish(), PUBLISH)
    assert steps == []


def started(store: Store, number: int = 1, **more: Any) -> SingleCall:
    single = attempt(store, number, **more)
    single.send(answering(Response(202)), publish(), PUBLISH)
    single.answered(OPERATION)
    return single


def test_an_operation_is_taken_up_by_the_next_attempts() -> None:
    store = Store()
    started(store)
    for number in (2, 3):
        earlier = attempt(store, number).earlier(PUBLISH)
        assert earlier is not None
        assert (earlier.operation_id, earlier.cleared) == (OPERATION, False)


def test_an_operation_of_another_call_is_not_this_ones() -> None:
    store = Store()
    started(store)
    with pytest.raises(FabricNotRetriedError, match=f"another path, query or body.*{OPERATION}"):
        attempt(store, 2).earlier(OTHER)


def test_a_cleared_task_learns_which_operation_may_go_on() -> None:
    store = Store()
    started(store)
    earlier = attempt(store, 2, max_tries=3).earlier(PUBLISH)
    assert earlier is not None
    assert (earlier.operation_id, earlier.cleared) == (OPERATION, True)


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_failed_operation_is_started_anew_and_one_that_goes_on_is_not(goes_on: bool) -> None:
    store = Store()
    with pytest.raises(FabricOperationError), started(store).following():
        raise FabricOperationError("It failed.", goes_on=goes_on)
    assert (attempt(store, 2).earlier(PUBLISH) is not None) is goes_on


def test_a_result_that_airflow_never_had_is_not_fetched_by_sending_again() -> None:
    store = Store()
    first = attempt(store)
    first.send(answering(Response(200)), publish(), PUBLISH)
    first.delivered()
    with pytest.raises(FabricNotRetriedError, match=r"was carried out.*before Airflow had its result"):
        attempt(store, 2).earlier(PUBLISH)


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
def test_an_attempt_after_one_that_returned_is_a_cleared_task() -> None:
    store = Store()
    first = attempt(store)
    first.send(answering(Response(200)), publish(), PUBLISH)
    first.delivered()
    server = SimpleNamespace(xcom_keys_to_clear=["return_value"])
    assert attempt(store, 2, _ti_context_from_server=server).earlier(PUBLISH) is None


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
@pytest.mark.parametrize("state", ["restarting", "failed"])
def test_a_running_task_that_is_cleared_says_so_as_it_is_killed(state: str) -> None:
    store = Store()

    def states(**_: Any) -> dict[str, Any]:
        return {"r": {"t": state}}

    first = attempt(store, get_task_states=states)
    with pytest.raises(WorkerDied):
        first.send(dying, publish(), PUBLISH)
    first.killed()
    if state == "restarting":
        assert attempt(store, 2).earlier(PUBLISH) is None
    else:
        with pytest.raises(FabricNotRetriedError):
            attempt(store, 2).earlier(PUBLISH)


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
@pytest.mark.parametrize("state", ["restarting", "failed"])
def test_a_task_that_is_cleared_while_it_talks_to_airflow_says_so_afterwards(state: str) -> None:
    """Asked in the middle of a call to the supervisor, the task would read the answer to that one."""
    store = Store()
    first = attempt(store)
    first.send(answering(Response(202)), publish(), PUBLISH)
    first.answered(OPERATION)

    def states(**_: Any) -> dict[str, Any]:
        assert not supervisor.is_busy
        return {"r": {"t": state}}

    second = attempt(store, 2, get_task_states=states)
    supervisor = CommsDecoder(second.killed)
    with second.saying_why_killed():
        supervisor.send()
    earlier = attempt(store, 3).earlier(PUBLISH)
    assert earlier == Earlier(OPERATION, cleared=state == "restarting")


@pytest.mark.parametrize("state", [{}, {"action": 1}, {"action": "POST /x", "operation_id": 7}])
def test_a_record_that_cannot_be_read_sends_nothing(state: Any) -> None:
    with pytest.raises(FabricInputError, match="nothing was sent"):
        attempt(Store({KEY: state}), 2).earlier(PUBLISH)


def test_what_may_be_sent_twice_is_not_recorded() -> None:
    store = Store()
    context = {"ti": SimpleNamespace(), "task_state_store": store}
    single = SingleCall(context, logging.getLogger("test"), enabled=False)
    with pytest.raises(WorkerDied):
        single.send(dying, publish(), PUBLISH)
    assert (single.earlier(PUBLISH), store) == (None, {})


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
@pytest.mark.parametrize("operation_id", [None, OPERATION])
def test_a_cleared_task_without_an_xcom_whose_author_lowered_retries_sends_it_again(operation_id: str | None) -> None:
    """The clear leaves max_tries as it was (1 + 0), and no XCom tells that the attempt before had succeeded."""
    store = Store()
    first = attempt(store, max_tries=1, retries=1)
    first.send(answering(Response(202)), publish(), PUBLISH)
    if operation_id:
        first.answered(operation_id)
    first.delivered()
    for number in (2, 3):  # attempt 2 may have died before it looked
        earlier = attempt(store, number, max_tries=1, retries=0).earlier(PUBLISH)
        assert earlier is None or earlier.cleared


@pytest.mark.parametrize(("clears", "began"), [(1, 1000.0), (0, 2000.0)])
def test_an_operation_from_before_a_clear_or_of_a_deleted_dag_run_is_no_result(clears: int, began: float) -> None:
    """Its attempt 1 died before it read the record, so only the DAG run tells. Whether to send it again is unclear."""
    store = Store()
    started(store, clears=0, began=1000.0)
    assert attempt(store, 2, clears=0, began=1000.0).earlier(PUBLISH) is not None
    with pytest.raises(FabricNotRetriedError, match=rf"{OPERATION}.*cleared since.*clear this task"):
        attempt(store, 2, clears=clears, began=began).earlier(PUBLISH)
    assert store[KEY]["operation_id"] == OPERATION


@pytest.mark.parametrize("error", [AirflowSkipException("nothing new"), None])
def test_no_variable_is_left_of_a_call_whose_filter_skips_the_task(variables: Variables, error: Any) -> None:
    """A skip ends the task as a success does: nothing is left for a next attempt, and a clear sends again."""

    def skipping(_: Any) -> None:
        if error is not None:
            raise error

    operator = FabricRestOperator(
        task_id="t", method="POST", path="/v1/publish", replay_safe=False, response_filter=skipping
    )
    ti = SimpleNamespace(max_tries=2, try_number=1, dag_id="d", run_id="r", task_id="t", map_index=-1, task=operator)
    context: Any = {"ti": ti, "task": operator, "task_state_store": VariableStore(ti)}
    single = SingleCall(context, logging.getLogger("test"))
    single.send(answering(Response(200)), publish(), PUBLISH)
    with suppress(AirflowSkipException):
        operator._handed_on(single, None)
    assert len(variables.values) == 1
    call_back(operator, "success" if error is None else "skipped", context)
    assert variables.values == {}
