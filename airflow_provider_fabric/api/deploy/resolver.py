"""From a definition as it stands in Git to the one that a workspace takes: ids, addresses, values of the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_fabric.api.deploy.kql import databases_without_cluster, with_clusters
from airflow_provider_fabric.api.deploy.prepare import PreparedItem
from airflow_provider_fabric.api.deploy.properties import get_attribute
from airflow_provider_fabric.api.deploy.references import REPORT_PART, resolved, with_connection
from airflow_provider_fabric.api.deploy.rules import Rule
from airflow_provider_fabric.api.deploy.source import SourceItem
from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.models import Item, is_guid
from airflow_provider_fabric.exceptions import FabricNameError


class Resolver:
    """Knows which items have which ids, and learns those of items that are made.

    :param workspace_id: GUID.
    :param items: the workspace's items.
    :param found: those that are items of the folder.
    :param guess: leave what is not known yet as it is, for a dry run.
    """

    def __init__(
        self, workspace_id: str, items: Iterable[Item], found: Mapping[SourceItem, Item], *, guess: bool
    ) -> None:
        self._workspace_id = workspace_id
        self._guess = guess
        self._ids = {source: item.id for source, item in found.items()}
        self._listed = list(items)
        self._attributes: dict[tuple[str, str, str], str] = {}

    def add(self, source: SourceItem, item_id: str) -> None:
        """Remember the id of an item that was made."""
        self._ids[source] = item_id

    def resolve(self, prepared: PreparedItem) -> Flow[dict[str, bytes]]:
        """Return an item's parts as the workspace takes them."""
        source = prepared.source
        parts = dict(prepared.definition.parts)
        for rule in prepared.rules:
            value = yield from self._value(rule)
            if value is not None:
                parts = {path: rule.apply(source, path, content, value) for path, content in parts.items()}
        if prepared.model is not None and prepared.model in self._ids:
            parts[REPORT_PART] = with_connection(parts[REPORT_PART], self._ids[prepared.model])
        ids = {one.logical_id: id_ for one, id_ in self._ids.items() if one.logical_id is not None}
        parts = resolved(source.item_type, parts, ids, self._workspace_id)
        clusters = {}
        for database in databases_without_cluster(source.item_type, parts):
            if not self._guess or database in self._ids.values():
                clusters[database] = yield from self._attribute("KQLDatabase", "queryserviceuri", database)
        return with_clusters(source.item_type, parts, clusters)

    def _value(self, rule: Rule) -> Flow[str | None]:
        wanted = rule.item_value
        if wanted is None:
            return self._workspace_id
        of_folder = [id_ for one, id_ in self._ids.items() if _named(one) == (wanted.item_type, wanted.display_name)]
        listed = [i.id for i in self._listed if (i.type, i.display_name) == (wanted.item_type, wanted.display_name)]
        ids = sorted(set(of_folder or listed))
        if not ids and self._guess:
            return None
        if len(ids) != 1:
            raise FabricNameError(
                f"parameter_file, {rule.where}: {len(ids)} items are the {wanted.item_type} "
                f"{wanted.display_name!r} that {rule.value!r} names."
            )
        if wanted.attribute == "id":
            return ids[0]
        return (yield from self._attribute(wanted.item_type, wanted.attribute, ids[0]))

    def _attribute(self, item_type: str, attribute: str, item_id: str) -> Flow[str]:
        """Return a property of an item; each is asked for once."""
        key = (item_type, attribute, item_id)
        if key not in self._attributes and is_guid(item_id):
            self._attributes[key] = yield from get_attribute(self._workspace_id, item_type, attribute, item_id)
        return self._attributes[key]


def _named(source: SourceItem) -> tuple[str, str]:
    return source.item_type, source.display_name
