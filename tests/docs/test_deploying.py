"""The files of docs/deploying.md as their platforms read them, as far as that is possible without a platform."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "docs" / "deploy"
CHECK = REPOSITORY / ".venv-docs" / "bin" / "check-jsonschema"
TEN_MINUTES = 600

PLATFORMS = {"astro": "3.3.2", "composer": "2.10.5", "fabric": "2.10.5", "mwaa": "2.11.2"}
"""Platform → an Airflow that it runs, of those that we have constraints for."""

SECRETS = {"JWT_SECRET": "jwt", "FERNET_KEY": "fernet", "AIRFLOW_CONN_FABRIC_DEFAULT": '{"conn_type": "fabric"}'}

pytestmark = pytest.mark.docs


def run(*command: str | Path, cwd: Path = REPOSITORY, **environment: str) -> str:
    """Run a command and return what it printed; fail with all of it."""
    answer = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TEN_MINUTES,
    )
    assert answer.returncode == 0, answer.stdout[-6000:]
    return answer.stdout


@pytest.mark.skipif(not CHECK.exists(), reason="needs .venv-docs, which make docs sets up")
def test_the_compose_file_is_what_the_specification_allows() -> None:
    run(CHECK, "--builtin-schema", "vendor.compose-spec", DEPLOY / "docker" / "compose.yaml")


@pytest.mark.skipif(not CHECK.exists(), reason="needs .venv-docs, which make docs sets up")
def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(
        (DEPLOY / "docker" / "compose.yaml").read_text().replace("    command: triggerer", "    comand: x")
    )
    with pytest.raises(AssertionError, match="comand"):
        run(CHECK, "--builtin-schema", "vendor.compose-spec", wrong)


def has_compose() -> bool:
    docker = shutil.which("docker")
    return bool(docker) and subprocess.run([str(docker), "compose", "version"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="Docker's plugin compose is not installed")
def test_compose_reads_its_file() -> None:
    read = run("docker", "compose", "config", cwd=DEPLOY / "docker", **SECRETS)
    assert "triggerer" in read


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is a package index: the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    return folder


@pytest.mark.parametrize(("platform", "airflow"), PLATFORMS.items())
def test_requirements_resolve_with_the_platforms_airflow(
    platform: str, airflow: str, wheels: Path, tmp_path: Path
) -> None:
    if airflow.startswith("2.") and sys.version_info >= (3, 13):
        pytest.skip("Airflow 2 ends at Python 3.12")
    run(sys.executable, "-m", "venv", tmp_path / "environment")
    resolved = run(
        *(tmp_path / "environment" / "bin" / "python", "-m", "pip", "install", "--dry-run", "--find-links", wheels),
        *("--constraint", REPOSITORY / "constraints" / f"airflow-{airflow}.txt"),
        *("--requirement", DEPLOY / platform / "requirements.txt", f"apache-airflow=={airflow}"),
    )
    would_install = resolved.rpartition("Would install")[2]
    assert "airflow-provider-fabric-" in would_install
    assert f"apache-airflow-{airflow} " in would_install
