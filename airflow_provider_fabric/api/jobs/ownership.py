"""Which run a submit started whose answer was lost: what the item's list proves, and what it leaves open.

A run that the service did not name in its answer is *proven* to be the one we asked for only if

* it was not in the item's list right before the request: a list from before a pause says nothing of the pause,
* it was asked for between our request and the unclear answer, by the service's clock, or was in the list that was read
  right after that answer,
* it was started on demand, not by a schedule or an event, and
* no other run that is new in the list could be ours instead.

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
from airflow_provider_fabric.api.jobs.service_time import ServiceClock, SubmitTrace, observed
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import FabricError, FabricInputError

VISIBLE_WITHIN = 60.0
"""Seconds after which a run that was accepted is taken to be in the item's list."""

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

    :param since: not before this.
    :param until: not after this; ``None`` if nobody saw the answer, because the worker died.
    :param known: ids that the item listed before, as far as time alone does not rule them out; ``None`` if the list
        could not be read.
    :param stale: the request went out after a pause, so the list of before says nothing of what was started meanwhile.
    """

    since: float
    until: float | None = None
    known: frozenset[str] | None = None
    stale: bool = False

    @property
    def can_prove(self) -> bool:
        """Whether it is known what the item listed right before the request."""
        return self.known is not None and not self.stale

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
            until, known = state.get("until"), state.get("known")
            return cls(
                float(state["since"]),
                None if until is None else float(until),
                None if known is None else frozenset(map(str, known)),
                bool(state.get("stale")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FabricInputError(f"This is not the time of a submit: {error!r}.") from error


def window_of(trace: SubmitTrace, clock: ServiceClock, known: Collection[str] | None) -> SubmitWindow | None:
    """Return the window of a submit that was answered unclearly, or ``None`` if the service's clock is unknown.

    :param known: ids that the item listed before the request; ``None`` if it was not read.
    """
    if trace.sent is None or trace.answered is None:
        return None
    since, until = clock.earliest(trace.sent), clock.latest(trace.answered)
    if since is None:
        return None
    return SubmitWindow(since, until, None if known is None else frozenset(known), trace.paused)


def undecided_by_time(listed: Collection[JobInstance], since: float) -> frozenset[str]:
    """Return the ids of those instances that their start alone does not rule out: to be kept in a record."""
    return frozenset(instance.id for instance in listed if not _started_before(instance, since))


class Ownership(Enum):
    """What the list says of one instance."""

    NOT_OURS = "not ours"
    POSSIBLE = "possible"
    PROVABLE = "provable"


def judge(instance: JobInstance, window: SubmitWindow, *, seen_at_once: bool = False) -> Ownership:
    """Say whether an instance can be what a submit started.

    :param window: when that was.
    :param seen_at_once: it was in the list that was read right after the unclear answer.
    """
    invoked = instance.invoke_type.casefold().replace("-", "").replace("_", "").replace(" ", "")
    if instance.id in (window.known or ()) or invoked in AUTOMATIC or _started_before(instance, window.since):
        return Ownership.NOT_OURS
    if instance.start_time_utc is None:
        if window.known is None and instance.status.is_terminal:
            return Ownership.NOT_OURS  # over since we do not know when
        in_time = seen_at_once and window.known is not None and window.until is not None
    else:
        start = instance.start_time_utc.timestamp()
        latest = window.since + QUEUED_WITHIN_AFTER_DEATH if window.until is None else window.until + QUEUED_WITHIN
        if start > latest:
            return Ownership.NOT_OURS
        in_time = start <= (window.since + REQUEST_SECONDS if window.until is None else window.until) + CLOCK_MARGIN
    return Ownership.PROVABLE if in_time and invoked in ON_DEMAND else Ownership.POSSIBLE


def _started_before(instance: JobInstance, since: float) -> bool:
    return instance.start_time_utc is not None and instance.start_time_utc.timestamp() < since - CLOCK_MARGIN


@dataclass
class Sightings:
    """What the item's list showed since an unclear answer.

    :param latest: every instance, as last seen.
    :param at_once: ids of those that were there right after the answer.
    :param complete: the list was read after the time by which ours must be in it.
    """

    latest: dict[str, JobInstance] = field(default_factory=dict)
    at_once: frozenset[str] = frozenset()
    complete: bool = False

    def candidates(self, window: SubmitWindow) -> dict[str, Ownership]:
        """Return the instances that can be ours, and whether that can be proven."""
        judged = {i.id: judge(i, window, seen_at_once=i.id in self.at_once) for i in self.latest.values()}
        return {id_: verdict for id_, verdict in judged.items() if verdict is not Ownership.NOT_OURS}


def proven(candidates: Mapping[str, Ownership]) -> str | None:
    """Return the one run that must be ours, or ``None``."""
    return next(iter(candidates)) if list(candidates.values()) == [Ownership.PROVABLE] else None


def search(
    sightings: Sightings,
    list_runs: Callable[[RetryBudget], Flow[list[JobInstance]]],
    clock: ServiceClock,
    ends: Callable[[], float | None],
    *,
    at_once: bool,
    visible_within: float = VISIBLE_WITHIN,
) -> Flow[None]:
    """Read the item's list until a run that was asked for must be in it.

    :param sightings: takes in what is seen, so that it is known if the search is cut short.
    :param list_runs: reads the list, with a budget for retries.
    :param ends: returns by our clock when to stop, asked after each read; ``None`` for ``visible_within`` from now.
    :param at_once: the unclear answer has only just come.
    """
    began = clock.read()
    for number, pause in enumerate(_pauses()):
        first = number == 0
        left = _left(clock, ends, began + visible_within)
        try:
            found = yield from observed(list_runs(ONCE if left > 0 else PATIENT), clock)
        except FabricError:
            found = None
        if found is not None:
            sightings.latest.update({instance.id: instance for instance in found})
            if first and at_once:
                sightings.at_once = frozenset(instance.id for instance in found)
        if left <= 0:
            sightings.complete = found is not None
            return
        yield Sleep(max(min(pause, _left(clock, ends, began + visible_within)), 0.0))


def _left(clock: ServiceClock, ends: Callable[[], float | None], otherwise: float) -> float:
    end = ends()
    return (otherwise if end is None else end) - clock.read()


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]
