"""The wheel in an environment that has nothing but Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_fabric import __version__

pytestmark = pytest.mark.wheel

REPOSITORY = Path(__file__).resolve().parent.parent.parent

IMPORT_ALL = """
import importlib, pkgutil, sys, warnings
import airflow.models  # Airflow's own warnings at its first import are not ours
extras = sys.argv[1:]
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "'_app_ctx_stack' is deprecated", DeprecationWarning)  # Airflow 2.11's Flask
warnings.filterwarnings("ignore", "Timer and timing metrics publish in seconds")  # Airflow 2.11's own
import airflow_provider_fabric as package
assert "site-packages" in package.__file__, package.__file__

def needs(module):
    name = module.removeprefix(package.__name__ + ".")
    if name.startswith("emulator.") and name != "emulator.control":
        return "emulator"
    return "events" if name == "triggerer.event_reader" else None

for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if needs(module.name) not in (None, *extras):
        continue
    if not module.name.endswith((".__main__", ".pytest_plugin")):  # the plugin is loaded by pytest alone
        importlib.import_module(module.name)
        print(module.name)
"""

VERSIONS = [
    version
    for version in os.environ.get("FABRIC_TEST_AIRFLOWS", "3.3.2 3.1.8 2.11.2 2.10.5").split()
    if version.startswith("3.") or sys.version_info < (3, 13)  # Airflow 2 ends at Python 3.12
]
"""Every Airflow that is supported, or those that ``FABRIC_TEST_AIRFLOWS`` names: each takes minutes to install."""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command and return what it printed; fail with all of it."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHONPATH"))}
    answer = subprocess.run(
        [str(part) for part in command],
        env=inherited | environment,
        cwd=tempfile.gettempdir(),  # not the checkout: it would be imported instead of the wheel
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )
    assert answer.returncode == 0, answer.stdout[-6000:]
    return answer.stdout


@dataclass(frozen=True)
class Bare:
    """An environment with one Airflow, its dependencies and our wheel."""

    python: Path
    constraints: Path
    index: Path
    settings: dict[str, str]

    def pip(self, *requirements: str | Path) -> None:
        """Install something within the constraints; the folder of our wheel is one of the indexes."""
        options = ("--quiet", "-c", self.constraints, "--find-links", self.index)
        run(self.python, "-m", "pip", "install", *options, *requirements)

    def airflow(self, *arguments: str) -> str:
        """Run ``airflow …``."""
        return run(self.python, "-m", "airflow", *arguments, **self.settings)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bare]:
    """An environment for each Airflow, made at once: most of the time goes by in pip."""

    def make(version: str) -> Bare:
        folder = tmp_path_factory.mktemp(f"airflow-{version}")
        settings = {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        constraints = REPOSITORY / "constraints" / f"airflow-{version}.txt"
        bare = Bare(folder / "environment" / "bin" / "python", constraints, wheel.parent, settings)
        run(sys.executable, "-m", "venv", folder / "environment")
        bare.pip(f"apache-airflow=={version}", f"airflow-provider-fabric=={__version__}")
        bare.airflow("db", "migrate")
        return bare

    with ThreadPoolExecutor() as pool:
        return dict(zip(VERSIONS, pool.map(make, VERSIONS), strict=True))


@pytest.fixture(params=VERSIONS)
def bare(request: pytest.FixtureRequest, environments: dict[str, Bare]) -> Bare:
    """One of the environments."""
    return environments[request.param]


def test_every_module_imports_without_warnings(bare: Bare):
    imported = run(bare.python, "-c", IMPORT_ALL, **bare.settings)
    assert "airflow_provider_fabric.operators.job\n" in imported
    assert "airflow_provider_fabric.emulator\n" in imported
    assert "airflow_provider_fabric.emulator.server\n" not in imported


def test_airflow_lists_the_provider(bare: Bare):
    assert "airflow-provider-fabric" in bare.airflow("providers", "list")


def test_airflow_takes_a_connection_of_our_type(bare: Bare):
    connection = ("--conn-type", "fabric", "--conn-login", "client", "--conn-password", "secret")
    bare.airflow("connections", "add", "fabric_default", *connection, "--conn-extra", '{"tenant_id": "contoso.com"}')
    assert '"conn_type": "fabric"' in bare.airflow("connections", "get", "fabric_default", "--output", "json")


@pytest.mark.parametrize(
    ("extra", "module"), [("emulator", "emulator.server"), ("events", "triggerer.event_reader")], ids=str
)
def test_an_extra_brings_what_its_modules_import(bare: Bare, wheel: Path, extra: str, module: str):
    bare.pip(f"{wheel}[{extra}]")
    assert f"airflow_provider_fabric.{module}\n" in run(bare.python, "-c", IMPORT_ALL, extra, **bare.settings)


SPRING_2025 = ("msal==1.31.1", "httpx==0.27.2", "cryptography==42.0.8", "requests==2.32.3")
"""Libraries as the official constraints of Airflow 2.10.5 name them, which Fabric's own Airflow installs under."""

SIGN_IN = """
import json, os
from importlib.metadata import version
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
with FabricEmulator() as emulator:
    for auth_type in ("client_secret", "refresh_token", "access_token"):
        connection = json.loads(emulator.connection_json)
        extra = connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"])
        connection["extra"] = {**extra, "auth_type": auth_type}
        if auth_type == "refresh_token":
            connection["password"] = emulator.control.issue_refresh_token()
        if auth_type == "access_token":
            connection["password"] = emulator.control.issue_token()
        os.environ["AIRFLOW_CONN_" + auth_type.upper()] = json.dumps(connection)
        hook = FabricHook(auth_type)
        print(auth_type, [workspace.display_name for workspace in hook.list_workspaces()])
        hook.close()
print("msal", version("msal"))
"""


@pytest.mark.skipif("2.10.5" not in VERSIONS, reason="Airflow 2.10 ends at Python 3.12")
def test_libraries_of_spring_2025_are_accepted_and_sign_in(environments: dict[str, Bare], wheel: Path):
    bare = environments["2.10.5"]
    run(bare.python, "-m", "pip", "install", "--quiet", *SPRING_2025, f"{wheel}[emulator]")
    printed = run(bare.python, "-c", SIGN_IN, **bare.settings)
    assert printed.count("['Emulator workspace']") == 3, printed
    assert "msal 1.31.1" in printed
