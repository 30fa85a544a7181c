"""What can be known of a folder before the first request: what is deployed, in which order, and what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from airflow_provider_fabric.api.deploy.kql import databases_without_cluster
from airflow_provider_fabric.api.deploy.options import DeployOptions
from airflow_provider_fabric.api.deploy.parameter_file import read_parameter_file
from airflow_provider_fabric.api.deploy.references import in_order, model_of_report, referenced_ids
from airflow_provider_fabric.api.deploy.replacing import replaced
from airflow_provider_fabric.api.deploy.rules import ItemValue, ParameterFile, Rule
from airflow_provider_fabric.api.deploy.selection import select
from airflow_provider_fabric.api.deploy.source import SourceItem, read_source
from airflow_provider_fabric.api.items.definitions import ItemDefinition, checked_definition, load_definition
from airflow_provider_fabric.api.items.formats import SCHEDULES
from airflow_provider_fabric.exceptions import FabricInputError

PARAMETER_FILE = "parameter.yml"


@dataclass(frozen=True)
class PreparedItem:
    """One item that is deployed.

    :param source: where it comes from.
    :param definition: its definition, values put in; references are still logical ids.
    :param rules: rules of the parameter file whose values the workspace has.
    :param needs: items of the folder that it names.
    :param model: the semantic model that a report names by its path.
    :param databases: ids of KQL databases whose cluster is to be filled in.
    """

    source: SourceItem
    definition: ItemDefinition
    rules: tuple[Rule, ...] = ()
    needs: frozenset[SourceItem] = frozenset()
    model: SourceItem | None = None
    databases: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedFolder:
    """A folder, read and checked.

    :param source: all items in it, also those that are not deployed.
    :param items: what is deployed, in the order in which it is.
    """

    source: list[SourceItem] = field(default_factory=list)
    items: list[PreparedItem] = field(default_factory=list)


def prepare(folder: str | os.PathLike[str], options: DeployOptions) -> PreparedFolder:
    """Read and check a folder.

    :param folder: its path on disk.
    :param options: what of it is deployed, and how.
    :raises FabricInputError: something in it is wrong; the error names the file.
    """
    source = read_source(folder)
    chosen = select(
        source,
        items=options.items,
        exclude=options.exclude,
        item_types=options.item_types,
        folders=options.folders,
    )
    definitions = {item: _load(item, options) for item in chosen}
    parameters = _parameters(folder, options)
    written = {item: dict(definition.parts) for item, definition in definitions.items()}
    parts = replaced(written, options.replace, options.replace_missing)
    parameters.check(parts.items())
    prepared = []
    for item in chosen:
        static, dynamic = _split(parameters.rules, item, parts[item])
        texts = _apply(static, item, parts[item])
        prepared.append(_prepare_item(item, definitions[item], texts, dynamic, source))
    by_source = {item.source: item for item in prepared}
    ordered = in_order(chosen, {item: prepared_item.needs for item, prepared_item in by_source.items()})
    return PreparedFolder(source, [by_source[item] for item in ordered])


def _load(item: SourceItem, options: DeployOptions) -> ItemDefinition:
    try:
        definition = load_definition(item.directory, item.item_type)
    except FabricInputError as error:
        raise FabricInputError(f"folder: {item.path!r}: {error}") from error
    return replace(definition, parts=_with_schedules(item, definition.parts, options.schedules))


def _with_schedules(item: SourceItem, parts: Mapping[str, bytes], schedules: str) -> dict[str, bytes]:
    result = dict(parts)
    if SCHEDULES not in result or schedules == "deploy":
        return result
    if schedules == "leave":
        del result[SCHEDULES]
        return result
    body = json.loads(result[SCHEDULES])
    entries = body.get("schedules") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FabricInputError(f"folder: '{item.path}/{SCHEDULES}' has no list 'schedules'.")
    for entry in entries:
        entry["enabled"] = False
    result[SCHEDULES] = json.dumps(body, indent=2, ensure_ascii=False).encode()
    return result


def _parameters(folder: str | os.PathLike[str], options: DeployOptions) -> ParameterFile:
    """Return the rules of the given file, or of the folder's own one if a stage is named."""
    file = options.parameter_file
    if file is None and options.environment is not None and (Path(folder) / PARAMETER_FILE).is_file():
        file = Path(folder) / PARAMETER_FILE
    return ParameterFile() if file is None else read_parameter_file(file, options.environment)


def _split(rules: Iterable[Rule], item: SourceItem, parts: Mapping[str, bytes]) -> tuple[list[Rule], tuple[Rule, ...]]:
    """Return the rules whose value is written out, and those that change the item and whose value is not."""
    static, dynamic = [], []
    for rule in rules:
        if not rule.is_dynamic:
            static.append(rule)
        elif any(rule.is_in(item, path, content) for path, content in parts.items()):
            dynamic.append(rule)
    return static, tuple(dynamic)


def _apply(rules: Iterable[Rule], item: SourceItem, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    result = dict(parts)
    for rule in rules:
        result = {path: rule.apply(item, path, content, rule.value) for path, content in result.items()}
    return result


def _prepare_item(
    item: SourceItem,
    definition: ItemDefinition,
    parts: dict[str, bytes],
    rules: tuple[Rule, ...],
    source: list[SourceItem],
) -> PreparedItem:
    """Check a definition as it will be sent, and find what it names."""
    try:
        checked = checked_definition(parts, item.item_type, definition.format)
    except FabricInputError as error:
        raise FabricInputError(f"folder: {item.path!r}, after values were put in: {error}") from error
    model = model_of_report(item, parts, {other.path: other for other in source})
    ids = referenced_ids(item.item_type, parts)
    wanted = [rule.item_value for rule in rules if rule.item_value]
    needs = {other for other in source if other.logical_id in ids or any(_is(other, value) for value in wanted)}
    return PreparedItem(
        item,
        checked,
        rules,
        frozenset(needs | ({model} if model else set())),
        model,
        tuple(databases_without_cluster(item.item_type, parts)),
    )


def _is(item: SourceItem, value: ItemValue) -> bool:
    return (item.item_type, item.display_name) == (value.item_type, value.display_name)
