"""A call that the attempts of a task must not send twice, and the record that one attempt writes for the next.

It is written right before the request, and after the answer: which operation goes on, or nothing, if the call was
surely not carried out. So an attempt that comes after a worker's death goes on waiting for the operation, or says that
the request may have been sent. A cleared task sends it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeVar

from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep
from airflow_provider_fabric.api.http.steps import stepped
from airflow_provider_fabric.compat_tasks import is_talking_to_airflow, previous_attempt_returned
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricError,
    FabricInputError,
    FabricOperationError,
    FabricProtocolError,
)
from airflow_provider_fabric.lifecycle.cancel import within_kill_timeout
from airflow_provider_fabric.lifecycle.identity import fingerprint
from airflow_provider_fabric.lifecycle.not_retried import FabricNotRetriedError
from airflow_provider_fabric.lifecycle.task_record import TaskRecord

T = TypeVar("T")

KEY = "fabric_call"

LOOK = "Look in Fabric; to have it sent again, clear this task."


@dataclass(frozen=True)
class Call:
    """What is sent.

    :param action: what to call it in messages; no secret.
    :param contents: stands for all that is sent and where to; see :func:`call_of`.
    """

    action: str
    contents: str


def call_of(action: str, **contents: Any) -> Call:
    """Return a call by its contents, which may hold secrets: what is kept of them is a fingerprint."""
    return Call(action, fingerprint(contents))


@dataclass(frozen=True)
class Earlier:
    """What an earlier attempt left behind.

    :param operation_id: the long-running operation that its call started.
    :param cleared: the task was cleared since: the call is to be sent again.
    """

    operation_id: str
    cleared: bool = False


class SingleCall:
    """The record of one call of one task instance.

    :param context: the task's context.
    :param log: the task's.
    :param enabled: the call must not be sent twice; otherwise nothing is recorded.
    """

    def __init__(self, context: Mapping[str, Any], log: Any, *, enabled: bool = True) -> None:
        self.enabled = enabled
        """Whether anything is recorded."""
        self._context = context
        self._record = TaskRecord(context, KEY, enabled)
        self._log = log

    def earlier(self, call: Call) -> Earlier | None:
        """Return which operation of an earlier attempt there is; ``None`` if the call is to be sent.

        :param call: what this attempt is to send.
        :raises FabricNotRetriedError: an earlier attempt has sent it, or may have, and names no operation; or it sent
            something else.
        :raises FabricInputError: the record cannot be read.
        """
        state = self._record.read()
        if not isinstance(state, dict) or state.get("nothing"):
            return None
        action, operation_id = state.get("action"), state.get("operation_id")
        if not isinstance(action, str) or not isinstance(operation_id, str | None):
            raise FabricInputError("The record of the task's call cannot be read; nothing was sent.")
        if self._was_cleared(state):
            self._log.info("An earlier attempt sent %s; the task was cleared since: it is sent again.", action)
            return None if operation_id is None else Earlier(operation_id, cleared=True)
        if operation_id is None:
            raise self.for_good(f"{_left_behind(state, action)} It is not sent again.")
        if self._record.other_clears(state):
            raise self.for_good(
                f"An earlier attempt of this task sent {action}, which started operation {operation_id}. Tasks of the "
                "DAG run, perhaps this one, were cleared since, or the DAG run was made anew: whether this attempt is "
                "to send it again is not known. Nothing is sent."
            )
        if state.get("contents") != call.contents:
            raise self.for_good(
                f"An earlier attempt of this task sent {action} with another path, query or body than this one is to "
                f"send, or by another connection; it started operation {operation_id}. Nothing else is sent."
            )
        self._log.info("Going on with operation %s, which an earlier attempt started by %s.", operation_id, action)
        return Earlier(operation_id)

    def _was_cleared(self, state: Mapping[str, Any]) -> bool:
        """Whether the task was cleared since, surely: where this is not known, nothing is sent."""
        record = self._record
        if record.was_cleared(state) or record.is_no_later_than(state.get("attempt")):
            return True
        if state.get("failed") is not None:  # Airflow does not try again by itself
            return record.has_other_retries(state) and record.begins_a_series(state["failed"])
        if state.get("delivered") is None or not record.keeps_delivered:
            return False
        return record.begins_a_series(state["delivered"]) or previous_attempt_returned(self._context)

    def send(self, run: Callable[[Flow[T]], T], flow: Flow[T], call: Call) -> T:
        """Send the call; right before it, write that it is sent.

        :param run: the hook's.
        :param flow: sends the call and nothing else; it pauses only when nothing was carried out so far.
        :param call: what it sends.
        :raises FabricNotRetriedError: it may have been carried out, and this attempt does not know.
        """
        if not self.enabled:
            return run(flow)
        try:
            return run(stepped(flow, partial(self._before, call)))
        except (FabricAmbiguousError, FabricProtocolError) as error:
            raise self.for_good(str(error)) from error
        except FabricError:
            self.not_carried_out()
            raise

    def _before(self, call: Call, step: Request | Sleep) -> None:
        if isinstance(step, Sleep):
            self.not_carried_out()
            return
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._record.write({"action": call.action, "contents": call.contents, "since": now})

    def answered(self, operation_id: str) -> None:
        """Write which operation goes on; if that fails, the record still says that the call was sent."""
        try:
            self._record.change(operation_id=operation_id)
        except Exception as error:  # noqa: BLE001 - whatever Airflow's API raises
            self._log.warning("Could not record that operation %s goes on: %r", operation_id, error)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the operation that goes on: after one that failed, the next attempt sends the call again."""
        try:
            yield
        except FabricOperationError as error:
            if not error.goes_on:
                self.not_carried_out()
            raise

    def not_carried_out(self) -> None:
        """Write that another attempt may send it: the service refused it, or its operation failed."""
        self._record.write_nothing()

    def delivered(self) -> None:
        """Add that this attempt hands on the result, or skips the task because of it."""
        self._record.deliver()

    def for_good(self, text: str) -> FabricNotRetriedError:
        """Record that this attempt fails and none follows by itself; return the error that says so."""
        with suppress(Exception):  # the error counts
            self._record.change(failed=self._record.attempt)
        return FabricNotRetriedError(f"{text} {LOOK}", must_not_repeat=True)

    def killed(self) -> None:
        """Add that the task is killed because it was cleared, if it was; within the seconds that it has.

        In the middle of a call to Airflow nothing can be asked: then on the way out, see :meth:`saying_why_killed`.
        """
        within_kill_timeout(partial(self._record.killed, later=is_talking_to_airflow()))

    def saying_why_killed(self) -> AbstractContextManager[None]:
        """Add why the task was killed, on the way out, if that could not be done at once."""
        return self._record.saying_why_killed()


def _left_behind(state: Mapping[str, Any], action: str) -> str:
    since = state.get("since")
    if state.get("delivered"):
        return (
            f"An earlier attempt of this task sent {action} (at {since}) and it was carried out, but the attempt ended "
            "before Airflow had its result."
        )
    return f"An earlier attempt of this task ended while it sent {action} (at {since}): it may have been carried out."
