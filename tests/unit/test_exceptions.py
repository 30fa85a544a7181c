"""The tree of errors: as drawn, picklable, and without secrets."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from airflow_provider_fabric import exceptions
from airflow_provider_fabric.exceptions import (
    STATUS_ERRORS,
    FabricAmbiguousError,
    FabricApiError,
    FabricAuthError,
    FabricError,
    FabricInputError,
    FabricJobError,
    FabricJobFailed,
    FabricOperationError,
    FabricTransportError,
)

CLASSES = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__ == exceptions.__name__
]


def drawn() -> dict[str, str | None]:
    """Return class → base, as the module's docstring draws them."""
    bases: dict[str, str | None] = {}
    above: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        match = re.fullmatch(r"    ([│├└─ ]*)(Fabric\w+)(?: .*)?", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            bases[match[2]] = above[depth - 1] if depth else None
    return bases


def test_the_tree_is_as_drawn() -> None:
    tree = drawn()
    assert set(tree) == {kind.__name__ for kind in CLASSES}
    for kind in CLASSES:
        base = kind.__bases__[0]
        assert tree[kind.__name__] == (None if base is Exception else base.__name__)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_documented_caught_by_the_base_and_crosses_processes(kind: type[FabricError]) -> None:
    assert kind.__doc__
    error = kind("it broke")
    assert isinstance(error, FabricError)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "it broke"
    assert again.__dict__ == error.__dict__


@pytest.mark.parametrize(
    "error",
    [
        FabricAuthError("x", error_code="AADSTS7000215", is_retriable=True, unreachable=True),
        FabricTransportError("x", permanent=True),
        FabricAmbiguousError("x", waited=5.0, accepted=True, must_not_repeat=True),
        FabricApiError(
            "x",
            status_code=429,
            error_code="A",
            request_id="r",
            is_retriable=True,
            more_details=[{"errorCode": "B"}],
            retry_after=7.0,
        ),
        FabricOperationError("x", operation_id="o", error_code="A", request_id="r", is_retriable=True, goes_on=True),
        FabricJobFailed("x", job={"job_instance_id": "j", "failure_reason": {"errorCode": "A"}}, run_url="u"),
    ],
)
def test_its_fields_cross_processes(error: FabricError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert again.__dict__ == error.__dict__
    assert all(value for value in again.__dict__.values())


def test_a_wrong_argument_is_a_value_error() -> None:
    assert issubclass(FabricInputError, ValueError)


def test_a_job_error_knows_its_run() -> None:
    job = {"job_instance_id": "j", "failure_reason": {"errorCode": "A"}}
    error = FabricJobError("x", job=job, run_url="u")
    assert (error.job_instance_id, error.failure_reason, error.run_url) == ("j", {"errorCode": "A"}, "u")
    job["job_instance_id"] = "other"
    assert error.job_instance_id == "j"
    empty = FabricJobError("x")
    assert (empty.job, empty.job_instance_id, empty.failure_reason) == ({}, None, None)


def test_every_kind_of_refusal_has_its_status() -> None:
    by_status = {kind for kind in CLASSES if issubclass(kind, FabricApiError)} - {FabricApiError}
    assert set(STATUS_ERRORS.values()) | {exceptions.FabricServerError} == by_status
    for status, kind in STATUS_ERRORS.items():
        assert (kind.__doc__ or "").startswith(f"{status}:")
