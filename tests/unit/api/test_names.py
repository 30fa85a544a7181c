"""From a display name to an id: one match, or an error that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.items.names import resolve_item, resolve_items, resolve_workspace
from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.exceptions import FabricInputError, FabricNameError
from tests.flow_driver import ITEM, WORKSPACE, drive, page


def named(*names: str) -> list[dict[str, Any]]:
    return [{"id": f"id-{index}", "displayName": name} for index, name in enumerate(names)]


RESOLVERS: list[Callable[[str], Flow[str]]] = [
    resolve_workspace,
    lambda name: resolve_item(WORKSPACE, name),
    lambda name: resolve_item(WORKSPACE, name, "Notebook"),
]
each_resolver = pytest.mark.parametrize("resolve", RESOLVERS)


@each_resolver
@given(guid=st.uuids(), upper=st.booleans())
def test_a_guid_costs_no_call(resolve: Callable[[str], Flow[str]], guid: UUID, upper: bool) -> None:
    assert drive(resolve(str(guid).upper() if upper else str(guid))).result() == str(guid)


@each_resolver
def test_the_one_of_that_name_is_found_on_any_page(resolve: Callable[[str], Flow[str]]) -> None:
    entries = named("Sales", "Sales 2", "sales", "Daily load")
    talk = drive(resolve("Daily load"), [page(*entries[:2], token="t"), page(*entries[2:])])
    assert talk.result() == "id-3"


@each_resolver
def test_the_case_of_a_name_matters(resolve: Callable[[str], Flow[str]]) -> None:
    assert drive(resolve("sales"), [page(*named("Sales", "sales"))]).result() == "id-1"


@each_resolver
def test_no_match_offers_near_ones(resolve: Callable[[str], Flow[str]]) -> None:
    talk = drive(resolve("Daily laod"), [page(*named("Daily load", "Monthly close", "Daily load 2"))])
    with pytest.raises(FabricNameError, match=r"Did you mean 'Daily load' or 'Daily load 2'\?"):
        talk.result()


@each_resolver
@pytest.mark.parametrize("others", [[], ["Zebra", "Quagga"]])
def test_no_match_and_none_near_says_how_many_there_are(resolve: Callable[[str], Flow[str]], others: list[str]) -> None:
    talk = drive(resolve("Daily load"), [page(*named(*others))])
    with pytest.raises(FabricNameError, match=f"There are {len(others)} others"):
        talk.result()


@each_resolver
def test_several_matches_are_an_error_that_lists_them(resolve: Callable[[str], Flow[str]]) -> None:
    talk = drive(resolve("Daily load"), [page(*named("Daily load", "x", "Daily load"))])
    with pytest.raises(FabricNameError, match=r"^2 .*id-0, id-2"):
        talk.result()


def test_names_are_looked_for_within_the_kind() -> None:
    talk = drive(resolve_item(WORKSPACE, "Daily load", "Dataflow"), [page(*named("Daily load"))])
    assert talk.requests[0].params == {"type": "Dataflow"}
    with pytest.raises(FabricNameError, match=f"No Dataflow is named 'x' in workspace {WORKSPACE}"):
        drive(resolve_item(WORKSPACE, "x", "Dataflow"), [page(), page()]).result()


def test_a_dataflow_that_the_filtered_list_leaves_out_is_found_in_the_whole_list() -> None:
    of_kinds = [{**entry, "type": kind} for entry, kind in zip(named("A", "A"), ("Report", "Dataflow"), strict=True)]
    wrong = {"id": "id-9", "displayName": "A", "type": "Report"}  # a filter that mixes kinds up
    for filtered in (page(), page(*named("B")), page(wrong)):
        talk = drive(resolve_item(WORKSPACE, "A", "Dataflow"), [filtered, page(*of_kinds)])
        assert talk.result() == "id-1"
        assert [request.params for request in talk.requests] == [{"type": "Dataflow"}, {}]


@each_resolver
@pytest.mark.parametrize("bad", ["", "  ", None, 5, ["Sales"]])
def test_what_is_no_name_is_refused_before_anything_is_sent(resolve: Callable[[Any], Flow[str]], bad: Any) -> None:
    talk = drive(resolve(bad))
    assert isinstance(talk.error, FabricInputError)
    assert talk.requests == []


@each_resolver
@pytest.mark.parametrize("bad", [ITEM[:-1], ITEM + "0", ITEM[1:], ITEM[9:] + "-" + ITEM[:4]])
def test_a_guid_with_a_slip_is_not_taken_for_a_name(resolve: Callable[[str], Flow[str]], bad: str) -> None:
    assert not is_guid(bad)
    talk = drive(resolve(bad))
    assert talk.requests == []
    with pytest.raises(FabricInputError, match="looks like a GUID"):
        talk.result()


@each_resolver
@pytest.mark.parametrize(
    "name", ["2024-06-22-06-35", "a-b-c-d-e", "----", "2024-01-01", "0" * 36, ITEM.replace("-", "")]
)
def test_a_name_of_digits_and_dashes_is_a_name(resolve: Callable[[str], Flow[str]], name: str) -> None:
    assert drive(resolve(name), [page(*named("x", name))]).result() == "id-1"


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=6), st.text(min_size=1).filter(str.strip))
def test_the_answer_is_the_one_exact_match_or_an_error(others: list[str], name: str) -> None:
    talk = drive(resolve_item(WORKSPACE, name), [page(*named(*others))] if not is_guid(name) else [])
    if others.count(name) == 1:
        assert talk.result() == f"id-{others.index(name)}"
    else:
        assert isinstance(talk.error, FabricNameError)


def test_many_names_cost_one_list() -> None:
    entries = named("A", "B", "C", " D ")
    talk = drive(
        resolve_items(WORKSPACE, ["C", ITEM.upper(), "A", "D"]), [page(*entries[:2], token="t"), page(*entries[2:])]
    )
    assert talk.result() == ["id-2", ITEM, "id-0", "id-3"]


def test_ids_alone_cost_no_call() -> None:
    assert drive(resolve_items(WORKSPACE, (ITEM, ITEM))).result() == [ITEM, ITEM]
    assert drive(resolve_items(WORKSPACE, [])).result() == []


def test_one_of_many_that_is_missing_or_there_twice_is_named() -> None:
    with pytest.raises(FabricNameError, match="No item is named 'X'"):
        drive(resolve_items(WORKSPACE, ["A", "X"]), [page(*named("A", "B"))]).result()
    with pytest.raises(FabricNameError, match="2 items are named 'B'"):
        drive(resolve_items(WORKSPACE, ["A", "B"]), [page(*named("A", "B", "B"))]).result()


@pytest.mark.parametrize("wrong", ["Sales", ["A", ""], ["A", None], [5]])
def test_names_that_are_none_are_refused_before_a_call(wrong: Any) -> None:
    with pytest.raises(FabricInputError, match="item_names"):
        drive(resolve_items(WORKSPACE, wrong)).result()


def test_a_kind_that_the_list_by_kind_leaves_out_is_found_in_the_whole_list() -> None:
    whole = [{**entry, "type": kind} for entry, kind in zip(named("A", "A"), ("Dataflow", "Report"), strict=True)]
    assert drive(resolve_items(WORKSPACE, ["A"], "Dataflow"), [page(), page(*whole)]).result() == ["id-0"]
