"""Refresh a semantic model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api import refreshes
from airflow_provider_fabric.api.models import JobInstance, JobRef, Submission
from airflow_provider_fabric.api.payloads import parameter_value
from airflow_provider_fabric.api.retry import KILL_BUDGET
from airflow_provider_fabric.api.waiting import Watch
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.run import FabricRun

if TYPE_CHECKING:
    from airflow_provider_fabric.api.flow import Flow
    from airflow_provider_fabric.hooks.fabric import FabricHook


class FabricRefreshSemanticModelOperator(FabricRunItemJobOperator):
    """Refresh a semantic model and wait for it.

    https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group. This is Power BI's API: the
    identity needs its permissions (``Dataset.ReadWrite.All``) and a role in the workspace. A model has one refresh at
    a time; with ``if_running="attach"`` the task waits for one that is under way.

    :param workspace: GUID or display name of the workspace (templated).
    :param semantic_model: GUID or display name of the semantic model (templated).
    :param refresh_type: ``Automatic``, ``Full``, ``DataOnly``, ``Calculate``, ``ClearValues`` or ``Defragment``
        (templated).
    :param objects: tables and partitions to refresh, ``[{"table": …, "partition": …}]``; ``None`` for all (templated).
    :param options: further options of the request, such as ``commitMode`` or ``retryCount`` (templated).

    The other parameters, and the result, are those of
    :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`; the refresh's id is the
    ``job_instance_id``.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "semantic_model",
        "refresh_type",
        "objects",
        "options",
        "fabric_conn_id",
    )
    template_fields_renderers = {"objects": "json", "options": "json"}
    item_field = "semantic_model"

    def __init__(
        self,
        *,
        workspace: str,
        semantic_model: str,
        refresh_type: str = "Automatic",
        objects: Sequence[Mapping[str, str]] | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=semantic_model,
            item_type="SemanticModel",
            job_type=refreshes.JOB_TYPE,
            **kwargs,
        )
        self.refresh_type = refresh_type
        self.objects = objects
        self.options = options

    def body(self) -> Mapping[str, Any]:
        """Return the request's options."""
        body: dict[str, Any] = {"type": self.refresh_type}
        if self.objects is not None:
            body["objects"] = parameter_value(self.objects, "objects")
        for name, value in (self.options or {}).items():
            body[name] = parameter_value(value, f"options.{name}")
        return body

    @cached_property
    def runs(self) -> RefreshesAsRuns:
        """Refreshes, in the words of the job scheduler."""
        return RefreshesAsRuns(self.hook)

    def trigger(self, run: FabricRun) -> Any:
        """Return what waits for the refresh in the triggerer."""
        from airflow_provider_fabric.triggers.semantic_model import FabricSemanticModelRefreshTrigger

        return FabricSemanticModelRefreshTrigger(self.fabric_conn_id, run.to_state(), self.cancel_on_kill)

    def cancel_flow(self, job: JobRef) -> Flow[bool]:
        """Return the conversation that cancels a refresh, briefly."""
        return refreshes.cancel_semantic_model_refresh(
            job.workspace_id, job.item_id, job.job_instance_id, budget=KILL_BUDGET
        )


class RefreshesAsRuns:
    """Refreshes of semantic models behind the names that the life of a job calls."""

    def __init__(self, hook: FabricHook) -> None:
        self._hook = hook

    def run_item_job(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None = None
    ) -> Submission:
        """Start a refresh, once."""
        return self._hook.refresh_semantic_model(workspace_id, item_id, body)

    def find_item_job_instances(
        self, workspace_id: str, item_id: str, job_type: str, *, since: float | None = None
    ) -> list[JobInstance]:
        """Return the model's latest refreshes, newest first."""
        return self._hook.list_semantic_model_refreshes(workspace_id, item_id, since=since)

    def get_item_job_instance(self, workspace_id: str, item_id: str, job_instance_id: str) -> JobInstance:
        """Return one refresh."""
        return self._hook.get_semantic_model_refresh(workspace_id, item_id, job_instance_id)

    def cancel_item_job_instance(self, workspace_id: str, item_id: str, job_instance_id: str) -> bool:
        """Cancel a refresh."""
        return self._hook.cancel_semantic_model_refresh(workspace_id, item_id, job_instance_id)

    def wait_for_job_instance(
        self,
        workspace_id: str,
        item_id: str,
        job_instance_id: str,
        *,
        check_interval: float = 60.0,
        timeout: float | None = None,
    ) -> JobInstance:
        """Wait until a refresh is over."""
        now = time.time()
        job = JobRef(workspace_id, item_id, job_instance_id)
        return self.watch_job_instance(Watch(job, now, check_interval, now, None if timeout is None else now + timeout))

    def watch_job_instance(self, watch: Watch) -> JobInstance:
        """Wait until a refresh is over, in the rhythm its watch tells."""
        return self._hook.watch_semantic_model_refresh(watch)
