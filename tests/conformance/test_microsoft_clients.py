"""(c) Microsoft's own clients, their code unmodified, drive the emulator over TLS, by Microsoft's own host names.

Each runs in a process of its own whose name resolution leads to the emulator (``redirect/sitecustomize.py``), with a
home directory of its own. What they and the emulator say to each other is held to Microsoft's OpenAPI files too.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.docs.rest_operations import DEFINITIONS
from devtools.release.microsoft_clients import environment
from tests.conformance.comparison import problems
from tests.conformance.figures import FIGURES
from tests.conformance.recorder import Recorder, recorded_emulator
from tests.conformance.specs import specs_or_none

HERE = Path(__file__).parent
SECONDS = 120.0
SCHEMAS = "https://developer.microsoft.com/json-schemas"
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Party:
    """A client's process environment, and the emulator it will find.

    :param programs: directory of the clients' programs.
    :param home: home directory.
    """

    emulator: FabricEmulator
    recorder: Recorder
    programs: Path
    home: Path

    @property
    def identity(self) -> tuple[str, str, str]:
        """Tenant, client id and secret."""
        return self.emulator.tenant_id, self.emulator.client_id, self.emulator.client_secret

    def run(self, program: str, *arguments: str) -> str:
        """Run a program to its end and return what it printed; it must succeed."""
        tenant, client_id, secret = self.identity
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ} | {
            "HOME": str(self.home),
            "PYTHONPATH": str(HERE / "redirect"),
            "FABRIC_EMULATOR_PORT": str(self.emulator.port),
            "REQUESTS_CA_BUNDLE": self.emulator.ca_bundle,
            "SSL_CERT_FILE": self.emulator.ca_bundle,
            "FAB_TENANT_ID": tenant,
            "FAB_SPN_CLIENT_ID": client_id,
            "FAB_SPN_CLIENT_SECRET": secret,
        }
        command = [str(self.programs / program), *arguments]
        ended = subprocess.run(
            command, env=environ, cwd=self.home, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == 0, f"{' '.join(command)}\n{said}"
        return said


@pytest.fixture(scope="module")
def programs() -> Path:
    """The clients' programs, installed if need be."""
    return environment()


@pytest.fixture(params=[False, True], ids=["at-once", "with-202"])
def party(request: pytest.FixtureRequest, programs: Path, tmp_path: Path) -> Iterator[Party]:
    """An emulator that is recorded, and what a client's process needs to find it; in the end all was as documented."""
    config = {"force_lro": request.param, "retry_after_seconds": 1, "lro_seconds": 0.1, "job_seconds": 0.5}
    with recorded_emulator(**config) as (emulator, recorder):
        home = tmp_path / "home"
        home.mkdir()
        yield Party(emulator, recorder, programs, home)
        specs = specs_or_none()
        assert specs is None or problems(specs, recorder.take(), answers_only=True) == []


SDK_STEPS = (
    "list workspaces",
    "create item",
    "get item",
    "get item definition",
    "update item definition",
    "update item",
    "list items",
    "run item job",
    "list item job instances",
    "get item job instance",
    "cancel item job instance",
    "create item schedule",
    "list item schedules",
    "update item schedule",
    "get item schedule",
    "delete item schedule",
    "create copy job",
    "reset copy job",
    "list copy jobs",
    "create dataflow",
    "publish dataflow",
    "run dataflow",
    "run data pipeline",
    "list data pipeline runs",
    "delete dataflow",
    "delete item",
)
OPERATION_STEPS = ("get operation state", "get operation result")


def test_the_sdk(party: Party) -> None:
    said = party.run("python", str(HERE / "client_sessions" / "sdk.py"), *party.identity, party.emulator.workspace_id)
    done = [line.partition(":")[0] for line in said.splitlines() if ": " in line]
    wanted = [*SDK_STEPS, *(OPERATION_STEPS if party.emulator.world.config.force_lro else ())]
    assert done == wanted
    FIGURES.client_commands["microsoft-fabric-api"] = len(wanted)


@pytest.fixture
def fab(party: Party) -> Callable[..., str]:
    """Run a command of ``fab``; where there is no key ring it wants to be told to keep tokens in a file."""
    party.run("fab", "config", "set", "encryption_fallback_enabled", "true")

    def run(*arguments: str) -> str:
        said = party.run("fab", *arguments)
        FIGURES.client_commands["ms-fabric-cli"] = FIGURES.client_commands.get("ms-fabric-cli", 0) + 1
        return said

    return run


PLACE = "Emulator workspace.Workspace"
JSON = ("--output_format", "json")


@pytest.mark.parametrize("party", [True], ids=["with-202"], indirect=True)
def test_the_command_line(party: Party, fab: Callable[..., str]) -> None:
    assert PLACE in fab("ls")
    for item in ("Daily.DataPipeline", "Flow.Dataflow", "Copy.CopyJob"):
        assert f"'{item}' created" in fab("mkdir", f"{PLACE}/{item}")
    assert {"Daily.DataPipeline", "Flow.Dataflow", "Copy.CopyJob"} <= set(fab("ls", PLACE).split())
    fab("export", f"{PLACE}/Daily.DataPipeline", "-o", str(party.home), "-f")
    folder = party.home / "Daily.DataPipeline"
    (folder / "pipeline-content.json").write_text(json.dumps(DEFINITIONS["DataPipeline"]["pipeline-content.json"]))
    assert "imported" in fab("import", f"{PLACE}/Second.DataPipeline", "-i", str(folder), "-f")
    assert "completed" in fab("job", "run", f"{PLACE}/Second.DataPipeline", "--polling_interval", "1")
    started = fab("job", "start", f"{PLACE}/Second.DataPipeline")
    run = started.split("Job instance '")[1].split("'")[0]
    assert run in fab("job", "run-status", f"{PLACE}/Second.DataPipeline", "--id", run, *JSON)
    assert run in fab("job", "run-list", f"{PLACE}/Second.DataPipeline", *JSON)
    assert "Second" in fab("get", f"{PLACE}/Second.DataPipeline", "-q", "displayName")
    assert "deleted" in fab("rm", f"{PLACE}/Second.DataPipeline", "-f")
    assert "Second.DataPipeline" not in fab("ls", PLACE)


def test_the_deployment_client(party: Party, tmp_path: Path) -> None:
    folder = tmp_path / "items"
    (folder / "nothing").mkdir(parents=True)
    for number, (item_type, parts) in enumerate(DEFINITIONS.items(), 1):
        write_item(folder / f"Item {number}.{item_type}", f"11111111-1111-4111-8111-{number:012}", parts)
    session = str(HERE / "client_sessions" / "cicd.py")
    said = party.run("python", session, *party.identity, party.emulator.workspace_id, str(folder))
    done = [line for line in said.splitlines() if line in ("publish:", "publish again:", "unpublish:")]
    assert done == ["publish:", "publish again:", "unpublish:"]
    routes = [(entry["method"], entry["path"].rsplit("/", 1)[-1]) for entry in party.emulator.control.request_log()]
    assert routes.count(("POST", "items")) == 3, "created once"
    assert routes.count(("POST", "updateDefinition")) == 3, "and replaced once"
    assert len([method for method, _ in routes if method == "DELETE"]) == 3
    FIGURES.client_commands["fabric-cicd"] = len(done)


def write_item(folder: Path, logical_id: str, parts: object) -> None:
    """Write an item in git-integration layout."""
    folder.mkdir()
    name, _, item_type = folder.name.rpartition(".")
    platform = {
        "$schema": f"{SCHEMAS}/fabric/gitIntegration/platformProperties/2.0.0/schema.json",
        "metadata": {"type": item_type, "displayName": name},
        "config": {"version": "2.0", "logicalId": logical_id},
    }
    for path, content in {".platform": platform, **dict(parts)}.items():  # type: ignore[call-overload]
        (folder / path).write_text(content if isinstance(content, str) else json.dumps(content))
