"""Compares the parameters that are given with those that an item declares: names, types, and which are missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.exceptions import FabricInputError

DATE = re.compile(r"\d{4}-\d\d-\d\d")
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*([Zz]|[+-]\d\d:\d\d)?")
TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?")
DURATION = re.compile(r"-?P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?|-?(\d+\.)?\d\d:\d\d:\d\d(\.\d+)?")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(parameter_value(value, "value"), str) if value is not None else False


def _is_time(pattern: re.Pattern[str], *kinds: type) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if isinstance(value, str):
            return pattern.fullmatch(value.strip()) is not None
        return isinstance(value, kinds) and not (kinds == (date,) and isinstance(value, datetime))

    return check


TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "string": (_is_text, "text"),
    "securestring": (_is_text, "text"),
    "str": (_is_text, "text"),
    "int": (_is_whole, "a whole number"),
    "integer": (_is_whole, "a whole number"),
    "float": (_is_number, "a number"),
    "number": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "array": (lambda value: isinstance(value, Sequence) and not isinstance(value, str | bytes), "a list"),
    "object": (lambda value: isinstance(value, Mapping), "a mapping"),
    "datetime": (_is_time(DATE_TIME, datetime), "a datetime, or text such as 2026-01-31T06:00:00Z"),
    "datetimezone": (_is_time(DATE_TIME, datetime), "a datetime, or text such as 2026-01-31T08:00:00+02:00"),
    "date": (_is_time(DATE, date), "a date, or text such as 2026-01-31"),
    "time": (_is_time(TIME, time), "a time, or text such as 08:00:00"),
    "duration": (_is_time(DURATION, timedelta), "a timedelta, or text such as P1DT12H"),
}
"""Declared type, in lower case → what a value must be. Types that are not listed are not checked.

Pipelines declare ``string int float bool array object secureString``, dataflows ``String Boolean Integer Number
DateTime DateTimeZone Date Time Duration``.
"""


def check_declared(given: Mapping[str, Any], declared: Iterable[Mapping[str, Any]], item: str) -> None:
    """Compare parameters with what an item declares.

    :param given: names and values, as the author gave them.
    :param declared: ``{name, type, isRequired, defaultValue}``. Without ``isRequired``, a parameter must be given if it
        has no ``defaultValue``.
    :param item: what to call the item in the error: ``"pipeline 'Daily load'"``.
    :raises FabricInputError: a name is not declared, a required one is missing, or a value has another type.
    """
    entries = {str(entry["name"]): entry for entry in declared}
    check_names(given, entries, item)
    problems = []
    missing = [name for name, entry in entries.items() if name not in given and _is_required(entry)]
    if missing:
        problems.append(f"{item} requires {', '.join(map(repr, missing))}, which the task does not give.")
    for name, value in given.items():
        problem = _wrong_type(name, value, entries[name])
        if problem:
            problems.append(problem)
    if problems:
        raise FabricInputError(f"parameters: {' '.join(problems)} Nothing was started.")


def _is_required(entry: Mapping[str, Any]) -> bool:
    required = entry.get("isRequired")
    return bool(required) if required is not None else "defaultValue" not in entry


def _wrong_type(name: str, value: Any, entry: Mapping[str, Any]) -> str:
    """Return a sentence about a value that is not of the declared type, or nothing."""
    kind = str(entry.get("type") or "")
    check, needed = TYPES.get(kind.casefold(), (None, ""))
    if check is None or check(value):
        return ""
    if value is None and "defaultValue" in entry and entry["defaultValue"] is None:
        return ""
    hint = ""
    if isinstance(value, str) and kind.casefold() not in ("datetime", "datetimezone", "date", "time", "duration"):
        hint = " (templates give text: see render_template_as_native_obj)"
    return f"{name!r} is declared as {kind}, so it must be {needed}, and is a {type(value).__name__}{hint}."


def check_names(given: Iterable[str], declared: Iterable[str], item: str) -> None:
    """Compare the names of parameters, letter by letter.

    :param given: what is to be sent.
    :param declared: what the item declares.
    :param item: what to call the item in the error: ``"pipeline 'Daily load'"``.
    :raises FabricInputError: a name is not declared; near ones are listed.
    """
    known = sorted(declared)
    folded = {name.casefold(): name for name in known}
    wrong = []
    for name in given:
        if name in known:
            continue
        close = get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
        near = " or ".join(repr(folded[match]) for match in close)
        wrong.append(f"{name!r} (did you mean {near}?)" if near else repr(name))
    if wrong:
        all_known = f"It declares {', '.join(map(repr, known))}" if known else "It declares no parameters"
        raise FabricInputError(
            f"parameters: {item} does not declare {', '.join(wrong)}. {all_known}. Nothing was started."
        )
