"""Vocabularies that survive new words."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.status import JobStatus, OperationStatus

TERMINAL_JOBS = {"Completed", "Failed", "Cancelled", "Deduped"}
TERMINAL_OPERATIONS = {"Succeeded", "Failed"}


@pytest.mark.parametrize("member", JobStatus)
def test_which_job_statuses_are_terminal(member: JobStatus) -> None:
    for word in (member.value, member.value.upper(), member.value.lower()):
        assert JobStatus.from_wire(word) is member
    assert member.is_terminal is (member.value in TERMINAL_JOBS)


@pytest.mark.parametrize("member", OperationStatus)
def test_which_operation_statuses_are_terminal(member: OperationStatus) -> None:
    for word in (member.value, member.value.upper(), member.value.lower()):
        assert OperationStatus.from_wire(word) is member
    assert member.is_terminal is (member.value in TERMINAL_OPERATIONS)


def test_the_vocabularies_are_those_of_the_specification() -> None:
    assert {m.value for m in JobStatus} == TERMINAL_JOBS | {"NotStarted", "InProgress", "Unknown"}
    assert {m.value for m in OperationStatus} == TERMINAL_OPERATIONS | {"Undefined", "NotStarted", "Running"}


@given(st.text() | st.none() | st.integers())
def test_no_new_word_is_terminal(word: Any) -> None:
    known = isinstance(word, str) and word.casefold() in {w.casefold() for w in TERMINAL_JOBS | TERMINAL_OPERATIONS}
    if not known:
        assert not JobStatus.from_wire(word).is_terminal
        assert not OperationStatus.from_wire(word).is_terminal


def test_a_new_word_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    word = f"Word-{uuid4()}"
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert JobStatus.from_wire(word) is JobStatus.UNKNOWN
        JobStatus.from_wire("InProgress")
    assert [record.getMessage().count(word) for record in caplog.records] == [1]
