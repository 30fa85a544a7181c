"""The recipe of docs/capabilities/onelake.md for reading and writing, with Azure's own library.

That is no dependency of ours: ``pip install azure-storage-file-datalake`` runs what is skipped without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.contract.operators.items import add_item

PAGE = Path(__file__).parents[3] / "docs" / "capabilities" / "onelake.md"
SOURCE, TARGET = "Bronze.Lakehouse/Files/in/a.csv", "Bronze.Lakehouse/Files/out/b.csv"


def recipe(name: str) -> Callable[..., Any]:
    """Return a function of the page."""
    block = next(b for b in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S) if f"def {name}" in b)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, str(PAGE), "exec"), names)
    found: Callable[..., Any] = names[name]
    return found


@pytest.fixture
def lakehouse(tenant: FabricEmulator) -> str:
    workspace = "55555555-5555-4555-8555-555555555555"
    item = {"type": "Lakehouse", "displayName": "Bronze", "files": {"Files/in/a.csv": "a,b\n1,2\n"}}
    tenant.control.seed(workspaces=[{"id": workspace, "displayName": "Sales", "items": [item]}])
    return workspace


def files(workspace: str) -> dict[str, int | None]:
    hook = FabricHook()
    item = hook.resolve_item(workspace, "Bronze", "Lakehouse")
    return {file.path: file.size for file in hook.find_onelake_files(workspace, item, "Files/**/*.csv")}


def test_by_azures_sdk(lakehouse: str) -> None:
    pytest.importorskip("azure.storage.filedatalake", reason="azure-storage-file-datalake is not installed")
    recipe("copy_by_sdk")(SOURCE, TARGET)
    assert files(lakehouse) == {"Files/in/a.csv": 8, "Files/out/b.csv": 8}


@pytest.mark.parametrize("wanted", ["bytes=0-3", "bytes=2-", "bytes=4-100"])
def test_the_emulator_reads_ranges(tenant: FabricEmulator, wanted: str) -> None:
    import requests

    add_item(tenant, "Lakehouse", "Bronze", files={"Files/a.txt": "0123456789"})
    hook = FabricHook()
    settings, token = hook.get_conn(), hook.credential().get_token("https://storage.azure.com/.default").token
    answer = requests.get(
        f"{settings.onelake_host}/Emulator workspace/Bronze.Lakehouse/Files/a.txt",
        headers={"Authorization": f"Bearer {token}", "x-ms-version": "2021-06-08", "Range": wanted},
        verify=str(settings.verify),
        timeout=10,
    )
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    assert (answer.status_code, answer.text) == (206, "0123456789"[int(first) : int(last) + 1 if last else None])
    assert answer.headers["content-range"].endswith("/10")
