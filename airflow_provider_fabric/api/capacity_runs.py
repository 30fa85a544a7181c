"""Which runs a capacity would lose if it were suspended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_fabric.api.capacities import list_capacities
from airflow_provider_fabric.api.http.flow import Flow, Request
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.items.items import COLLECTIONS, list_items
from airflow_provider_fabric.api.items.names import resolve_workspace
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.models import Item, JobInstance
from airflow_provider_fabric.api.semantic_models import list_semantic_model_refreshes
from airflow_provider_fabric.exceptions import FabricInputError, FabricNotFoundError

RUNNABLE = frozenset(COLLECTIONS) - {"UserDataFunction"}
"""Kinds of items whose runs are looked for, besides semantic models; the others have no jobs."""


@dataclass(frozen=True)
class ActiveRun:
    """A run that is not over.

    :param item: the item that runs.
    :param instance: the run.
    """

    item: Item
    instance: JobInstance

    def __str__(self) -> str:
        """Return it in a few words."""
        status = self.instance.status_text
        return f"{self.item.type} {self.item.display_name!r} (job instance {self.instance.id}, {status})"


def list_active_runs(workspaces: Sequence[str]) -> Flow[list[ActiveRun]]:
    """Return the runs that are active in workspaces, whoever started them.

    One call for each workspace, and one for each item that can run.

    :param workspaces: GUIDs or display names.
    """
    runs: list[ActiveRun] = []
    for workspace in workspaces:
        workspace_id = yield from resolve_workspace(workspace)
        for item in (yield from list_items(workspace_id)):
            found = yield from _runs_of(workspace_id, item)
            runs += [ActiveRun(item, instance) for instance in found if not instance.status.is_terminal]
    return runs


def _runs_of(workspace_id: str, item: Item) -> Flow[list[JobInstance]]:
    try:
        if item.type == "SemanticModel":
            return (yield from list_semantic_model_refreshes(workspace_id, item.id))
        if item.type in RUNNABLE:
            return (yield from list_item_job_instances(workspace_id, item.id))
    except FabricNotFoundError:  # just deleted, or of an old kind that the job scheduler does not know
        pass
    return []


def workspaces_on_capacity(capacity_name: str) -> Flow[list[str]]:
    """Return the ids of the workspaces on a capacity, as far as the identity can see them.

    :param capacity_name: its name, the same in Azure and in Fabric.
    :raises FabricInputError: Fabric does not show the identity this capacity, so nothing is known.
    """
    listed = yield from list_capacities()
    ids = {str(c.get("id")).lower() for c in listed if str(c.get("displayName")).casefold() == capacity_name.casefold()}
    if len(ids) != 1:
        raise FabricInputError(
            f"Which workspaces are on capacity {capacity_name!r} is unknown: Fabric shows this identity {len(ids)} "
            "capacities of that name. Give workspaces=[…] whose runs must be over, make the identity a contributor of "
            "the capacity in Fabric, or suspend with force=True, whatever runs."
        )
    entries = yield from list_all(Request("GET", "/v1/workspaces", "list workspaces"))
    return [str(entry["id"]) for entry in entries if str(entry.get("capacityId")).lower() in ids]
