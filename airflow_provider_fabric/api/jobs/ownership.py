"""Which run a submit started whose answer was lost: what the item's list proves, and what it leaves open.

A run that the service did not name in its answer is *proven* to be the one we asked for only if

* it was not in the item's list right before the request: a list from before a pause says nothing of the pause,
* it was asked for between our request and the unclear answer, by the service's clock, or was in the list that was read
  right after that answer,
* it was started on demand, not by a schedule or an event,
* the service lists it by a name of the job that we asked for,
* no other run that is new in the list could be ours instead, and
* nobody else was at it: no run that somebody else asked for was active when ours was. Whoever starts one run of an item
  may start another at any time, and a run does not say who asked for it.

The list is read for as long as a run may take to appear in it, and only then judged. What is not proven is a candidate:
it is named, never adopted and never cancelled. Whether another task has claimed a run is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Sleep
from airflow_provider_fabric.api.http.retry import ONCE, PATIENT, RetryBudget
from airflow_provider_fabric.api.jobs.job_types import may_be_same_job_type, same_job_type
from airflow_provider_fabric.api.jobs.service_time import ServiceClock, SubmitTrace, observed
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import FabricError, FabricInputError

VISIBLE_WITHIN = 60.0
"""Seconds after which a run that was accepted is taken to be in the item's list."""

LIST_BEFORE = RetryBudget(attempts=3, seconds=60.0)
"""For the list before a submit. Without it an unclear answer cannot be resolved; the submit goes out all the same."""

PAUSES = (2.0, 5.0, 10.0, 20.0)
"""Seconds between reads of the list; the last holds for all further ones."""

CLOCK_MARGIN = 0.5
"""Seconds that the clocks of the service's own machines may be apart."""

REQUEST_SECONDS = 15.0
"""Seconds after its record was written within which the submit of a worker that died was accepted, or never was."""

QUEUED_WITHIN = 300.0
"""Seconds after a submit beyond which a run that starts is taken to be another's."""

QUEUED_WITHIN_AFTER_DEATH = 3600.0
"""The same for the submit of a worker that died: by its retry, a run that waited in Fabric's queue may have started."""

ON_DEMAND = frozenset({"", "manual", "ondemand"})
AUTOMATIC = frozenset({"scheduled", "schedule", "eventtriggered", "event", "trigger", "triggered"})
"""Words of ``invokeType`` for runs that nobody asked for by a request. What is in neither list is never proven."""


@dataclass(frozen=True)
class SubmitWindow:
    """When a run must have been asked for to be ours. Epoch seconds by the service's clock.

    :param since: not before this; ``None`` if no answer said what time it is at the service: nothing is proven then.
    :param until: not after this; ``None`` if nobody saw the answer (the worker died), or if that is unknown, too.
    :param known: ids that the item listed before, as far as time alone does not rule them out; ``None`` if the list
        could not be read.
    :param stale: the request went out after a pause, so the list of before says nothing of what was started meanwhile.
    """

    since: float | None
    until: float | None = None
    known: frozenset[str] | None = None
    stale: bool = False

    @property
    def can_prove(self) -> bool:
        """Whether it is known when the request was sent, and what the item listed right before it."""
        return self.since is not None and self.known is not None and not self.stale

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        known = None if self.known is None else sorted(self.known)
        return {"since": self.since, "until": self.until, "known": known, "stale": self.stale}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SubmitWindow:
        """Read :meth:`to_state`'s form, checked.

        :raises FabricInputError: it is something else.
        """
        try:
            since, until, known = state["since"], state.get("until"), state.get("known")
            return cls(
                None if since is None else float(since),
                None if until is None else float(until),
                None if known is None else frozenset(map(str, known)),
                bool(state.get("stale")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FabricInputError(f"This is not the time of a submit: {error!r}.") from error


def window_of(trace: SubmitTrace, clock: ServiceClock, known: Collection[str] | None) -> SubmitWindow:
    """Return the window of a submit that was answered unclearly.

    :param known: ids that the item listed before the request; ``None`` if it was not read.
    """
    since = None if trace.sent is None else clock.earliest(trace.sent)
    until = None if trace.answered is None else clock.latest(trace.answered)
    return SubmitWindow(since, until, None if known is None else frozenset(known), trace.paused)


def window_before(listed: Collection[JobInstance] | None, since: float | None, *, stale: bool) -> SubmitWindow:
    """Return the window of a submit that is about to be sent: what is recorded of it.

    :param listed: what the item listed; ``None`` if that could not be read.
    :param since: what time it is at the service, if that is known: an instance that had started long before is ruled
        out by its start, and need not be recorded.
    :param stale: there was a pause since the list was read.
    """
    if listed is None:
        return SubmitWindow(since, stale=stale)
    known = (i.id for i in listed if since is None or not _started_before(i, since))
    return SubmitWindow(since, known=frozenset(known), stale=stale)


class Ownership(Enum):
    """What the list says of one instance."""

    NOT_OURS = "not ours"
    POSSIBLE = "possible"
    PROVABLE = "provable"


def judge(instance: JobInstance, window: SubmitWindow, job_type: str, *, seen_at_once: bool = False) -> Ownership:
    """Say whether an instance can be what a submit started.

    :param window: when that was.
    :param job_type: the job that was asked for.
    :param seen_at_once: it was in the list that was read right after the unclear answer.
    """
    invoked = _invoked(instance)
    if instance.id in (window.known or ()) or invoked in AUTOMATIC:
        return Ownership.NOT_OURS
    if not may_be_same_job_type(instance.job_type, job_type):
        return Ownership.NOT_OURS
    in_time = _in_time(instance, window, seen_at_once=seen_at_once)
    if in_time is None:
        return Ownership.NOT_OURS
    provable = in_time and invoked in ON_DEMAND and same_job_type(instance.job_type, job_type)
    return Ownership.PROVABLE if provable else Ownership.POSSIBLE


def _in_time(instance: JobInstance, window: SubmitWindow, *, seen_at_once: bool) -> bool | None:
    """Whether an instance was surely asked for between a request and its answer; ``None`` if it surely was not."""
    if window.since is None:
        return False
    if instance.start_time_utc is None:
        if window.known is None and instance.status.is_terminal:
            return None  # over since we do not know when
        return seen_at_once and window.known is not None and window.until is not None
    start = instance.start_time_utc.timestamp()
    latest = window.since + QUEUED_WITHIN_AFTER_DEATH if window.until is None else window.until + QUEUED_WITHIN
    if _started_before(instance, window.since) or start > latest:
        return None
    return start <= (window.since + REQUEST_SECONDS if window.until is None else window.until) + CLOCK_MARGIN


def _started_before(instance: JobInstance, since: float) -> bool:
    return instance.start_time_utc is not None and instance.start_time_utc.timestamp() < since - CLOCK_MARGIN


def _invoked(instance: JobInstance) -> str:
    return instance.invoke_type.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _was_active(instance: JobInstance, window: SubmitWindow) -> bool:
    """Whether an instance was going on, or waiting, when a request was sent."""
    since = window.since
    if since is None or not (instance.id in (window.known or ()) or _started_before(instance, since)):
        return False
    if not instance.status.is_terminal:
        return True
    return instance.end_time_utc is not None and instance.end_time_utc.timestamp() >= since - CLOCK_MARGIN


@dataclass
class Sightings:
    """What the item's list showed since an unclear answer.

    :param job_type: the job that was asked for.
    :param latest: every instance, of whatever job, as last seen.
    :param at_once: ids of those that were there right after the answer.
    :param complete: the list was read after the time by which ours must be in it.
    """

    job_type: str
    latest: dict[str, JobInstance] = field(default_factory=dict)
    at_once: frozenset[str] = frozenset()
    complete: bool = False

    def candidates(self, window: SubmitWindow) -> dict[str, Ownership]:
        """Return the instances that can be ours, and whether that can be proven."""
        judged = {
            i.id: judge(i, window, self.job_type, seen_at_once=i.id in self.at_once) for i in self.latest.values()
        }
        return {id_: verdict for id_, verdict in judged.items() if verdict is not Ownership.NOT_OURS}

    def active_before(self, window: SubmitWindow) -> frozenset[str]:
        """Return the runs of the job that somebody asked for before us, and that were active when we did."""
        return frozenset(
            i.id
            for i in self.latest.values()
            if _was_active(i, window)
            and _invoked(i) not in AUTOMATIC
            and may_be_same_job_type(i.job_type, self.job_type)
        )


def doubt(
    sightings: Sightings, window: SubmitWindow, left: Mapping[str, Ownership], claimed: Collection[str] = ()
) -> str:
    """Return why it is not proven that the one run that is left is ours; empty if it is.

    :param left: the candidates that are no other task's.
    :param claimed: ids of runs whose owner is known.
    """
    if not sightings.complete:
        return "the item's list could not be read long enough"
    if len(left) > 1:
        return "it is not known which of them is this task's"
    if list(left.values()) != [Ownership.PROVABLE]:
        return "its start time, its invoke type or the name of its job does not prove that this submit started it"
    if not window.can_prove:
        return "it is not known whether it was there before the submit"
    others = sightings.active_before(window) - set(claimed)
    if others:
        return (
            f"somebody else's run was active at that time ({', '.join(sorted(others))}), and who started that one may "
            "have started this one, too"
        )
    return ""


def search(
    sightings: Sightings,
    list_runs: Callable[[RetryBudget], Flow[list[JobInstance]]],
    clock: ServiceClock,
    *,
    at_once: bool,
    visible_within: float = VISIBLE_WITHIN,
) -> Flow[None]:
    """Read the item's list until a run that was asked for must be in it.

    :param sightings: takes in what is seen, so that it is known if the search is cut short.
    :param list_runs: reads the list, with a budget for retries.
    :param at_once: the unclear answer has only just come.
    :param visible_within: seconds from now after which such a run is taken to be in the list.
    """
    ends = clock.read() + visible_within
    for number, pause in enumerate(_pauses()):
        left = ends - clock.read()
        try:
            found = yield from observed(list_runs(ONCE if left > 0 else PATIENT), clock)
        except FabricError:
            found = None
        if found is not None:
            sightings.latest.update({instance.id: instance for instance in found})
            if number == 0 and at_once:
                sightings.at_once = frozenset(instance.id for instance in found)
        if left <= 0:
            sightings.complete = found is not None
            return
        yield Sleep(max(min(pause, ends - clock.read()), 0.0))


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]
