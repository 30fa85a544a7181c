"""An error that Airflow does not retry, whatever a task's ``retries`` say."""

from __future__ import annotations

from airflow_provider_fabric.compat import AirflowFailException
from airflow_provider_fabric.exceptions import FabricAmbiguousError


class FabricNotRetriedError(FabricAmbiguousError, AirflowFailException):  # type: ignore[misc]
    """A call may have been carried out, or was: another attempt of the task must not do it twice."""
