"""Deployment pipelines: their stages with the workspaces behind them, and what was deployed.

Shapes: ``deploymentPipelines.json`` of the platform file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.emulator.errors import not_found
from airflow_provider_fabric.emulator.state.ids import new_id, read_guid


@dataclass
class Stage:
    """One stage.

    :param workspace_id: the workspace assigned to it.
    :param deployed: target item → (source item, epoch seconds), for what came from the stage before.
    """

    id: str
    number: int
    display_name: str
    description: str
    is_public: bool
    workspace_id: str | None = None
    deployed: dict[str, tuple[str, float]] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``DeploymentPipelineStage``."""
        shown = {
            "id": self.id,
            "order": self.number - 1,
            "displayName": self.display_name,
            "description": self.description,
            "isPublic": self.is_public,
        }
        return shown if self.workspace_id is None else {**shown, "workspaceId": self.workspace_id}


@dataclass
class DeploymentPipeline:
    """One deployment pipeline.

    :param operations: what was deployed, in the form of the API.
    """

    id: str
    number: int
    display_name: str
    description: str
    stages: list[Stage]
    operations: list[dict[str, Any]] = field(default_factory=list)

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``DeploymentPipeline``."""
        return {"id": self.id, "displayName": self.display_name, "description": self.description}

    def stage(self, stage_id: object) -> Stage:
        """Return a stage.

        :raises ServiceError: 404 if it has none of that id.
        """
        found = next((stage for stage in self.stages if stage.id == stage_id), None)
        if found is None:
            raise not_found("EntityNotFound", "stage", str(stage_id))
        return found


class DeploymentPipelineStore:
    """All deployment pipelines."""

    def __init__(self) -> None:
        self._all: dict[str, DeploymentPipeline] = {}

    def create(self, display_name: str, description: str, stages: list[dict[str, Any]]) -> DeploymentPipeline:
        """Add a pipeline with its stages."""
        made = [
            Stage(new_id(), number, s["displayName"], str(s.get("description", "")), bool(s.get("isPublic", False)))
            for number, s in enumerate(stages, 1)
        ]
        created = DeploymentPipeline(new_id(), len(self._all) + 1, display_name, description, made)
        self._all[created.id] = created
        return created

    def all(self) -> list[DeploymentPipeline]:
        """Return every pipeline."""
        return list(self._all.values())

    def get(self, pipeline_id: str) -> DeploymentPipeline:
        """Return a pipeline.

        :raises ServiceError: 400 for an id that is no GUID, 404.
        """
        found = self._all.get(read_guid(pipeline_id, "deploymentPipelineId"))
        if found is None:
            raise not_found("EntityNotFound", "deployment pipeline", pipeline_id)
        return found
