"""Times in HTTP headers: seconds, dates, and anything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_fabric.api.http.headers import http_date, parse_retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("60", 60.0), (" 5 ", 5.0), ("0", 0.0), ("1.5", 1.5), ("-3", 0.0), ("1e9", 600.0), ("inf", 600.0)],
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("value", [None, "", "nan", "soon", "Sun, 99 Jun 2014 06:35:00 GMT"])
def test_a_retry_after_that_makes_no_sense_is_none(value: str | None) -> None:
    assert parse_retry_after(value) is None


def test_retry_after_as_a_date_by_our_clock_when_the_service_shows_none() -> None:
    assert 25 < (parse_retry_after(formatdate(time.time() + 30, usegmt=True)) or 0) <= 30
    assert parse_retry_after(formatdate(time.time() - 3600, usegmt=True)) == 0.0
    assert parse_retry_after(formatdate(time.time() + 86400, usegmt=True)) == 600.0


@given(st.text() | st.from_regex(r"(Sun, )?\d{1,12} Jun \d{1,25} \d{1,2}:\d{1,2}:\d{1,2} ([+-]\d{1,30}|GMT|-0000)?"))
@example("Mon, 1 Jan 99999999999999999999 00:00:00 GMT")
@example("1 Jan 2014 00:00:00 +999999999999")
def test_whatever_retry_after_holds_is_a_bounded_wait_or_none(value: str) -> None:
    seconds = parse_retry_after(value, date=value)
    assert seconds is None or 0.0 <= seconds <= 600.0


@pytest.fixture
def _nine_hours_ahead(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_nine_hours_ahead")
def test_a_date_without_zone_is_utc_whatever_the_zone_of_this_machine() -> None:
    assert time.timezone == -9 * 3600
    assert http_date("Sun, 22 Jun 2014 06:35:00 -0000") == http_date("Sun, 22 Jun 2014 06:35:00 GMT") == 1403418900.0


def test_no_date_is_none() -> None:
    assert http_date(None) is http_date("") is http_date("today") is None
