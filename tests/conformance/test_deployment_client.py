"""``fabric-cicd``, unmodified, deploys the sample workspace to the emulator, and so do we: to the same definitions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.release.microsoft_clients import environment

CORPUS = os.environ.get("FABRIC_CORPUS_DIR", "")
HERE = Path(__file__).parent
SCOPE = "https://api.fabric.microsoft.com/.default"
SHELLS = frozenset({"Lakehouse"})
"""Kinds that fabric-cicd creates from a payload, without their definition."""

Definitions = dict[str, dict[str, Any]]

pytestmark = pytest.mark.skipif(not CORPUS, reason="FABRIC_CORPUS_DIR does not name the sample folders")


def publish(emulator: FabricEmulator, workspace_id: str, folder: Path, home: Path) -> str:
    """Run ``fabric-cicd`` in its own environment, with a token of our connection."""
    token = FabricHook().credential().get_token(SCOPE)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(HERE / "redirect")}
    environ |= {"FABRIC_EMULATOR_PORT": str(emulator.port), "REQUESTS_CA_BUNDLE": emulator.ca_bundle}
    program = [str(environment() / "python"), str(HERE / "client_sessions" / "cicd_folder.py")]
    ended = subprocess.run(
        [*program, workspace_id, str(folder)],
        input=json.dumps(token._asdict()),
        env=environ,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert token.token not in ended.stdout + ended.stderr
    return ended.stdout


def definitions(emulator: FabricEmulator, workspace_id: str) -> Definitions:
    """Return what a workspace holds, with the names of things in place of their ids."""
    items = list(emulator.world.items.of_workspace(workspace_id))
    names = {item.id: f"<{item.display_name}.{item.type}>" for item in items} | {workspace_id: "<workspace>"}
    pattern = re.compile("|".join(names))

    def meaning(content: bytes) -> Any:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return content
        text = re.sub(r"trd-[0-9a-f]{20}", "trd", pattern.sub(lambda found: names[found.group()], text))
        try:
            return json.loads(text)
        except ValueError:
            return text.replace("\r\n", "\n")

    return {
        f"{item.display_name}.{item.type}": {
            part.path: meaning(part.content) for part in item.parts if part.path != ".platform"
        }
        for item in items
        if item.type not in SHELLS
    }


def test_the_same_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "items"
    shutil.copytree(CORPUS, folder)
    for parameters in folder.glob("*.yml"):  # of another sample: half of what they name is not there
        parameters.unlink()
    with FabricEmulator(retry_after_seconds=0, lro_seconds=0, force_lro=False) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(emulator.connection))
        theirs = emulator.control.seed(workspaces=[{"displayName": "Theirs"}])["workspaces"][0]["id"]
        assert "published" in publish(emulator, theirs, folder, tmp_path)
        ours = FabricHook().deploy_folder(emulator.workspace_id, folder)
        assert set(ours["counts"]) == {"created"}
        found = definitions(emulator, emulator.workspace_id)
        assert found == definitions(emulator, theirs)
        assert len(found) > 20
        again = FabricHook().deploy_folder(theirs, folder, exclude=["*.Lakehouse"])
        assert set(again["counts"]) == {"unchanged"}, "what they deployed, we leave alone"
