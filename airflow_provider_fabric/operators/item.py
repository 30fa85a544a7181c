"""Deploy and delete items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.arguments import TaskArguments
from airflow_provider_fabric.compat import BaseOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook


class ItemOperator(TaskArguments, BaseOperator):
    """What the operators on items share: a workspace and a connection.

    :param workspace: GUID or display name of the workspace (templated).
    :param fabric_conn_id: id of the connection (templated).
    """

    def __init__(self, *, workspace: str, fabric_conn_id: str = "fabric_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workspace = workspace
        self.fabric_conn_id = fabric_conn_id

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id)


class FabricUpsertItemDefinitionOperator(ItemOperator):
    """Make an item be what a definition says: create it, or replace its definition whole if it differs.

    https://learn.microsoft.com/rest/api/fabric/core/items/update-item-definition

    :param workspace: GUID or display name of the workspace (templated).
    :param item_type: kind of item, such as ``DataPipeline``, ``Dataflow`` or ``CopyJob`` (templated).
    :param display_name: name to find or create it by (templated).
    :param definition: ``{part path: text | bytes | JSON-able}``, or the path of a folder in git-integration layout
        (templated).
    :param description: free text; ``None`` leaves it as it is (templated).
    :param update_metadata: also take name and description from the ``.platform`` part.
    :param fabric_conn_id: id of the connection (templated).
    :returns: ``{"item_id", "workspace_id", "item_type", "display_name", "outcome"}``, the outcome being ``created``,
        ``updated`` or ``unchanged``.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "item_type",
        "display_name",
        "definition",
        "description",
        "fabric_conn_id",
    )
    template_fields_renderers = {"definition": "json"}
    text_arguments: Sequence[str] = ("workspace", "item_type", "display_name", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("description",)
    flag_arguments: Sequence[str] = ("update_metadata",)

    def __init__(
        self,
        *,
        workspace: str,
        item_type: str,
        display_name: str,
        definition: Mapping[str, Any] | str,
        description: str | None = None,
        update_metadata: bool = False,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.item_type = item_type
        self.display_name = display_name
        self.definition = definition
        self.description = description
        self.update_metadata = update_metadata
        self.prepare_arguments()

    def execute(self, context: Context) -> dict[str, str]:
        """Create or update the item."""
        self.resolve_arguments()
        from airflow_provider_fabric.api.items.definitions import read_definition

        parts = read_definition(self.definition, self.item_type)
        result = self.hook.upsert_item_definition(
            self.hook.resolve_workspace(self.workspace),
            self.item_type,
            self.display_name,
            parts,
            description=self.description,
            update_metadata=self.update_metadata,
        )
        self.log.info("%s %r (%s): %s.", self.item_type, self.display_name, result["item_id"], result["outcome"])
        return result


class FabricDeleteItemOperator(ItemOperator):
    """Delete an item.

    https://learn.microsoft.com/rest/api/fabric/core/items/delete-item

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param item_type: kind of item, such as ``DataPipeline`` (templated).
    :param fabric_conn_id: id of the connection (templated).
    """

    template_fields: Sequence[str] = ("workspace", "item", "item_type", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "item", "item_type", "fabric_conn_id")

    def __init__(
        self, *, workspace: str, item: str, item_type: str, fabric_conn_id: str = "fabric_default", **kwargs: Any
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.item = item
        self.item_type = item_type
        self.prepare_arguments()

    def execute(self, context: Context) -> None:
        """Delete the item."""
        self.resolve_arguments()
        workspace_id = self.hook.resolve_workspace(self.workspace)
        item_id = self.hook.resolve_item(workspace_id, self.item, self.item_type)
        self.hook.delete_item(workspace_id, item_id)
        self.log.info("Deleted %s %r (%s).", self.item_type, self.item, item_id)
