"""Who waits for which run, by item: what one look can serve."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance

NEVER = math.inf


@dataclass(eq=False)
class PendingRun:
    """One trigger's wait.

    :param poll: what is known of the run.
    :param future: what the trigger awaits.
    :param singly: the run was not in its item's list, so it needs a Get.
    """

    poll: JobPoll
    future: asyncio.Future[JobInstance]
    singly: bool = False

    @property
    def run(self) -> str:
        """Id of the run."""
        return self.poll.job.job_instance_id.lower()

    @property
    def due(self) -> float:
        """When it is to be looked at."""
        return max(self.poll.next_poll_at, self.poll.first_poll_at)


@dataclass(eq=False)
class ItemQueue:
    """The runs of one item that are waited for. All times are epoch seconds.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param waiting: the waits.
    :param listable: whether a List may be tried.
    :param pages: what a List cost last.
    :param usual: how long its runs usually take; ``None`` before the first List.
    :param rest_until: no List before this: looks that are due soon after one another become one.
    :param queued_for: when its entry in the watcher's queue is due; any other entry is out of date.
    :param under_way: it is being looked at.
    """

    workspace_id: str
    item_id: str
    waiting: set[PendingRun] = field(default_factory=set)
    listable: bool = True
    pages: int = 1
    usual: list[float] | None = None
    rest_until: float = 0.0
    queued_for: float = NEVER
    under_way: bool = False

    def end(self, waiting: PendingRun, outcome: JobInstance | Exception) -> None:
        """End a wait: with the run, which is over, or with an error."""
        self.waiting.discard(waiting)
        if waiting.future.done():
            return
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)

    def due_for(self, waiting: PendingRun) -> float:
        """Return when to look on behalf of one wait."""
        last_look = waiting.poll.next_poll_at == waiting.poll.deadline
        return waiting.due if waiting.singly or last_look or not self.listable else max(waiting.due, self.rest_until)

    def due(self) -> float:
        """Return when to look next."""
        return min(map(self.due_for, self.waiting))

    def choose(self, now: float) -> tuple[list[PendingRun], bool]:
        """Return for whom to look now, and whether with a List: where that costs no more than single Gets.

        The first look is always a List: for the price of a Get it tells how long the item's runs usually take.
        """
        ready = [w for w in self.waiting if w.poll.first_poll_at <= now and (not w.singly or w.due <= now)]
        if self.listable and not any(w.singly for w in ready):
            runs = len({w.run for w in ready})
            if self.usual is None or (runs > 1 and runs >= self.pages):
                return ready, True
        most_overdue = min(ready, key=lambda w: (not w.singly, w.due))
        return [w for w in ready if w.run == most_overdue.run], False
