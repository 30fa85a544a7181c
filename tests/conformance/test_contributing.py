"""CONTRIBUTING.md shows code that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.DOTALL)
FILES = (
    "airflow_provider_fabric/api/copy_jobs.py",
    "airflow_provider_fabric/hooks/fabric.py",
    "airflow_provider_fabric/emulator/routes.py",
    "devtools/docs/rest_operations.py",
    "airflow_provider_fabric/operators/dbt.py",
    "airflow_provider_fabric/emulator/fabric/copy_jobs.py",
)


@pytest.mark.parametrize(("file", "block"), list(zip(FILES, BLOCKS, strict=True)), ids=FILES)
def test_the_shown_code_is_there(file: str, block: str) -> None:
    assert block in (REPOSITORY / file).read_text()
