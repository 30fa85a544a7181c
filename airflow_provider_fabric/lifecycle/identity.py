"""Which job a task asks for: by this an attempt knows whether an earlier one's run is the run that it wants."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.exceptions import FabricInputError


@dataclass(frozen=True)
class JobIdentity:
    """A job, and what it is to run with.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_type: kind of job.
    :param arguments: stands for the parameters and all else that the submit sends: see :func:`fingerprint`.
    """

    workspace_id: str
    item_id: str
    job_type: str
    arguments: str

    @property
    def item(self) -> tuple[str, str, str]:
        """Workspace, item and job type."""
        return self.workspace_id, self.item_id, self.job_type

    def is_same_job(self, other: JobIdentity) -> bool:
        """Whether it is the same job of the same item, whatever it is to run with; a job may go by several names."""
        same_item = (self.workspace_id, self.item_id) == (other.workspace_id, other.item_id)
        return same_item and same_job_type(self.job_type, other.job_type)

    def is_same_run(self, other: JobIdentity) -> bool:
        """Whether it is the same job with the same arguments."""
        return self.is_same_job(other) and self.arguments == other.arguments

    def to_state(self) -> dict[str, str]:
        """Return plain values; none is a secret."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Any) -> JobIdentity:
        """Read :meth:`to_state`'s form, checked.

        :raises FabricInputError: it is something else.
        """
        try:
            read = cls(**state)
        except TypeError as error:
            raise FabricInputError(f"The record does not say which job was asked for: {error!r}.") from error
        if not all(isinstance(value, str) for value in asdict(read).values()):
            raise FabricInputError("The record does not say which job was asked for: a value is no text.")
        return read


def fingerprint(body: Mapping[str, Any] | None) -> str:
    """Return what stands for a submit's body where the body itself, which may hold a secret, must not be kept.

    :param body: the body as the task's arguments make it.
    """
    text = json.dumps(body or {}, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
