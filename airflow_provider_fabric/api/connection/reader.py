"""From an Airflow connection's raw contents to typed values, or to one sentence that says what is wrong.

People fill these fields by hand, in a form, in JSON, in a URI or in an environment variable: numbers, flags and
mappings arrive as text, and everything arrives with spaces around it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from airflow_provider_fabric.api.connection.fields import FIELDS, STORED_SECRET, Field, Kind
from airflow_provider_fabric.exceptions import FabricConnectionError

_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class ConnectionReader:
    """Reads one connection's fields by the table of :mod:`.connection_fields`.

    :param conn_id: the connection's id, for messages.
    :param standard: the standard fields by name.
    :param extra: the connection's ``extra``, decoded.
    :raises FabricConnectionError: ``extra`` is not a mapping.
    """

    def __init__(self, conn_id: str, standard: Mapping[str, object], extra: object) -> None:
        self.conn_id = conn_id
        self._standard = standard
        if extra is None or extra == "":
            extra = {}
        if not isinstance(extra, Mapping):
            raise self.error(f"extra must be a JSON object, not {_kind(extra)}")
        self._extra = extra

    def error(self, text: str) -> FabricConnectionError:
        """Return the error that says ``text`` of this connection."""
        return FabricConnectionError(f"Connection {self.conn_id!r}: {text}.")

    def wrong(self, name: str, text: str) -> FabricConnectionError:
        """Return the error that says ``text`` of a field.

        :param name: the field.
        :param text: what is wrong and what to do; never the value of a secret field.
        """
        return self.error(f"{FIELDS[name]} {text}")

    def missing(self, name: str, why: str) -> FabricConnectionError:
        """Return the error for a field that must be filled, with a hint at a misspelt key of ``extra``."""
        field = FIELDS[name]
        known = {key for f in FIELDS.values() for key in (f.name, *f.aliases)}
        unknown = [str(key) for key in self._extra if key not in known]
        near = get_close_matches(name, unknown, n=1, cutoff=0.7)
        hint = f" (extra has {near[0]!r}: is that it?)" if near else ""
        return self.error(f"{field} ({field.label}) is empty, but {why}{hint}")

    def raw(self, name: str) -> Any:
        """Return a field's value as it came, from its own place or an alias; ``None`` if it is empty.

        :raises FabricConnectionError: two places hold different values.
        """
        field = FIELDS[name]
        found = {key: self._extra[key] for key in (*field.aliases, *(() if field.standard else (name,)))
                 if not _empty(self._extra.get(key))}  # fmt: skip
        if field.standard and not _empty(self._standard.get(name)):
            found[name] = self._standard[name]
        values = [_stripped(value) for value in found.values()]
        if any(value != values[0] for value in values[1:]):
            raise self.error(f"{field} is given more than once, with different values: {', '.join(sorted(found))}")
        return values[0] if values else None

    def text(self, name: str) -> str | None:
        """Return a field's text without surrounding spaces, or its default.

        :raises FabricConnectionError: it is not text, or has control characters in it.
        """
        value = self.raw(name)
        if value is None:
            return None if FIELDS[name].default is None else str(FIELDS[name].default)
        if not isinstance(value, str):
            raise self.wrong(name, f"must be text, not {_kind(value)}")
        if value == STORED_SECRET:
            raise self.wrong(name, "stands for the stored secret: to test an edited connection, type the secret again")
        if any(ord(character) < 32 and character not in "\r\n\t" for character in value):
            raise self.wrong(name, "has a control character in it; type it again")
        return value

    def line(self, name: str) -> str | None:
        """Return a field's text, which must be printable ASCII on one line.

        :raises FabricConnectionError: it is not.
        """
        value = self.text(name)
        if value is not None and not (value.isascii() and value.isprintable()):
            raise self.wrong(name, "must be one line of plain ASCII characters; copy it again")
        return value

    def number(self, name: str) -> float:
        """Return a field's number, or its default.

        :raises FabricConnectionError: it is not a number, or out of bounds.
        """
        field, value = FIELDS[name], self.raw(name)
        if value is None:
            return float(field.default)
        try:
            number = float("" if isinstance(value, bool) else value)
        except (TypeError, ValueError, OverflowError):
            raise self.wrong(name, f"must be a number, not {_shown(field, value)}") from None
        low, high = field.minimum or 0.0, field.maximum or math.inf
        if not low <= number <= high or (field.kind is Kind.INTEGER and number != int(number)):
            whole = "a whole number" if field.kind is Kind.INTEGER else "a number"
            raise self.wrong(name, f"must be {whole} from {low:g} to {high:g}, not {_shown(field, value)}")
        return number

    def flag_or_path(self, name: str) -> bool | str:
        """Return a flag, or the path of something that is there.

        :raises FabricConnectionError: it is neither.
        """
        value = self._raw_or_default(name)
        flag = _flag_of(value)
        if flag is not None:
            return flag
        if not isinstance(value, str):
            raise self.wrong(name, f"must be true, false or the path of a CA bundle, not {_kind(value)}")
        if not is_there(value):
            raise self.wrong(name, f"must be true, false or the path of a CA bundle; there is no file {value!r}")
        return value

    def flag_or_directory(self, name: str) -> bool | str:
        """Return a flag, or the path of a directory, which need not be there: each host makes its own.

        :raises FabricConnectionError: it is neither.
        """
        value = self._raw_or_default(name)
        flag = _flag_of(value)
        if flag is not None:
            return flag
        if not isinstance(value, str) or not value.startswith(("/", "~")) or not value.isprintable():
            got = repr(value)[:80] if isinstance(value, str) else _kind(value)
            raise self.wrong(name, f"must be true, false or the absolute path of a directory, not {got}")
        return value

    def flag(self, name: str) -> bool:
        """Return a field's flag, or its default.

        :raises FabricConnectionError: it is none.
        """
        value = self._raw_or_default(name)
        flag = _flag_of(value)
        if flag is None:
            raise self.wrong(name, f"must be true or false, not {_shown(FIELDS[name], value)}")
        return flag

    def _raw_or_default(self, name: str) -> Any:
        value = self.raw(name)
        return FIELDS[name].default if value is None else value

    def mapping(self, name: str) -> Mapping[str, str] | None:
        """Return a mapping of text to text, given as one or as JSON text; ``None`` if it is empty.

        :raises FabricConnectionError: it is neither.
        """
        value = self.raw(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise self.wrong(name, 'must be a JSON object, such as {"https": "http://proxy:3128"}') from None
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(name, f"must be a JSON object, not {_kind(value)}")
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
            raise self.wrong(name, "must map text to text")
        return {k.strip(): v.strip() for k, v in value.items() if v.strip()} or None


def is_there(path: str) -> bool:
    """Return whether a path leads to something; one that no file system could hold does not."""
    try:
        return os.path.exists(path)
    except ValueError:
        return False


def _flag_of(value: object) -> bool | None:
    """Return the flag that a value or its text means; ``None`` if it means none."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(value.lower()) if isinstance(value, str) else None


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _empty(value: object) -> bool:
    stripped = _stripped(value)
    return stripped is None or stripped == "" or (isinstance(stripped, Mapping) and not stripped)


def _kind(value: object) -> str:
    names = {bool: "a flag", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _shown(field: Field, value: object) -> str:
    return _kind(value) if field.secret else repr(value)[:80]
