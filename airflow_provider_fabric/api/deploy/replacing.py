"""The ``replace`` argument for a folder: text substitutions for all items, or for named items and parts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from airflow_provider_fabric.api.deploy.source import SourceItem
from airflow_provider_fabric.api.items.formats import PLATFORM
from airflow_provider_fabric.api.items.replacements import replace_texts
from airflow_provider_fabric.exceptions import FabricInputError

Parts = dict[str, bytes]


def replaced(
    definitions: Mapping[SourceItem, Parts], replace: Mapping[str, Any] | None, missing: str
) -> dict[SourceItem, Parts]:
    """Return definitions with texts replaced; ``.platform`` is left as it is.

    :param definitions: parts by item.
    :param replace: ``{find: value}`` for all, or ``{"Name.Type": {find: value}}``, ``{"Name.Type/part": {…}}``, with
        ``Name.Type`` or the item's path.
    :param missing: ``fail`` raises if a text is found nowhere it may be, ``ignore`` does not.
    :raises FabricInputError: a key names no item or part, a value is no text, or a text is found nowhere.
    """
    if replace is None:
        return dict(definitions)
    if not isinstance(replace, Mapping):
        raise FabricInputError(f"replace must be a mapping, got {type(replace).__name__}.")
    result = {item: dict(parts) for item, parts in definitions.items()}
    for key, texts in replace.items():
        if isinstance(texts, Mapping):
            _replace(result, _places(definitions, str(key)), texts, missing, f"replace[{key!r}]")
    everywhere = [(item, path) for item, parts in result.items() for path in parts if path != PLATFORM]
    texts = {key: value for key, value in replace.items() if not isinstance(value, Mapping)}
    _replace(result, everywhere, texts, missing, "replace")
    return result


def _places(definitions: Mapping[SourceItem, Parts], key: str) -> list[tuple[SourceItem, str]]:
    """Return the parts that a key names: those of an item, or one of them."""
    places = []
    for item, parts in definitions.items():
        for name in (item.key, item.path):
            wanted = None if key == name else key.removeprefix(f"{name}/")
            if wanted != key:
                places += [(item, path) for path in parts if path != PLATFORM and wanted in (None, path)]
    if not places:
        known = [
            name for item, parts in definitions.items() for name in (item.key, *(f"{item.key}/{p}" for p in parts))
        ]
        near = get_close_matches(key, known, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise FabricInputError(f"replace: {key!r} names no item and no part that is deployed.{hint}")
    return list(dict.fromkeys(places))


def _replace(
    result: dict[SourceItem, Parts],
    places: Sequence[tuple[SourceItem, str]],
    texts: Mapping[str, Any],
    missing: str,
    where: str,
) -> None:
    """Replace texts in some parts, as if they were one definition: each must be found in one of them."""
    if not texts:
        return
    named = {f"{item.path}/{path}": (item, path) for item, path in places}
    try:
        done = replace_texts({name: result[item][path] for name, (item, path) in named.items()}, texts, missing=missing)
    except FabricInputError as error:
        raise FabricInputError(f"{where}: {str(error).removeprefix('replace: ')}") from error
    for name, (item, path) in named.items():
        result[item][path] = done[name]
