"""What a job is given: Python values in, the service's form out, and nothing that cannot be sent."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.jobs.payloads import dataflow_body, generic_body, pipeline_body
from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.exceptions import FabricInputError

GUID = UUID("1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11")


class Colour(Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(IntEnum):
    HIGH = 3


class Word(str, Enum):
    YES = "yes"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, None),
        (True, True),
        (0, 0),
        ("", ""),
        (1.5, 1.5),
        (Decimal("7"), 7),
        (Decimal("7.00"), 7),
        (Decimal("1.5"), 1.5),
        (Decimal("0.1"), 0.1),
        (Decimal("0.10000000000000000001"), "0.10000000000000000001"),
        (datetime(2024, 6, 22, 6, 35), "2024-06-22T06:35:00Z"),
        (datetime(2024, 6, 22, 6, 35, tzinfo=timezone(timedelta(hours=9))), "2024-06-21T21:35:00Z"),
        (datetime(2024, 6, 22, 6, 35, 0, 1000, tzinfo=timezone.utc), "2024-06-22T06:35:00.001000Z"),
        (date(2024, 6, 22), "2024-06-22"),
        (time(6, 35), "06:35:00"),
        (GUID, str(GUID)),
        (Colour.RED, "red"),
        (Colour.PAIR, [1, 2]),
        (Level.HIGH, 3),
        (Word.YES, "yes"),
        ((1, [2, {"a": date(2024, 1, 1)}]), [1, [2, {"a": "2024-01-01"}]]),
        (MappingProxyType({"a": OrderedDict(b=Decimal(1))}), {"a": {"b": 1}}),
        ({1: "x"}, {"1": "x"}),
    ],
)
def test_a_value_in_the_services_form(value: Any, sent: Any) -> None:
    got = parameter_value(value, "p")
    assert (got, type(got)) == (sent, type(sent))


NOT_JSON = [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e400")]


@pytest.mark.parametrize("value", [*NOT_JSON, b"bytes", {1, 2}, object(), timedelta(-1), print])
def test_what_json_cannot_carry_is_refused_by_name(value: Any) -> None:
    with pytest.raises(FabricInputError, match=r"'day'"):
        pipeline_body({"day": value})
    with pytest.raises(FabricInputError, match=r"'day\.a\[1\]'"):
        pipeline_body({"day": {"a": [1, value]}})
    with pytest.raises(FabricInputError, match=r"'execution_data\.a'"):
        generic_body({"a": value}, None)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.datetimes(timezones=st.just(timezone.utc))
    | st.dates()
    | st.times()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_every_value_is_either_strict_json_or_refused(value: Any) -> None:
    try:
        sent = parameter_value(value, "p")
    except FabricInputError:
        return
    json.dumps(sent, allow_nan=False)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_a_decimal_loses_nothing(value: Decimal) -> None:
    sent = parameter_value(value, "p")
    assert (Decimal(repr(sent)) if isinstance(sent, float) else Decimal(sent)) == value


@pytest.mark.parametrize("body", [pipeline_body, lambda p: dataflow_body(p, "skip"), lambda p: generic_body(None, p)])
@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"": 1}, "blank"),
        ({"  ": 1}, "blank"),
        ({5: 1}, "must be text"),
        ({"Day": 1, "day": 2}, "upper and lower case"),
        ({"x" * 257: 1}, "longer than 256"),
        (["day"], "mapping"),
        ("day=1", "mapping"),
    ],
)
def test_parameters_that_the_service_would_mistake_are_refused(body: Any, parameters: Any, match: str) -> None:
    with pytest.raises(FabricInputError, match=match):
        body(parameters)


def test_a_name_may_be_as_long_as_the_service_allows() -> None:
    assert pipeline_body({"x" * 256: 1})


@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        (None, None),
        ({}, None),
        ({"day": date(2024, 1, 1)}, {"executionData": {"parameters": {"day": "2024-01-01"}}}),
        ({"a": None}, {"executionData": {"parameters": {"a": None}}}),
    ],
)
def test_a_pipeline(parameters: Any, body: Any) -> None:
    assert pipeline_body(parameters) == body


@pytest.mark.parametrize(
    ("parameters", "apply_changes", "data"),
    [
        (None, "if_needed", {"executeOption": "ApplyChangesIfNeeded"}),
        ({}, "skip", {"executeOption": "SkipApplyChanges"}),
        (
            {"day": 1, "on": True},
            "skip",
            {
                "executeOption": "SkipApplyChanges",
                "parameters": [
                    {"parameterName": "day", "type": "Automatic", "value": 1},
                    {"parameterName": "on", "type": "Automatic", "value": True},
                ],
            },
        ),
    ],
)
def test_a_dataflow(parameters: Any, apply_changes: str, data: Any) -> None:
    assert dataflow_body(parameters, apply_changes) == {"executionData": data}


@pytest.mark.parametrize("word", ["", "IF_NEEDED", "ApplyChangesIfNeeded", True])
def test_an_unknown_word_for_a_dataflow_is_refused(word: Any) -> None:
    with pytest.raises(FabricInputError, match="'if_needed' or 'skip'"):
        dataflow_body(None, word)


def test_any_job() -> None:
    assert generic_body(None, None) is None
    assert generic_body(None, {}) is None
    assert generic_body({}, None) == {"executionData": {}}
    assert generic_body({"tableName": "t", "at": date(2024, 1, 1)}, None) == {
        "executionData": {"tableName": "t", "at": "2024-01-01"}
    }
    with pytest.raises(FabricInputError, match="execution_data must be a mapping"):
        generic_body([1], None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (True, "Boolean"),
        (1, "Integer"),
        (1.5, "Number"),
        (Decimal("1.5"), "Number"),
        (Decimal("0.10000000000000000001"), "Text"),
        (datetime(2024, 1, 1), "DateTime"),
        (GUID, "Guid"),
        ("x", "Text"),
        (None, "Automatic"),
        (date(2024, 1, 1), "Automatic"),
        ([1], "Automatic"),
    ],
)
def test_the_services_word_for_a_values_type(value: Any, word: str) -> None:
    assert generic_body(None, {"p": value}) == {
        "parameters": [{"name": "p", "type": word, "value": parameter_value(value, "p")}]
    }
