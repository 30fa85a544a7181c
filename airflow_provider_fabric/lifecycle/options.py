"""What a job operator is to do in which case, the check of these arguments, and the deadline of the wait."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import inf
from typing import Any, Literal, get_args

from airflow_provider_fabric.api.jobs.job_types import OnUnclearSubmit, SubmitForm
from airflow_provider_fabric.arguments import as_text
from airflow_provider_fabric.exceptions import FabricInputError

IfRunning = Literal["submit", "attach", "skip", "fail"]
OnDeduped = Literal["fail", "skip", "attach"]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "if_running": get_args(IfRunning),
    "on_deduped": get_args(OnDeduped),
    "on_unclear_submit": get_args(OnUnclearSubmit),
    "submit_form": get_args(SubmitForm),
}

SPAN = re.compile(r"\d+:([01]?\d|2[0-3]):[0-5]?\d:[0-5]?\d")

EXECUTION_TIMEOUT_MARGIN = 60.0
"""Seconds, or a fifth, before ``execution_timeout`` at which the wait ends, so that the run can still be cancelled.

A busy scheduler takes a while to resume a deferred task, and Airflow ends one that resumes too late without a word.
"""


def check_policies(operator: Any) -> None:
    """Check the arguments that all job operators share, before anything is sent.

    :raises FabricInputError: a choice does not exist, or a time is no positive number.
    """
    for name, allowed in CHOICES.items():
        if getattr(operator, name) not in allowed:
            raise FabricInputError(f"{name} must be one of {', '.join(allowed)}, got {getattr(operator, name)!r}.")
    positive_seconds(operator.check_interval, "check_interval")
    if operator.timeout is not None:
        positive_seconds(operator.timeout, "timeout")


def positive_seconds(value: Any, name: str) -> float:
    """Return a number of seconds.

    :param value: a number, positive and finite.
    :param name: the argument, for the error.
    :raises FabricInputError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise FabricInputError(f"{name} must be a positive, finite number of seconds, got {value!r}.")
    return float(value)


def time_span(value: timedelta | str | None, name: str) -> str | None:
    """Return the service's form of a time span: days, hours, minutes, seconds, as ``d:hh:mm:ss``.

    :param name: the argument, for the error.
    :raises FabricInputError: it is no such text, or negative, or no whole number of seconds.
    """
    if value is None:
        return None
    if not isinstance(value, timedelta):
        text = as_text(value, name).strip()
        if SPAN.fullmatch(text) is None:
            raise FabricInputError(f"{name} must be d:hh:mm:ss, such as 7:00:00:00, got {text[:40]!r}.")
        return text
    if value < timedelta(0) or value.microseconds:
        raise FabricInputError(f"{name} must not be negative, and whole seconds, got {value}.")
    minutes, seconds = divmod(value.seconds, 60)
    return f"{value.days}:{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def deadline(operator: Any, started: datetime, age: float = 0.0) -> float | None:
    """Return until when an operator waits for its run, in epoch seconds, or ``None``.

    :param started: start of the attempt, from which Airflow counts ``execution_timeout``.
    :param age: seconds since the run was asked for: ``timeout`` is one clock over all attempts that wait for it.
    """
    limits = [] if operator.timeout is None else [time.time() - age + float(operator.timeout)]
    if operator.execution_timeout is not None:
        total = float(operator.execution_timeout.total_seconds())
        limits.append(started.timestamp() + total - min(EXECUTION_TIMEOUT_MARGIN, total / 5))
    return min(limits, default=None)


def cancel_patience(operator: Any, started: datetime, patience: float) -> float:
    """Return for how many seconds a cancel may be repeated before Airflow ends the task.

    :param started: start of the attempt.
    :param patience: seconds, where Airflow sets no end.
    """
    if operator.execution_timeout is None:
        return patience
    ends = started.timestamp() + float(operator.execution_timeout.total_seconds())
    return min(patience, max(ends - time.time() - 5.0, 1.0))
