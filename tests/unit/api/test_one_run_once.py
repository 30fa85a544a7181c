"""The promise of the whole: one run, once, whatever the service answers.

Hypothesis plays the service against ``submit_once`` followed by ``poll_job_instance``, one answer at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep
from airflow_provider_fabric.api.jobs.polling import JobPoll, poll_job_instance
from airflow_provider_fabric.api.jobs.submit import submit_once
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.exceptions import FabricError, FabricJobMayBeRunning, FabricJobTimeout
from tests.flow_driver import (
    HTML,
    ITEM,
    JOB,
    LOST,
    NO_SUCH_HOST,
    TRUNCATED,
    UNSENT,
    WORKSPACE,
    Answer,
    FakeClock,
    instance,
    ok,
    page,
    refusal,
    wire_time,
)

TIMEOUT = 7200.0
ACCEPTED = ok(status=202, x_ms_job_id=JOB, retry_after="60")
UNCLEAR = [refusal(500), refusal(503, retry_after="1"), refusal(504), refusal(408), LOST, ok(status=202), HTML]
UNACCEPTED = [UNSENT, refusal(429), refusal(429, retry_after="0"), refusal(430, retry_after="30")]
REFUSED = [refusal(400, "InvalidInput"), refusal(403, "InsufficientPrivileges"), refusal(404), NO_SUCH_HOST]
WRONG_FORM = refusal(400, "InvalidJobType")
BLIPS = [HTML, TRUNCATED, LOST, UNSENT, refusal(401), refusal(429, retry_after="0"), refusal(503), refusal(408), ok()]

ACTIVE = ["NotStarted", "InProgress", "Queued", "dehydrated", "Unknown", "Paused"]
TERMINAL = ["Completed", "Failed", "Cancelled", "Deduped"]
words = st.sampled_from(ACTIVE) | st.text(min_size=1).filter(
    lambda word: word.casefold() not in {terminal.casefold() for terminal in TERMINAL}
)


class OneRunOnce(RuleBasedStateMachine):
    """A service that answers whatever hypothesis likes."""

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.began = self.clock()
        self.wish: Request | None = None
        self.result: JobInstance | None = None
        self.error: FabricError | None = None
        self.submits: list[Answer] = []
        self.listed: set[str] = set()
        self.before: set[str] = set()
        self.chosen: str | None = None
        self.final: Any = None
        self.flow = self._execution()
        self._go_on(None)

    def _execution(self) -> Flow[JobInstance]:
        submission = yield from submit_once(WORKSPACE, ITEM, "Execute", {}, clock=self.clock)
        self.chosen = submission.job_instance_id
        now = self.clock()
        job = JobRef(WORKSPACE, ITEM, submission.job_instance_id)
        watch = JobPoll(job, now, 60.0, now + (submission.retry_after or 0.0), now + TIMEOUT)
        return (yield from poll_job_instance(watch, clock=self.clock, steady=self.clock))

    @contextmanager
    def _ending(self) -> Iterator[None]:
        self.wish = None
        try:
            yield
        except StopIteration as end:
            self.result = end.value
        except FabricError as error:
            self.error = error

    def _go_on(self, answer: Answer | None) -> None:
        with self._ending():
            wish = self.flow.send(answer)
            while isinstance(wish, Sleep):
                assert wish.seconds >= 0
                self.clock.now += wish.seconds
                wish = self.flow.send(None)
            self.wish = wish

    def wants(self, method: str, what: str) -> bool:
        return self.wish is not None and self.wish.method == method and self.wish.path.endswith(what)

    def _answer_the_submit(self, answer: Answer) -> None:
        assert not self.may_run, "submitted again after it may have been accepted"
        self.submits.append(answer)
        self._go_on(answer)

    @property
    def may_run(self) -> int:
        """How many submits may have been accepted."""
        return sum(answer in (ACCEPTED, *UNCLEAR) for answer in self.submits)

    # The service's answers.

    @precondition(lambda self: self.wants("POST", "/instances"))
    @rule(answer=st.sampled_from([ACCEPTED, WRONG_FORM, refusal(401), *UNCLEAR, *UNACCEPTED, *REFUSED]))
    def answer_the_submit(self, answer: Answer) -> None:
        self._answer_the_submit(answer)

    @precondition(lambda self: self.wants("GET", "/jobs/instances"))
    @rule(
        starts=st.dictionaries(st.sampled_from([JOB, "a", "b"]), st.floats(-100, 100), max_size=3),
        word=words | st.sampled_from(TERMINAL),
        invoked=st.sampled_from(["Manual", "Manual", "Scheduled"]),
    )
    def list_instances(self, starts: dict[str, float], word: str, invoked: str) -> None:
        entries = [
            instance(word, job, invokeType=invoked, startTimeUtc=wire_time(self.began + start))
            for job, start in starts.items()
        ]
        if self.may_run:
            self.listed |= {job for job, start in starts.items() if start >= -2.0 and invoked == "Manual"}
        else:
            self.before |= starts.keys()
        self._go_on(page(*entries))

    @precondition(lambda self: self.wants("GET", f"/jobs/instances/{self.chosen}"))
    @rule(word=words)
    def tell_that_it_runs(self, word: str) -> None:
        self._go_on(ok(instance(word)))
        assert self.error is None
        assert self.result is None

    @precondition(lambda self: self.wants("GET", f"/jobs/instances/{self.chosen}"))
    @rule(status=st.sampled_from(TERMINAL), code=st.sampled_from([None, "UserError", "NotFound"]))
    def tell_that_it_is_over(self, status: str, code: str | None) -> None:
        self._go_on(ok(instance(status, failureReason=code and {"errorCode": code})))

    @precondition(lambda self: self.wants("GET", f"/jobs/instances/{self.chosen}"))
    @rule(answer=st.sampled_from([refusal(404), refusal(403), refusal(400)]))
    def refuse_the_look(self, answer: Answer) -> None:
        self._go_on(answer)

    @precondition(lambda self: self.wish is not None and self.wish.method == "GET")
    @rule(answer=st.sampled_from(BLIPS))
    def fail_once(self, answer: Answer) -> None:
        self._go_on(answer)

    @precondition(lambda self: self.wish is None)
    @rule()
    def begin_another(self) -> None:
        self.begin()

    # What must hold at every step.

    @invariant()
    def nothing_is_ever_cancelled(self) -> None:
        if self.wish is not None:
            assert self.wish.method in {"GET", "POST"}
            assert "cancel" not in self.wish.path

    @invariant()
    def at_most_one_submit_may_have_been_accepted(self) -> None:
        assert self.may_run <= 1

    @invariant()
    def the_older_form_is_tried_at_most_once(self) -> None:
        assert self.submits.count(WRONG_FORM) <= 2

    @invariant()
    def only_what_was_accepted_or_seen_is_followed(self) -> None:
        if self.chosen is not None:
            assert self.chosen == JOB if ACCEPTED in self.submits else self.chosen in self.listed - self.before

    @invariant()
    def it_ends_only_for_a_reason(self) -> None:
        if self.result is not None:
            assert self.result.status.is_terminal
        if self.error is not None and self.may_run:
            assert isinstance(self.error, FabricJobMayBeRunning | FabricJobTimeout)

    def teardown(self) -> None:
        """It always ends: a service that has no more surprises leads to the deadline."""
        if not hasattr(self, "flow"):
            return
        if self.wants("POST", "/instances"):
            self._answer_the_submit(ACCEPTED)
        for _ in range(10_000):
            if self.wish is None:
                break
            self._go_on(page() if self.wants("GET", "/jobs/instances") else ok(instance("InProgress")))
        assert self.result is not None or self.error is not None


TestOneRunOnce = OneRunOnce.TestCase
TestOneRunOnce.settings = settings(stateful_step_count=25, deadline=None)
