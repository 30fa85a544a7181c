"""docs/permissions.md says what Microsoft's OpenAPI files say, and of every operator."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.get_provider_info import get_provider_info
from devtools.docs.permissions import NEEDS, Need
from devtools.docs.public_api import public_names

FOLDER = os.environ.get("FABRIC_SPECS_DIR")
BY_SPEC = [need for need in NEEDS if not need.operation.startswith("https://")]
RANKS = ("Viewer", "Contributor", "Member", "Admin")


def operation(name: str) -> dict[str, Any]:
    """Return an operation of Microsoft's files: ``folder/operationId``."""
    folder, _, wanted = name.partition("/")
    for file in sorted((Path(str(FOLDER)) / folder).glob("swagger*.json")):
        for methods in json.loads(file.read_text())["paths"].values():
            for entry in methods.values():
                if isinstance(entry, dict) and entry.get("operationId") == wanted:
                    return entry
    raise AssertionError(f"{name} is not in Microsoft's files")


@pytest.mark.skipif(FOLDER is None, reason="FABRIC_SPECS_DIR names no folder with Microsoft's OpenAPI files")
@pytest.mark.parametrize("need", BY_SPEC, ids=lambda need: need.operation)
def test_a_row_says_what_the_file_says(need: Need) -> None:
    text = operation(need.operation)["description"]
    application = re.search(r"\| \[Service principal\].*?\| (\w+)", text)
    assert application is not None
    assert need.application == (application[1] != "No")
    scopes = re.search(r"## Required Delegated Scopes(.*?)\n## ", text, re.S)
    assert scopes is not None
    for scope in need.scopes.split(" or "):
        assert scope in scopes[1]
    role = re.search(r"\*(viewer|contributor|member|admin)\*[^.]*workspace role", text, re.I)
    if role is not None:
        assert RANKS.index(need.role) >= RANKS.index(role[1].capitalize()), "the file asks for more"


def test_every_operator_and_sensor_has_a_row() -> None:
    modules = {
        m for kind in ("operators", "sensors") for entry in get_provider_info()[kind] for m in entry["python-modules"]
    }
    names = {full.rpartition(".")[2] for full, _ in public_names() if full.rpartition(".")[0] in modules}
    assert names - {name for need in NEEDS for name in need.operators} == set()
