"""Which errors are worth another try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_fabric.api.http.permanent import is_permanent, retry_after
from airflow_provider_fabric.compat import RetryPolicy
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricAuthError,
    FabricBadRequestError,
    FabricCapacityError,
    FabricConflictError,
    FabricConnectionError,
    FabricError,
    FabricInputError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricJobTimeout,
    FabricNameError,
    FabricNotFoundError,
    FabricOperationError,
    FabricPermissionError,
    FabricProtocolError,
    FabricServerError,
    FabricThrottledError,
    FabricTransportError,
    FabricUnauthorizedError,
)
from airflow_provider_fabric.retry_policies import FabricRetryPolicy, fabric_retry_policy


def failed(code: str | None) -> FabricJobFailed:
    return FabricJobFailed("failed", job={"failure_reason": {"errorCode": code} if code else None})


PERMANENT = [
    FabricInputError("x"),
    FabricConnectionError("x"),
    FabricNameError("x"),
    FabricAuthError("x"),
    FabricBadRequestError("x", status_code=400, error_code="InvalidInput"),
    FabricPermissionError("x", status_code=403),
    FabricNotFoundError("x", status_code=404),
    FabricConflictError("x", status_code=409, error_code="ItemDisplayNameAlreadyInUse"),
    failed("DataflowNeverPublishedError"),
    failed("SPNBasedRefreshNotAllowed"),
    FabricJobFailed("x", job={"failure_reason": {"moreDetails": [{"errorCode": "PrincipalTypeNotSupported"}]}}),
    FabricOperationError("x", is_retriable=False),
    FabricOperationError("x", error_code="FeatureNotAvailable"),
]
PASSING = [
    FabricError("x"),
    FabricAuthError("x", is_retriable=True),
    FabricAuthError("x", unreachable=True),
    FabricTransportError("x"),
    FabricTransportError("x", permanent=True),
    FabricProtocolError("x"),
    FabricAmbiguousError("x"),
    FabricOperationError("x"),
    FabricOperationError("x", error_code="FeatureNotAvailable", is_retriable=True),
    FabricUnauthorizedError("x", status_code=401),
    FabricBadRequestError("x", status_code=408),
    FabricBadRequestError("x", status_code=400, is_retriable=True),
    FabricBadRequestError("x", status_code=400, error_code="ItemDisplayNameNotAvailableYet"),
    FabricBadRequestError("x", status_code=400, error_code="RefreshInProgressException"),
    FabricThrottledError("x", status_code=429),
    FabricCapacityError("x", status_code=430),
    FabricServerError("x", status_code=503),
    FabricConflictError("x", status_code=409, error_code="Busy"),
    FabricPermissionError("x", status_code=403, error_code="CapacityNotActive"),
    FabricNotFoundError("x", status_code=404, is_retriable=True),
    failed(None),
    failed("2200"),
    FabricJobFailed("x", job={"failure_reason": {"errorCode": "FeatureNotAvailable", "isRetriable": True}}),
    FabricJobFailed("x", job={"failure_reason": "an old client's text"}),
    FabricJobTimeout("x"),
    FabricJobCancelled("x"),
    FabricJobAlreadyRunning("x"),
    FabricJobMayBeRunning("x"),
    ValueError("not ours"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("error", PERMANENT, ids=repr)
def test_what_repeating_cannot_mend(error: BaseException):
    assert is_permanent(error)


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass(error: BaseException):
    assert not is_permanent(error)


def test_how_long_to_wait_may_be_in_the_cause():
    throttled = FabricThrottledError("x", status_code=429, retry_after=40.0)
    assert retry_after(throttled) == 40.0
    wrapped = FabricAmbiguousError("y")
    wrapped.__cause__ = throttled
    assert retry_after(wrapped) == 40.0
    assert retry_after(FabricError("z")) is None


@pytest.mark.skipif(RetryPolicy is None, reason="retry policies came with Airflow 3.3")
class TestPolicy:
    @staticmethod
    def decide(error: BaseException) -> Any:
        return fabric_retry_policy().evaluate(error, 1, 3)

    @pytest.mark.parametrize("error", PERMANENT, ids=repr)
    def test_permanent_errors_fail_at_once(self, error: BaseException):
        decision = self.decide(error)
        assert decision.action.value == "fail"
        assert decision.reason == f"Not retryable: {type(error).__name__}."

    @pytest.mark.parametrize("error", PASSING, ids=repr)
    def test_the_rest_follows_the_task(self, error: BaseException):
        assert self.decide(error).action.value == "default"

    @pytest.mark.parametrize("kind", [FabricThrottledError, FabricCapacityError])
    def test_throttling_waits_as_told(self, kind: Any):
        decision = self.decide(kind("x", status_code=429, retry_after=75.0))
        assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(seconds=75))
        assert decision.reason == "The service asked to wait 75 s."

    def test_any_operator_takes_it(self):
        from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

        policy = fabric_retry_policy()
        operator = FabricRunPipelineOperator(task_id="t", workspace="w", pipeline="p", retries=2, retry_policy=policy)
        assert operator.retry_policy is policy
        assert operator.has_retry_policy

    def test_it_survives_serialisation(self):
        assert isinstance(FabricRetryPolicy.deserialize(fabric_retry_policy().serialize()), FabricRetryPolicy)


@pytest.mark.skipif(RetryPolicy is not None, reason="this Airflow has retry policies")
def test_an_older_airflow_says_so():
    with pytest.raises(FabricInputError, match=r"needs Airflow 3\.3 or newer"):
        fabric_retry_policy()
