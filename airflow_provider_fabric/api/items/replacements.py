"""Values put into the texts of a definition: literal, counted, and an error if there is nothing to put them into."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from airflow_provider_fabric.exceptions import FabricInputError

log = logging.getLogger(__name__)

REPLACE_MISSING = ("fail", "ignore")


def replace_texts(parts: Mapping[str, bytes], replace: Mapping[str, str], *, missing: str = "fail") -> dict[str, bytes]:
    """Return the parts with texts replaced, all at once: what was put in is not searched again.

    Both the text to find and the value are literal. Parts that are not UTF-8, or hold a NUL, are left as they are.
    Where two texts to find begin at the same place, the longer one is replaced.

    :param parts: contents by part path.
    :param replace: ``{text to find: value}``; the log names the former and never the latter.
    :param missing: ``fail`` raises if a text is found in no part, ``ignore`` does not.
    :raises FabricInputError: an argument is malformed, or a text is found nowhere.
    """
    wanted = _checked(replace, missing)
    if not wanted:
        return dict(parts)
    pattern = re.compile("|".join(map(re.escape, sorted(wanted, key=len, reverse=True))))
    found: set[str] = set()
    replaced = {}
    for path, content in parts.items():
        text = _text(content)
        if text is None:
            replaced[path] = content
            continue
        found.update(find for find in wanted if find in text)
        counts: dict[str, int] = {}
        replaced[path] = _put_in(pattern, wanted, text, counts)
        for find, count in counts.items():
            log.info("Replaced %r in part %r: %d times.", find, path, count)
    _complain(sorted(set(wanted) - found), parts, missing)
    return replaced


def _checked(replace: object, missing: str) -> dict[str, str]:
    if missing not in REPLACE_MISSING:
        raise FabricInputError(f"replace_missing must be 'fail' or 'ignore', got {missing!r}.")
    if not isinstance(replace, Mapping):
        raise FabricInputError(f"replace must be a mapping of texts to values, got {type(replace).__name__}.")
    wanted = {}
    for find, value in replace.items():
        if not isinstance(find, str) or not find:
            raise FabricInputError(f"replace: the text to find must not be empty, got {find!r}.")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise FabricInputError(f"replace: the value for {find!r} must be text, got {type(value).__name__}.")
        wanted[find] = str(value)
    return wanted


def _text(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _put_in(pattern: re.Pattern[str], wanted: Mapping[str, str], text: str, counts: dict[str, int]) -> bytes:
    def value(match: re.Match[str]) -> str:
        counts[match[0]] = counts.get(match[0], 0) + 1
        return wanted[match[0]]

    return pattern.sub(value, text).encode()


def _complain(nowhere: list[str], parts: Mapping[str, bytes], missing: str) -> None:
    if not nowhere:
        return
    listed = ", ".join(map(repr, nowhere))
    if missing == "fail":
        raise FabricInputError(
            f"replace: {listed} is in no text part of the definition ({', '.join(map(repr, sorted(parts)[:10]))}). "
            "Correct the text, remove it, or set replace_missing='ignore'."
        )
    log.info("replace: %s is in no text part of the definition.", listed)
