"""Publishing a dataflow: which revision of its definition a run uses.

A run uses the revision that was published last; with ``ApplyChangesIfNeeded`` it publishes first. A dataflow that
never was published fails its run with ``DataflowNeverPublishedError``
(https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis; what users report in fabric-cicd #420).
"""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.emulator.state.items import Item

PUBLISH_JOBS = frozenset({"ApplyChanges", "Publish"})
NEVER_PUBLISHED = {
    "errorCode": "DataflowNeverPublishedError",
    "message": "The dataflow was never published. Publish it before it is refreshed.",
}


def published_revision(item: Item, now: float) -> int:
    """Return the revision that a run starting at ``now`` would use; 0 is none."""
    waiting = []
    for job, revision in item.publishing:
        if not job.is_over(now):
            waiting.append((job, revision))
        elif job.status(now) == "Completed":
            item.published_revision = max(item.published_revision, revision)
    item.publishing = waiting
    return item.published_revision


def publishes(job_type: str, data: dict[str, Any]) -> bool:
    """Say whether such a job publishes the dataflow when it completes."""
    return job_type in PUBLISH_JOBS or data.get("executeOption") == "ApplyChangesIfNeeded"
