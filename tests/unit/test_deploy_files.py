"""The files of docs/deploying.md: they parse, and have what deferrable operators need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
REQUIREMENTS = sorted(DEPLOY.rglob("requirements.txt"))


def read(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text())


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.parent.name)
def test_requirements_name_the_package(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert [Requirement(line).name for line in lines] == ["airflow-provider-fabric"]


def test_there_is_a_file_for_each_platform() -> None:
    assert {path.parent.name for path in REQUIREMENTS} == {"astro", "composer", "fabric", "mwaa"}


def test_compose_runs_every_component_the_triggerer_included() -> None:
    services = read("docker/compose.yaml")["services"]
    commands = {service.get("command") for service in services.values()}
    assert {"scheduler", "dag-processor", "triggerer", "api-server", "db migrate"} <= commands
    for service in services.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
    airflows = [service for service in services.values() if service.get("build")]
    assert len(airflows) == 5
    environments = [service["environment"] for service in airflows]
    assert all("AIRFLOW_CONN_FABRIC_DEFAULT" in environment for environment in environments)
    assert all(environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] == "true" for environment in environments)


def compose_command() -> list[str] | None:
    """Return what runs Compose here: Docker's plugin, or Debian's package of the name."""
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


@pytest.mark.parametrize("missing", [None, "JWT_SECRET", "FERNET_KEY", "AIRFLOW_CONN_FABRIC_DEFAULT"])
def test_compose_itself_accepts_the_file_and_names_what_is_not_set(missing: str | None) -> None:
    command = compose_command()
    if command is None:
        pytest.skip("neither the plugin `docker compose` nor docker-compose is installed")
    given = {"JWT_SECRET": "a", "FERNET_KEY": "b", "AIRFLOW_CONN_FABRIC_DEFAULT": '{"conn_type": "fabric"}'}
    environment = {key: value for key, value in {**os.environ, **given}.items() if key != missing}
    answer = subprocess.run(
        [*command, "-f", str(DEPLOY / "docker" / "compose.yaml"), "config"],
        env=environment,
        capture_output=True,
        text=True,
    )
    if missing:
        assert answer.returncode
        assert "set it in .env" in answer.stderr
        return
    assert not answer.returncode, answer.stderr
    services = yaml.safe_load(answer.stdout)["services"]
    assert {"scheduler", "dag-processor", "triggerer", "api-server", "migrate", "postgres"} <= set(services)
    assert services["triggerer"]["environment"]["AIRFLOW_CONN_FABRIC_DEFAULT"] == given["AIRFLOW_CONN_FABRIC_DEFAULT"]


def test_no_file_holds_a_secret_of_fabric() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            assert not any(word in path.read_text() for word in ("client_secret", "eyJ", "-----BEGIN"))


def test_the_dockerfile_keeps_airflows_version() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert text.index("ARG AIRFLOW_VERSION") < text.index("FROM apache/airflow:${AIRFLOW_VERSION}")
    assert '"apache-airflow==${AIRFLOW_VERSION}"' in text


def test_helm_values_run_a_triggerer_and_take_the_connection_from_a_secret() -> None:
    values = read("helm/values.yaml")
    assert values["triggerer"]["enabled"] is True
    assert values["config"]["operators"]["default_deferrable"] == "true"
    secret = {"envName": "AIRFLOW_CONN_FABRIC_DEFAULT", "secretName": "fabric-connection", "secretKey": "connection"}
    assert values["secret"] == [secret]


def test_helm_values_tell_the_chart_the_airflow_of_the_image() -> None:
    values = read("helm/values.yaml")
    version = values["airflowVersion"]
    assert version == values["images"]["airflow"]["tag"]
    assert f"ARG AIRFLOW_VERSION={version}\n" in (DEPLOY / "docker" / "Dockerfile").read_text()


def test_mwaas_options_are_strings() -> None:
    assert json.loads((DEPLOY / "mwaa" / "airflow-configuration.json").read_text()) == {
        "operators.default_deferrable": "true"
    }
