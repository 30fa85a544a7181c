"""Whether the service holds what a definition says, and where it does not.

No difference is: the order of keys and the layout of JSON, how lines of a text end (CR LF, CR or LF), what the service
adds at its known places, an empty value where the definition has none, and schedules that the definition does not
mention. Everything else is one: ``null`` is not ``""``, spaces count, and so does a line end at the end of a text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_fabric.api.items import dataflow_forms
from airflow_provider_fabric.api.items.formats import PLATFORM, SCHEDULES, is_json_part

#: JSON part → where the service writes keys of its own.
SERVICE_KEYS: Mapping[str, frozenset[tuple[str, ...]]] = {
    "pipeline-content.json": frozenset(
        (*where, key) for where in ((), ("properties",)) for key in ("lastModifiedByObjectId", "lastPublishTime")
    ),
}
#: A key that it may add at the top of any JSON part.
SCHEMA_KEY = ("$schema",)


@dataclass(frozen=True)
class Difference:
    """One place where the service holds something else.

    :param part: part path.
    :param key: where in a JSON part, such as ``properties.activities[0].name``; ``""`` for the part as a whole.
    :param found: ``missing`` (the service has not got it), ``extra`` (only the service has it) or ``other``.
    """

    part: str
    key: str = ""
    found: str = "other"

    def __str__(self) -> str:
        """Return it in words, without contents."""
        place = f"{self.part!r}: {self.key}" if self.key else repr(self.part)
        return f"{place} {_WORDS[self.found]}"


_WORDS = {
    "missing": "is missing there",
    "extra": "is there and not in the definition",
    "other": "is different there",
}


def same_definition(
    ours: Mapping[str, bytes], theirs: Mapping[str, bytes], *, item_type: str = "", metadata: bool = False
) -> bool:
    """Whether the service holds what we would send; see :func:`find_differences`."""
    return next(find_differences(ours, theirs, item_type=item_type, metadata=metadata), None) is None


def find_differences(
    ours: Mapping[str, bytes], theirs: Mapping[str, bytes], *, item_type: str = "", metadata: bool = False
) -> Iterator[Difference]:
    """Yield the places where the service holds something else than we would send.

    :param ours: parts we would send.
    :param theirs: parts the service holds.
    :param item_type: kind of item.
    :param metadata: whether ``.platform`` counts: its ``metadata``, as the rest of it is the service's own.
    """
    if metadata and PLATFORM in ours:
        yield from _platform_differences(ours[PLATFORM], theirs.get(PLATFORM))
    ours = {path: content for path, content in ours.items() if path != PLATFORM}
    theirs = {path: content for path, content in theirs.items() if path != PLATFORM}
    if SCHEDULES not in ours:  # leaving the part out removes no schedule
        theirs.pop(SCHEDULES, None)
    if dataflow_forms.are_two_forms(ours, theirs):
        for part, key in dataflow_forms.differences(ours, theirs):
            yield Difference(part, key)
        ours, theirs = dataflow_forms.without_form(ours), dataflow_forms.without_form(theirs)
    for path in sorted(set(ours) | set(theirs)):
        if path not in theirs:
            yield Difference(path, found="missing")
        elif path not in ours:
            yield Difference(path, found="extra")
        else:
            yield from _part_differences(path, ours[path], theirs[path], is_json_part(item_type, path))


def _platform_differences(ours: bytes, theirs: bytes | None) -> Iterator[Difference]:
    if theirs is None:
        yield Difference(PLATFORM, found="missing")
        return
    try:
        our_metadata, their_metadata = _metadata(ours), dict(_metadata(theirs))
        for key in {"type", "displayName"} - set(our_metadata):  # what is not sent is not changed
            their_metadata.pop(key, None)
        yield from list(_json_differences(PLATFORM, ("metadata",), our_metadata, their_metadata))
    except (ValueError, KeyError, TypeError, RecursionError):
        if ours != theirs:
            yield Difference(PLATFORM)


def _metadata(platform: bytes) -> Any:
    return _loads(platform)["metadata"]


def _part_differences(path: str, ours: bytes, theirs: bytes, is_json: bool) -> Iterator[Difference]:
    if ours == theirs:
        return
    if is_json:
        try:
            yield from list(_json_differences(path, (), _loads(ours), _loads(theirs)))
            return
        except (ValueError, RecursionError):
            pass  # compared as text
    if _text(ours) != _text(theirs):
        yield Difference(path)


def _text(content: bytes) -> str | bytes:
    """Return a text with equal line ends; what is binary, as it is."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    return content if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n")


def _loads(content: bytes) -> Any:
    return json.loads(content, parse_float=_number, parse_constant=Decimal, object_pairs_hook=_unique)


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _json_differences(part: str, where: tuple[str | int, ...], ours: Any, theirs: Any) -> Iterator[Difference]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            place = (*where, key)
            if key not in theirs:
                yield Difference(part, _shown(place), "missing")
            elif key in ours:
                yield from _json_differences(part, place, ours[key], theirs[key])
            elif not (_is_empty(theirs[key]) or _is_the_services(part, place)):
                yield Difference(part, _shown(place), "extra")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _json_differences(part, (*where, index), one, other)
    elif not _same_scalar(ours, theirs):
        yield Difference(part, _shown(where))


def _same_scalar(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, Decimal) and isinstance(theirs, Decimal):
        return str(ours) == str(theirs)  # NaN is the same as NaN here
    return isinstance(ours, bool) is isinstance(theirs, bool) and bool(ours == theirs)  # 1 is 1.0, but not true


def _is_the_services(part: str, place: tuple[str | int, ...]) -> bool:
    return place == SCHEMA_KEY or place in SERVICE_KEYS.get(part, ())


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict | list | str) and not value)


def _shown(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")[:200]
