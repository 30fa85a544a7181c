"""What a notebook's definition tells of its parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.notebook_parameters import declared_parameters


def ipynb(*cells: tuple[list[str], Any], kernel: str | None = "synapse_pyspark") -> dict[str, bytes]:
    entries = [{"cell_type": "code", "metadata": {"tags": tags}, "source": source} for tags, source in cells]
    metadata = {"kernel_info": {"name": kernel}} if kernel else {}
    return {"artifact.content.ipynb": json.dumps({"metadata": metadata, "cells": entries}).encode()}


def test_the_tagged_cell_of_an_ipynb():
    source = ["import os\n", 'region = "EU"\n', "limit = 10\n", "rate: float = 0.5\n", "full = False\n", "day: str\n"]
    assert declared_parameters(ipynb(([], "x = 1"), (["parameters"], source))) == [
        {"name": "region", "type": "string", "isRequired": False},
        {"name": "limit", "type": "number", "isRequired": False},
        {"name": "rate", "type": "number", "isRequired": False},
        {"name": "full", "type": "bool", "isRequired": False},
        {"name": "day", "type": "", "isRequired": True},
    ]
    assert declared_parameters(ipynb((["parameters"], "a = None\nb = f()\n"), kernel=None)) == [
        {"name": "a", "type": "", "isRequired": False},
        {"name": "b", "type": "", "isRequired": False},
    ]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"notebook-content.py": b"# Fabric notebook source\n\n# CELL ********************\n\nx = 1\n"},
        {"notebook-content.scala": b"// PARAMETERS CELL ********************\n\nval x = 1\n"},
        {"artifact.content.ipynb": b"{not json"},
        {"artifact.content.ipynb": b"[]"},
        {"artifact.content.ipynb": b'{"cells": 5}'},
        ipynb(([], "x = 1")),
        ipynb((["parameters"], "val x = 1")),
        ipynb((["parameters"], "%%sql\nselect 1")),
        ipynb((["parameters"], "x = 1"), kernel="synapse_spark"),
    ],
)
def test_a_definition_that_does_not_tell(parts: dict[str, bytes]):
    assert declared_parameters(parts) is None


def test_an_empty_parameter_cell_declares_nothing():
    assert declared_parameters(ipynb((["parameters"], ""))) == []
