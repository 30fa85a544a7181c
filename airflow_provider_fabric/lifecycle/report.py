"""XCom ``fabric_run``: which run a task stands for, and what became of it, for callbacks, pages and other tasks.

Written when the run is submitted (or found), and again at the end of the task, whichever that is. It holds plain
values of bounded length and no secret. A task whose ``do_xcom_push`` is false writes none. Nothing here fails a task.

Beside it stand the XComs that single values are read by: ``job_instance_id``, by which other tasks know that a run is
taken, ``run_url``, which the link shows, and ``failed_activities``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
from airflow_provider_fabric.compat import AirflowSensorTimeout, AirflowSkipException, TaskDeferred, set_outlet_event
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobDeduped,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricJobTimeout,
    FabricOperationError,
)
from airflow_provider_fabric.lifecycle.siblings import CLAIM_KEY
from airflow_provider_fabric.links import publish_run_url

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.lifecycle.state import FabricRun

FABRIC_RUN_KEY = "fabric_run"
FAILED_ACTIVITIES_KEY = "failed_activities"

MAX_ERROR = 1000
"""Characters of the error's text."""

FIELDS = (
    "outcome",
    "workspace",
    "workspace_id",
    "item",
    "item_id",
    "item_type",
    "job_type",
    "job_instance_id",
    "ours",
    "status",
    "submitted_at",
    "start_time_utc",
    "end_time_utc",
    "root_activity_id",
    "operation_id",
    "failure_reason",
    "failed_activities",
    "rows",
    "run_url",
    "attempt",
    "error_type",
    "error",
)
SEEN = ("status", "start_time_utc", "end_time_utc", "root_activity_id", "failure_reason")
"""What a poll of the run shows."""

SUCCEEDED = ("Completed", "Succeeded")
"""The service's statuses of runs, and of operations."""

ASSET_FIELDS = tuple(name for name in FIELDS if name not in ("failure_reason", "failed_activities", "attempt"))
"""What the event of an asset tells of a run, which did not fail."""

OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (FabricJobFailed, "failed"),
    (FabricJobCancelled, "cancelled"),
    (FabricJobDeduped, "deduped"),
    (FabricJobTimeout, "timeout"),
    (FabricJobAlreadyRunning, "not_started"),
    (FabricJobMayBeRunning, "may_be_running"),
    (FabricOperationError, "failed"),
)

OURS = (FabricError, AirflowSensorTimeout, AirflowSkipException)
TIMEOUTS = ("AirflowSensorTimeout", "AirflowTaskTimeout")


class RunReport:
    """What one attempt of a task publishes of its run.

    :param operator: the task's operator.
    :param context: the task's context.
    :param known: what is known of the run before it is submitted: the item as the author named it.
    """

    def __init__(self, operator: Any, context: Context, **known: Any) -> None:
        self._operator = operator
        self._context = context
        self._ti = context["ti"]
        named = {"workspace": _text(operator.workspace), "attempt": getattr(self._ti, "try_number", None), **known}
        self._known: dict[str, Any] = {**dict.fromkeys(FIELDS), **named}

    def note(self, **known: Any) -> None:
        """Take in what became known, to be published at the end."""
        self._known.update(known)

    def seen(self, job: Mapping[str, Any]) -> None:
        """Take in what a poll has shown of the run: an operator's return value."""
        self.note(**{name: job.get(name) for name in SEEN})

    def about(self, run: FabricRun, *, submitted: bool = True) -> None:
        """Take in which run it is.

        :param submitted: it is known since when: a task asked for it.
        """
        since = datetime.fromtimestamp(run.submitted_at, timezone.utc).isoformat(timespec="seconds")
        self.note(
            **run.job.to_state(),
            item_type=run.item_type,
            job_type=run.job_type or self._known["job_type"],
            run_url=run.run_url,
            submitted_at=since if submitted else None,
            ours=run.ours,
        )

    def submitted(self, run: FabricRun) -> None:
        """Publish which run it is, before the wait: its id, its page, and what else is known."""
        self.about(run)
        self.note(**dict.fromkeys(SEEN))  # of a run that this one takes the place of
        id_ = run.job.job_instance_id
        try:
            self._ti.xcom_push(key=CLAIM_KEY, value=id_)
            publish_run_url(self._operator, self._ti, run.run_url)
            self.publish()
        except Exception as error:  # noqa: BLE001 - what cannot be published does not end a run
            self._operator.log.warning("Could not write the XComs of job instance %s: %r", id_, error)

    def explained(self, failed_activities: Sequence[Mapping[str, Any]]) -> None:
        """Publish which activities of a run failed."""
        if failed_activities:
            self.note(failed_activities=list(failed_activities))
            self._ti.xcom_push(key=FAILED_ACTIVITIES_KEY, value=list(failed_activities))

    @contextmanager
    def until_the_end(self, is_over: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Publish what became of the run when the task ends, however it ends; a task that defers does not end.

        :param is_over: whether what ends without an error is the end: the poll of a sensor may not be.
        """
        try:
            yield
        except (TaskDeferred, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            self._end(error)
            raise
        if is_over():
            self._end(None)
            self._publish_asset_events()

    def _end(self, error: BaseException | None) -> None:
        self.note(outcome=self._outcome(error))
        if error is not None:
            job = getattr(error, "job", None) or {}
            ids = {name: job.get(name) for name in ("workspace_id", "item_id") if not self._known[name]}
            ours = isinstance(error, OURS)  # what others say might hold a secret
            text = one_line(str(error), MAX_ERROR) if ours else None
            self.note(**ids, error_type=type(error).__name__, error=text)
        try:
            self.publish()
        except Exception as problem:  # noqa: BLE001 - the task's own end counts
            self._operator.log.warning("Could not write XCom %s: %r", FABRIC_RUN_KEY, problem)

    def _outcome(self, error: BaseException | None) -> str:
        """Return what became of the run, in one word."""
        if error is None:
            return "completed" if self._known["status"] in SUCCEEDED else "started"
        if isinstance(error, AirflowSkipException):
            return "skipped"
        if isinstance(error, FabricJobFailed) and self._known["status"]:
            return str(self._known["status"]).lower()  # a sensor's error has one class for all ends
        for kind, word in OUTCOMES:
            if isinstance(error, kind):
                return word
        if type(error).__name__ in TIMEOUTS:
            return "timeout"
        refused = isinstance(error, FabricError) and not self._known["job_instance_id"]
        return "not_started" if refused else "error"

    def publish(self) -> None:
        """Write what is known so far, unless the task is to push nothing."""
        if getattr(self._operator, "do_xcom_push", True):
            self._ti.xcom_push(key=FABRIC_RUN_KEY, value=dict(self._known))

    def _publish_asset_events(self) -> None:
        """Have Airflow's events of the task's ``fabric://`` outlets tell of the run."""
        extra = {name: self._known[name] for name in ASSET_FIELDS if self._known[name] is not None}
        for outlet in fabric_outlets(self._operator):
            try:
                set_outlet_event(self._context, outlet, extra)
            except Exception as problem:  # noqa: BLE001 - the run completed
                self._operator.log.warning("The event of asset %s does not tell of the run: %r", outlet.uri, problem)


def fabric_outlets(operator: Any) -> list[Any]:
    """Return the assets among a task's outlets that are Fabric items."""
    outlets = getattr(operator, "outlets", None) or ()
    return [outlet for outlet in outlets if str(getattr(outlet, "uri", "")).startswith("fabric://")]


def _text(value: Any) -> str:
    return one_line(str(value), MAX_CODE)
