"""The documented examples that belong to an operation we have, and what of them we leave out, with the reason."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_fabric.api.items.items import COLLECTIONS
from tests.conformance.specs import Example, Specs

TYPES = {collection.lower(): item_type for item_type, collection in COLLECTIONS.items()}
ROOT = "/v1/workspaces/{workspaceId}"
PLACES = re.compile(
    r"(?P<root>/v1/workspaces/\{workspaceId\})/(?P<collection>\w+)(?:/(?P<id>\{\w+\})(?P<rest>.*))?", re.IGNORECASE
)

#: ``METHOD /path`` with ``*`` for the collection, ``{itemId}`` for its items, ``{jobType}`` for a job type.
OURS = (
    "GET /v1/workspaces",
    "GET /v1/capacities",
    "GET /v1/operations/{operationId}",
    "GET /v1/operations/{operationId}/result",
    f"GET {ROOT}/*",
    f"POST {ROOT}/*",
    f"GET {ROOT}/*/{{itemId}}",
    f"PATCH {ROOT}/*/{{itemId}}",
    f"DELETE {ROOT}/*/{{itemId}}",
    f"POST {ROOT}/*/{{itemId}}/getDefinition",
    f"POST {ROOT}/*/{{itemId}}/updateDefinition",
    f"POST {ROOT}/*/{{itemId}}/resetCopyJob",
    f"POST {ROOT}/*/{{itemId}}/jobs/{{jobType}}/instances",
    f"GET {ROOT}/*/{{itemId}}/jobs/{{jobType}}/instances",
    f"GET {ROOT}/*/{{itemId}}/jobs/{{jobType}}/instances/{{jobInstanceId}}",
    f"GET {ROOT}/*/{{itemId}}/jobs/instances",
    f"GET {ROOT}/*/{{itemId}}/jobs/instances/{{jobInstanceId}}",
    f"POST {ROOT}/*/{{itemId}}/jobs/instances/{{jobInstanceId}}/cancel",
    f"GET {ROOT}/*/{{itemId}}/jobs/{{jobType}}/schedules",
    f"POST {ROOT}/*/{{itemId}}/jobs/{{jobType}}/schedules",
    f"GET {ROOT}/*/{{itemId}}/jobs/{{jobType}}/schedules/{{scheduleId}}",
    f"PATCH {ROOT}/*/{{itemId}}/jobs/{{jobType}}/schedules/{{scheduleId}}",
    f"DELETE {ROOT}/*/{{itemId}}/jobs/{{jobType}}/schedules/{{scheduleId}}",
)

#: Parameters of requests that our flows never send: the answer is read all the same.
NOT_SENT: Mapping[str, str] = {
    "sensitivityLabelSettings": "labels are left to the workspace's policy",
    "recursive": "we list whole workspaces, and look for names ourselves",
    "rootFolderId": "we list whole workspaces, and look for names ourselves",
    "include": "nobody needs an item's default identity here",
    "roles": "we list all workspaces the identity sees",
    "preferWorkspaceSpecificEndpoints": "the host is the connection's",
    "format": "each kind we define has one format",
    "beta": "a preview's switch, which the generic route does not have",
}


@dataclass(frozen=True)
class OurExample:
    """A documented example of an operation we have.

    :param kind: the entry of :data:`OURS`.
    :param collection: ``items``, or the typed collection; empty without any.
    :param item_type: what the typed collection stands for.
    :param job_type: the job type in the path, or the documented parameter.
    """

    example: Example
    kind: str
    collection: str
    item_type: str | None
    job_type: str | None

    @property
    def id(self) -> str:
        """Name of the example, as tests show it."""
        return f"{self.example.operation.file.split('/')[0]}/{self.example.name}"

    def parameter(self, name: str) -> str:
        """Return a documented path parameter; ``itemId`` whatever it is called in this file."""
        if name == "itemId":
            name = re.findall(r"\{(\w+)\}", self.example.operation.template)[1]
        return str(self.example.parameters[name])

    @property
    def not_sent(self) -> list[str]:
        """What the documented request has and ours never has."""
        body = self.example.body if isinstance(self.example.body, dict) else {}
        definition = body.get("definition", {})
        return [name for name in NOT_SENT if name in self.example.query or name in body or name in definition]


def our_examples(specs: Specs) -> Iterator[OurExample]:
    """Yield every example of the operations we have."""
    for operation in specs.operations:
        ours = _ours(operation.method, operation.template)
        for example in map(without_stand_ins, specs.examples(operation) if ours else ()):
            kind, collection, job_type = ours or ("", "", None)
            word = job_type or example.parameters.get("jobType")
            yield OurExample(example, kind, collection, TYPES.get(collection.lower()), word)


def _ours(method: str, template: str) -> tuple[str, str, str | None] | None:
    """Return (entry of :data:`OURS`, collection, literal job type) of an operation, ``None`` if we do not have it."""
    match = PLACES.fullmatch(template)
    collection, job_type, name = "", None, f"{method} {template}"
    if match:
        collection, rest = match["collection"], match["rest"] or ""
        if collection != "items" and collection.lower() not in TYPES:
            return None
        job = re.fullmatch(r"/jobs/(?!instances)([^{/]+)(/.*)", rest)
        if job:
            job_type, rest = job[1], f"/jobs/{{jobType}}{job[2]}"
        name = f"{method} {match['root']}/*" + (f"/{{itemId}}{rest}" if match["id"] else "")
    return (name, collection, job_type) if name in OURS else None


def without_stand_ins(example: Example) -> Example:
    """Return an example with contents where the file has words in their place, or lacks the padding."""
    parameters, responses = copy.deepcopy(dict(example.parameters)), copy.deepcopy(dict(example.responses))
    bodies = [*parameters.values(), *(answer.get("body") for answer in responses.values())]
    for body in bodies:
        definition = body.get("definition") if isinstance(body, dict) else None
        for part in definition["parts"] if definition else ():
            part["payload"] = _contents(part["path"], part["payload"])
    return replace(example, parameters=parameters, responses=responses)


def _contents(path: str, payload: str) -> str:
    try:
        content = base64.b64decode(payload, validate=True)
        if path.endswith((".json", ".ipynb")):
            json.loads(content)
    except ValueError:
        return base64.b64encode(json.dumps({"standInFor": path}).encode()).decode()
    return payload


def documented(example: Example, status: str) -> Any:
    """Return the body of a documented answer, ``None`` if it has none."""
    return example.responses[status].get("body")
