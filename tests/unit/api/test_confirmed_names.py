"""Names that another process looked up: used only after the service confirmed them, else the lists are read."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_fabric
from airflow_provider_fabric.api.items import names
from airflow_provider_fabric.api.items.confirmed_names import PATIENCE, resolve_item, resolve_workspace
from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory
from airflow_provider_fabric.api.local_cache.known_names import LIST_SECONDS, WORKSPACE_SECONDS, KnownNames
from airflow_provider_fabric.api.local_cache.stamps import Stamp
from airflow_provider_fabric.exceptions import FabricApiError, FabricNameError
from devtools.syntax_tree import syntax_tree
from tests.flow_driver import HTML, ITEM, WORKSPACE, Script, Talk, drive, ok, page, refusal

OTHER = "7d3b6f2c-43b7-4f0e-8a53-1d1c8f3a9b10"
THIRD = "9e0c5a1d-0f62-4c52-b0fb-2a54f6d0c911"
GET = f"GET /v1/workspaces/{WORKSPACE}/items/{ITEM}"
LIST = f"GET /v1/workspaces/{WORKSPACE}/items"
GET_WORKSPACE = f"GET /v1/workspaces/{WORKSPACE}"
LIST_WORKSPACES = "GET /v1/workspaces"


class Clock:
    """Both clocks of a host."""

    def __init__(self) -> None:
        self.at = Stamp(1_750_000_000.0, 5000.0)

    def __call__(self) -> Stamp:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at = Stamp(self.at.wall + seconds, self.at.monotonic + seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(tmp_path: Path, clock: Clock) -> KnownNames:
    return KnownNames(PrivateDirectory(str(tmp_path)), "me", clock=clock)


def entry(name: str = "Daily load", id_: str = ITEM, kind: str = "DataPipeline", **more: Any) -> dict[str, Any]:
    return {"id": id_, "displayName": name, "type": kind, "workspaceId": WORKSPACE, **more}


def item(
    known: KnownNames, answers: Script = (), name: str = "Daily load", kind: str | None = "DataPipeline"
) -> Talk[str]:
    return drive(resolve_item(known, WORKSPACE, name, kind), answers)


def workspace(known: KnownNames, answers: Script = (), name: str = "Sales") -> Talk[str]:
    return drive(resolve_workspace(known, name), answers)


class TestItems:
    def test_the_first_reads_the_list_and_all_others_cost_one_call_each(self, known: KnownNames) -> None:
        first = item(known, [page(entry(), token="t"), page(entry("Hourly", OTHER))])
        assert (first.result(), first.paths) == (ITEM, [LIST, LIST])
        second = item(known, [ok(entry())])
        assert (second.result(), second.paths) == (ITEM, [GET])
        another = item(known, [ok(entry("Hourly", OTHER))], name="Hourly")
        assert another.result() == OTHER
        assert len(another.paths) == 1

    @pytest.mark.parametrize("name", [" Daily load", "Daily load ", "\tDaily load\n"])
    def test_spaces_around_a_name_do_not_count(self, known: KnownNames, name: str) -> None:
        item(known, [page(entry("Daily load "))])
        assert item(known, [ok(entry(" Daily load"))], name=name).paths == [GET]

    @pytest.mark.parametrize(
        "answer",
        [
            ok(entry("Daily load (old)")),
            ok(entry("daily load")),
            ok(entry("")),
            ok(entry(kind="Notebook")),
            ok(entry(kind="")),
            ok(entry(workspaceId=OTHER)),
            ok(entry(id_=THIRD)),
            ok([]),
            ok({"displayName": "Daily load", "type": "DataPipeline"}),
            HTML,
            refusal(404, "ItemNotFound"),
            refusal(404, "EntityNotFound"),
            refusal(403, "InsufficientPrivileges"),
            refusal(400, "OperationNotSupportedForItem"),
        ],
        ids=["renamed", "case", "nameless", "kind", "kindless", "moved", "id", "list", "idless", "proxy", "deleted",
             "gone", "forbidden", "unsupported"],
    )  # fmt: skip
    def test_what_is_not_confirmed_is_looked_up_in_the_list(self, known: KnownNames, answer: Any) -> None:
        item(known, [page(entry())])
        talk = item(known, [answer, page(entry("Daily load (old)"), entry(id_=OTHER))])
        assert (talk.result(), talk.paths) == (OTHER, [GET, LIST])
        after = item(known, [ok(entry(id_=OTHER))])
        assert (after.result(), len(after.paths)) == (OTHER, 1)

    def test_what_is_gone_is_an_error_as_ever(self, known: KnownNames) -> None:
        item(known, [page(entry())])
        talk = item(known, [refusal(404, "ItemNotFound"), page(entry("Daily loads", OTHER))])
        with pytest.raises(FabricNameError) as caught:
            talk.result()
        plain = drive(names.resolve_item(WORKSPACE, "Daily load", "DataPipeline"), [page(entry("Daily loads", OTHER))])
        assert str(caught.value) == str(plain.error)

    def test_a_name_that_several_bear_is_never_remembered(self, known: KnownNames) -> None:
        twice = [page(entry(), entry(id_=OTHER, folderId=THIRD), entry("Hourly", THIRD))]
        for _ in range(2):
            talk = item(known, list(twice))
            assert talk.paths == [LIST]
            with pytest.raises(FabricNameError, match="2 DataPipelines are named"):
                talk.result()
        assert item(known, [ok(entry("Hourly", THIRD))], name="Hourly").result() == THIRD

    def test_a_second_item_of_the_name_is_found_when_the_list_has_grown_old(
        self, known: KnownNames, clock: Clock
    ) -> None:
        item(known, [page(entry())])
        clock.pass_(LIST_SECONDS - 1)
        assert item(known, [ok(entry())]).paths == [GET]
        clock.pass_(2)
        talk = item(known, [page(entry(), entry(id_=OTHER))])
        assert talk.paths == [LIST]
        with pytest.raises(FabricNameError, match="2 DataPipelines"):
            talk.result()

    def test_a_clock_that_was_set_makes_the_list_old(self, known: KnownNames, clock: Clock) -> None:
        item(known, [page(entry())])
        clock.at = replace(clock.at, wall=clock.at.wall - 3600)
        assert item(known, [page(entry())]).paths == [LIST]

    def test_kinds_are_kept_apart(self, known: KnownNames) -> None:
        item(known, [page(entry())])
        assert item(known, [page(entry(id_=OTHER, kind="Notebook"))], kind="Notebook").paths == [LIST]
        assert item(known, [page(entry(), entry("N", OTHER, "Notebook"))], kind=None).paths == [LIST]
        assert item(known, [ok(entry())], kind=None).paths == [GET]

    @pytest.mark.parametrize("identity", ["you", "", "me "])
    def test_identities_are_kept_apart(self, known: KnownNames, clock: Clock, tmp_path: Path, identity: str) -> None:
        item(known, [page(entry())])
        other = KnownNames(PrivateDirectory(str(tmp_path)), identity, clock=clock)
        assert item(other, [page(entry(id_=OTHER))]).result() == OTHER

    def test_a_file_under_anothers_name_is_not_read(self, known: KnownNames, clock: Clock, tmp_path: Path) -> None:
        item(known, [page(entry())])
        other = KnownNames(PrivateDirectory(str(tmp_path)), "you", clock=clock)
        mine, theirs = (k._file("items", WORKSPACE, "DataPipeline") for k in (known, other))
        folder = Path(PrivateDirectory(str(tmp_path)).path)
        (folder / mine).rename(folder / theirs)
        assert item(other, [page(entry(id_=OTHER))]).paths == [LIST]

    @pytest.mark.parametrize("id_", ["", "../../x", 7, None, ["x"], "not-a-guid", ITEM + "/jobs"])
    def test_what_is_no_id_is_not_asked_for(self, known: KnownNames, clock: Clock, id_: Any) -> None:
        known.keep_items(WORKSPACE, "DataPipeline", {"Daily load": id_}, clock())
        assert item(known, [page(entry())]).paths == [LIST]

    @pytest.mark.parametrize(
        ("status", "code"), [(401, "TokenExpired"), (429, "RequestBlocked"), (500, "InternalError")]
    )
    def test_what_the_list_would_meet_as_well_is_raised(self, known: KnownNames, status: int, code: str) -> None:
        item(known, [page(entry())])
        talk = item(known, lambda _: refusal(status, code, retry_after="600"))
        assert set(talk.paths) == {GET}
        with pytest.raises(FabricApiError):
            talk.result()

    def test_a_guid_costs_no_call_and_no_file(self, known: KnownNames, tmp_path: Path) -> None:
        assert item(known, name=ITEM.upper()).result() == ITEM
        assert workspace(known, name=WORKSPACE).result() == WORKSPACE
        assert list(tmp_path.iterdir()) == []

    def test_without_a_cache_the_lists_are_read(self) -> None:
        for _ in range(2):
            assert drive(resolve_item(None, WORKSPACE, "Daily load"), [page(entry())]).paths == [LIST]  # fmt: skip
            assert drive(resolve_workspace(None, "Sales"), [page(entry("Sales", WORKSPACE))]).result() == WORKSPACE


class TestWorkspaces:
    def test_all_tasks_of_some_seconds_need_one_call(self, known: KnownNames, clock: Clock) -> None:
        first = workspace(known, [page(entry("Sales", WORKSPACE), entry("Other", OTHER))])
        assert (first.result(), first.paths) == (WORKSPACE, [LIST_WORKSPACES])
        clock.pass_(WORKSPACE_SECONDS - 1)
        assert workspace(known).result() == WORKSPACE
        clock.pass_(2)
        later = workspace(known, [ok(entry("Sales", WORKSPACE))])
        assert (later.result(), later.paths) == (WORKSPACE, [GET_WORKSPACE])
        assert workspace(known).paths == []

    @pytest.mark.parametrize(
        "answer",
        [ok(entry("Sales 2024", WORKSPACE)), ok(entry("Sales", OTHER)), refusal(404, "WorkspaceNotFound"), HTML],
        ids=["renamed", "id", "deleted", "proxy"],
    )
    def test_one_that_bears_the_name_no_more_is_looked_up(self, known: KnownNames, clock: Clock, answer: Any) -> None:
        workspace(known, [page(entry("Sales", WORKSPACE))])
        clock.pass_(WORKSPACE_SECONDS + 1)
        talk = workspace(known, [answer, page(entry("Sales", OTHER), entry("Sales 2024", WORKSPACE))])
        assert (talk.result(), talk.paths) == (OTHER, [GET_WORKSPACE, LIST_WORKSPACES])

    def test_the_list_is_read_again_after_a_while(self, known: KnownNames, clock: Clock) -> None:
        workspace(known, [page(entry("Sales", WORKSPACE))])
        for _ in range(int(LIST_SECONDS / 60) - 1):
            clock.pass_(60)
            assert workspace(known, [ok(entry("Sales", WORKSPACE))]).paths == [GET_WORKSPACE]
        clock.pass_(61)
        talk = workspace(known, [page(entry("Sales", WORKSPACE), entry("Sales", OTHER))])
        assert talk.paths == [LIST_WORKSPACES]
        assert isinstance(talk.error, FabricNameError)

    def test_a_confirmation_of_another_start_of_the_host_is_none(self, known: KnownNames, clock: Clock) -> None:
        workspace(known, [page(entry("Sales", WORKSPACE))])
        clock.at = replace(clock.at, monotonic=1.0)
        assert workspace(known, [page(entry("Sales", WORKSPACE))]).paths == [LIST_WORKSPACES]


class TestTogether:
    def test_others_wait_for_the_one_that_reads_the_list(self, known: KnownNames, clock: Clock) -> None:
        lock = known.lock("items", WORKSPACE, "DataPipeline")
        assert lock.acquire()
        flow = resolve_item(known, WORKSPACE, "Daily load", "DataPipeline")
        for _ in range(3):
            assert flow.send(None).seconds < 1  # type: ignore[union-attr]  # it sleeps
        known.keep_items(WORKSPACE, "DataPipeline", {"Daily load": ITEM}, clock())
        lock.release()
        assert drive(flow, [ok(entry())]).paths == [GET]

    def test_nobody_waits_for_ever(self, known: KnownNames) -> None:
        lock = known.lock("items", WORKSPACE, "DataPipeline")
        assert lock.acquire()
        talk = item(known, [page(entry())])
        assert talk.result() == ITEM
        assert PATIENCE * 0.9 <= sum(talk.sleeps) <= PATIENCE * 1.1
        assert not known.lock("items", WORKSPACE, "DataPipeline").acquire(), "it was not ours to release"

    @pytest.mark.parametrize("answers", [[refusal(403, "InsufficientPrivileges")], [HTML], [page()]])
    def test_the_lock_is_released_whatever_happens(self, known: KnownNames, answers: Any) -> None:
        assert item(known, answers).error is not None
        assert known.lock("items", WORKSPACE, "DataPipeline").acquire()

    def test_the_lock_is_released_when_the_task_is_killed(self, known: KnownNames) -> None:
        flow = resolve_item(known, WORKSPACE, "Daily load", "DataPipeline")
        next(flow)
        assert not known.lock("items", WORKSPACE, "DataPipeline").acquire()
        flow.close()
        assert known.lock("items", WORKSPACE, "DataPipeline").acquire()


def test_an_unconfirmed_id_is_read_in_one_module_only() -> None:
    """The attribute says what it is; nobody but the module that asks the service may read it."""
    root = Path(airflow_provider_fabric.__file__).parent
    readers = {
        file.relative_to(root).as_posix()
        for file in root.rglob("*.py")
        for node in ast.walk(syntax_tree(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "unconfirmed"
    }
    assert readers == {"api/items/confirmed_names.py"}
