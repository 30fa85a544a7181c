"""An emulator without sockets: httpx calls the application directly, and only the test moves the clock."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_fabric.emulator.app import EmulatorApp
from airflow_provider_fabric.emulator.control.access import ControlAccess
from airflow_provider_fabric.emulator.state.config import Config
from airflow_provider_fabric.emulator.state.tokens import FABRIC
from airflow_provider_fabric.emulator.state.world import World

START = 1_750_000_000.0
CONTROL = ControlAccess(frozenset({"fabric.test"}))


class DirectTransport(httpx.BaseTransport):
    """Hands each request to the ASGI application, on an event loop of its own."""

    def __init__(self, app: EmulatorApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        scope = {
            "type": "http",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": unquote(request.url.raw_path.partition(b"?")[0].decode()),
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("test", 1),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.read(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        self._loop.run_until_complete(self._app(scope, receive, send))
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])

    def close(self) -> None:
        self._loop.close()


@dataclass
class Clock:
    """Epoch seconds that stand still until somebody moves them."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def encode(content: str | bytes | dict[str, Any]) -> str:
    """Return standard base64, as definition parts carry it."""
    if isinstance(content, dict):
        content = json.dumps(content)
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def definition(**parts: str | bytes | dict[str, Any]) -> dict[str, Any]:
    """Return a definition; ``__`` in a name stands for a dot and ``_`` for a dash."""
    return {
        "parts": [
            {
                "path": name.replace("__", ".").replace("_", "-"),
                "payload": encode(content),
                "payloadType": "InlineBase64",
            }
            for name, content in parts.items()
        ]
    }


PIPELINE = definition(
    pipeline_content__json={
        "properties": {
            "activities": [
                {"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 27}},
                {"name": "Copy1", "type": "Copy", "dependsOn": [{"activity": "Wait1"}]},
            ]
        }
    }
)


@dataclass
class Service:
    """The emulator and a client that is signed in as the seeded application."""

    world: World
    clock: Clock
    http: httpx.Client
    slept: list[float] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"/v1/workspaces/{self.world.tenant.workspace_id}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Call the Fabric API under the seeded workspace, or an absolute link."""
        url = path if path.startswith(("https://", "/v1")) else self.root + path
        if body is not None:
            options["json"] = body
        return self.http.request(method, url, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.call("POST", path, body, **options)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call a control endpoint that must succeed."""
        answer = self.http.request(method, f"/_emulator/{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def create(self, item_type: str = "DataPipeline", name: str = "An item", **more: Any) -> str:
        """Create an item and return its id."""
        answer = self.post("/items", {"displayName": name, "type": item_type, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def run(self, item_id: str, job_type: str = "Execute", body: Any = None) -> str:
        """Start a run and return its address."""
        answer = self.post(f"/items/{item_id}/jobs/{job_type}/instances", body)
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def sign_in(self, identity: str | None = None, **wish: Any) -> None:
        """Call as somebody else from now on."""
        found = self.world.identities.get(identity or self.world.tenant.client_id)
        assert found is not None
        token = self.world.tokens.issue(found, wish.get("audience", FABRIC), self.clock(), wish.get("lifetime", 1e6))
        self.http.headers["Authorization"] = f"Bearer {token}"


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(signing_key: rsa.RSAPrivateKey, clock: Clock) -> Iterator[Service]:
    settings = {"quotas": {"job_scheduler": None, "platform": None, "operations": None}, "force_lro": False}
    config = Config().patched(settings)
    world = World(config=config, signing_key=signing_key, clock=clock)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with httpx.Client(
        transport=DirectTransport(EmulatorApp(world, control=CONTROL, sleep=sleep)), base_url="https://fabric.test"
    ) as http:
        ready = Service(world, clock, http, slept)
        ready.sign_in()
        yield ready


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error, checking that body and header agree."""
    body = answer.json()
    assert answer.headers["x-ms-public-api-error-code"] == body["errorCode"]
    assert body["requestId"] == answer.headers["requestid"]
    assert isinstance(body["isRetriable"], bool)
    assert body["message"]
    return answer.status_code, body["errorCode"]
