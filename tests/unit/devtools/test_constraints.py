"""The constraint files: merged without a loss, and naming no host."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.release.constraints import merge, normalise

FILES = sorted((Path(__file__).resolve().parents[3] / "constraints").glob("*.txt"))


def test_what_all_pythons_agree_on_is_plain():
    assert merge({"3.10": {"a": "1"}, "3.11": {"a": "1"}}) == ["a==1"]


def test_what_only_some_need_is_plain_too():
    assert merge({"3.10": {"a": "1", "tomli": "2"}, "3.11": {"a": "1"}}) == ["a==1", "tomli==2"]


def test_where_they_differ_each_python_has_its_line():
    assert merge({"3.10": {"a": "1"}, "3.11": {"a": "2"}, "3.12": {"a": "2"}}) == [
        "a==1 ; python_version == '3.10'",
        "a==2 ; python_version == '3.11' or python_version == '3.12'",
    ]


def test_names_are_compared_as_indexes_do():
    assert normalise("Flask_SQLAlchemy.x") == "flask-sqlalchemy-x"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_pins_all_and_names_no_host(file: Path):
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert all("==" in line and "/" not in line and "@" not in line for line in lines)
    if file.stem.startswith("airflow-"):
        assert f"apache-airflow=={file.stem.removeprefix('airflow-')}" in lines
