"""JSON from the service, parsed safely: too deep nesting is refused, what later code cannot handle is cleaned."""

from __future__ import annotations

import json
from typing import Any

MAX_NESTING = 200
"""Objects and lists inside one another. Python's own limit depends on its version and on who calls."""


class TooDeepError(ValueError):
    """JSON is nested more than :data:`MAX_NESTING` levels deep."""


def parse_json(text: bytes | str) -> Any:
    """Read JSON.

    ``NaN`` and ``Infinity`` are refused: they are no JSON, and databases do not store them. Halves of characters
    (``"\\ud800"``), which no encoding can write, become question marks.

    :param text: as bytes UTF-8, UTF-16 or UTF-32, as the JSON standard has it.
    :raises TooDeepError: it is nested too deeply.
    :raises ValueError: it is no JSON.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        content = _DECODER.decode(text.removeprefix("\ufeff"))
    except RecursionError:
        raise TooDeepError("the JSON is nested too deeply") from None
    if text.count("{") + text.count("[") > MAX_NESTING:
        _check_nesting(content)
    if "\\ud" in text or "\\uD" in text or not _is_encodable(text):
        content = _without_halves(content)
    return content


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _check_nesting(content: Any) -> None:
    level = [content]
    for _ in range(MAX_NESTING + 1):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise TooDeepError("the JSON is nested too deeply")


def _is_encodable(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _without_halves(content: Any) -> Any:
    """Return the content with a question mark for each half of a character; whole pairs stay as they are."""
    text = json.dumps(content, ensure_ascii=False)
    return content if _is_encodable(text) else _DECODER.decode(text.encode("utf-8", "replace").decode())
