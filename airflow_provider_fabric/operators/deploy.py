"""Deploy a folder of items."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.operators.item import ItemOperator
from airflow_provider_fabric.verbatim import protect, rendered_texts

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context


class FabricDeployFolderOperator(ItemOperator):
    """Make a workspace be what a folder of items says, in the layout of Fabric's Git integration.

    https://learn.microsoft.com/fabric/cicd/git-integration/source-code-format

    Items are found by kind, name and folder; made where they are missing, replaced where they differ, moved where they
    lie elsewhere. References between them become ids, in an order that follows from them. What is wrong in the folder
    is raised before anything is changed; a retry goes on where a failed attempt ended. Contents are never rendered.

    The result, with the outcome of every item, is also the XCom ``return_value`` of a task that failed.

    :param workspace: GUID or display name of the workspace (templated).
    :param folder: path of the folder, on the worker (templated).
    :param items: patterns of the items to deploy, such as ``["Sales*.DataPipeline", "Ingest/*"]``, by ``Name.Type`` or
        by path in the folder; ``None`` deploys all (templated).
    :param exclude: patterns of items that are neither deployed nor removed (templated).
    :param item_types: kinds to deploy; ``None`` deploys all (templated).
    :param replace: texts to replace, literally: ``{find: value}`` in every text part, and
        ``{"Name.Type": {find: value}}`` or ``{"Name.Type/part": {find: value}}`` in those of one item; values are
        rendered, as text (templated).
    :param replace_missing: ``fail`` (default) or ``ignore``, for texts to replace that are nowhere.
    :param parameter_file: path of a ``parameter.yml`` as ``fabric-cicd`` has it, of which ``find_replace`` and
        ``key_value_replace`` are understood. Default: the folder's own, if ``environment`` is given (templated).
    :param environment: stage whose values of the parameter file are used; variable libraries that have a value set of
        that name activate it (templated).
    :param folders: make the workspace's folders, and keep items in them; ``False`` ignores folders.
    :param schedules: ``deploy`` (default) those of the folder, ``leave`` the service's alone, or deploy them
        ``disabled``.
    :param remove_orphans: delete items of the workspace that the folder does not have.
    :param removable_types: kinds that may be deleted; by default those whose items hold no data (templated).
    :param max_removals: raise, and change nothing, if more would be deleted; ``None`` for no limit.
    :param on_failure: ``stop`` (default) at the first item that fails, or ``continue`` with those that do not need it.
    :param dry_run: change nothing, and return what would come of each item.
    :param fabric_conn_id: id of the connection (templated).
    :returns: ``{"workspace_id", "items": [{"item_type", "display_name", "item_id", "folder", "outcome", "error"}],
        "counts", "dry_run"}``, the outcome being ``created``, ``updated``, ``unchanged``, ``moved``, ``deleted``,
        ``failed`` or ``skipped``.
    :raises FabricInputError: an argument or the folder is wrong. Nothing was changed.
    :raises FabricDeployError: items failed; its ``result`` is what would have been returned.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "folder",
        "items",
        "exclude",
        "item_types",
        "replace",
        "parameter_file",
        "environment",
        "removable_types",
        "fabric_conn_id",
    )
    template_fields_renderers = {"replace": "json"}
    text_arguments: Sequence[str] = ("workspace", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("environment",)
    text_list_arguments: Sequence[str] = ("items", "exclude", "item_types", "removable_types")
    flag_arguments: Sequence[str] = ("folders", "remove_orphans", "dry_run_only")

    def __init__(
        self,
        *,
        workspace: str,
        folder: str | os.PathLike[str],
        items: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        item_types: Sequence[str] | None = None,
        replace: Mapping[str, Any] | None = None,
        replace_missing: str = "fail",
        parameter_file: str | os.PathLike[str] | None = None,
        environment: str | None = None,
        folders: bool = True,
        schedules: str = "deploy",
        remove_orphans: bool = False,
        removable_types: Sequence[str] | None = None,
        max_removals: int | None = None,
        on_failure: str = "stop",
        dry_run: bool = False,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.folder = folder
        self.items = items
        self.exclude = exclude
        self.item_types = item_types
        self.replace = replace
        self.replace_missing = replace_missing
        self.parameter_file = parameter_file
        self.environment = environment
        self.folders = folders
        self.schedules = schedules
        self.remove_orphans = remove_orphans
        self.removable_types = removable_types
        self.max_removals = max_removals
        self.on_failure = on_failure
        self.dry_run_only = dry_run
        self.prepare_arguments()
        self._given_replace = self.replace
        self.folder = protect(self.folder)
        self.parameter_file = protect(self.parameter_file)

    def execute(self, context: Context) -> dict[str, Any]:
        """Deploy the folder."""
        self.resolve_arguments()
        from airflow_provider_fabric.exceptions import FabricDeployError

        try:
            result = self.hook.deploy_folder(
                self._listed_workspace(),
                self.folder,
                items=self.items,
                exclude=self.exclude,
                item_types=self.item_types,
                replace=self._texts(context),
                replace_missing=self.replace_missing,
                parameter_file=self.parameter_file,
                environment=self.environment,
                folders=self.folders,
                schedules=self.schedules,
                remove_orphans=self.remove_orphans,
                removable_types=self.removable_types,
                max_removals=self.max_removals,
                on_failure=self.on_failure,
                dry_run=self.dry_run_only,
            )
        except FabricDeployError as error:
            context["ti"].xcom_push(key="return_value", value=error.result)
            raise
        self.log.info("%s: %s.", "Would be" if self.dry_run_only else "Deployed", _counted(result["counts"]))
        return result

    def _texts(self, context: Context) -> Any:
        """Return ``replace`` with its values as text, also where the DAG renders templates to Python values."""
        given, rendered = self._given_replace, rendered_texts(self._given_replace, self.replace, context)
        if not isinstance(given, dict) or not isinstance(rendered, dict):
            return rendered
        return {
            key: rendered_texts(given.get(key), value, context) if isinstance(value, dict) else value
            for key, value in rendered.items()
        }


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
