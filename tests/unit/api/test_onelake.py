"""Waiting for files in OneLake: what a wait in vain says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.onelake import wait_for_files, what_is_there
from tests.flow_driver import ITEM, WORKSPACE, FakeClock, drive, refusal


def listing(*names: str, directories: tuple[str, ...] = ()) -> Response:
    entries = [{"name": f"{ITEM}/{name}", "contentLength": "1"} for name in names]
    entries += [{"name": f"{ITEM}/{name}", "isDirectory": "true"} for name in directories]
    return Response(200, {"content-type": "application/json"}, json.dumps({"paths": entries}).encode())


@pytest.mark.parametrize(
    ("path", "answer", "text"),
    [
        ("Files/in/order.csv", listing("Files/in/orders.csv"), "In 'Files/in' there is: orders.csv."),
        ("Files/in/*.csv", listing("Files/in/a.parquet", "Files/in/b.txt"), "there is: b.txt, a.parquet."),
        ("Files/*/x", listing(directories=("Files/in",)), "In 'Files' there is: in/."),
        ("Files/in/**", listing(), "There is nothing in 'Files/in'."),
        ("Files/in/x", refusal(404), "There is nothing in 'Files/in'."),
        ("Files", listing(directories=("Files", "Tables")), "In the item there is: Files/, Tables/."),
        ("Files/in/x", refusal(503), ""),
    ],
)
def test_what_is_there_instead(path: str, answer: Response, text: str) -> None:
    said = drive(what_is_there(WORKSPACE, ITEM, path), [answer]).result()
    assert said.endswith(text) if text else said == ""


def test_the_nearest_names_come_first_and_not_all_are_named() -> None:
    many = listing(*(f"Files/in/{number:03}.bin" for number in range(40)), "Files/in/orders.csv")
    said = drive(what_is_there(WORKSPACE, ITEM, "Files/in/order.csv"), [many]).result()
    assert "there is: orders.csv, 000.bin" in said
    assert said.endswith("and 33 more.")


@pytest.mark.parametrize(
    ("path", "said"),
    [("Files/in/*.csv", "No file fitted 'Files/in/*.csv' at the last poll. In 'Files/in' there is: a.txt.")],
)
def test_a_wait_in_vain_looks_around_once_at_its_end(path: str, said: str) -> None:
    clock = FakeClock()

    def answer(request: Request) -> Any:
        return listing("Files/in/a.txt")

    flow = wait_for_files(WORKSPACE, ITEM, path, check_interval=10, deadline=clock() + 60, clock=clock)
    talk = drive(flow, answer, clock)
    assert talk.result() == ([], said)
    assert 6 <= len(talk.requests) <= 9
