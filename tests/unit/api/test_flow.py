"""Requests, answers, and the quoting of what goes into a path."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.http.flow import Request, Response, quote_segment
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError
from tests.flow_driver import HTML, TRUNCATED


@pytest.mark.parametrize(
    "answer", [HTML, TRUNCATED, Response(200), Response(200, body=b"\xff\xfe"), Response(502, body=b"Bad gateway")]
)
def test_what_is_not_json_says_so_without_quoting_it(answer: Response) -> None:
    with pytest.raises(FabricProtocolError, match=f"{answer.status}.*{len(answer.body)} bytes.*not JSON") as caught:
        answer.json()
    assert "Sign in" not in str(caught.value)


@pytest.mark.parametrize(("body", "kind"), [(b"[]", "list"), (b"null", "NoneType"), (b'"text"', "str"), (b"1", "int")])
def test_json_that_is_no_object_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(FabricProtocolError, match=kind):
        Response(200, body=body).json_object()


def test_an_object_is_returned() -> None:
    assert Response(200, body=b'{"a": [1]}').json_object() == {"a": [1]}


def test_retry_after_is_read_from_the_header() -> None:
    assert Response(202, {"retry-after": "60"}).retry_after == 60.0
    assert Response(202).retry_after is None


def test_a_date_to_retry_after_is_meant_by_the_services_clock() -> None:
    """Ours may be hours off; then a date read by our clock would mean 'at once' or 'in ten minutes'."""
    headers = {"date": "Sun, 22 Jun 2014 06:35:00 GMT", "retry-after": "Sun, 22 Jun 2014 06:35:45 GMT"}
    assert Response(429, headers).retry_after == 45.0


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_segment_that_leaves_its_place_is_refused(value: str) -> None:
    with pytest.raises(FabricInputError, match="item_id"):
        quote_segment(value, "item_id")


@given(st.text(min_size=1).filter(lambda text: text not in {".", ".."}))
def test_a_segment_stays_one_segment(value: str) -> None:
    quoted = quote_segment(value, "job_type")
    assert unquote(quoted) == value
    assert not set(quoted) & set("/?#% ") - {"%"}
    assert quoted.isascii()


def test_a_request_has_no_place_for_a_host_or_a_token() -> None:
    assert set(Request.__dataclass_fields__) == {
        "method",
        "path",
        "accept",
        "action",
        "params",
        "json",
        "content",
        "content_type",
        "service",
        "fresh_token",
    }
