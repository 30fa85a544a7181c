"""Kinds of jobs: what to send for each kind of item, and which names mean the same.

The API reference of each item names the first; the aliases are those that Microsoft's articles, other clients and the
service itself use: a copy job is run with ``Execute`` and read back as ``CopyJob``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

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
"""Not a job of the scheduler: the Power BI API's name for it."""

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
    "tablemaintenance": "maintenance",
    "refreshmaterializedlakeviews": "views",
}

_ANY_JOB = "defaultjob"
"""What the API reference's own examples call a job, whatever it was run with."""


SubmitForm = Literal["auto", "path", "query"]
"""Which address starts a job: ``…/jobs/{jobType}/instances`` (path), the older ``…/jobs/instances?jobType=`` (query),
or the newer one first and the older one where the service does not know the newer (auto)."""

OnUnclearSubmit = Literal["adopt", "fail"]
"""What to do when the answer to a submit was lost."""

_NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "run": (
        ("Execute", "dataflows, pipelines, copy jobs and dbt jobs"),
        ("Refresh", "dataflows and pipelines, in Microsoft's older articles"),
        ("Pipeline", "pipelines"),
        ("CopyJob", "copy jobs"),
        ("RunNotebook", "notebooks"),
        ("sparkjob", "Spark job definitions"),
    ),
    "publish": (("ApplyChanges", "dataflows"), ("Publish", "dataflows, in Microsoft's older articles")),
}
"""Kind of job → its names, and where each is used."""


def job_type_remedy(job_type: str) -> str:
    """Return what to do when the service does not know a job type: the other names of that job.

    :param job_type: the one that was refused.
    """
    names = [(name, of) for name, of in _NAMES.get(_canonical(job_type), ()) if name.casefold() != job_type.casefold()]
    if not names:
        return ""
    return f"Other names of the job {job_type!r}: {'; '.join(f'{name} ({of})' for name, of in names)}. Set job_type."


def same_job_type(one: str, other: str) -> bool:
    """Whether two names mean the same kind of job of one item."""
    return _canonical(one) == _canonical(other)


def may_be_same_job_type(listed: str, asked: str) -> bool:
    """Whether a run may be of a job, though the service lists it under another name.

    A copy job is run with ``Execute`` and listed as ``CopyJob``; how others are listed is not documented for every kind
    of item. Only names that are both known, and mean different jobs, tell two jobs apart.

    :param listed: what the service calls the run's job.
    :param asked: what the job is asked for with.
    """
    known = {listed.casefold(), asked.casefold()} <= _CANONICAL.keys()
    return same_job_type(listed, asked) or not known or _ANY_JOB in (listed.casefold(), asked.casefold())


def _canonical(name: str) -> str:
    return _CANONICAL.get(name.casefold(), name.casefold())
