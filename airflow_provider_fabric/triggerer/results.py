"""What the answers to polls mean for those who wait: an end, an error, or when to poll next."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_fabric.api.http.permanent import is_permanent
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import (
    FabricBadRequestError,
    FabricError,
    FabricJobMayBeRunning,
    FabricNotFoundError,
    FabricPermissionError,
    FabricProtocolError,
    FabricThrottledError,
)
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.durations import History
from airflow_provider_fabric.triggerer.metrics import Reporter
from airflow_provider_fabric.triggerer.pending import LIST_RETRY, ItemQueue, PendingRun
from airflow_provider_fabric.triggerer.spacing import Spacing, chance_soon

_REFUSED_LISTS = (FabricBadRequestError, FabricNotFoundError, FabricPermissionError)

_log = logging.getLogger(__name__)


def is_about_list(error: FabricError) -> bool:
    """Whether an error of a List says nothing about a run: its own Get decides. What may pass concerns every call."""
    return isinstance(error, FabricProtocolError) or (isinstance(error, _REFUSED_LISTS) and is_permanent(error))


class PollResults:
    """Takes in what polls return.

    :param clocks: of the poller.
    :param history: how long the items' runs take.
    :param spacing: when to poll next.
    :param reporter: takes the lags.
    """

    def __init__(self, clocks: Clocks, history: History, spacing: Spacing, reporter: Reporter) -> None:
        self._clocks = clocks
        self._history = history
        self._spacing = spacing
        self._reporter = reporter

    def record_polls(self, item: ItemQueue, polls: list[tuple[PendingRun, JobInstance]]) -> None:
        """Take in what was seen of runs. An error in one wait, such as one of its callback, ends that wait only."""
        now, active = self._clocks.steady(), []
        chances: dict[str, float] = {}
        for waiting, instance in polls:
            try:
                is_over = self._record_poll(item, waiting, instance, now)
            except FabricError as error:
                end(item, waiting, error)
            except Exception as error:  # noqa: BLE001 - a bug must end the wait, not hang it
                _log.exception("Unexpected error while polling %s.", waiting.poll)
                end(item, waiting, lost(waiting, error))
            else:
                if not is_over:
                    active.append(waiting)
                    chances[waiting.run] = chance_soon(item, waiting, now)
        item.usual = self._history.of(item.key)
        self._spacing.spread(active, now, sum(chances.values()))
        with _without_observer_if_it_fails(item):
            if item.observer is not None:
                item.observer.polled(active)

    def _record_poll(self, item: ItemQueue, waiting: PendingRun, instance: JobInstance, now: float) -> bool:
        wall = self._clocks.wall()
        ended = waiting.poll.record_poll(instance, now, wall=wall)
        if ended is None:
            waiting.polled_at = now
            if instance.start_time_utc is not None:
                waiting.started_at = now - max(0.0, wall - instance.start_time_utc.timestamp())
            return False
        end(item, waiting, ended)
        self._history.ended(item.key, ended)
        if ended.end_time_utc is not None:
            lag = wall - ended.end_time_utc.timestamp()
            by_event = None if item.observer is None else waiting in item.announced
            self._reporter.detected(max(0.0, min(lag, now - waiting.polled_at)), by_event)
        with _without_observer_if_it_fails(item):
            if item.observer is not None:
                item.observer.found_over(waiting)
        return True

    def record_failure(self, item: ItemQueue, group: list[PendingRun], error: FabricError) -> None:
        """Take in that a poll failed for runs."""
        now, wall = self._clocks.steady(), self._clocks.wall()
        throttled = isinstance(error, FabricThrottledError) and error.status_code == 429
        if throttled or not any(w.poll.failures for w in group):
            _log.warning("Could not poll runs of item %s, will poll again: %s", item.item_id, error)
        patient = []
        for waiting in group:
            due = waiting.poll.next_poll_at
            try:
                waiting.poll.record_failure(error, now, wall=wall)
            except FabricError as final:
                end(item, waiting, final)
                continue
            if throttled:  # as overdue as before: the budget's pause holds it back
                waiting.poll.schedule_at(due, now - wall)
            else:
                waiting.polled_at = now
                patient.append(waiting)
        self._spacing.spread(patient, now)

    def record_list_failure(self, item: ItemQueue, group: list[PendingRun], error: FabricError) -> None:
        """Take in that an item's List failed, which says nothing about its runs."""
        now = self._clocks.steady()
        interval = min(waiting.poll.check_interval for waiting in group)
        item.list_failed(now, interval)
        if item.list_failures > 1:
            _log.warning("Runs of item %s are polled one by one, because listing them failed: %s", item.item_id, error)
            return
        _log.warning("Could not list the runs of item %s, will list them again: %s", item.item_id, error)
        item.rest_until = now + min(self._spacing.seconds(LIST_RETRY), interval / 4)


@contextmanager
def _without_observer_if_it_fails(item: ItemQueue) -> Iterator[None]:
    """Let a bug of what announces ends cost announcements, and no wait."""
    try:
        yield
    except Exception:  # noqa: BLE001 - polling is the floor
        _log.exception("Unexpected error in the hints of item %s; its polls go on as without a stream.", item.item_id)
        item.observer = None


def lost(waiting: PendingRun, error: Exception) -> FabricJobMayBeRunning:
    """Return the error of a wait that a bug ended."""
    found = FabricJobMayBeRunning(f"Lost sight of {waiting.poll}: {error!r}", job=waiting.poll.known())
    found.__cause__ = error
    return found


def end(item: ItemQueue, waiting: PendingRun, outcome: JobInstance | Exception) -> None:
    """End a wait: with its run, which is over, or with an error."""
    item.waiting.discard(waiting)
    waiting.end(outcome)
