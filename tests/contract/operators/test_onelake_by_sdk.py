"""The recipe of docs/capabilities/onelake.md for reading and writing, with Azure's own library and Airflow's ADLS hook.

They are no dependencies of ours: ``pip install apache-airflow-providers-microsoft-azure`` runs what is skipped without.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.contract.operators.items import add_item
from tests.contract.operators.onelake_page import files, recipe

SOURCE, TARGET = "Bronze.Lakehouse/Files/in/a.csv", "Bronze.Lakehouse/Files/out/b.csv"


@pytest.mark.parametrize("name", ["onelake_client", "copy_by_sdk", "upload_by_hook", "onelake", "copy_by_path"])
def test_the_page_has_them_all(name: str) -> None:
    """Without those libraries nothing else would notice."""
    assert recipe(name).__name__ == name


def test_by_azures_sdk(sales: str) -> None:
    pytest.importorskip("azure.storage.filedatalake", reason="azure-storage-file-datalake is not installed")
    recipe("copy_by_sdk")(SOURCE, TARGET)
    assert files(sales) == {"Files/in/a.csv": 8, "Files/out/b.csv": 8}


def test_by_airflows_hook(sales: str, tmp_path: Path) -> None:
    pytest.importorskip(
        "airflow.providers.microsoft.azure.hooks.data_lake",
        reason="apache-airflow-providers-microsoft-azure is not installed",
    )
    file = tmp_path / "b.csv"
    file.write_text("0123456789")
    for _ in range(2):
        recipe("upload_by_hook")(str(file), TARGET)
        assert files(sales) == {"Files/in/a.csv": 8, "Files/out/b.csv": 10}


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
