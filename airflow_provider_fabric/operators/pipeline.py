"""Run a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.operators.job import FabricRunItemJobOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.api.jobs.activities import ActivityProgress
    from airflow_provider_fabric.api.models import JobInstance
    from airflow_provider_fabric.lifecycle.errors import Explanation
    from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome

MAX_STORED = 20
"""Failed activities that are published at most: ``name type error_code message inside times`` of each."""


class FabricRunPipelineOperator(FabricRunItemJobOperator):
    """Run a pipeline and wait for it.

    https://learn.microsoft.com/rest/api/fabric/datapipeline/background-jobs/run-on-demand-execute

    :param workspace: GUID or display name of the workspace (templated).
    :param pipeline: GUID or display name of the pipeline (templated).
    :param parameters: the pipeline's parameters: names and values (templated). The service ignores unknown names.
    :param validate_parameters: compare the parameters, before the run, with those the pipeline's definition declares:
        unknown names, missing values (no default), wrong types. That takes the right to read it.
    :param log_activities: log what the activities do, at every poll; when the task waits in the triggerer, at the end.
    :param job_type: ``Execute``; older articles and clients say ``Pipeline`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "pipeline",
        "parameters",
        "execution_data",
        "job_type",
        "fabric_conn_id",
    )
    template_fields_renderers = {"parameters": "json", "execution_data": "json"}
    text_arguments: Sequence[str] = ("workspace", "pipeline", "job_type", "fabric_conn_id")
    flag_arguments: Sequence[str] = (
        *FabricRunItemJobOperator.flag_arguments,
        "validate_parameters",
        "log_activities",
    )
    item_field = "pipeline"

    def __init__(
        self,
        *,
        workspace: str,
        pipeline: str,
        parameters: Mapping[str, Any] | None = None,
        validate_parameters: bool = False,
        log_activities: bool = False,
        job_type: str = "Execute",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=pipeline,
            item_type="DataPipeline",
            parameters=parameters,
            job_type=job_type,
            **kwargs,
        )
        self.pipeline = pipeline
        self.validate_parameters = validate_parameters
        self.log_activities = log_activities
        self.prepare_arguments()

    def build_body(self) -> Mapping[str, Any] | None:
        """Return ``executionData`` with the parameters."""
        from airflow_provider_fabric.api.jobs.payloads import pipeline_body

        return pipeline_body(self.parameters, self.execution_data)

    def check_parameters(self, workspace_id: str, item_id: str) -> None:
        """Compare names and types with those the pipeline's definition declares, and look for missing ones."""
        if self.validate_parameters:
            from airflow_provider_fabric.api.jobs.declared import check_declared

            declared = self.hook.list_pipeline_parameters(workspace_id, item_id)
            check_declared(self.parameters or {}, declared, f"pipeline {self.pipeline!r}")

    def on_poll(self, run: FabricRun, instance: JobInstance, changed: bool) -> None:
        """Log the run's status, and its activities if that is wanted."""
        super().on_poll(run, instance, changed)
        if self.log_activities:
            self._log_activities(run, instance.start_time_utc)

    def on_wait_end(self, run: FabricRun, outcome: Outcome) -> None:
        """Log the activities after a wait in the triggerer, where nobody has."""
        if self.log_activities and self.deferrable:
            self._log_activities(run, outcome.started_at)

    def explain_failure(self, run: FabricRun, outcome: Outcome) -> Explanation | None:
        """Return which activities failed, and why. The service forgets them soon, so they are asked for at once."""
        from airflow_provider_fabric.api.jobs.activities import failed_activities, summary
        from airflow_provider_fabric.lifecycle.errors import Explanation

        failed = failed_activities(self._activity_runs(run, outcome.started_at))
        for activity in failed:
            self.log.error("Failed activity: %s", activity)
        return Explanation(
            text=summary(failed),
            codes=tuple(activity.error_code for activity in failed),
            failed_activities=tuple(activity.to_dict() for activity in failed[:MAX_STORED]),
        )

    def count_rows(self, run: FabricRun, outcome: Outcome) -> dict[str, int] | None:
        """Return how many rows the copy activities read and wrote: ``{"read", "written"}``."""
        from airflow_provider_fabric.api.jobs.activities import count_rows

        return count_rows(self._activity_runs(run, outcome.started_at))

    @cached_property
    def _activities(self) -> ActivityProgress:
        from airflow_provider_fabric.api.jobs.activities import ActivityProgress

        return ActivityProgress()

    def _log_activities(self, run: FabricRun, started: datetime | None) -> None:
        from airflow_provider_fabric.exceptions import FabricError

        try:
            runs = self._activity_runs(run, started)
        except FabricError as error:
            self.log.warning("Could not read the activities: %s", error)
            return
        for line in self._activities.changes(runs):
            self.log.info("Activity %s", line)

    def _activity_runs(self, run: FabricRun, started: datetime | None) -> list[dict[str, Any]]:
        """Ask once what the activities did."""
        from airflow_provider_fabric.api.http.retry import ONCE

        day = timedelta(days=1)  # clocks may differ, and a run may have waited
        return self.hook.query_activity_runs(
            run.job.workspace_id,
            run.job.job_instance_id,
            after=(started or datetime.fromtimestamp(run.submitted_at, timezone.utc)) - day,
            before=datetime.now(timezone.utc) + day,
            budget=ONCE,
        )
