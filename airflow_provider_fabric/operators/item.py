"""Deploy and delete items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.compat import BaseOperator
from airflow_provider_fabric.operators.calls import MakesCalls
from airflow_provider_fabric.verbatim import definition_argument, protect, rendered_texts

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context


class ItemOperator(MakesCalls, BaseOperator):
    """What the operators on items share: a workspace and a connection.

    :param workspace: GUID or display name of the workspace (templated).
    :param fabric_conn_id: id of the connection (templated).
    """

    def __init__(self, *, workspace: str, fabric_conn_id: str = "fabric_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workspace = workspace
        self.fabric_conn_id = fabric_conn_id

    def _listed_workspace(self) -> str:
        """Return the workspace's id by the list as it is now; what deploys or deletes does not rely on other tasks."""
        from airflow_provider_fabric.api.items.names import resolve_workspace

        workspace_id = self.hook.run(resolve_workspace(self.workspace))
        self.hook.workspace_names[workspace_id] = self.workspace
        return workspace_id


class FabricUpsertItemDefinitionOperator(ItemOperator):
    """Make an item be what a definition says: create it, or replace its definition whole if it differs.

    https://learn.microsoft.com/rest/api/fabric/core/items/update-item-definition

    Contents of a definition are never rendered: braces, percent signs and hashes arrive as written. To put values in,
    give ``replace``.

    :param workspace: GUID or display name of the workspace (templated).
    :param item_type: kind of item, such as ``DataPipeline``, ``Dataflow`` or ``CopyJob`` (templated).
    :param display_name: name to find or create it by; spaces around it do not count (templated).
    :param definition: ``{part path: text | bytes | JSON-able}``, whose contents are not templates, though outputs of
        tasks may stand in it; or the path of a folder in git-integration layout (templated); or the REST API's form
        ``{"parts": […]}``. Kinds without a definition, such as ``Warehouse``, are created from ``.platform``.
    :param description: free text; ``None`` leaves it as it is (templated).
    :param update_metadata: also take name and description from the ``.platform`` part.
    :param format: ``format`` of the definition, such as ``ipynb``; ``None`` names the one that the kind and its parts
        need (templated).
    :param folder: GUID or path (``Sales/Daily``, ``/`` for the root) of the folder to find and create it in; ``None``
        finds it anywhere in the workspace, and creates it in the root (templated).
    :param create_folder: make ``folder`` if it is not there.
    :param replace: ``{text: value}``: put values into the text parts, literally; values are rendered, as text
        (templated).
    :param replace_missing: ``fail`` (default) or ``ignore``, for texts to replace that are in no part.
    :param schedules: ``deploy`` (default) the part ``.schedules`` if there is one, or ``leave`` the service's schedules
        alone.
    :param fabric_conn_id: id of the connection (templated).
    :returns: ``{"item_id", "workspace_id", "item_type", "display_name", "outcome"}``, the outcome being ``created``,
        ``updated`` or ``unchanged``.
    :raises FabricInputError: an argument or a part is malformed, or a text to replace is nowhere. Nothing was sent.
    :raises FabricNameError: several items of the kind have that name, or one whose name differs only in case.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "item_type",
        "display_name",
        "definition",
        "description",
        "format",
        "folder",
        "replace",
        "fabric_conn_id",
    )
    template_fields_renderers = {"definition": "json", "replace": "json"}
    text_arguments: Sequence[str] = ("workspace", "item_type", "display_name", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("description", "format", "folder")
    flag_arguments: Sequence[str] = ("update_metadata", "create_folder")

    def __init__(
        self,
        *,
        workspace: str,
        item_type: str,
        display_name: str,
        definition: Mapping[str, Any] | str | PathLike[str],
        description: str | None = None,
        update_metadata: bool = False,
        format: str | None = None,
        folder: str | None = None,
        create_folder: bool = True,
        replace: Mapping[str, str] | None = None,
        replace_missing: str = "fail",
        schedules: str = "deploy",
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.item_type = item_type
        self.display_name = display_name
        self.definition = definition
        self.description = description
        self.update_metadata = update_metadata
        self.format = format
        self.folder = folder
        self.create_folder = create_folder
        self.replace = replace
        self.replace_missing = replace_missing
        self.schedules = schedules
        self.prepare_arguments()
        self._given_replace = self.replace
        self.definition = protect(self.definition)

    def execute(self, context: Context) -> dict[str, str]:
        """Create or update the item."""
        self.resolve_arguments()
        from airflow_provider_fabric.api.items.preparation import prepare_definition

        prepared = prepare_definition(
            definition_argument(self.definition),
            self.item_type,
            format=self.format,
            replace=rendered_texts(self._given_replace, self.replace, context),
            replace_missing=self.replace_missing,
            schedules=self.schedules,
        )
        result = self.hook.upsert_item_definition(
            self._listed_workspace(),
            self.item_type,
            self.display_name,
            prepared,
            description=self.description,
            update_metadata=self.update_metadata,
            folder=self.folder,
            create_folder=self.create_folder,
        )
        self.log.info("%s %r (%s): %s.", self.item_type, self.display_name, result["item_id"], result["outcome"])
        return result


class FabricDeleteItemOperator(ItemOperator):
    """Delete an item.

    https://learn.microsoft.com/rest/api/fabric/core/items/delete-item

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param item_type: kind of item, such as ``DataPipeline`` (templated).
    :param ignore_missing: an item that is not there is no error; a workspace that is not there is one.
    :param fabric_conn_id: id of the connection (templated).
    :raises FabricNameError: no item has that name (unless ``ignore_missing``), or several have it.
    """

    template_fields: Sequence[str] = ("workspace", "item", "item_type", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "item", "item_type", "fabric_conn_id")
    flag_arguments: Sequence[str] = ("ignore_missing",)

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        item_type: str,
        ignore_missing: bool = False,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.item = item
        self.item_type = item_type
        self.ignore_missing = ignore_missing
        self.prepare_arguments()

    def execute(self, context: Context) -> None:
        """Delete the item."""
        self.resolve_arguments()
        workspace_id = self._listed_workspace()
        item_id = self._find(workspace_id)
        if item_id is None:
            self.log.info("There is no %s %r to delete.", self.item_type, self.item)
            return
        self.hook.delete_item(workspace_id, item_id, ignore_missing=self.ignore_missing)
        self.log.info("Deleted %s %r (%s).", self.item_type, self.item, item_id)

    def _find(self, workspace_id: str) -> str | None:
        from airflow_provider_fabric.api.items.names import find_item, resolve_item

        find = find_item if self.ignore_missing else resolve_item
        return self.hook.run(find(workspace_id, self.item, self.item_type))
