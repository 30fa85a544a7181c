"""Every request that Microsoft's articles print, sent to the emulator; and every code block of theirs is used here."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.articles.filling import TYPES, fill, filled_json, item_type
from tests.articles.reading import FENCE, Block, Kind, Step, articles, blocks_of, steps
from tests.contract.test_articles_answers import ANSWERED

pytestmark = pytest.mark.skipif(not articles(), reason="FABRIC_ARTICLES_DIR does not name Microsoft's articles")

REQUESTS = [step for step in steps() if step.method]
TOKENS = [step for step in steps() if not step.method]


@pytest.fixture(scope="module")
def shared() -> Iterator[FabricEmulator]:
    quotas = {"job_scheduler": None, "platform": None, "operations": None}
    settings = {"retry_after_seconds": 0, "job_seconds": 30, "cancel_seconds": 0, "force_lro": False}
    with FabricEmulator(**settings, quotas=quotas) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared: FabricEmulator) -> FabricEmulator:
    shared.control.reset()
    return shared


@pytest.fixture
def service(emulator: FabricEmulator) -> Iterator[httpx.Client]:
    connection = emulator.connection
    trust = ssl.create_default_context(cafile=connection["extra"]["verify"])
    with httpx.Client(base_url=connection["host"], verify=trust, trust_env=False) as client:
        yield client


def prepared(emulator: FabricEmulator, step: Step) -> dict[str, str]:
    """Put an item and a run of it where the request expects them; return their ids."""
    item = {"type": item_type(step), "displayName": "It"}
    seeded = emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": [item]}])
    item_id = str(seeded["workspaces"][0]["items"][0]["id"])
    job = emulator.control.start_job(item_id, "Execute")
    return {"workspace": emulator.workspace_id, "item": item_id, "job": job}


def sent(service: httpx.Client, step: Step, ids: dict[str, str], content: bytes, headers: dict[str, str]) -> Any:
    path = fill(step.url, ids).removeprefix("https://api.fabric.microsoft.com")
    return service.request(step.method, path, content=content, headers=headers)


def payload_of(step: Step, ids: dict[str, str]) -> bytes:
    if not step.payload:
        return b""
    content = filled_json(step.payload, ids, item_type(step))
    for part in content.get("definition", {}).get("parts", []) if isinstance(content, dict) else []:
        part["payload"] = part["payload"].strip()
    return json.dumps(content).encode()


@pytest.mark.parametrize("step", REQUESTS, ids=lambda step: step.key)
def test_a_printed_request_is_accepted(emulator: FabricEmulator, service: httpx.Client, step: Step) -> None:
    ids = prepared(emulator, step)
    token = emulator.control.issue_token()
    headers = {name: fill(value, ids, token) for name, value in step.headers.items()}
    if headers.get("Authorization") == token:  # two articles leave Bearer out; the third says so
        refused = sent(service, step, ids, payload_of(step, ids), headers)
        assert refused.status_code == 401, refused.text
        assert refused.json()["errorCode"]
        assert refused.headers["content-type"].startswith("application/json")
    headers["Authorization"] = f"Bearer {token}"
    if step.payload:
        headers.setdefault("Content-Type", "application/json")
    answer = sent(service, step, ids, payload_of(step, ids), headers)
    assert answer.status_code == step.answers[0][0], answer.text
    if step.method == "POST" and "/jobs/instances?" in step.url:
        started = answer.headers["location"].rpartition("/")[2]
        data = json.loads(payload_of(step, ids) or b"{}").get("executionData")
        logged = [e for e in emulator.control.request_log() if e["method"] == "POST" and "/jobs/instances" in e["path"]]
        assert started in {job["id"] for job in emulator.control.jobs()}
        assert ((logged[-1]["body"] or {}).get("executionData")) == data


@pytest.mark.parametrize("step", [step for step in REQUESTS if step.payload], ids=lambda step: step.key)
def test_a_payload_to_the_letter_is_accepted_or_refused_in_the_services_form(
    emulator: FabricEmulator, service: httpx.Client, step: Step
) -> None:
    ids = prepared(emulator, step)
    headers = {"Authorization": f"Bearer {emulator.control.issue_token()}", "Content-Type": "application/json"}
    answer = sent(service, step, ids, step.payload.encode(), headers)
    assert answer.status_code in (200, 201, 202, 400), answer.text
    if answer.status_code == 400:
        assert answer.json()["errorCode"] in {"InvalidInput", "CorruptedPayload", "InvalidItemType"}, answer.text


def test_every_code_block_of_the_articles_is_sent_or_read() -> None:
    used: set[Block] = set()
    for step in REQUESTS:
        for block, kind in step.blocks:
            if kind in (Kind.REQUEST, Kind.HEADERS, Kind.PAYLOAD, Kind.CONTENT):
                used.add(block)  # by test_a_printed_request_is_accepted
            if kind is Kind.ANSWER and step in ANSWERED:
                used.add(block)
    used |= {block for step in TOKENS for block, _ in step.blocks}  # by test_the_consoles_token_signs_in
    assert len(used) == number_of_blocks()


def number_of_blocks() -> int:
    """Count the articles' code blocks by their fences alone: two each, and one for each that is never closed."""
    open_ended = [
        b for a, text in articles().items() for b in blocks_of(a, text) if isinstance(b, Block) and not b.closed
    ]
    fences = sum(text.count(FENCE) for text in articles().values())
    assert (fences + len(open_ended)) % 2 == 0
    return (fences + len(open_ended)) // 2


def test_the_articles_are_the_four_that_are_meant() -> None:
    kinds = [kind for name in articles() for word, kind in TYPES.items() if word in name]
    assert sorted(kinds) == ["CopyJob", "DataPipeline", "Dataflow", "Dataflow"]
    assert len(TOKENS) == 4


@pytest.mark.parametrize("pasted", ["{}", "'{}'", '"{}"', "bearer {}", "Bearer {}"])
def test_the_consoles_token_signs_in(emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch, pasted: str) -> None:
    connection = emulator.connection
    extra = {"auth_type": "access_token", "verify": connection["extra"]["verify"]}
    pasted = pasted.format(emulator.control.issue_token())
    monkeypatch.setenv(
        "AIRFLOW_CONN_FABRIC_DEFAULT",
        json.dumps({"conn_type": "fabric", "host": connection["host"], "password": pasted, "extra": extra}),
    )
    assert FabricHook().list_workspaces()


def test_the_document_before_it_is_encoded_is_what_is_sent_encoded() -> None:
    for step in [step for step in REQUESTS if step.content]:
        part = json.loads(step.payload)["definition"]["parts"][0]
        assert json.loads(base64.b64decode(part["payload"])) == json.loads(step.content)
