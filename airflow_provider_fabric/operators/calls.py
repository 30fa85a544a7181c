"""What the operators share that call Fabric themselves and run no job: a hook, and what a kill does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.arguments import TaskArguments

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.lifecycle.cancel import KillSignal
    from airflow_provider_fabric.lifecycle.single_call import SingleCall


class MakesCalls(TaskArguments):
    """Mixed into operators that call Fabric.

    A killed task sends nothing more. What it has asked Fabric for goes on, because nothing of it can be cancelled: a
    long-running operation has no cancel, and a capacity changes its state to the end. The log says so.
    """

    fabric_conn_id: str
    log: Any
    _kill_signal: KillSignal | None = None
    _single: SingleCall | None = None
    _goes_on = ""

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed. It sends nothing more once the task is killed."""
        from airflow_provider_fabric.hooks.killable import KillableHook

        return KillableHook(self.fabric_conn_id, self._signal().sleep)

    def on_kill(self) -> None:
        """Send nothing more, and log what goes on. Bounded, never raises."""
        self._signal().set()
        goes_on = self._goes_on or "What it has asked Fabric for, if anything, goes on."
        self.log.warning("The task is killed and sends nothing more. %s", goes_on)
        if self._single is not None:
            self._single.killed()

    def _signal(self) -> KillSignal:
        """Return the signal of a kill; made in the worker, because operators are copied and pickled with their DAG."""
        if self._kill_signal is None:
            from airflow_provider_fabric.lifecycle.cancel import KillSignal

            self._kill_signal = KillSignal()
        return self._kill_signal

    @contextmanager
    def _single_call(self, context: Context, *, enabled: bool = True) -> Iterator[SingleCall]:
        """Give the record of a call that the task's attempts must not send twice, to all that the task does.

        :param enabled: it must not; otherwise nothing is recorded.
        """
        from airflow_provider_fabric.lifecycle.single_call import SingleCall

        self._single = SingleCall(context, self.log, enabled=enabled)
        with self._single.saying_why_killed():
            yield self._single

    def _let_end(self, operation_id: str, deadline: float) -> None:
        """Wait for the end of an operation that this task started before it was cleared: it cannot be cancelled.

        :raises FabricOperationError: it goes on; nothing else is sent.
        """
        from airflow_provider_fabric.api.operations import await_operation
        from airflow_provider_fabric.exceptions import FabricNotFoundError, FabricOperationError

        action = "see the end of the operation that this task started before it was cleared"
        self._note_going_on(f"Operation {operation_id}")
        try:
            self.hook.run(await_operation(operation_id, action=action, deadline=deadline))
        except FabricNotFoundError:
            self.log.info("Operation %s is not known any more.", operation_id)
        except FabricOperationError as error:
            if error.goes_on:
                raise
            self.log.info("%s", error)

    def _note_going_on(self, what: Any) -> None:
        """Take in what a kill cannot stop, for its log."""
        self._goes_on = f"{what} goes on in Fabric: it cannot be cancelled."
