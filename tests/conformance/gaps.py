"""Routes that Microsoft's OpenAPI files lack: what they are, and why we have them all the same.

Where a documented operation does the same under another address, the exchange is compared with that one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tests.conformance.recorder import Exchange
from tests.conformance.specs import Operation, Specs


@dataclass(frozen=True)
class Gap:
    """Some routes without a description.

    :param pattern: of ``METHOD /path``.
    :param reason: why we have them.
    :param like: what takes the place of ``pattern`` in the name of the documented operation that does the same.
    """

    pattern: str
    reason: str
    like: str | None = None

    def covers(self, name: str) -> bool:
        """Whether a route is one of these."""
        return re.fullmatch(self.pattern, name, re.IGNORECASE) is not None

    def documented_as(self, name: str) -> str | None:
        """Return ``METHOD /path`` of what does the same, ``None`` if nothing does."""
        return None if self.like is None else re.sub(self.pattern, self.like, name, flags=re.IGNORECASE)


ITEM = r"(/v1/workspaces/[^/]+)/(?!items/)[A-Za-z]+(/[^/]+)"
GAPS = (
    Gap(
        r"POST (/v1/workspaces/[^/]+/items/[^/]+/jobs)/instances",
        "The older form of starting a job, ?jobType=…: the platform file says in words that it is still supported, "
        "and all four articles use it.",
        like=r"POST \1/Execute/instances",
    ),
    Gap(
        rf"POST {ITEM}/jobs/instances",
        "The older form under a typed collection: what holds for /items.",
        like=r"POST \1/items\2/jobs/Execute/instances",
    ),
    Gap(
        rf"(GET|POST) {ITEM}(/jobs/instances(?:/[^/]+(?:/cancel)?)?)",
        "The copy-job article reads and cancels instances under /copyJobs; the files describe them under /items.",
        like=r"\1 \2/items\3\4",
    ),
    Gap(
        rf"GET {ITEM}/jobs/[^/]+(/instances(?:/[^/]+)?)",
        "Only the data-pipeline file reads instances by job type; the other collections answer as under /items.",
        like=r"GET \1/items\2/jobs\3",
    ),
    Gap(
        rf"(GET|POST|PATCH|DELETE) {ITEM}(/jobs/[^/]+/(?:schedules(?:/[^/]+)?|instances))",
        "The files describe some job types under their typed collection; the others answer as under /items.",
        like=r"\1 \2/items\3\4",
    ),
    Gap(
        r"GET /v1/workspaces/[^/]+/(kqlDatabases|eventhouses)(/[^/]+)?",
        "Their properties (queryServiceUri) are in files of their own, which we do not have.",
    ),
    Gap(
        r"POST /v1/workspaces/[^/]+/mirroredDatabases/[^/]+/"
        r"((start|stop)Mirroring|get(Tables)?MirroringStatus)",
        "Mirrored databases have a file of their own, which we do not have; Learn prints these four calls.",
    ),
    Gap(
        r"(GET|POST|PATCH|DELETE) (/v1/workspaces/[^/]+)/[A-Za-z]+((?:/[^/]+(?:/(?:get|update)Definition)?)?)",
        "Collections of item types whose own files we do not have: what holds for data pipelines.",
        like=r"\1 \2/dataPipelines\3",
    ),
    Gap(
        r"POST /v1/workspaces/[^/]+/datapipelines/pipelineruns/[^/]+/queryactivityruns",
        "Described by the pipeline article (2024-10) only.",
    ),
    Gap(r".* /v1\.0/myorg/.*", "The Power BI API, which refreshes semantic models, has files of its own."),
    Gap(r".* /onelake/.*", "OneLake's DFS and Blob endpoints, which are Azure Storage's APIs."),
    Gap(r".* /arm/.*", "Azure Resource Manager, which resumes and suspends capacities, has files of its own."),
    Gap(r".*/(oauth2|discovery|\.well-known|metadata|msi)/.*", "Sign-in: Entra and managed identities, not Fabric."),
    Gap(
        r"POST /v1/workspaces/[^/]+/userDataFunctions/[^/]+/functions/[^/]+/invoke",
        "Invoking a user data function, as Microsoft's own Airflow provider does; the files describe the item only.",
    ),
)


def gap_of(name: str) -> Gap | None:
    """Return why ``METHOD /path`` is not in the files, ``None`` if nobody has said so."""
    return next((gap for gap in GAPS if gap.covers(name)), None)


def as_documented(specs: Specs, exchange: Exchange) -> tuple[Operation, Exchange] | None:
    """Return the operation to compare an exchange with, and the exchange as if it had gone there.

    :returns: ``None`` if there is a reason for having none.
    :raises AssertionError: it is neither documented nor explained.
    """
    operation = specs.find(exchange.method, exchange.path)
    if operation is not None:
        return operation, exchange
    name = f"{exchange.method} {exchange.path}"
    gap = gap_of(name)
    if gap is None:
        assert exchange.status in (404, 405), f"{name} is neither documented nor explained in gaps.py"
        return None
    same = gap.documented_as(name)
    if same is None:
        return None
    method, _, path = same.partition(" ")
    operation = specs.find(method, path)
    assert operation is not None, f"{name} shall be like {same}, which is not documented"
    query = "&".join(part for part in exchange.query.split("&") if not part.startswith("jobType="))
    return operation, replace(exchange, path=path, query=query)
