"""A run is started once; what an unclear answer started is adopted only if that is proven."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.jobs.ownership import VISIBLE_WITHIN
from airflow_provider_fabric.api.jobs.submit import submit_once
from airflow_provider_fabric.api.models import Submission
from airflow_provider_fabric.exceptions import (
    FabricInputError,
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
ACCEPTED = ok(status=202, x_ms_job_id=JOB, retry_after="60")
NINE_HOURS = 9 * 3600.0

Entries = list[dict[str, Any]]


def started(after: float = 0.0, job: str = JOB, **more: Any) -> dict[str, Any]:
    """Return an instance that started so many seconds after our first POST, by our clock."""
    return instance(job=job, **{"startTimeUtc": wire_time(START + after), **more})


def submitting(
    answers: list[Answer],
    listed: Entries | Callable[[float], Entries | Answer] = [],  # noqa: B006 - never changed
    skew: float = 0.0,
    dated: bool = True,
    before: Entries | Answer = [],  # noqa: B006 - never changed
    **options: Any,
) -> Talk[Submission]:
    """Submit; POSTs get the answers in turn, lists what is listed so many seconds after the first POST.

    :param before: what the list that is read before the first POST holds.
    :param skew: by how many seconds the service's clock is ahead of ours.
    :param dated: whether lists say what time it is at the service.
    """
    clock, posts, sent = FakeClock(), iter(answers), list[Request]()

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            sent.append(request)
            return next(posts)
        found = before if not sent else listed(clock.now - START) if callable(listed) else listed
        if not isinstance(found, list):
            return found
        return page(*found, date=formatdate(clock.now + skew, usegmt=True)) if dated else page(*found)

    return drive(submit_once(WORKSPACE, ITEM, "Execute", None, clock=clock, **options), answer, clock)


def named(talk: Talk[Submission]) -> FabricJobMayBeRunning:
    assert isinstance(talk.error, FabricJobMayBeRunning)
    return talk.error


def test_the_list_is_read_before_a_submit_and_not_after_a_clear_answer() -> None:
    talk = submitting([ACCEPTED])
    assert talk.result() == Submission(JOB, 60.0, adopted=False)
    assert [request.method for request in talk.requests] == ["GET", "POST"]


def test_whoever_has_read_the_list_says_what_it_held() -> None:
    talk = submitting([ACCEPTED], known=[OTHER_JOB])
    assert [request.method for request in talk.requests] == ["POST"]


@pytest.mark.parametrize("unclear", UNCLEAR)
@pytest.mark.parametrize("after", [-0.4, 0.0, 0.9])
def test_a_run_that_was_listed_before_is_not_ours_though_its_start_says_so(unclear: Answer, after: float) -> None:
    """Somebody's run started in the very second of our submit, which the service refused without saying so."""
    theirs = started(after)
    assert "no new instance" in str(named(submitting([unclear], [theirs], before=[theirs])))


@pytest.mark.parametrize("broken", [HTML, NO_SUCH_HOST, refusal(403, "InsufficientPrivileges"), page({"id": JOB})])
def test_without_the_list_of_before_the_submit_goes_out_and_nothing_is_proven(broken: Answer) -> None:
    assert submitting([ACCEPTED], before=broken).result() == Submission(JOB, 60.0)
    error = named(submitting([LOST], [started()], before=broken))
    assert JOB in str(error)
    assert "not known whether it was there before" in str(error)


def theirs(after: float, **more: Any) -> dict[str, Any]:
    """Return somebody else's run, which ended half a minute after our submit."""
    return started(after, OTHER_JOB, status="Completed", endTimeUtc=wire_time(START + 30.0), **more)


SOMEBODY_IS_AT_IT: dict[str, dict[str, Any]] = {
    "active": started(-600.0, OTHER_JOB),
    "over by now": theirs(-600.0),
    "listed by a name that we do not know": started(-600.0, OTHER_JOB, jobType="Reload"),
    "without an invoke type": started(-600.0, OTHER_JOB, invokeType=None),
    "invoked in a way we do not know": started(-600.0, OTHER_JOB, invokeType="Api"),
}


@pytest.mark.parametrize("unclear", UNCLEAR)
@pytest.mark.parametrize("theirs", SOMEBODY_IS_AT_IT.values(), ids=SOMEBODY_IS_AT_IT)
def test_while_somebody_else_starts_runs_of_the_item_nothing_is_proven(unclear: Answer, theirs: dict[str, Any]) -> None:
    error = named(submitting([unclear], [theirs, started()], before=[theirs]))
    assert f"somebody else's run was active at that time ({OTHER_JOB})" in str(error)
    assert f"these job instances are new: {JOB};" in str(error)


NOBODY_IS_AT_IT: dict[str, dict[str, Any]] = {
    "by Fabric's schedule": started(-600.0, OTHER_JOB, invokeType="Scheduled"),
    "by an event": started(-600.0, OTHER_JOB, invokeType="EventTriggered"),
    "of another job": started(-600.0, OTHER_JOB, jobType="ApplyChanges"),
    "over before": started(-600.0, OTHER_JOB, status="Failed", endTimeUtc=wire_time(START - 5.0)),
}


@pytest.mark.parametrize("other", NOBODY_IS_AT_IT.values(), ids=NOBODY_IS_AT_IT)
def test_runs_that_nobody_asked_for_or_that_are_over_are_in_nobodys_way(other: dict[str, Any]) -> None:
    assert submitting([LOST], [other, started()], before=[other]).result() == Submission(JOB, adopted=True)


@pytest.mark.parametrize("word", ["Reload", "dbt", "", None])
@pytest.mark.parametrize("unclear", UNCLEAR)
def test_a_run_that_is_listed_by_a_name_that_we_do_not_know_may_be_ours(unclear: Answer, word: str | None) -> None:
    error = named(submitting([unclear], [started(jobType=word)]))
    assert f"these job instances are new: {JOB};" in str(error)
    assert "the name of its job does not prove" in str(error)


def test_an_item_that_others_start_too_can_do_without_adoption() -> None:
    error = named(submitting([LOST], [started()], on_unclear_submit="fail"))
    assert f"these job instances are new: {JOB}; on_unclear_submit='fail'" in str(error)
    assert "no new instance" in str(named(submitting([LOST], on_unclear_submit="fail")))
    talk = submitting([ACCEPTED], on_unclear_submit="maybe")
    assert isinstance(talk.error, FabricInputError)
    assert "on_unclear_submit must be 'adopt' or 'fail'" in str(talk.error)
    assert talk.requests == []


@pytest.mark.parametrize("seconds", [0.0, 1.0, 300.0])
def test_how_long_the_list_is_watched_can_be_said(seconds: float) -> None:
    talk = submitting([LOST], [started()], visible_within=seconds)
    assert talk.result().adopted
    assert sum(talk.sleeps) == pytest.approx(seconds)


@pytest.mark.parametrize("unclear", UNCLEAR)
def test_after_an_unclear_answer_the_one_new_run_is_ours(unclear: Answer) -> None:
    talk = submitting([unclear], [started()])
    assert talk.result() == Submission(JOB, adopted=True)
    assert talk.posts == 1
    assert sum(talk.sleeps) == pytest.approx(VISIBLE_WITHIN)


@pytest.mark.parametrize("unclear", UNCLEAR)
def test_after_an_unclear_answer_and_no_new_run_it_is_not_sent_again(unclear: Answer) -> None:
    talk = submitting([unclear])
    assert talk.posts == 1
    error = named(talk)
    assert error.job == {"workspace_id": WORKSPACE, "item_id": ITEM}
    assert error.job_instance_id is None
    assert "no new instance" in str(error)
    assert error.__cause__ is not None


@pytest.mark.parametrize("seen_after", [1.0, 30.0, 59.0])
def test_a_run_that_becomes_visible_late_is_found(seen_after: float) -> None:
    assert submitting([LOST], lambda now: [started()] if now >= seen_after else []).result().adopted


@pytest.mark.parametrize("seen_after", [0.0, 1.0, 30.0, 59.0])
def test_two_new_runs_cannot_be_told_apart_however_late_the_second_is_seen(seen_after: float) -> None:
    second = started(0.2, OTHER_JOB)
    error = named(submitting([LOST], lambda now: [started(), second] if now >= seen_after else [started()]))
    assert JOB in str(error)
    assert OTHER_JOB in str(error)


@pytest.mark.parametrize("after", [2.1, 3.0, 5.0, 29.0, 59.0])
def test_a_run_that_started_after_our_answer_is_not_adopted(after: float) -> None:
    error = named(submitting([refusal(503)], lambda now: [started(after)] if now >= after else []))
    assert JOB in str(error)


NOT_OURS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("started before", started(-5.0, status="Failed", endTimeUtc=wire_time(START - 3.0)), {}),
    ("started by Fabric's schedule", started(invokeType="Scheduled"), {}),
    ("started by an event", started(invokeType="EventTriggered"), {}),
    ("of another job", started(jobType="ApplyChanges"), {}),
    ("known before", started(startTimeUtc=None, status="Deduped"), {"known": {JOB}}),
]


@pytest.mark.parametrize(("entry", "options"), [case[1:] for case in NOT_OURS], ids=[case[0] for case in NOT_OURS])
def test_what_cannot_be_ours_is_not_adopted_and_in_nobodys_way(entry: dict[str, Any], options: dict[str, Any]) -> None:
    assert "no new instance" in str(named(submitting([LOST], [entry], **options)))
    talk = submitting([LOST], [entry, started(job=OTHER_JOB)], **options)
    assert talk.result().job_instance_id == OTHER_JOB


@pytest.mark.parametrize("invoked", ["Api", "Retry", "Subscription"])
def test_a_run_invoked_in_a_way_we_do_not_know_is_named_and_not_adopted(invoked: str) -> None:
    assert JOB in str(named(submitting([LOST], [started(invokeType=invoked)])))


@pytest.mark.parametrize("invoked", ["Manual", "manual", "OnDemand", "on-demand", None])
def test_a_run_on_demand_may_be_ours(invoked: str | None) -> None:
    assert submitting([LOST], [started(invokeType=invoked)]).result().adopted


def test_a_run_that_waits_may_have_been_asked_for_before_and_is_named() -> None:
    waits = started(startTimeUtc=None, status="NotStarted", job=OTHER_JOB)
    unreadable = refusal(403, "InsufficientPrivileges")
    assert OTHER_JOB in str(named(submitting([LOST], [waits], before=unreadable)))
    assert OTHER_JOB in str(named(submitting([LOST], lambda now: [waits] if now > 1 else [])))
    assert OTHER_JOB in str(named(submitting([LOST], [waits, started()])))


def test_a_run_that_waits_is_ours_if_it_was_not_there_before_and_is_right_after() -> None:
    waits = started(startTimeUtc=None, status="NotStarted")
    assert submitting([LOST], [waits]).result() == Submission(JOB, adopted=True)
    assert submitting([LOST], [waits], known=()).result() == Submission(JOB, adopted=True)
    named(submitting([LOST], lambda now: [waits] if now > 1 else [], known=()))


@pytest.mark.parametrize("status", ["NotStarted", "Queued", "Completed", "Failed", "Deduped"])
def test_ours_may_be_in_any_status_by_now(status: str) -> None:
    assert submitting([LOST], [started(status=status)]).result().job_instance_id == JOB


@pytest.mark.parametrize("word", ["CopyJob", "Pipeline", "Refresh", "execute"])
def test_the_service_may_call_the_job_by_another_name(word: str) -> None:
    assert submitting([LOST], [started(jobType=word)]).result().adopted


@pytest.mark.parametrize("skew", [-NINE_HOURS, -300.0, -0.4, 0.6, 300.0, NINE_HOURS])
def test_clocks_may_differ(skew: float) -> None:
    ended = wire_time(START + skew - 20.0)
    ours, older = started(skew), started(skew - 30.0, OTHER_JOB, status="Completed", endTimeUtc=ended)
    assert submitting([refusal(503)], [ours, older], skew=skew).result().job_instance_id == JOB
    assert "no new instance" in str(named(submitting([refusal(503)], [older], skew=skew)))


def test_without_the_services_clock_nothing_is_proven() -> None:
    assert JOB in str(named(submitting([LOST], [started()], dated=False)))


def test_a_run_that_someone_started_while_we_were_throttled_is_not_ours() -> None:
    throttled = refusal(429, retry_after="120")
    theirs, ours = started(60.0, OTHER_JOB), started(120.0)
    assert "no new instance" in str(named(submitting([throttled, LOST], [theirs])))
    error = named(submitting([throttled, LOST], [theirs, ours]))  # the list from before the pause proves nothing
    assert f"these job instances are new: {JOB}; it is not known whether it was there before" in str(error)


@pytest.mark.parametrize("broken", [HTML, TRUNCATED, refusal(403, "InsufficientPrivileges"), page({"id": JOB})])
def test_a_list_that_cannot_be_read_is_asked_for_again(broken: Response) -> None:
    assert submitting([LOST], lambda now: broken if now < 20 else [started()]).result().adopted
    named(submitting([LOST], lambda now: broken))


def test_without_a_list_after_the_window_nothing_is_proven() -> None:
    """Another run may have become visible in the meantime."""
    error = named(submitting([LOST], lambda now: [started()] if now < 50 else refusal(403, "InsufficientPrivileges")))
    assert JOB in str(error)


@pytest.mark.parametrize(
    ("refused", "kind"),
    [(refusal(403, "InsufficientPrivileges"), FabricPermissionError), (NO_SUCH_HOST, FabricTransportError)],
)
def test_a_clear_refusal_is_reported_and_nothing_is_looked_up_after_it(refused: Answer, kind: type[Exception]) -> None:
    talk = submitting([refused])
    assert type(talk.error) is kind
    assert [request.method for request in talk.requests] == ["GET", "POST"]


def test_what_was_surely_not_accepted_is_sent_again() -> None:
    talk = submitting([UNSENT, refusal(429, retry_after="9"), refusal(430, retry_after="9"), refusal(401), ACCEPTED])
    assert talk.result() == Submission(JOB, 60.0)
    endless = submitting([refusal(429, retry_after="60")] * 100)
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
