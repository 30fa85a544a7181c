"""Refreshes of semantic models: their life cycle, and the store of them all.

An enhanced one can be read and cancelled by its id; a plain one is only in the history. Shapes:
https://learn.microsoft.com/rest/api/power-bi/datasets/get-refresh-history-in-group.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.config import Config
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.job_rules import JobRule, plan
from airflow_provider_fabric.emulator.state.times import power_bi_time

REFRESH_TYPES = frozenset({"Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"})
LISTED = 60
DAY = 24 * 3600.0


@dataclass(slots=True)
class Refresh:
    """One refresh. Its job rule (type ``SemanticModel``, job type ``Refresh``) decides how it goes."""

    id: str
    started_at: float
    ends_at: float
    outcome: str
    error: Any
    refresh_type: str
    enhanced: bool = True

    def is_over(self, now: float) -> bool:
        """Say whether it has ended."""
        return now >= self.ends_at

    def to_wire(self, now: float) -> dict[str, Any]:
        """Return Power BI's refresh entry; a running one has the status ``Unknown``."""
        body: dict[str, Any] = {
            "requestId": self.id,
            "id": int(self.started_at * 1000),
            "refreshType": "ViaEnhancedApi" if self.enhanced else "ViaApi",
            "startTime": power_bi_time(self.started_at),
            "status": self.outcome if self.is_over(now) else "Unknown",
        }
        if self.enhanced:
            extended = self.outcome if self.is_over(now) else "InProgress"
            body |= {"type": self.refresh_type, "extendedStatus": extended}
        if self.is_over(now):
            body["endTime"] = power_bi_time(self.ends_at)
            if self.error is not None:
                body["serviceExceptionJson"] = self.error
        return body


class RefreshStore:
    """All refreshes, by semantic model; beyond :data:`LISTED` the oldest of a model are forgotten."""

    def __init__(self) -> None:
        self._by_item: dict[str, dict[str, Refresh]] = {}

    def of_item(self, item_id: str) -> list[Refresh]:
        """Return the refreshes of a model, the oldest first."""
        return list(self._by_item.get(item_id, {}).values())

    def get(self, item_id: str, refresh_id: str) -> Refresh | None:
        """Return one refresh of a model."""
        return self._by_item.get(item_id, {}).get(refresh_id)

    def start(
        self,
        item_id: str,
        refresh_type: str,
        rule: JobRule | None,
        config: Config,
        now: float,
        *,
        enhanced: bool = True,
        a_day: int | None = None,
    ) -> Refresh:
        """Begin a refresh that goes as its rule says.

        :param enhanced: whether its request said more than ``notifyOption``.
        :param a_day: how many there may be in 24 hours.
        :raises ServiceError: 400 when another one of the model runs, or there were too many; and what the rule refuses
            with. The code of too many is our guess.
        """
        refreshes = self._by_item.setdefault(item_id, {})
        if a_day is not None and sum(r.started_at > now - DAY for r in refreshes.values()) >= a_day:
            raise ServiceError(400, "DailyRefreshLimitReached", f"A model on shared capacity has {a_day} a day")
        if any(not refresh.is_over(now) for refresh in refreshes.values()):
            raise ServiceError(400, "RefreshInProgressException", "Another refresh request is already executing")
        outcome, error = _outcome(rule, config)
        ends_at = plan(rule, config, now, outcome, len(refreshes) + 1)[-1][0]
        started = Refresh(new_id(), now, ends_at, outcome, error, refresh_type, enhanced)
        refreshes[started.id] = started
        if len(refreshes) > LISTED:
            del refreshes[next(iter(refreshes))]
        return started


def _outcome(rule: JobRule | None, config: Config) -> tuple[str, str | None]:
    """Use a rule: return the last status and the error that goes with it.

    :raises ServiceError: when the rule refuses the refresh.
    """
    if rule is None:
        return "Completed", None
    rule.uses += 1
    refusal = rule.refusal(config)
    if refusal is not None:
        raise refusal
    outcome = rule.outcome or "Completed"
    if outcome != "Failed":
        return outcome, None
    reason = rule.failure_reason or {"errorCode": "ModelRefreshFailed"}
    return outcome, reason if isinstance(reason, str) else json.dumps(reason)
