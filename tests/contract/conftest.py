"""Every hook method through both drivers, against the emulator; and all that passes is held to Microsoft's files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_fabric.emulator import EmulatorControl, FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.triggerer import shared
from tests.conformance.comparison import problems
from tests.conformance.recorder import Recorder, recorded_emulator
from tests.conformance.specs import Specs, specs_or_none
from tests.conformance.tour import ITEM_ID, Ask

FAST = {"retry_after_seconds": 0, "lro_seconds": 0, "cancel_seconds": 0, "job_seconds": 0}


@pytest.fixture(autouse=True)
def no_loop_ends_with_open_clients() -> Iterator[None]:
    """Their sockets would be left to the garbage collector, which blames whichever test runs then."""
    yield
    left = [loop for loop, its in shared._loops.items() if loop.is_closed() and its.clients.open]
    for loop in left:
        del shared._loops[loop]
    assert not left, "An event loop was closed before `await shared.aclose()`."


@pytest.fixture(scope="session")
def specs() -> Specs | None:
    """Microsoft's files, if they are at hand."""
    return specs_or_none()


@pytest.fixture(scope="module")
def tenant() -> Iterator[tuple[FabricEmulator, Recorder]]:
    """An emulator for the tests of one file, and what it hears and says."""
    with recorded_emulator() as running:
        yield running


@pytest.fixture
def recorder(tenant: tuple[FabricEmulator, Recorder]) -> Recorder:
    """What the emulator has heard and said in this test."""
    tenant[1].take()
    return tenant[1]


@pytest.fixture
def emulator(
    tenant: tuple[FabricEmulator, Recorder],
    recorder: Recorder,
    specs: Specs | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FabricEmulator]:
    """An emulator as new, quick, behind the default connection; in the end nothing undocumented was said."""
    emulator = tenant[0]
    emulator.control.reset()
    emulator.control.clear_faults()
    emulator.control.configure(**FAST)
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(emulator.connection))
    yield emulator
    if specs is not None and not emulator.control.faults():
        assert problems(specs, recorder.take()) == []


@pytest.fixture
def control(emulator: FabricEmulator) -> EmulatorControl:
    """The emulator's control."""
    return emulator.control


@pytest.fixture(params=["requests", "httpx"])
def ask(request: pytest.FixtureRequest, emulator: FabricEmulator) -> Ask:
    """Call a method of the hook by name: as a worker does, and its awaited twin as a triggerer does."""
    return ask_synchronously if request.param == "requests" else ask_asynchronously


def ask_synchronously(method: str, **arguments: Any) -> Any:
    hook = FabricHook()
    try:
        return getattr(hook, method)(**arguments)
    finally:
        hook.close()


def ask_asynchronously(method: str, **arguments: Any) -> Any:
    async def ask() -> Any:
        hook = FabricHook()
        try:
            return await getattr(hook, f"a{method}")(**arguments)
        finally:
            await hook.aclose()

    return asyncio.run(ask())


def seed(emulator: FabricEmulator, item_type: str, **more: Any) -> str:
    """Put one item into the emulator's workspace, and return its id."""
    item = {"id": ITEM_ID, "type": item_type, "displayName": "Seeded", **more}
    emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": [item]}])
    return str(item["id"])
