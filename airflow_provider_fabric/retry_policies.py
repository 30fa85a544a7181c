"""A retry policy for Airflow ≥ 3.3 that knows which Fabric errors are worth another attempt.

::

    FabricRunPipelineOperator(..., retries=3, retry_policy=fabric_retry_policy())
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.http.permanent import is_permanent, retry_after
from airflow_provider_fabric.compat import RetryDecision, RetryPolicy
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricError, FabricInputError

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context

_Base: Any = RetryPolicy or object


class FabricRetryPolicy(_Base):  # type: ignore[misc]
    """Decide about a task's next attempt by the Fabric error that ended this one.

    ==================================================  =======================================
    the error                                           the task
    ==================================================  =======================================
    final: a wrong argument, missing rights, an         fails at once, attempts left or not
    unpublished dataflow, …
    a call that may have been carried out and must      fails at once, attempts left or not
    not be repeated (user data functions)
    the service said when to come back (429, 430)       is retried then, if attempts are left
    anything else, of Fabric or not                     goes by its own ``retries`` and delay
    ==================================================  =======================================
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> Any:
        """Return Airflow's ``RetryDecision`` for an exception.

        :param exception: what ended the attempt.
        :param try_number: of the attempt, from 1; not considered.
        :param max_tries: of the task; not considered: Airflow counts.
        :param context: the task's; not considered.
        """
        if not isinstance(exception, FabricError):
            return RetryDecision.default()
        if isinstance(exception, FabricAmbiguousError) and exception.must_not_repeat:
            return RetryDecision.fail(reason="The call may have been carried out, and must not be repeated.")
        if is_permanent(exception):
            return RetryDecision.fail(reason=f"Not retryable: {type(exception).__name__}.")
        seconds = retry_after(exception)
        if seconds is not None:
            return RetryDecision.retry(
                delay=timedelta(seconds=seconds), reason=f"The service asked to wait {seconds:.0f} s."
            )
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return what a DAG's serialised form needs; there is nothing to configure."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FabricRetryPolicy:
        """Read :meth:`serialize`'s form."""
        return cls()


def fabric_retry_policy() -> FabricRetryPolicy:
    """Return the policy, for the ``retry_policy`` of any operator.

    :raises FabricInputError: this Airflow is older than 3.3, which brought retry policies.
    """
    if RetryPolicy is None:
        raise FabricInputError("fabric_retry_policy() needs Airflow 3.3 or newer. Leave retry_policy out.")
    return FabricRetryPolicy()
