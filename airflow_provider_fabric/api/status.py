"""The service's vocabularies, each once, each ready for words it does not know yet.

Job statuses: https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/get-item-job-instance#status
("additional statuses may be added over time"). Operation statuses:
https://learn.microsoft.com/rest/api/fabric/core/long-running-operations/get-operation-state
"""

from __future__ import annotations

import logging
from enum import Enum

log = logging.getLogger(__name__)
_reported: set[str] = set()


class JobStatus(str, Enum):
    """State of a job instance. A word we do not know is :attr:`UNKNOWN`, which is *not terminal*."""

    NOT_STARTED = "NotStarted"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    DEDUPED = "Deduped"
    UNKNOWN = "Unknown"

    @classmethod
    def from_wire(cls, word: object) -> JobStatus:
        """Return the member for a word of the service, in any case; say once that a word is new."""
        for member in cls:
            if isinstance(word, str) and member.value.casefold() == word.casefold():
                return member
        if repr(word) not in _reported:
            _reported.add(repr(word))
            log.warning("Fabric reports the job status %r, which this version does not know: still running.", word)
        return cls.UNKNOWN

    @property
    def is_terminal(self) -> bool:
        """Whether the run is over."""
        return self in _TERMINAL


_TERMINAL = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DEDUPED}


class OperationStatus(str, Enum):
    """State of a long-running operation. ``Undefined`` and unknown words are not terminal."""

    UNDEFINED = "Undefined"
    NOT_STARTED = "NotStarted"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @classmethod
    def from_wire(cls, word: object) -> OperationStatus:
        """Return the member for a word of the service, in any case."""
        for member in cls:
            if isinstance(word, str) and member.value.casefold() == word.casefold():
                return member
        return cls.UNDEFINED

    @property
    def is_terminal(self) -> bool:
        """Whether the operation is over."""
        return self in {OperationStatus.SUCCEEDED, OperationStatus.FAILED}
