"""The provider's metadata is what this Airflow's own schema accepts, and names what is there."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_fabric import __version__
from airflow_provider_fabric.get_provider_info import get_provider_info

SCHEMA = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
INFO: dict[str, Any] = get_provider_info()
MODULES = [
    module
    for kind in ("hooks", "operators", "sensors", "triggers")
    for entry in INFO[kind]
    for module in entry["python-modules"]
]


def test_airflows_schema_accepts_it() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(INFO, SCHEMA)


def test_airflows_schema_can_refuse_it() -> None:
    """So that the test above can fail: the schema does describe what we give."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**INFO, "connection-types": [{"connection-type": "fabric"}]}, SCHEMA)


def test_it_is_json_and_names_this_version() -> None:
    assert json.loads(json.dumps(INFO)) == INFO
    assert INFO["versions"][0] == __version__


@pytest.mark.parametrize("module", MODULES)
def test_what_it_names_is_there(module: str) -> None:
    assert import_module(module)


def test_every_module_of_operators_sensors_and_triggers_is_named() -> None:
    package = Path(import_module("airflow_provider_fabric").__file__ or "").parent
    for kind, left_out in (("operators", ("calls",)), ("sensors", ("base", "timestamps")), ("triggers", ())):
        files = {path.stem for path in (package / kind).glob("*.py") if not path.stem.startswith("_")}
        named = {module.rpartition(".")[2] for module in MODULES if f".{kind}." in module}
        assert named == files - set(left_out)


def test_links_and_connection_types_name_classes() -> None:
    paths = [*INFO.get("extra-links", ()), *(entry["hook-class-name"] for entry in INFO["connection-types"])]
    assert paths
    for path in paths:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type)
