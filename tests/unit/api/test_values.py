"""The service's form of times, durations and references."""

from __future__ import annotations

from collections import UserList
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.jobs.payloads import dataflow_body, generic_body, notebook_body, pipeline_body
from airflow_provider_fabric.api.jobs.values import FREE, WHOLE_SECONDS, duration_text, parameter_value
from airflow_provider_fabric.exceptions import FabricInputError

UTC = timezone.utc
EAST = timezone(timedelta(hours=2))
EIGHT = datetime(2026, 1, 31, 8, 0, 0, 123456, EAST)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=36), "P1DT12H"),
        (timedelta(0), "PT0S"),
        (timedelta(days=7), "P7D"),
        (timedelta(seconds=90), "PT1M30S"),
        (timedelta(hours=1, seconds=1), "PT1H1S"),
        (timedelta(days=5, hours=14, minutes=35, seconds=30), "P5DT14H35M30S"),
        (timedelta(seconds=1, milliseconds=500), "PT1.5S"),
        (timedelta(microseconds=1), "PT0.000001S"),
    ],
)
def test_a_duration(value: timedelta, text: str) -> None:
    assert duration_text(value, "p") == text
    assert pipeline_body({"p": value}) == {"executionData": {"parameters": {"p": text}}}


@pytest.mark.parametrize("body", [lambda v: generic_body(None, {"p": v}), lambda v: dataflow_body({"p": v}, "skip")])
def test_a_duration_has_whole_seconds_where_the_service_s_form_has(body: Any) -> None:
    assert "P1DT12H" in str(body(timedelta(hours=36)))
    with pytest.raises(FabricInputError, match=r"'p' is 0:00:01\.500000; the service takes durations in whole seconds"):
        body(timedelta(seconds=1.5))


@given(st.timedeltas(min_value=timedelta(0)))
def test_a_duration_can_be_read_back(value: timedelta) -> None:
    import re

    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?", duration_text(value, "p"))
    assert found is not None
    days, hours, minutes = (int(found[index] or 0) for index in (1, 2, 3))
    whole, _, fraction = (found[4] or "0").partition(".")
    seconds, micro = int(whole), int(fraction.ljust(6, "0") or 0)
    assert timedelta(days, seconds, micro, minutes=minutes, hours=hours) == value


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(FabricInputError, match="'p' is a negative duration"):
        parameter_value({"a": timedelta(-1)}["a"], "p")


def test_the_job_scheduler_takes_whole_seconds() -> None:
    assert parameter_value(EIGHT, "p", WHOLE_SECONDS) == "2026-01-31T06:00:00Z"
    sent = generic_body(None, {"at": EIGHT, "t": time(8, 0, 0, 5)})
    assert sent is not None
    assert [(entry["type"], entry["value"]) for entry in sent["parameters"]] == [
        ("DateTime", "2026-01-31T06:00:00Z"),
        ("Automatic", "08:00:00"),
    ]


def test_text_parameters_keep_their_fractions() -> None:
    assert parameter_value(EIGHT, "p", FREE) == "2026-01-31T06:00:00.123456Z"
    sent = notebook_body({"at": EIGHT}, None)
    assert sent == {"executionData": {"parameters": {"at": {"type": "string", "value": "2026-01-31T06:00:00.123456Z"}}}}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (EIGHT, None, "2026-01-31T06:00:00.123Z"),
        (EIGHT, "DateTime", "2026-01-31T06:00:00.123Z"),
        (EIGHT.replace(microsecond=999), "DateTime", "2026-01-31T06:00:00Z"),
        (EIGHT, "DateTimeZone", "2026-01-31T08:00:00+02:00"),
        (EIGHT.replace(tzinfo=None), "DateTimeZone", "2026-01-31T08:00:00+00:00"),
        (EIGHT.astimezone(UTC), "DateTimeZone", "2026-01-31T06:00:00+00:00"),
        (datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28))), "DateTimeZone", None),
        (date(2026, 1, 31), "Date", "2026-01-31"),
        (time(8, 0, 0, 5), "Time", "08:00:00"),
        (timedelta(hours=36), "Duration", "P1DT12H"),
        ("2026-01-31T08:00+02:00", "DateTimeZone", "2026-01-31T08:00+02:00"),
    ],
)
def test_a_dataflow_s_declared_type_says_the_form(value: Any, kind: str | None, text: str | None) -> None:
    sent = dataflow_body({"p": value}, "skip", types={"p": kind} if kind else None)
    [entry] = sent["executionData"]["parameters"]
    assert entry == {"parameterName": "p", "type": "Automatic", "value": text or "1889-12-31T23:06:32+00:00"}


def test_a_dataflow_s_time_has_no_offset() -> None:
    with pytest.raises(FabricInputError, match="'p' is a time with an offset"):
        dataflow_body({"p": time(8, tzinfo=EAST)}, "skip")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("$(/**/Settings/region)", "VariableReference"),
        ("$(/**/My settings/my region)", "VariableReference"),
        ("$(/**/Settings)", "Text"),
        (" $(/**/Settings/region)", "Text"),
        ("x$(/**/Settings/region)", "Text"),
    ],
)
def test_a_variable_reference(text: str, word: str) -> None:
    assert generic_body(None, {"p": text}) == {"parameters": [{"name": "p", "type": word, "value": text}]}


def test_any_sequence_is_a_list() -> None:
    assert parameter_value(UserList([1, UserList(["a"])]), "p") == [1, ["a"]]
    assert parameter_value(range(2), "p") == [0, 1]
