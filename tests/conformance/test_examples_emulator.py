"""(b) Documented examples, the emulator's side: it accepts every documented request, and answers as documented."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.http.transport import RequestsDriver
from airflow_provider_fabric.emulator import FabricEmulator
from devtools.docs.rest_operations import CONFIGURATION
from tests.conformance.figures import FIGURES
from tests.conformance.our_examples import ROOT, OurExample, our_examples
from tests.conformance.recorder import Exchange, Recorder, recorded_emulator
from tests.conformance.specs import specs_or_skip
from tests.conformance.tour import driver_for

SPECS = specs_or_skip("the documented requests are not sent to the emulator")
EXAMPLES = list(our_examples(SPECS))

#: What the platform file's examples leave open, by name: a kind of item that fits, and a job type that it has.
KINDS: Mapping[str, str] = {
    "RunOnDemandItemJob2": "Lakehouse",
    "RunOnDemandItemJob4": "Dataflow",
    "UpdateItemDefinition": "Report",
}
MADE_UP_JOB = "DefaultJob"
LONG = ("/getDefinition", "/updateDefinition", f"POST {ROOT}/*")
CASES = [
    pytest.param(ours, force_lro, id=f"{ours.id}-{'with-202' if force_lro else 'at-once'}")
    for ours in EXAMPLES
    for force_lro in ((False, True) if ours.kind.endswith(LONG) else (False,))
]
FIGURES.examples_accepted = {str(case.id): False for case in CASES}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FabricEmulator, Recorder]]:
    """An emulator that is recorded."""
    with recorded_emulator(lro_seconds=0, retry_after_seconds=0) as pair:
        yield pair


class Stage:
    """An emulator in which everything that an example names is there.

    :param emulator: whom to ask.
    :param ours: the example.
    """

    def __init__(self, emulator: FabricEmulator, ours: OurExample) -> None:
        self._emulator = emulator
        self._control = emulator.control
        self._ours = ours
        self._given = {name: str(value) for name, value in ours.example.parameters.items()}
        self._id_name = next((n for n in ours.example.operation.parameters("path") if n in self._item_names()), None)
        self.driver: RequestsDriver = driver_for(emulator)

    def _item_names(self) -> list[str]:
        template = self._ours.example.operation.template
        return [part[1:-1] for part in template.split("/")[5:6] if part.startswith("{")]

    def set(self, *, force_lro: bool) -> None:
        """Put everything in its place."""
        self._control.reset()
        self._control.configure(force_lro=force_lro)
        if "workspaceId" in self._given:
            workspace = {"id": self._given["workspaceId"], "displayName": "Documented", "items": self._items()}
            self._control.seed(workspaces=[workspace])

    def _items(self) -> list[dict[str, str]]:
        if self._id_name is None:
            return []
        return [{"id": self._given[self._id_name], "type": self.item_type, "displayName": "Documented item"}]

    @property
    def item_type(self) -> str:
        """The kind of item: the collection's, or one that fits a generic example."""
        return self._ours.item_type or KINDS.get(self._ours.example.name, "DataPipeline")

    def request(self) -> Request:
        """Return the documented request, with ids of what has been made for it."""
        example = self._ours.example
        path = example.operation.template
        for name in example.operation.parameters("path"):
            path = path.replace(f"{{{name}}}", self._id(name))
        query = {name: self._id(name) if name == "rootFolderId" else value for name, value in example.query.items()}
        return Request(example.operation.method, path, "replay an example", params=query, json=self._body())

    def _body(self) -> Any:
        body = json.loads(json.dumps(self._ours.example.body))
        if not isinstance(body, dict):
            return None
        if "folderId" in body:
            body["folderId"] = self._id("rootFolderId")
        return body

    def _id(self, name: str) -> str:
        if name == "jobInstanceId":
            self._control.add_job_rule(duration_seconds=30)
            return self._control.start_job(item_id=self._given[str(self._id_name)])
        made = {"scheduleId": self._schedule, "operationId": self._operation, "rootFolderId": self._folder}
        if name in made:
            return made[name]()
        return self._job_type() if name == "jobType" else self._given[name]

    def _job_type(self) -> str:
        if self._ours.job_type != MADE_UP_JOB:
            return str(self._ours.job_type)
        return "TableMaintenance" if self.item_type == "Lakehouse" else "Execute"

    def _schedule(self) -> str:
        item = f"/v1/workspaces/{self._given['workspaceId']}/items/{self._given[str(self._id_name)]}"
        body = {"enabled": True, "configuration": CONFIGURATION}
        answer = self.ask(Request("POST", f"{item}/jobs/{self._job_type()}/schedules", "", json=body))
        return str(answer.json_object()["id"])

    def _folder(self) -> str:
        path = f"/v1/workspaces/{self._given['workspaceId']}/folders"
        return str(self.ask(Request("POST", path, "", json={"displayName": "Folder"})).json_object()["id"])

    def _operation(self) -> str:
        self._control.configure(force_lro=True)
        path = f"/v1/workspaces/{self._emulator.workspace_id}/items"
        answer = self.ask(Request("POST", path, "", json={"displayName": "New", "type": "DataPipeline"}))
        return urlsplit(answer.headers["location"]).path.rsplit("/", 1)[-1]

    def ask(self, request: Request) -> Response:
        """Send a request, once."""
        return self.driver.run(_once(request))


def _once(request: Request) -> Flow[Response]:
    answer = yield request
    assert isinstance(answer, Response), answer
    return answer


@pytest.mark.parametrize(("ours", "force_lro"), CASES)
def test_the_emulator_takes_a_documented_request(
    running: tuple[FabricEmulator, Recorder], ours: OurExample, force_lro: bool, request: pytest.FixtureRequest
) -> None:
    emulator, recorder = running
    stage = Stage(emulator, ours)
    stage.set(force_lro=force_lro)
    documented = stage.request()
    recorder.take()
    answer = stage.ask(documented)
    assert answer.status < 300, answer
    assert flaws(ours, recorder.take()) == []
    FIGURES.examples_accepted[request.node.callspec.id] = True


def flaws(ours: OurExample, exchanges: list[Exchange]) -> list[str]:
    """Return what is not as documented; the files' own requests break their own rules here and there."""
    exchange = exchanges[-1]
    operation = ours.example.operation
    found = SPECS.check(operation, exchange)
    FIGURES.compared(operation, exchange, [text for text in found if text.startswith("answer")])
    return [text for text in found if text.startswith(("answer", "path"))]
