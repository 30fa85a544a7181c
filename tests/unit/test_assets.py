"""Asset URIs ``fabric://workspace/item``."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from airflow_provider_fabric.assets import asset_uri, create_asset, fabric_asset, sanitize_uri
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.get_provider_info import get_provider_info

GUID = "6F6F6F6F-0000-4000-8000-00000000000A"


def test_names_are_quoted_and_guids_written_in_one_way():
    assert asset_uri("Sales", "Daily load") == "fabric://Sales/Daily%20load"
    assert asset_uri(GUID, "A/B?#") == f"fabric://{GUID.lower()}/A%2FB%3F%23"


@pytest.mark.parametrize(("workspace", "item"), [("", "x"), ("x", " "), (None, "x")])
def test_blank_names_are_refused(workspace, item):
    with pytest.raises(FabricInputError, match="names a workspace and an item"):
        asset_uri(workspace, item)


@pytest.mark.parametrize(
    "uri",
    ["fabric://Sales/Daily%20load", "fabric://Sales/Daily load", "fabric://Sales/Daily%20load/"],
)
def test_the_same_item_has_one_uri(uri: str):
    assert sanitize_uri(urlsplit(uri)).geturl() == "fabric://Sales/Daily%20load"


@pytest.mark.parametrize("uri", ["fabric://Sales", "fabric://Sales/", "fabric:///x", "fabric://Sales/a/b"])
def test_what_names_no_item(uri: str):
    with pytest.raises(ValueError, match="must be fabric://workspace/item"):
        sanitize_uri(urlsplit(uri))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Airflow 2's own Flask, when it looks for URI handlers
def test_airflow_takes_the_uri_as_it_is():
    asset = fabric_asset(GUID, "Daily load", extra={"team": "sales"})
    assert asset.uri == f"fabric://{GUID.lower()}/Daily%20load"
    assert asset.extra == {"team": "sales"}
    assert create_asset(workspace=GUID, item="Daily load").uri == asset.uri


def test_it_is_registered():
    info = get_provider_info()
    assert info["asset-uris"] == info["dataset-uris"]
    assert info["asset-uris"][0]["schemes"] == ["fabric"]


def test_airflow_finds_what_is_registered():
    import importlib

    for path in ("handler", "factory", "to_openlineage_converter"):
        module, _, name = get_provider_info()["asset-uris"][0][path].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
