"""Turns to start runs: few do not wait, a crowd is spread, a refusal stops all, and nobody waits for a damaged file."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.jobs.spreading import DEFAULT_PAUSE, spread, wait_for_turn
from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory
from airflow_provider_fabric.api.local_cache.locks import FileLock
from airflow_provider_fabric.api.local_cache.stamps import Stamp
from airflow_provider_fabric.api.local_cache.start_turns import BURST, LONGEST_GAP, QUIET, StartTurns
from airflow_provider_fabric.exceptions import FabricApiError
from tests.flow_driver import LOST, Talk, drive, ok, refusal

QUOTA = 180


class Host:
    """A host's clocks, and the turns of its tasks, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.offset, self.slept = folder, 5000.0, 1_750_000_000.0, 0.0

    def clock(self) -> Stamp:
        return Stamp(self.now + self.offset, self.now)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def turns(self, identity: str = "me", quota: float = QUOTA) -> StartTurns:
        directory = PrivateDirectory(str(self.folder))
        return StartTurns(directory, identity, quota, clock=self.clock, sleep=self.sleep)

    @property
    def file(self) -> Path:
        return Path(PrivateDirectory(str(self.folder)).path) / "turns-me"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def most_in_a_minute(starts: list[float]) -> int:
    return max(sum(at <= other < at + 60 for other in starts) for at in starts)


def test_a_few_tasks_do_not_wait(host: Host) -> None:
    assert [host.turns().take() for _ in range(BURST)] == [0.0] * BURST


def test_a_crowd_stays_within_the_quota(host: Host) -> None:
    starts = [host.now + host.turns().take() for _ in range(400)]
    assert starts == sorted(starts)
    assert 2 * most_in_a_minute(starts) <= 200
    assert starts[-1] - starts[0] < 400 * 60 * 2 / QUOTA + 60


def test_one_task_after_the_other_never_waits_long(host: Host) -> None:
    for _ in range(200):
        assert host.turns().take() == 0.0
        host.now += 1.5


def test_identities_wait_for_themselves_only(host: Host) -> None:
    for _ in range(100):
        host.turns().take()
    assert host.turns().take() > 10
    assert host.turns("you").take() == 0.0


def test_a_larger_quota_is_used(host: Host) -> None:
    waits = [host.turns(quota=10_000).take() for _ in range(400)]
    assert max(waits) < 10


def test_a_refusal_stops_all_and_spreads_them_afterwards(host: Host) -> None:
    assert host.turns().take() == 0.0
    again = host.turns().refused(20.0)
    others = [host.turns().take() for _ in range(5)]
    assert again >= 20.0
    assert min(others) >= 20.0
    assert len({again, *others}) == 6
    gaps = [later - earlier for earlier, later in pairwise(others)]
    assert min(gaps) > 1.0


def test_refusals_of_calls_under_way_together_count_once(host: Host) -> None:
    for _ in range(50):
        host.turns().refused(30.0)
    schedule = json.loads(host.file.read_text())["turns"]
    assert schedule["gap"] < LONGEST_GAP / 2


def test_after_a_quiet_time_all_is_forgotten(host: Host) -> None:
    for _ in range(8):
        host.turns().refused(1.0)
        host.now += 2.0
    host.now += QUIET + 200
    assert [host.turns().take() for _ in range(BURST)] == [0.0] * BURST


@pytest.mark.parametrize(
    "content",
    [
        "garbage",
        "{}",
        '{"written": [1, 2], "turns": {}}',
        '{"written": "x", "turns": 7}',
        '{"turns": {"next_at": 1e300, "gap": 1, "closed_until": 1, "asked_at": 1}}',
    ],
)
def test_a_damaged_file_makes_nobody_wait(host: Host, content: str) -> None:
    host.turns().take()
    host.file.write_text(content)
    assert host.turns().take() == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"next_at": 5000.0 + 100_000},
        {"closed_until": 1e12},
        {"gap": 0},
        {"gap": -5},
        {"gap": 1e9},
        {"asked_at": 9000.0},
        {"next_at": None},
        {"gap": True},
        {"more": 1},
    ],
)
def test_a_schedule_that_cannot_be_is_none(host: Host, changes: dict[str, Any]) -> None:
    host.turns().take()
    content = json.loads(host.file.read_text())
    content["turns"].update(changes)
    host.file.write_text(json.dumps(content))
    assert host.turns().take() == 0.0


def test_a_restarted_host_and_a_clock_that_was_set_make_nobody_wait(host: Host) -> None:
    for _ in range(200):
        host.turns().take()
    host.now, host.offset = 10.0, host.offset + 5000
    assert host.turns().take() == 0.0
    for _ in range(200):
        host.turns().take()
    host.offset -= 3600
    assert host.turns().take() == 0.0


def test_a_schedule_that_somebody_holds_is_not_waited_for(host: Host) -> None:
    lock = FileLock(PrivateDirectory(str(host.folder)), "turns-me")
    assert lock.acquire()
    assert host.turns().take() == 0.0
    assert host.turns().refused(7.0) == 7.0
    assert 0 < host.slept <= 2.0


def test_without_a_usable_directory_nobody_waits(host: Host) -> None:
    host.folder.joinpath("airflow-provider-fabric").mkdir(0o777)
    host.folder.joinpath("airflow-provider-fabric").chmod(0o777)
    assert [host.turns().take() for _ in range(100)] == [0.0] * 100


class TestFlows:
    def post(self) -> Flow[Response]:
        return send(Request("POST", "/v1/x", "start"), replay=Replay.IF_UNSENT)

    def run(self, host: Host, *answers: Any) -> Talk[Response]:
        return drive(spread(self.post(), host.turns()), list(answers))

    def test_the_turn_is_waited_for(self, host: Host) -> None:
        for _ in range(BURST):
            assert drive(wait_for_turn(host.turns())).sleeps == []
        assert drive(wait_for_turn(host.turns())).sleeps[0] > 0
        assert drive(wait_for_turn(None)).sleeps == []

    def test_after_a_refusal_the_next_turn_is_waited_for(self, host: Host) -> None:
        first = self.run(host, refusal(429, "RequestBlocked", retry_after="20"), ok(status=202))
        second = self.run(host, refusal(429, "RequestBlocked", retry_after="20"), ok(status=202))
        assert first.sleeps[0] >= 20
        assert second.sleeps[0] > first.sleeps[0]
        assert host.turns().take() > second.sleeps[0]

    @pytest.mark.parametrize("answer", [refusal(429), Response(429, {}, b"<html>")])
    def test_a_refusal_that_says_nothing_stops_all_for_a_while(self, host: Host, answer: Response) -> None:
        self.run(host, answer, ok(status=202))
        assert host.turns().take() >= DEFAULT_PAUSE

    @pytest.mark.parametrize(
        "answer",
        [
            refusal(429, "TooManyRequestsForJobs", retry_after="20"),
            refusal(430, "TooManyRequestsForCapacity", retry_after="20"),
            refusal(429, "TooManyRequestsForCapacity", retry_after="20"),
        ],
    )
    def test_a_busy_item_or_capacity_stops_nobody_else(self, host: Host, answer: Response) -> None:
        assert self.run(host, answer, ok(status=202)).sleeps == [20.0]
        assert host.turns().take() == 0.0

    def test_the_flow_ends_as_it_would(self, host: Host) -> None:
        assert self.run(host, ok(status=202)).result().status == 202
        assert isinstance(self.run(host, refusal(403, "InsufficientPrivileges")).error, FabricApiError)
        assert self.run(host, LOST).error is not None
        assert drive(spread(self.post(), None), [ok(status=202)]).posts == 1

    def test_what_is_thrown_into_it_arrives(self, host: Host) -> None:
        caught: list[Exception] = []

        def flow() -> Flow[str]:
            try:
                yield Request("GET", "/v1/x", "read")
            except LookupError as error:
                caught.append(error)
            return "done"

        wrapped = spread(flow(), host.turns())
        next(wrapped)
        with pytest.raises(StopIteration):
            wrapped.throw(LookupError("no token"))
        assert len(caught) == 1
