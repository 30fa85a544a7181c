"""A connection to another cloud that lacks what is needed there: refused before anybody signs in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricConnectionError
from tests.conformance.tour import ITEM_ID, Ask

GOVERNMENT = {"authority": "https://login.microsoftonline.us"}
ARM = ("get_capacity", {"capacity": "fabricdemo"})
ONELAKE = ("find_onelake_files", {"workspace_id": ITEM_ID, "item_id": ITEM_ID, "path": "Files/*"})
POWER_BI = ("refresh_semantic_model", {"workspace_id": ITEM_ID, "model_id": ITEM_ID})

CASES: list[tuple[tuple[str, dict[str, Any]], dict[str, str | None], str]] = [
    (ARM, {**GOVERNMENT, "arm_host": None, "arm_scope": None}, "arm_host"),
    (ARM, {**GOVERNMENT, "arm_host": "https://management.azure.com", "arm_scope": None}, "arm_host"),
    (ARM, {**GOVERNMENT, "arm_host": "https://management.usgovcloudapi.net"}, "arm_scope"),
    (ARM, {"authority": None, "arm_host": "https://management.usgovcloudapi.net", "arm_scope": None}, "authority"),
    (ONELAKE, {**GOVERNMENT, "onelake_host": None}, "onelake_host"),
    (POWER_BI, GOVERNMENT, "power_bi_scope"),
    (POWER_BI, {**GOVERNMENT, "power_bi_host": "https://api.powerbi.com"}, "power_bi_host"),
    (POWER_BI, {"power_bi_host": "https://api.powerbi.cn"}, "power_bi_scope"),
]


@pytest.mark.parametrize(("call", "changes", "named"), CASES)
def test_another_cloud(
    emulator: FabricEmulator,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    call: tuple[str, dict[str, Any]],
    changes: dict[str, str | None],
    named: str,
) -> None:
    connection = emulator.connection
    extra = {**connection["extra"], **changes}
    connection["extra"] = {name: value for name, value in extra.items() if value is not None}
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(connection))
    before = len(emulator.control.request_log())
    method, arguments = call
    with pytest.raises(FabricConnectionError, match=rf"^Connection 'fabric_default'.*extra field '{named}'"):
        ask(method, **arguments)
    assert len(emulator.control.request_log()) == before
