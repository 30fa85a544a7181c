"""What a release uploads."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PYTHON = REPOSITORY / ".venv-docs" / "bin" / "python"

pytestmark = [
    pytest.mark.docs,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs .venv-docs, which make docs and make dist set up"),
]


@pytest.fixture(scope="module")
def distributions() -> dict[str, Path]:
    """Wheel and sdist of the last commit, built twice, compared and checked by twine."""
    command = [str(PYTHON), "-m", "devtools.release.dist"]
    answer = subprocess.run(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.count("PASSED") == 2
    return {file.suffix: file for file in (REPOSITORY / "dist").iterdir()}


def test_two_builds_are_equal_and_pass_twine(distributions: dict[str, Path]) -> None:
    assert set(distributions) == {".whl", ".gz"}


def test_the_wheel_holds_the_package_and_its_entry_points(distributions: dict[str, Path]) -> None:
    with zipfile.ZipFile(distributions[".whl"]) as wheel:
        names = wheel.namelist()
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert {name.split("/")[0] for name in names} == {"airflow_provider_fabric", info}
    assert "airflow_provider_fabric/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    for group in ("apache_airflow_provider", "console_scripts", "pytest11"):
        assert f"[{group}]" in entry_points
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier")
    assert {"emulator", "dev", "docs", "release"} <= set(metadata.get_all("Provides-Extra"))


def test_the_sdist_holds_what_a_packager_needs(distributions: dict[str, Path]) -> None:
    with tarfile.open(distributions[".gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "docs/index.md"} <= names
    assert not any(name.startswith((".venv", ".demo", "tests/")) for name in names)
