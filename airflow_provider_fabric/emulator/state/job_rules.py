"""Rules for future job instances: how long they run, how they end, what reads show of them.

Set by tests over ``POST /_emulator/jobs``; the last one that matches and is not used up wins.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.state.config import Config

Timeline = tuple[tuple[float, str], ...]
"""The statuses of a run in order, each with the epoch seconds from which it holds."""

DEFAULT_STATUSES: tuple[tuple[float, str], ...] = ((0.0, "NotStarted"), (0.2, "InProgress"))


@dataclass(slots=True)
class JobRule:
    """One rule.

    :param item_id: GUID of the item that it applies to; absent means any.
    :param item_name: display name of the item that it applies to; absent means any.
    :param item_type: kind of item that it applies to; absent means any.
    :param job_type: kind of job that it applies to, in any case of letters, or the name of a user data function; absent
        means any.
    :param count: how many instances it applies to; ``None`` is all.
    :param duration_seconds: service seconds, or ``[least, most]`` spread evenly by the configured seed.
    :param outcome: last status; ``None`` is ``Completed``, or what the item itself brings about.
    :param failure_reason: object, string or null, shown once the instance is over.
    :param statuses: pairs of a fraction of the duration and the status from then on.
    :param visible_after_seconds: until then reads do not find the instance...
    :param invisible_as: ...and answer ``404``, or 200 with this value as ``failureReason.errorCode``.
    :param dated_after_seconds: until then ``startTimeUtc`` is null, as the OpenAPI file allows of a run that waits.
    :param retry_after: service seconds for ``Retry-After`` of the 202 and of every read while it is active.
    :param cancel_seconds: how long a cancellation takes.
    :param activities: activity runs to show instead of those of the pipeline's own definition.
    :param failed_activities: names of activities of the pipeline's definition that fail, as a list, or each with its
        reason, ``{name: {"errorCode": …, "message": …}}``; the run then fails unless ``outcome`` says otherwise.
    :param output: what a user data function returns; without it, the call's arguments.
    :param exit_value: what a notebook passes to ``notebookutils.notebook.exit``, shown by the notebook's own job route.
    :param refuse: answer the run request with this error and start nothing:
        ``{"status": …, "error_code": …, "message": …, "retry_after": …}``.
    :param accept_only_query_form: answer the path form with 400 ``InvalidJobType``, as some clusters do.
    :param body: also send a JSON body, as on
        https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis.
    :param omit_location: leave ``Location`` out.
    :param job_id_header: send ``x-ms-job-id``.
    :param given: the keys that the request spelled out, so that an explicit null failure reason stays null.
    """

    id: str = ""
    item_id: str | None = None
    item_name: str | None = None
    item_type: str | None = None
    job_type: str | None = None
    count: int | None = None
    duration_seconds: float | list[float] | None = None
    outcome: str | None = None
    failure_reason: Any = None
    statuses: list[Any] | None = None
    visible_after_seconds: float = 0
    invisible_as: str = "404"
    dated_after_seconds: float = 0
    retry_after: float | None = None
    cancel_seconds: float | None = None
    activities: list[dict[str, Any]] | None = None
    failed_activities: dict[str, Any] | list[str] | None = None
    output: Any = None
    exit_value: str | None = None
    refuse: dict[str, Any] | None = None
    accept_only_query_form: bool = False
    body: bool = False
    omit_location: bool = False
    job_id_header: bool = False
    uses: int = field(default=0, compare=False)
    given: frozenset[str] = frozenset()

    @classmethod
    def from_wire(cls, body: dict[str, Any], rule_id: str) -> JobRule:
        """Read a rule.

        :raises ServiceError: 400 for unknown keys or values of the wrong shape.
        """
        known = {entry.name for entry in fields(cls)} - {"id", "uses", "given"}
        unknown = sorted(set(body) - known)
        if unknown:
            raise invalid_input(f"Unknown keys of a job rule: {', '.join(unknown)}")
        rule = cls(id=rule_id, given=frozenset(body), **body)
        rule._check()
        return rule

    def _check(self) -> None:
        duration = self.duration_seconds
        bounds = duration if isinstance(duration, list) else [duration or 0]
        if len(bounds) not in (1, 2) or not all(isinstance(b, (int, float)) and b >= 0 for b in bounds):
            raise invalid_input("duration_seconds must be a number or a list [least, most]")
        if self.invisible_as not in ("404", "NotFound", "RequestExecutionFailed"):
            raise invalid_input("invisible_as must be 404, NotFound or RequestExecutionFailed")
        for step in self.statuses or []:
            if not (isinstance(step, (list, tuple)) and len(step) == 2 and isinstance(step[1], str)):
                raise invalid_input("statuses must hold pairs of a fraction and a status")
        failed = self.failed_activities
        if failed is not None and not (
            isinstance(failed, (dict, list)) and all(isinstance(name, str) for name in failed)
        ):
            raise invalid_input("failed_activities must be a list of names, or an object of names and reasons")
        if not isinstance(self.exit_value, (str, type(None))):
            raise invalid_input("exit_value must be a string: that is what a notebook exits with")
        if self.refuse is not None and not isinstance(self.refuse.get("status"), int):
            raise invalid_input("refuse needs a status")

    def failed_activity(self, name: str) -> dict[str, Any] | None:
        """Return the reason for which an activity fails; ``None`` if it does not."""
        failed = self.failed_activities
        if failed is None or name not in failed:
            return None
        reason = failed.get(name) if isinstance(failed, dict) else None
        if isinstance(reason, dict):
            return reason
        return {"errorCode": "2200", "message": str(reason or f"Activity {name} failed")}

    def failed_activities_reason(self) -> dict[str, Any]:
        """Return the failure reason of a run whose activities fail, as the service words it."""
        name = next(iter(self.failed_activities or []), "")
        reason = self.failed_activity(name) or {}
        message = f"Operation on target {name} failed: {reason.get('message', '')}"
        return {"errorCode": str(reason.get("errorCode", "2200")), "message": message}

    def matches(self, item_id: str, item_type: str, job_type: str, item_name: str = "") -> bool:
        """Say whether the rule is for such a run and not used up."""
        if self.count is not None and self.uses >= self.count:
            return False
        return (
            self.item_id in (None, item_id)
            and self.item_name in (None, item_name)
            and self.item_type in (None, item_type)
            and (self.job_type is None or self.job_type.lower() == job_type.lower())
        )

    def refusal(self, config: Config) -> ServiceError | None:
        """Return the error this rule answers run requests with."""
        if self.refuse is None:
            return None
        retry_after = self.refuse.get("retry_after")
        return ServiceError(
            self.refuse["status"],
            self.refuse.get("error_code", "InsufficientPrivileges"),
            self.refuse.get("message", "The run was refused"),
            retry_after=None if retry_after is None else config.retry_after(retry_after),
        )

    def to_wire(self) -> dict[str, Any]:
        """Return the rule with its number of uses."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "given"}


class JobRules:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[JobRule] = []

    def add(self, body: dict[str, Any]) -> JobRule:
        """Add a rule."""
        rule = JobRule.from_wire(body, f"rule-{len(self._rules) + 1}")
        self._rules.append(rule)
        return rule

    def find(self, item_id: str, item_type: str, names: tuple[str, ...], item_name: str = "") -> JobRule | None:
        """Return the rule for a run, by any of the ``names`` of its job type, without counting the use."""
        for rule in reversed(self._rules):
            if any(rule.matches(item_id, item_type, name, item_name) for name in names):
                return rule
        return None

    def all(self) -> list[JobRule]:
        """Return every rule, the oldest first."""
        return list(self._rules)


def plan(rule: JobRule | None, config: Config, now: float, outcome: str, number: int) -> Timeline:
    """Return the statuses of a run that starts now.

    :param outcome: the last status.
    :param number: number of the instance; with the seed it decides the spread of durations.
    """
    duration = config.scaled(_duration(rule, config, number))
    statuses = DEFAULT_STATUSES if rule is None or rule.statuses is None else rule.statuses
    steps = [(now + float(fraction) * duration, str(status)) for fraction, status in statuses]
    steps.append((now + duration, outcome))
    return tuple(sorted(steps, key=lambda step: step[0]))


def _duration(rule: JobRule | None, config: Config, number: int) -> float:
    wanted = None if rule is None else rule.duration_seconds
    if wanted is None:
        return config.job_seconds
    if isinstance(wanted, list):
        share = zlib.crc32(f"{config.seed}:{number}".encode()) / 0xFFFFFFFF
        return float(wanted[0]) + share * float(wanted[-1] - wanted[0])
    return wanted
