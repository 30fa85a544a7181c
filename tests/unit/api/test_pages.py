"""Lists in pages: all of them, each once, never from another host, and not for ever."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.http.pages import MAX_PAGES, list_all, list_dated
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.exceptions import FabricProtocolError, FabricServerError
from tests.flow_driver import HTML, TRUNCATED, drive, ok, page, refusal

LIST = Request("GET", "/v1/workspaces/w/items", "list items", params={"type": "Dataflow"})
ELSEWHERE = "https://evil.example/v1/workspaces/w/items?continuationToken="


def test_all_pages_are_read_in_order() -> None:
    talk = drive(list_all(LIST), [page({"n": 1}, token="t1"), page(token="t2"), page({"n": 2}, {"n": 3})])
    assert talk.result() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [r.params for r in talk.requests] == [
        {"type": "Dataflow"},
        {"type": "Dataflow", "continuationToken": "t1"},
        {"type": "Dataflow", "continuationToken": "t2"},
    ]
    assert {r.path for r in talk.requests} == {LIST.path}


@pytest.mark.parametrize(
    ("token", "uri", "sent"),
    [
        ("LDEsMTAwMDAwLDA%3D", None, "LDEsMTAwMDAwLDA="),
        ("LDEsMTAwMDAwLDA=", None, "LDEsMTAwMDAwLDA="),
        ("a+b/c=", None, "a+b/c="),
        (None, "https://api.fabric.microsoft.com/v1/x?continuationToken=LDEsMTAwMDAwLDA%3D", "LDEsMTAwMDAwLDA="),
        ("t", "https://api.fabric.microsoft.com/v1/x?continuationToken=other", "t"),
    ],
)
def test_a_token_is_sent_as_it_was_meant(token: str | None, uri: str | None, sent: str) -> None:
    """The documented examples quote the token already; a driver quotes parameters again."""
    talk = drive(list_all(LIST), [page(token=token, uri=uri), page()])
    assert talk.requests[1].params["continuationToken"] == sent


def test_a_link_to_another_host_is_never_followed() -> None:
    """CWE-918: of the link only its token is used, so the bearer token stays with the configured host."""
    talk = drive(list_all(LIST), [page({"n": 1}, uri=ELSEWHERE + "t1"), page({"n": 2})])
    assert talk.result() == [{"n": 1}, {"n": 2}]
    assert talk.requests[1].path == LIST.path
    assert "evil.example" not in repr(talk.requests)


def test_a_link_without_token_is_an_error_and_not_the_end_of_the_list() -> None:
    talk = drive(list_all(LIST), [page({"n": 1}, uri="https://api.fabric.microsoft.com/v1/next")])
    with pytest.raises(FabricProtocolError, match="no continuationToken"):
        talk.result()


@pytest.mark.parametrize("tokens", [["t"], ["a", "b"], ["a", "b", "c"]])
def test_pages_that_go_round_in_a_circle_end_with_an_error(tokens: list[str]) -> None:
    circle = itertools.cycle(tokens)
    talk = drive(list_all(LIST), lambda _: page({"n": 1}, token=next(circle)))
    with pytest.raises(FabricProtocolError, match="do not end"):
        talk.result()
    assert len(talk.requests) == len(tokens) + 1


def test_pages_without_number_end_with_an_error() -> None:
    numbers = itertools.count()
    talk = drive(list_all(LIST), lambda _: page(token=f"t{next(numbers)}"))
    with pytest.raises(FabricProtocolError, match="do not end"):
        talk.result()
    assert len(talk.requests) == MAX_PAGES + 1


@pytest.mark.parametrize(
    "answer", [HTML, TRUNCATED, ok([]), ok({}), ok({"value": None}), ok({"value": {"n": 1}}), ok({"value": [1]}), ok()]
)
def test_an_answer_that_is_no_page_is_refused(answer: Response) -> None:
    with pytest.raises(FabricProtocolError):
        drive(list_all(LIST), [answer]).result()


def test_a_page_that_cannot_be_read_fails_the_list_rather_than_shorten_it() -> None:
    talk = drive(list_all(LIST, ONCE), [page({"n": 1}, token="t1"), refusal(503)])
    assert isinstance(talk.error, FabricServerError)


def test_the_services_clock_is_that_of_the_last_page() -> None:
    """Between pages there may have been minutes of throttling."""
    first, last = "Sun, 22 Jun 2014 06:35:00 GMT", "Sun, 22 Jun 2014 06:45:00 GMT"
    assert drive(list_dated(LIST), [page(token="t", date=first), page(date=last)]).result()[1] == 1403419500.0
    assert drive(list_dated(LIST), [page(token="t", date=first), page()]).result()[1] == 1403418900.0
    assert drive(list_dated(LIST), [page(date="yesterday")]).result()[1] is None


@given(st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=6))
def test_however_the_list_is_cut_it_comes_out_whole(cut: list[list[int]]) -> None:
    last = len(cut) - 1
    answers = [page(*({"n": n} for n in part), token=None if i == last else f"t{i}") for i, part in enumerate(cut)]
    assert drive(list_all(LIST), answers).result() == [{"n": n} for part in cut for n in part]
