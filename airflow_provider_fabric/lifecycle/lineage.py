"""OpenLineage: which Fabric run a task stands for, and what that run read and wrote.

Used only where ``apache-airflow-providers-openlineage`` is installed; it calls the methods below after a task. Nothing
here may fail or hold up a task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.compat import operator_lineage_class

if TYPE_CHECKING:
    from functools import cached_property

    from airflow_provider_fabric.api.items.datasets import DatasetName
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome

log = logging.getLogger(__name__)

FACET_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"
WITH_DATASETS = frozenset({"CopyJob", "DataPipeline"})


class FabricLineage:
    """Gives a job operator the methods that OpenLineage's provider looks for.

    :cvar ended: the run that the task waited for, once it has ended.
    """

    ended: tuple[FabricRun, Outcome] | None = None

    if TYPE_CHECKING:  # the operator's

        @cached_property
        def hook(self) -> FabricHook: ...

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the ``OperatorLineage`` of a task that ended, well or not; ``None`` if there is nothing to tell."""
        try:
            return None if self.ended is None else _lineage(*self.ended, self._datasets)
        except Exception:
            log.warning("Could not report the Fabric run to OpenLineage.", exc_info=True)
            return None

    def _datasets(self) -> tuple[list[DatasetName], list[DatasetName]]:
        """Read what the run read and wrote from the item's definition."""
        if self.ended is None or self.ended[0].item_type not in WITH_DATASETS:
            return [], []
        from airflow_provider_fabric.api.items.datasets import datasets_of

        run = self.ended[0]
        try:
            parts = self.hook.get_item_definition(run.job.workspace_id, run.job.item_id)
            return datasets_of(run.item_type, parts)
        except Exception as error:  # noqa: BLE001 - no right to read it is no reason to tell nothing
            log.info(
                "The definition of item %s cannot be read, so no datasets are reported to OpenLineage: %s",
                run.job.item_id,
                error,
            )
            return [], []


def _lineage(
    run: FabricRun, outcome: Outcome, datasets: Callable[[], tuple[list[DatasetName], list[DatasetName]]]
) -> Any:
    from openlineage.client.event_v2 import Dataset

    inputs, outputs = ([Dataset(namespace=found.namespace, name=found.name) for found in side] for side in datasets())
    return operator_lineage_class()(inputs=inputs, outputs=outputs, run_facets=run_facets(run, outcome.job))


def run_facets(run: FabricRun, job: dict[str, Any]) -> dict[str, Any]:
    """Return the facets of a run: which Fabric run it was, and why it failed.

    :param run: the run.
    :param job: the run as last seen.
    """
    from openlineage.client.facet_v2 import error_message_run, external_query_run

    facets: dict[str, Any] = {
        "fabric_run": _facet_class()(
            workspaceId=run.job.workspace_id,
            itemId=run.job.item_id,
            itemType=run.item_type,
            jobType=run.job_type,
            jobInstanceId=run.job.job_instance_id,
            runUrl=run.run_url,
            status=job.get("status"),
            rootActivityId=job.get("root_activity_id"),
        ),
        "externalQuery": external_query_run.ExternalQueryRunFacet(
            externalQueryId=run.job.job_instance_id, source=run.run_url.split("/groups/")[0].split("/workloads/")[0]
        ),
    }
    reason = job.get("failure_reason")
    if isinstance(reason, dict):
        text = ": ".join(str(reason[key]) for key in ("errorCode", "message") if reason.get(key))
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=text, programmingLanguage="Fabric")
    return facets


@cache
def _facet_class() -> Any:
    """Return our facet's class, made when OpenLineage's base is at hand."""
    import attr
    from openlineage.client.facet_v2 import RunFacet

    @attr.define
    class FabricRunFacet(RunFacet):  # type: ignore[misc]
        """The Fabric run that a task stands for."""

        workspaceId: str  # noqa: N815 - facets are written in camel case
        itemId: str  # noqa: N815
        itemType: str | None  # noqa: N815
        jobType: str  # noqa: N815
        jobInstanceId: str  # noqa: N815
        runUrl: str  # noqa: N815
        status: str | None
        rootActivityId: str | None  # noqa: N815

        @staticmethod
        def _get_schema() -> str:
            return FACET_SCHEMA

    return FabricRunFacet
