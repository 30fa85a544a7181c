"""Moments, as users and Airflow write them, in epoch seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_provider_fabric.exceptions import FabricInputError


def to_epoch(moment: Any, name: str) -> float:
    """Return epoch seconds.

    :param moment: a datetime, or ISO 8601 text; without an offset it is UTC.
    :param name: what to call it in the error.
    :raises FabricInputError: it is something else.
    """
    if isinstance(moment, str):
        text = moment.strip()
        try:
            moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text)
        except ValueError:
            raise FabricInputError(
                f"{name} must be a moment such as 2026-01-31T06:00:00Z, got {text[:80]!r}."
            ) from None
    if not isinstance(moment, datetime):
        raise FabricInputError(f"{name} must be a datetime or ISO 8601 text, got {type(moment).__name__}.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def dag_run_start(context: Mapping[str, Any]) -> float:
    """Return the moment that a DAG run is about, in epoch seconds.

    The beginning of its data interval; failing that (it was triggered, in Airflow 3) its logical date, or its start.
    """
    dag_run = context.get("dag_run")
    candidates = (
        context.get("data_interval_start"),
        context.get("logical_date"),
        getattr(dag_run, "run_after", None),
        getattr(dag_run, "start_date", None),
    )
    moment = next((c for c in candidates if isinstance(c, datetime)), None)
    return moment.timestamp() if moment is not None else time.time()
