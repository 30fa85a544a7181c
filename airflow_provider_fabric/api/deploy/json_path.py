"""The part of JSONPath that parameter files use: ``$.variables[?(@.name=="Server")].value``.

Names (``.name``, ``['name']``), places (``[0]``), all (``[*]``, ``.*``), and one comparison with a text, a number,
``true``, ``false`` or ``null`` (``[?(@.name=="x")]``). What is not understood is refused, never passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_fabric.exceptions import FabricInputError

Step = Callable[[Any], Iterator[tuple[Any, Any]]]
"""From a value to the places in it that a step fits: containers and keys."""

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_$][\w$-]*)
      | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
      | \[\s*(?P<place>-?\d+)\s*\]
      | (?P<all>\[\s*\*\s*\]|\.\*)
      | \[\?\(?\s*@\.(?P<key>[\w$-]+)\s*==?\s*(?P<value>"[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|true|false|null)\s*\)?\s*\]""",
    re.VERBOSE,
)


def replace_at(document: Any, path: str, value: Any) -> int:
    """Put a value at every place that a path fits, and return how many there are.

    :param document: a parsed JSON document; it is changed.
    :param path: such as ``$.variables[?(@.name=="Server")].value``.
    :raises FabricInputError: the path is not understood.
    """
    steps = read_path(path)
    places = list(steps[0](document))
    for step in steps[1:]:
        places = [found for container, key in places for found in step(container[key])]
    for container, key in places:
        container[key] = value
    return len(places)


def read_path(path: str) -> list[Step]:
    """Return the steps of a path.

    :raises FabricInputError: it is not understood.
    """
    text = path.strip()
    steps: list[Step] = []
    at = 1
    while text.startswith("$") and at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            break
        steps.append(_step(found))
        at = found.end()
    if not steps or at < len(text):
        raise FabricInputError(
            f'{path!r} is not understood as a JSONPath: it may hold .name, [0], [*] and [?(@.name=="x")].'
        )
    return steps


def _step(found: re.Match[str]) -> Step:
    if found["all"]:
        return lambda value: iter([(value, key) for key in _keys(value)])
    if found["key"]:
        text = found["value"]
        wanted = text[1:-1] if text[0] in "'\"" else json.loads(text)
        return lambda value: iter([(value, key) for key in _keys(value) if _has(value[key], found["key"], wanted)])
    if found["place"]:
        return lambda value: iter([(value, int(found["place"]))] if int(found["place"]) in _places(value) else [])
    name = found["name"] if found["name"] is not None else found["quoted"]
    return lambda value: iter([(value, name)] if isinstance(value, dict) and name in value else [])


def _keys(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def _places(value: Any) -> range:
    return range(-len(value), len(value)) if isinstance(value, list) else range(0)


def _has(value: Any, key: str, wanted: Any) -> bool:
    return isinstance(value, dict) and key in value and type(value[key]) is type(wanted) and value[key] == wanted
