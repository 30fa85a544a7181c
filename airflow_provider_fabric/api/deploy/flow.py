"""A whole folder of items, deployed: one flow, which a worker or an event loop runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from typing import Any

from airflow_provider_fabric.api.deploy import aftercare
from airflow_provider_fabric.api.deploy.options import DeployOptions
from airflow_provider_fabric.api.deploy.outcomes import ItemOutcome, failure_of, result_of
from airflow_provider_fabric.api.deploy.plan import Plan, Step, Workspace, make_plan
from airflow_provider_fabric.api.deploy.prepare import prepare
from airflow_provider_fabric.api.deploy.resolver import Resolver
from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.items.comparison import same_definition
from airflow_provider_fabric.api.items.folders import FolderTree, ensure_folder, list_folders, move_item
from airflow_provider_fabric.api.items.formats import has_definition
from airflow_provider_fabric.api.items.items import create_item, delete_item, get_item_definition, list_items
from airflow_provider_fabric.api.items.upsert import Wanted, put_item
from airflow_provider_fabric.api.models import Item
from airflow_provider_fabric.exceptions import FabricError, FabricNotFoundError

log = logging.getLogger(__name__)


def deploy_folder(
    workspace_id: str,
    folder: str | os.PathLike[str],
    *,
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
) -> Flow[dict[str, Any]]:
    """Make a workspace be what a folder of items says, in the layout of Fabric's Git integration.

    Items are found by kind, name and folder, made where they are missing, replaced where they differ, and moved where
    they lie in another folder. References between them (logical ids, a report's path to its model, "this workspace")
    become ids, in an order that follows from them. Whatever is wrong in the folder is raised before the first write.

    :param workspace_id: GUID.
    :param folder: path of the folder on disk.
    :param items: patterns (``Sales*.DataPipeline``, ``Sales/*``) of the items to deploy, by ``Name.Type`` or path.
    :param exclude: patterns of items that are neither deployed nor removed.
    :param item_types: kinds to deploy.
    :param replace: texts to replace, literally: ``{find: value}`` in every text part, and
        ``{"Name.Type": {find: value}}`` or ``{"Name.Type/part": {find: value}}`` in those of one item.
    :param replace_missing: ``fail`` raises if a text is found nowhere, ``ignore`` does not.
    :param parameter_file: a ``parameter.yml`` as ``fabric-cicd`` has it: ``find_replace`` and ``key_value_replace``.
        Default: the folder's own ``parameter.yml`` if ``environment`` is given.
    :param environment: stage whose values of the parameter file are used; also the value set that variable libraries
        activate, where they have one of that name.
    :param folders: make the folders of the workspace, and keep items in them. ``False`` ignores folders.
    :param schedules: ``deploy`` those of the folder, ``leave`` the service's alone, or deploy them ``disabled``.
    :param remove_orphans: delete items of the workspace that the folder does not have.
    :param removable_types: kinds that may be deleted; by default those of
        :data:`~airflow_provider_fabric.api.deploy.options.REMOVABLE_TYPES`, which hold no data.
    :param max_removals: raise, and change nothing, if more than that would be deleted.
    :param on_failure: ``stop`` at the first item that fails, or ``continue`` with those that do not need it.
    :param dry_run: change nothing, and return what would come of each item.
    :returns: ``{"workspace_id", "items": [{"item_type", "display_name", "item_id", "folder", "outcome", "error"}],
        "counts", "dry_run"}``; the outcome is one of ``created``, ``updated``, ``unchanged``, ``moved``, ``deleted``,
        ``failed``, ``skipped``.
    :raises FabricInputError: an option or the folder is wrong. Nothing was changed.
    :raises FabricDeployError: items failed; its ``result`` is what would have been returned.
    """
    options = DeployOptions.read(
        items=items,
        exclude=exclude,
        item_types=item_types,
        replace=replace,
        replace_missing=replace_missing,
        parameter_file=parameter_file,
        environment=environment,
        folders=folders,
        schedules=schedules,
        remove_orphans=remove_orphans,
        removable_types=removable_types,
        max_removals=max_removals,
        on_failure=on_failure,
        dry_run=dry_run,
    )
    prepared = prepare(folder, options)
    listed = yield from list_items(workspace_id)
    tree = FolderTree((yield from list_folders(workspace_id)) if folders else [])
    workspace = Workspace(listed, tree, folders=folders)
    plan = make_plan(prepared, workspace, options)
    deployment = _Deployment(workspace_id, workspace, plan, options)
    yield from deployment.run()
    result = result_of(workspace_id, deployment.outcomes, dry_run=dry_run)
    if deployment.first_error is not None:
        raise failure_of(result, deployment.first_error)
    return result


class _Deployment:
    """One deployment under way.

    :param workspace_id: GUID.
    :param workspace: what is there.
    :param plan: what is to be done.
    :param options: how.
    """

    def __init__(self, workspace_id: str, workspace: Workspace, plan: Plan, options: DeployOptions) -> None:
        self._workspace_id = workspace_id
        self._workspace = workspace
        self._plan = plan
        self._options = options
        self._resolver = Resolver(workspace_id, workspace.items, plan.found, guess=options.dry_run)
        self._publishing: list[tuple[ItemOutcome, str | None]] = []
        self.outcomes: list[ItemOutcome] = []
        self.first_error: FabricError | None = None

    def run(self) -> Flow[None]:
        """Deploy every item, wait for what goes on in the service, and remove orphans if all went well."""
        lost: set[object] = set()
        for step in self._plan.steps:
            source = step.prepared.source
            outcome = ItemOutcome(source.item_type, source.display_name, self._folder(step), "skipped")
            self.outcomes.append(outcome)
            outcome.error = self._reason_to_skip(step, lost)
            if outcome.error is None:
                yield from self._attempt(step, outcome)
            if outcome.outcome in ("failed", "skipped"):
                lost.add(source)
            log.info("%s: %s%s", source, outcome.outcome, f": {outcome.error}" if outcome.error else "")
        for outcome, operation_id in self._publishing:
            yield from self._finish_publish(outcome, operation_id)
        for item in self._plan.orphans:
            yield from self._remove(item)

    def _folder(self, step: Step) -> str:
        if self._options.folders:
            return step.prepared.source.folder
        return self._workspace.folder_of(step.existing) if step.existing else ""

    def _reason_to_skip(self, step: Step, lost: set[object]) -> str | None:
        if self.first_error is not None and self._options.on_failure == "stop":
            return "Not attempted, because an item before it failed."
        needed = sorted(str(item) for item in step.prepared.needs if item in lost)
        return f"Not attempted, because it needs {needed[0]}." if needed else None

    def _attempt(self, step: Step, outcome: ItemOutcome) -> Flow[None]:
        try:
            if self._options.dry_run:
                yield from self._preview(step, outcome)
            else:
                yield from self._deploy(step, outcome)
        except FabricError as error:
            self._failed(outcome, error)

    def _failed(self, outcome: ItemOutcome, error: FabricError) -> None:
        outcome.outcome, outcome.error = "failed", str(error)
        self.first_error = self.first_error or error

    def _wanted(self, step: Step, parts: Mapping[str, bytes], folder_id: str | None) -> Wanted:
        source, definition = step.prepared.source, step.prepared.definition
        return Wanted(
            self._workspace_id,
            source.display_name,
            changed(definition, parts=dict(parts)),
            source.description,
            update_metadata=False,
            folder_id=folder_id,
            anywhere=not self._options.folders,
        )

    def _deploy(self, step: Step, outcome: ItemOutcome) -> Flow[None]:
        source, existing = step.prepared.source, step.existing
        if existing is not None:
            outcome.item_id = existing.id
        folder_id: str | None = None
        moved = False
        if self._options.folders:
            folder_id = yield from ensure_folder(self._workspace_id, source.folder, self._workspace.tree)
            moved = existing is not None and existing.folder_id != folder_id
            if moved:
                yield from move_item(self._workspace_id, str(outcome.item_id), folder_id)
        made: Item | None = None
        if existing is None and source in step.prepared.needs:  # it names itself: the id is needed first
            made = yield from create_item(
                self._workspace_id, source.display_name, source.item_type, folder_id=folder_id
            )
            self._resolver.add(source, made.id)
            outcome.item_id = made.id
        parts = yield from self._resolver.resolve(step.prepared)
        item, what = yield from put_item(self._wanted(step, parts, folder_id), made or existing)
        outcome.item_id = item.id
        self._resolver.add(source, item.id)
        if made is not None:
            what = "created"
        elif moved and what == "unchanged":
            what = "moved"
        outcome.outcome = yield from self._look_after(step, parts, item, what, outcome)

    def _look_after(
        self, step: Step, parts: Mapping[str, bytes], item: Item, what: str, outcome: ItemOutcome
    ) -> Flow[str]:
        """Do what the kind needs after its definition, and return the outcome of it all."""
        done = False
        if step.prepared.source.item_type == "VariableLibrary":
            value_set = aftercare.value_set_for(parts, self._options.environment)
            if value_set is not None:
                done = yield from aftercare.activate_value_set(self._workspace_id, item.id, value_set)
        elif step.prepared.source.item_type == "Environment":
            state = None
            if what in ("unchanged", "moved"):  # an earlier attempt may not have come to publishing it
                state = yield from aftercare.publish_state(self._workspace_id, item.id)
            if state != aftercare.PUBLISHED:
                operation_id = None
                if state not in aftercare.GOING_ON:
                    operation_id = yield from aftercare.publish_environment(self._workspace_id, item.id)
                    done = True
                self._publishing.append((outcome, operation_id))
        return "updated" if done and what in ("unchanged", "moved") else what

    def _finish_publish(self, outcome: ItemOutcome, operation_id: str | None) -> Flow[None]:
        try:
            yield from aftercare.wait_for_publish(self._workspace_id, str(outcome.item_id), operation_id)
        except FabricError as error:
            self._failed(outcome, error)

    def _preview(self, step: Step, outcome: ItemOutcome) -> Flow[None]:
        """Find out what would come of an item, without changing anything."""
        existing, definition = step.existing, step.prepared.definition
        if existing is None:
            outcome.outcome = "created"
            return
        outcome.item_id = existing.id
        parts = yield from self._resolver.resolve(step.prepared)
        same = step.prepared.source.description in (None, existing.description)
        if same and has_definition(definition.item_type):
            held = yield from get_item_definition(self._workspace_id, existing.id, format=definition.format)
            same = same_definition(parts, held, item_type=definition.item_type)
        moved = self._options.folders and self._workspace.folder_of(existing) != step.prepared.source.folder
        outcome.outcome = "updated" if not same else "moved" if moved else "unchanged"

    def _remove(self, item: Item) -> Flow[None]:
        outcome = ItemOutcome(item.type, item.display_name, self._workspace.folder_of(item), "deleted", item.id)
        self.outcomes.append(outcome)
        if self.first_error is not None:
            outcome.outcome, outcome.error = "skipped", "Not removed, because an item failed."
        elif not self._options.dry_run:
            try:
                yield from delete_item(self._workspace_id, item.id)
            except FabricNotFoundError:
                pass  # it went with the item it belonged to
            except FabricError as error:
                self._failed(outcome, error)
        log.info("%s %r is not in the folder: %s", item.type, item.display_name, outcome.outcome)
