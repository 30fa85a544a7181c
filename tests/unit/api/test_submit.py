"""A run is started once, whatever happens to the answer."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.jobs.submit import LOOKS, submit_once
from airflow_provider_fabric.api.models import Submission
from airflow_provider_fabric.exceptions import (
    FabricJobMayBeRunning,
    FabricPermissionError,
    FabricThrottledError,
    FabricTransportError,
)
from tests.flow_driver import (
    HTML,
    ITEM,
    JOB,
    LOST,
    NO_SUCH_HOST,
    OTHER_JOB,
    TRUNCATED,
    UNSENT,
    WORKSPACE,
    Answer,
    FakeClock,
    Script,
    Talk,
    drive,
    instance,
    ok,
    page,
    refusal,
    wire_time,
)

START = FakeClock().now
UNCLEAR = [refusal(500), refusal(503), refusal(504), refusal(408), LOST, ok(status=202)]
NOTHING = page()
ACCEPTED = ok(status=202, x_ms_job_id=JOB, retry_after="60")
NINE_HOURS = 9 * 3600.0


def started(after: float = 0.5, job: str = JOB, **more: Any) -> dict[str, Any]:
    """Return an instance that started so many seconds after our submit, by our clock."""
    return instance(job=job, **{"startTimeUtc": wire_time(START + after), **more})


def submitting(answers: Script, **options: Any) -> Talk[Submission]:
    clock = FakeClock()
    return drive(submit_once(WORKSPACE, ITEM, "Execute", None, clock=clock, **options), answers, clock)


def test_a_clear_answer_is_taken_at_its_word() -> None:
    talk = submitting([ACCEPTED])
    assert talk.result() == Submission(JOB, 60.0, adopted=False)
    assert len(talk.requests) == 1


@pytest.mark.parametrize("unclear", UNCLEAR)
def test_after_an_unclear_answer_the_one_new_run_is_ours(unclear: Answer) -> None:
    talk = submitting([unclear, page(started())])
    assert talk.result() == Submission(JOB, adopted=True)
    assert talk.posts == 1
    assert talk.sleeps == [2.0]


@pytest.mark.parametrize("unclear", UNCLEAR)
def test_after_an_unclear_answer_and_no_new_run_it_is_not_sent_again(unclear: Answer) -> None:
    talk = submitting([unclear, *[NOTHING] * len(LOOKS)])
    assert talk.posts == 1
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert talk.error.job == {"workspace_id": WORKSPACE, "item_id": ITEM}
    assert talk.error.job_instance_id is None
    assert "no new instance" in str(talk.error)
    assert talk.error.__cause__ is not None


def test_a_run_that_becomes_visible_late_is_found() -> None:
    talk = submitting([LOST, NOTHING, NOTHING, NOTHING, page(started())])
    assert talk.result().adopted
    assert talk.sleeps == list(LOOKS)


def test_two_new_runs_cannot_be_told_apart() -> None:
    talk = submitting([LOST, page(started(), started(1.0, OTHER_JOB))])
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert JOB in str(talk.error)
    assert OTHER_JOB in str(talk.error)
    assert len(talk.requests) == 2


NOT_OURS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("started before", started(-5.0), {}),
    ("started by Fabric's schedule", started(invokeType="Scheduled"), {}),
    ("of another job", started(jobType="ApplyChanges"), {}),
    ("known before", started(), {"known": {JOB}}),
    ("without a start", started(startTimeUtc=None), {}),
]


@pytest.mark.parametrize(("entry", "options"), [case[1:] for case in NOT_OURS], ids=[case[0] for case in NOT_OURS])
def test_what_is_not_ours_is_not_adopted(entry: dict[str, Any], options: dict[str, Any]) -> None:
    talk = submitting([LOST, *[page(entry)] * len(LOOKS)], **options)
    assert isinstance(talk.error, FabricJobMayBeRunning)
    talk = submitting([LOST, page(entry, started(job=OTHER_JOB))], **options)
    assert talk.result().job_instance_id == OTHER_JOB


def test_a_run_that_waits_may_have_been_asked_for_before_and_is_named() -> None:
    waits = started(startTimeUtc=None, status="NotStarted")
    talk = submitting([LOST, *[page(waits)] * len(LOOKS)])
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert JOB in str(talk.error)
    talk = submitting([LOST, page(waits), page(started())])
    assert talk.result() == Submission(JOB, adopted=True)


@pytest.mark.parametrize("status", ["NotStarted", "Queued", "Completed", "Failed", "Deduped"])
def test_ours_may_be_in_any_status_by_now(status: str) -> None:
    assert submitting([LOST, page(started(status=status))]).result().job_instance_id == JOB


@pytest.mark.parametrize("word", ["CopyJob", "Pipeline", "Refresh", "execute"])
def test_the_service_may_call_the_job_by_another_name(word: str) -> None:
    assert submitting([LOST, page(started(jobType=word))]).result().adopted


def by_the_services_clock(skew: float, *starts: tuple[float, str]) -> Callable[[Request], Answer]:
    """Answer 503 to the submit, and lists with a Date and starts by a clock that is off."""
    looks = iter(range(10))

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return refusal(503)
        now = START + sum(LOOKS[: next(looks) + 1]) + skew
        entries = (started(after + skew, job) for after, job in starts)
        return page(*entries, date=formatdate(now, usegmt=True))

    return answer


@pytest.mark.parametrize("skew", [-NINE_HOURS, -60.0, 0.0, 60.0, NINE_HOURS])
def test_clocks_may_differ(skew: float) -> None:
    talk = submitting(by_the_services_clock(skew, (0.5, JOB), (-30.0, OTHER_JOB)))
    assert talk.result().job_instance_id == JOB
    only_older = submitting(by_the_services_clock(skew, (-30.0, OTHER_JOB)))
    assert isinstance(only_older.error, FabricJobMayBeRunning)


def test_a_run_that_someone_started_while_we_were_throttled_is_not_ours() -> None:
    throttled = refusal(429, retry_after="120")
    talk = submitting([throttled, LOST, page(started(60.0, OTHER_JOB), started(120.5))])
    assert talk.result().job_instance_id == JOB


@pytest.mark.parametrize("trouble", [HTML, TRUNCATED, refusal(403, "InsufficientPrivileges"), page({"id": JOB})])
def test_a_list_that_cannot_be_read_is_asked_for_again(trouble: Response) -> None:
    assert submitting([LOST, trouble, page(started())]).result().adopted
    assert isinstance(submitting([LOST, *[trouble] * len(LOOKS)]).error, FabricJobMayBeRunning)


@pytest.mark.parametrize(
    ("refused", "kind"),
    [(refusal(403, "InsufficientPrivileges"), FabricPermissionError), (NO_SUCH_HOST, FabricTransportError)],
)
def test_a_clear_refusal_is_told_as_it_is_and_nothing_is_looked_up(refused: Answer, kind: type[Exception]) -> None:
    talk = submitting([refused])
    assert type(talk.error) is kind
    assert len(talk.requests) == 1


def test_what_was_surely_not_accepted_is_sent_again() -> None:
    talk = submitting([UNSENT, refusal(429, retry_after="9"), refusal(430, retry_after="9"), refusal(401), ACCEPTED])
    assert talk.result() == Submission(JOB, 60.0)
    endless = submitting(lambda _: refusal(429, retry_after="60"))
    assert isinstance(endless.error, FabricThrottledError)


def finding(answers: list[Answer], **options: Any) -> list[str]:
    clock = FakeClock()
    talk = drive(list_item_job_instances(WORKSPACE, ITEM, job_type="Execute", clock=clock, **options), answers, clock)
    return [found.id for found in talk.result()]


def test_instances_are_found_on_all_pages_newest_first() -> None:
    entries = [started(1.0, "a"), started(3.0, "b"), started(2.0, "c"), started(0.0, "d", startTimeUtc=None)]
    answers: list[Answer] = [page(*entries[:2], token="t"), page(*entries[2:], started(9.0, "x", jobType="Other"))]
    assert finding(answers) == ["d", "b", "c", "a"]  # one that waits has not started yet


def test_since_is_by_our_clock_with_a_margin_for_whole_seconds() -> None:
    entries = [started(-1.9, "a"), started(-2.1, "b")]
    assert finding([page(*entries)], since=START) == ["a"]
    ahead = formatdate(START + 100, usegmt=True)
    assert finding([page(started(98.1, "a"), started(97.9, "b"), date=ahead)], since=START) == ["a"]


@pytest.mark.parametrize("never", [None, "0001-01-01T00:00:00"])
def test_since_counts_a_run_that_waits_and_none_that_ended_without_a_start(never: str | None) -> None:
    waits, over = started(0.0, "a", startTimeUtc=never), started(0.0, "b", startTimeUtc=never, status="Deduped")
    assert finding([page(waits, over)], since=START) == ["a"]
