"""Every answer that Microsoft's articles print, to the letter and with values in it, through both drivers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.items import items
from airflow_provider_fabric.api.jobs import activity_runs, instances
from airflow_provider_fabric.api.models import Item, JobInstance, Submission, is_guid
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricProtocolError
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.articles.filling import CONTENTS, fill, filled_json, item_type
from tests.articles.reading import Step, articles, steps
from tests.contract.printed_service import Printed, PrintedService, printed_service
from tests.flow_driver import ITEM, JOB, WORKSPACE

pytestmark = pytest.mark.skipif(not articles(), reason="FABRIC_ARTICLES_DIR does not name Microsoft's articles")

ANSWERED = [step for step in steps() if step.answers]
CASES = [(step, index) for step in ANSWERED for index in range(len(step.answers))]
EACH = pytest.mark.parametrize(("step", "index"), CASES, ids=[f"{step.key} {index}" for step, index in CASES])


@pytest.fixture(scope="module")
def shared_service() -> Iterator[PrintedService]:
    with printed_service() as service:
        yield service


@pytest.fixture
def service(shared_service: PrintedService, monkeypatch: pytest.MonkeyPatch) -> PrintedService:
    shared_service.heard.clear()
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", shared_service.connection)
    return shared_service


def synchronously(flow: Flow[Any]) -> Any:
    hook = FabricHook()
    try:
        return hook.run(flow)
    finally:
        hook.close()


def asynchronously(flow: Flow[Any]) -> Any:
    async def run() -> Any:
        hook = FabricHook()
        try:
            return await hook.arun(flow)
        finally:
            await hook.aclose()

    return asyncio.run(run())


@pytest.fixture(params=[synchronously, asynchronously], ids=["requests", "httpx"])
def run(request: pytest.FixtureRequest) -> Callable[[Flow[Any]], Any]:
    return request.param  # type: ignore[no-any-return]


def sent_by(step: Step) -> dict[str, Any]:
    """Return the payload of a step with values in it."""
    return filled_json(step.payload, kind=item_type(step)) if step.payload else {}


@dataclass(frozen=True)
class Doing:
    """What an article does, in our terms."""

    step: Step
    kind: str
    typed: bool
    payload: dict[str, Any]

    @property
    def where(self) -> dict[str, Any]:
        return {"item_type": self.kind, "typed": self.typed}

    def create(self) -> Flow[Any]:
        text, parts = self.payload.get("description"), self.payload.get("definition")
        name = self.payload["displayName"]
        return items.create_item(WORKSPACE, name, self.kind, description=text, definition=parts, typed=self.typed)

    def update(self) -> Flow[Any]:
        name, text = self.payload["displayName"], self.payload["description"]
        return items.update_item(WORKSPACE, ITEM, display_name=name, description=text, **self.where)

    def update_definition(self) -> Flow[Any]:
        return items.update_item_definition(WORKSPACE, ITEM, self.kind, self.payload["definition"], typed=self.typed)

    def run(self) -> Flow[Any]:
        job_type = self.step.url.rpartition("=")[2]
        return instances.run_item_job(WORKSPACE, ITEM, job_type, self.payload or None, submit_form="query")

    def query(self) -> Flow[Any]:
        after, before = self.payload["lastUpdatedAfter"], self.payload["lastUpdatedBefore"]
        return activity_runs.query_activity_runs(WORKSPACE, JOB, after=after, before=before)


#: Method and the end of the path → our flow.
FLOWS: dict[str, Callable[[Doing], Flow[Any]]] = {
    "POST items": Doing.create,
    "POST copyJobs": Doing.create,
    "GET copyJobs": lambda d: items.list_items(WORKSPACE, d.kind, typed=d.typed),
    "GET {}": lambda d: items.get_item(WORKSPACE, ITEM, **d.where),
    "PATCH {}": Doing.update,
    "DELETE {}": lambda d: items.delete_item(WORKSPACE, ITEM, **d.where),
    "POST getDefinition": lambda d: items.get_item_definition(WORKSPACE, ITEM, **d.where),
    "POST updateDefinition": Doing.update_definition,
    "POST instances": Doing.run,
    "GET instances/{}": lambda d: instances.get_item_job_instance(WORKSPACE, ITEM, JOB, **d.where),
    "POST cancel": lambda d: instances.cancel_item_job_instance(WORKSPACE, ITEM, JOB, **d.where),
    "POST queryactivityruns": Doing.query,
}


def flow_of(step: Step) -> Flow[Any]:
    """Return our flow for what an article does."""
    path = step.operation.removesuffix(" +definition").partition("?")[0]
    ending = path.rpartition("/")[2]
    end = "instances/{}" if path.endswith("/instances/{}") else ending
    return FLOWS[f"{step.method} {end}"](Doing(step, item_type(step), "/copyJobs" in step.url, sent_by(step)))


def printed(step: Step, index: int) -> Printed:
    status, headers, body = step.answers[index]
    return Printed(status, body, tuple(headers.items()))


def filled(step: Step, index: int) -> Printed:
    status, headers, body = step.answers[index]
    names = tuple((name, fill(value)) for name, value in headers.items())
    if body.startswith(("{", "[")):
        body = json.dumps(filled_json(body, kind=item_type(step)))
    return Printed(status, body, names)


@EACH
def test_an_answer_to_the_letter_gives_a_result_or_a_clear_error(
    run: Callable[[Flow[Any]], Any], service: PrintedService, step: Step, index: int
) -> None:
    service.script = [printed(step, index)]
    with suppress(FabricProtocolError, FabricAmbiguousError):  # anything else is a crash
        result = run(flow_of(step))
        assert not is_guid(getattr(result, "id", None)), "an id came from nowhere"
    assert len(service.heard) == 1


@EACH
def test_an_answer_with_values_gives_the_right_result(
    run: Callable[[Flow[Any]], Any], service: PrintedService, step: Step, index: int
) -> None:
    answer = filled(step, index)
    service.script = [answer]
    if step.answers[index][2] == "202 Accepted":  # no run is named
        with pytest.raises(FabricAmbiguousError, match="may be running"):
            run(flow_of(step))
    else:
        check(step, answer, run(flow_of(step)))
    check_request(step, service.heard)


def check(step: Step, answer: Printed, result: Any) -> None:
    """Compare a result with the answer it was read from."""
    body = json.loads(answer.content) if answer.content.startswith((b"{", b"[")) else None
    ending = step.operation.partition("?")[0].rpartition("/")[2]
    if "+definition" in step.operation or isinstance(result, Item):
        assert isinstance(result, Item)
        assert (result.id, result.workspace_id, result.display_name) == (ITEM, WORKSPACE, body["displayName"])
        assert result.type == body["type"]
    elif ending == "copyJobs":
        assert [item.display_name for item in result] == [entry["displayName"] for entry in body["value"]]
    elif ending == "getDefinition":
        assert set(result) == {part["path"] for part in body["definition"]["parts"]}
        assert all(isinstance(content, bytes) and content for content in result.values())
        assert set(result) <= set(CONTENTS)
    elif ending in ("updateDefinition", "{}") and body is None:
        assert result is None
    elif ending == "instances":
        assert result == Submission(JOB, None)
    elif ending == "cancel":
        assert result is True
    elif ending == "queryactivityruns":
        assert result == body
    else:
        assert isinstance(result, JobInstance)
        assert (result.id, result.item_id, result.status) == (JOB, ITEM, JobStatus.COMPLETED)
        assert result.start_time_utc is not None


def check_request(step: Step, heard: list[dict[str, Any]]) -> None:
    """Compare what we sent with what is printed."""
    assert [request["line"] for request in heard] == [
        fill(f"{step.method} {step.url}").replace("https://api.fabric.microsoft.com", "")
    ]
    body, expected = heard[0]["body"], sent_by(step)
    if step.operation.endswith("updateDefinition"):
        expected = {"definition": expected["definition"]}  # name and type are of no use there, and not sent
    if step.method == "PATCH":
        expected.pop("type", None)
    if expected.get("type") == "pipeline":
        expected["type"] = "DataPipeline"
    if "displayName" in expected:
        expected["displayName"] = expected["displayName"].strip()
    for part in (expected.get("definition") or {}).get("parts", []):
        part["payload"] = part["payload"].strip()
    assert without_format(body or {}) == expected
    assert heard[0]["headers"]["authorization"] == "Bearer pasted-token"


def without_format(body: dict[str, Any]) -> dict[str, Any]:
    if "displayName" in body:
        body["displayName"] = body["displayName"].strip()
    if "definition" in body:
        parts = sorted(body["definition"]["parts"], key=lambda part: part["path"] == ".platform")
        body["definition"] = {"parts": parts}
    return body
