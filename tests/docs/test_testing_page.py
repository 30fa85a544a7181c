"""The files of docs/testing.md, run as a user runs them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples"
PLUGIN = "airflow_provider_fabric.emulator.pytest_plugin"
LOG_OF_THE_README = next(
    block
    for block in re.findall(r"^```text\n(.*?)^```", (EXAMPLES.parent.parent / "README.md").read_text(), re.M | re.S)
    if "DataPipeline 'Load sales'" in block
)
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": f"-p {PLUGIN} -p no:cacheprovider -q"}
"""With no other plugin, which might warn. That pytest finds ours by itself: tests/docs/test_getting_started.py."""


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory of its own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTEST"))}
    inherited["PYTHONPATH"] = str(EXAMPLES.parent.parent)  # this checkout, also where another one is installed
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of a user's own: a DAG and its test."""
    return shutil.copytree(EXAMPLES, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))


def test_the_example_test_passes(project: Path) -> None:
    settings = {
        "AIRFLOW_HOME": str(project / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    migrated = run("airflow", "db", "migrate", cwd=project, **settings)
    assert migrated.returncode == 0, migrated.stdout
    tested = run("pytest", "-rP", cwd=project, **ALONE, **settings)
    assert tested.returncode == 0, tested.stdout[-6000:]
    assert "2 passed" in tested.stdout
    if version("apache-airflow").startswith("3.3."):  # as the README shows; other versions word it differently
        for line in LOG_OF_THE_README.splitlines():
            assert re.search(pattern(line), tested.stdout), line


GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pattern(line: str) -> str:
    """Return what a line of a log looks like in another run."""
    return re.sub(r"127\\.0\\.0\\.1:\d+", r"127\\.0\\.0\\.1:\\d+", re.escape(GUID.sub("GUID", line))).replace(
        "GUID", GUID.pattern
    )


def test_settings_are_a_fixture_of_the_users(project: Path) -> None:
    shutil.rmtree(project / "dags")
    (project / "test_load_sales.py").write_text(
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def fabric_emulator_settings():\n    return {'page_size': 7}\n"
        "def test_it(fabric_emulator, fabric_connection):\n"
        "    assert fabric_emulator.control.config()['page_size'] == 7\n"
        "    assert fabric_connection == 'fabric_default'\n"
    )
    tested = run("pytest", "-W", "error", cwd=project, **ALONE)
    assert tested.returncode == 0, tested.stdout[-6000:]


def test_each_test_gets_the_tenant_as_new(project: Path) -> None:
    shutil.rmtree(project / "dags")
    (project / "test_load_sales.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('time', [1, 2])\n"
        "def test_it(fabric_emulator, time):\n"
        "    control = fabric_emulator.control\n"
        "    assert control.faults() == []\n"
        "    control.add_fault(path='*')\n"
        "    control.add_job_rule(outcome='Failed')\n"
        "    assert len(control.job_rules()) == 1\n"
    )
    tested = run("pytest", cwd=project, **ALONE)
    assert tested.returncode == 0, tested.stdout[-6000:]


WITHOUT_THE_EXTRA = """
import sys
for name in ("starlette", "uvicorn", "trustme"):
    sys.modules[name] = None
"""


def test_without_the_extra_only_those_who_ask_hear_of_it(project: Path) -> None:
    shutil.rmtree(project / "dags")
    (project / "conftest.py").write_text(WITHOUT_THE_EXTRA)
    (project / "test_load_sales.py").write_text(
        "def test_other():\n    pass\ndef test_it(fabric_emulator):\n    pass\n"
    )
    tested = run("pytest", "-W", "error", cwd=project, **ALONE)
    assert "1 passed, 1 error" in tested.stdout
    assert "pip install 'airflow-provider-fabric[emulator]'" in tested.stdout


def test_others_pay_nothing_for_the_plugin(project: Path) -> None:
    """Importing it brings the package's two smallest modules, and neither Airflow nor a server."""
    code = (
        "import pytest, sys; before = set(sys.modules); import airflow_provider_fabric.emulator.pytest_plugin as p;"
        "print(sorted(name for name in set(sys.modules) - before))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=EXAMPLES.parent.parent, capture_output=True, text=True, check=True
    )
    assert set(ast.literal_eval(answer.stdout)) == {
        "airflow_provider_fabric",
        "airflow_provider_fabric.emulator",
        PLUGIN,
    }
