"""The two forms of a dataflow's definition, compared by what they mean.

The older form is one part, ``dataflow-content.json``; the newer one is ``mashup.pq`` and ``queryMetadata.json``. Sent
the older form, the service may answer with the newer one (*Get Dataflow with definition* of
https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

CONTENT = "dataflow-content.json"
MASHUP = "mashup.pq"
QUERY_METADATA = "queryMetadata.json"
FORM_PARTS = frozenset({CONTENT, MASHUP, QUERY_METADATA})

#: Keys that both forms have, besides the mashup itself.
LOCALE = "documentLocale"
COMMON_KEYS = ("queriesMetadata", "queryGroups", LOCALE)
_STAGING = re.compile(r"\A\s*\[StagingDefinition\s*=.*?\]\s*\]\s*(?=section\b)", re.DOTALL)


def are_two_forms(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> bool:
    """Whether one of two definitions is in the older form and the other in the newer."""
    return any(CONTENT in one and CONTENT not in other and MASHUP in other for one, other in _both(ours, theirs))


def _both(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> tuple[tuple[Mapping[str, bytes], ...], ...]:
    return (ours, theirs), (theirs, ours)


def without_form(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the parts that belong to neither form."""
    return {path: content for path, content in parts.items() if path not in FORM_PARTS}


def differences(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield ``(part, key)`` for what differs in meaning.

    :param ours: parts we would send, in one form.
    :param theirs: parts the service holds, in the other form.
    """
    part = CONTENT if CONTENT in ours else MASHUP
    try:
        (our_mashup, our_keys), (their_mashup, their_keys) = _meaning(ours), _meaning(theirs)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield part, ""
        return
    if not _same_mashup(our_mashup, their_mashup):
        yield part, "editingSessionMashup.mashupDocument" if part == CONTENT else ""
    place = "editingSessionMashup." if part == CONTENT else ""
    for key in COMMON_KEYS:
        given, held = our_keys.get(key), their_keys.get(key)
        if not _agrees(given, held) if given else not (key == LOCALE or _is_added(key, held)):
            yield (CONTENT if part == CONTENT else QUERY_METADATA), place + key


def not_comparable(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> list[str]:
    """Return the keys of our form that have a value, and no counterpart in the other form."""
    if not are_two_forms(ours, theirs):
        return []
    try:
        keys = _meaning(ours)[1]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return sorted(key for key, value in keys.items() if key not in COMMON_KEYS and value)


def _meaning(parts: Mapping[str, bytes]) -> tuple[str, dict[str, Any]]:
    """Return the mashup text and the other keys of a definition in either form."""
    if CONTENT in parts:
        session = dict(json.loads(parts[CONTENT])["editingSessionMashup"])
        return str(session.pop("mashupDocument")), session
    keys = dict(json.loads(parts[QUERY_METADATA])) if QUERY_METADATA in parts else {}
    return parts[MASHUP].decode("utf-8-sig"), keys


def _same_mashup(ours: str, theirs: str) -> bool:
    ours, theirs = _lines(ours), _lines(theirs)
    if not ours.lstrip().startswith("["):  # the older form keeps this attribute beside the document
        theirs = _STAGING.sub("", theirs)
    return ours == theirs


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _agrees(ours: Any, theirs: Any) -> bool:
    """Whether theirs means what ours means; what theirs has besides must be something that the service adds."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        given = {key: value for key, value in ours.items() if value is not None}
        return all(key in theirs and _agrees(value, theirs[key]) for key, value in given.items()) and all(
            _is_added(key, value) for key, value in theirs.items() if key not in given
        )
    return bool(ours == theirs)


def _is_added(key: str, value: Any) -> bool:
    """Whether the service may have added a key to the metadata of queries: an id, a name, a default, or nothing."""
    if isinstance(value, dict):
        return all(_is_added(inner, entry) for inner, entry in value.items())
    if key == "loadEnabled":
        return value is not False
    return value in (None, "", [], False) or key == "queryName" or key.lower().endswith("id")
