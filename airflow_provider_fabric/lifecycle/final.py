"""Errors after which Airflow must not try again by itself, though the task has retries left."""

from __future__ import annotations

from airflow_provider_fabric import exceptions
from airflow_provider_fabric.compat import AirflowFailException


class FabricJobMayBeRunning(exceptions.FabricJobMayBeRunning, AirflowFailException):  # type: ignore[misc]
    """The same error; the task stays failed until a person clears it: another attempt could start a second run."""
