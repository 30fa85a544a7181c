"""Kinds of jobs: what to send for each kind of item, and which words mean the same.

The API reference of each item names the first; the aliases are those that Microsoft's articles, other clients and the
service itself use: a copy job is run with ``Execute`` and read back as ``CopyJob``.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Kind of item → job type that runs it.
RUN_JOB_TYPES: Mapping[str, str] = {
    "Dataflow": "Execute",
    "DataPipeline": "Execute",
    "CopyJob": "Execute",
    "Notebook": "RunNotebook",
    "SparkJobDefinition": "sparkjob",
    "DataBuildToolJob": "Execute",
}

PUBLISH_DATAFLOW = "ApplyChanges"
REFRESH_SEMANTIC_MODEL = "Refresh"
"""Not a job of the scheduler: the Power BI API's word."""

_CANONICAL: Mapping[str, str] = {
    "execute": "run",
    "refresh": "run",
    "pipeline": "run",
    "copyjob": "run",
    "runnotebook": "run",
    "sparkjob": "run",
    "defaultjob": "run",
    "applychanges": "publish",
    "publish": "publish",
}


def same_job_type(one: str, other: str) -> bool:
    """Whether two words name the same kind of job of one item."""
    return _canonical(one) == _canonical(other)


def _canonical(word: str) -> str:
    return _CANONICAL.get(word.casefold(), word.casefold())
