"""The settings of the emulator: quotas, durations, and which of the documented responses it gives.

One rule for time: every duration here is in *service seconds*, and ``time_scale`` divides it. With a scale of 10 a
quota minute lasts 6 s, a job of 60 s lasts 6 s and a ``Retry-After`` of 60 says 6. ``Retry-After`` is rounded up to
whole seconds (RFC 9110 knows no others) and is at least 1, unless the service value is 0. Not scaled, because clients
keep fixed margins for them: token lifetimes, token delays, and what an injected fault says or waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input

BUCKETS = ("job_scheduler", "platform", "operations")
"""The quota buckets of the service, by https://learn.microsoft.com/rest/api/fabric/articles/throttling."""

LONG_RUNNING_CALLS = (
    "create_item",
    "get_definition",
    "update_definition",
    "publish_environment",
    "refresh_sql_endpoint",
    "git_status",
    "update_from_git",
    "commit_to_git",
    "deploy_stage",
)
"""The calls for which the specs document both a direct answer and 202 with an operation."""


def _default_quotas() -> dict[str, int | None]:
    return {"job_scheduler": 200, "platform": 200, "operations": 200}


@dataclass(frozen=True)
class Config:
    """Settings of one emulator, replaced as a whole by :meth:`patched`.

    :param time_scale: divisor of every service duration.
    :param quotas: calls a minute and identity for each bucket; ``None`` is no limit.
    :param retry_after_seconds: ``Retry-After`` of 202 answers (the service says 60).
    :param job_seconds: how long a job runs when no rule says otherwise.
    :param cancel_seconds: how long a cancellation takes when no rule says otherwise.
    :param lro_seconds: how long an operation runs.
    :param capacity_seconds: how long a capacity takes to resume or to suspend.
    :param force_lro: answer calls that document both forms always with 202 (``True``), never (``False``), or by name.
        ``None``, and for names left out: as tenants do, creating with a definition, creating a
        warehouse and reading the definition of a variable library answer 202.
    :param page_size: entries of a page.
    :param token_lifetime_seconds: life of access tokens, unscaled.
    :param token_delay_seconds: wait before each answer of a token endpoint, unscaled.
    :param rotate_refresh_tokens: whether a refresh token stops working once it was used.
    :param name_reservation_seconds: how long the name of a deleted item stays taken.
    :param name_reservation_status: status of that answer; both 400 and 409 were reported.
    :param name_conflict_status: status of ``ItemDisplayNameAlreadyInUse``.
    :param unlisted_when_filtered: item types that a list filtered by ``?type=`` leaves out, as
        https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis#current-limitations says of dataflows.
    :param duplicate_names_allowed: item types whose names need not be unique.
    :param completed_jobs_listed: how many completed instances the list of an item keeps.
    :param dedupe: ``True``/``False`` for all items; ``None`` goes by ``dedupe_item_types``.
    :param dedupe_item_types: items whose second run of the same job type, while one is active, is ``Deduped``.
    :param users_only_dataflow: refuse dataflow jobs of app identities, as the specs of 2026-08 say.
    :param max_active_jobs_per_item: further runs get 429 ``TooManyRequestsForJobs``; ``None`` is no limit.
    :param activity_runs_shape: ``list`` (as Learn prints it) or ``page`` (``{value, continuationToken}``).
    :param activity_retention_seconds: activity runs older than this are gone.
    :param service_additions: let definitions come back the way the service stores them, not as sent.
    :param dropped_keys: keys of JSON parts that a definition loses, as the service loses keys that it does not know.
    :param dataflow_content_converted: give a dataflow written as ``dataflow-content.json`` back as ``mashup.pq`` and
        ``queryMetadata.json``, as Learn prints it.
    :param seed: seed of the spread of job durations.
    """

    time_scale: float = 1.0
    quotas: dict[str, int | None] = field(default_factory=_default_quotas)
    retry_after_seconds: float = 2
    job_seconds: float = 3
    cancel_seconds: float = 0.5
    lro_seconds: float = 1
    capacity_seconds: float = 1
    force_lro: bool | dict[str, bool] | None = None
    page_size: int = 100
    token_lifetime_seconds: float = 3600
    token_delay_seconds: float = 0
    rotate_refresh_tokens: bool = False
    name_reservation_seconds: float = 0
    name_reservation_status: int = 409
    name_conflict_status: int = 400
    unlisted_when_filtered: list[str] = field(default_factory=list)
    duplicate_names_allowed: list[str] = field(default_factory=list)
    completed_jobs_listed: int = 100
    dedupe: bool | None = None
    dedupe_item_types: list[str] = field(default_factory=lambda: ["Dataflow"])
    users_only_dataflow: bool = False
    max_active_jobs_per_item: int | None = None
    activity_runs_shape: str = "list"
    activity_retention_seconds: float = 3600
    service_additions: bool = True
    dropped_keys: list[str] = field(default_factory=list)
    dataflow_content_converted: bool = False
    seed: int = 0

    def patched(self, changes: dict[str, Any]) -> Config:
        """Return a copy with ``changes`` applied.

        :raises ServiceError: for an unknown key or a value of the wrong kind.
        """
        if not isinstance(changes, dict):
            raise invalid_input("The configuration must be an object")
        known = {entry.name for entry in fields(self)}
        for key, value in changes.items():
            if key not in known:
                raise invalid_input(f"Unknown setting '{key}'; known are {', '.join(sorted(known))}")
            _check(key, value)
        merged = dict(changes)
        if "quotas" in merged:
            merged["quotas"] = {**self.quotas, **merged["quotas"]}
        return replace(self, **merged)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return asdict(self)

    def scaled(self, service_seconds: float) -> float:
        """Turn a duration of the service into one of this emulator's clock."""
        return service_seconds / self.time_scale

    def retry_after(self, service_seconds: float | None = None) -> int:
        """Return the header value for a wait of ``service_seconds`` (default: ``retry_after_seconds``)."""
        value = self.retry_after_seconds if service_seconds is None else service_seconds
        return 0 if value <= 0 else max(1, math.ceil(self.scaled(value)))

    def is_long_running(self, call: str, *, by_default: bool) -> bool:
        """Say whether a call answers with 202 and an operation.

        :param call: one of :data:`LONG_RUNNING_CALLS`.
        :param by_default: what the service does.
        """
        choice = self.force_lro.get(call) if isinstance(self.force_lro, dict) else self.force_lro
        return by_default if choice is None else choice


def _check(key: str, value: Any) -> None:
    check = _CHECKS.get(key, _is_duration)
    if not check(value):
        raise invalid_input(f"The setting '{key}' does not take {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_duration(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _is_quotas(value: Any) -> bool:
    return isinstance(value, dict) and all(
        bucket in BUCKETS and (limit is None or _is_count(limit)) for bucket, limit in value.items()
    )


def _is_lro_choice(value: Any) -> bool:
    if isinstance(value, dict):
        return all(name in LONG_RUNNING_CALLS and isinstance(choice, bool) for name, choice in value.items())
    return value is None or isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "time_scale": lambda value: _is_number(value) and value > 0,
    "quotas": _is_quotas,
    "force_lro": _is_lro_choice,
    "page_size": _is_count,
    "rotate_refresh_tokens": _is_flag,
    "name_reservation_status": lambda value: value in (400, 409),
    "name_conflict_status": lambda value: value in (400, 409),
    "unlisted_when_filtered": _is_names,
    "duplicate_names_allowed": _is_names,
    "completed_jobs_listed": _is_count,
    "dedupe": lambda value: value is None or isinstance(value, bool),
    "dedupe_item_types": _is_names,
    "users_only_dataflow": _is_flag,
    "max_active_jobs_per_item": lambda value: value is None or _is_count(value),
    "activity_runs_shape": lambda value: value in ("list", "page"),
    "service_additions": _is_flag,
    "dropped_keys": _is_names,
    "dataflow_content_converted": _is_flag,
    "seed": lambda value: isinstance(value, int),
}
