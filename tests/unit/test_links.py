"""Where the link of a run leads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric import links
from airflow_provider_fabric.links import MICROSOFT_API_HOST, PORTAL, FabricRunLink, publish_run_url, run_url
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.sensors.job import FabricItemJobSensor

OPERATORS = [
    lambda: FabricRunPipelineOperator(task_id="run", workspace="w", pipeline="p"),
    lambda: FabricItemJobSensor(task_id="wait", workspace="w", item="p"),
]


class Asked(Exception):
    """Airflow was asked for an XCom; if it has none, it reports an error."""


@pytest.fixture(autouse=True)
def xcoms(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What Airflow has stored; it is an error to ask for anything else."""
    stored: dict[str, str] = {}

    def read(ti_key: Any, key: str) -> str:
        if key not in stored:
            raise Asked(key)
        return stored[key]

    monkeypatch.setattr(links, "read_own_xcom", read)
    return stored


@pytest.mark.parametrize("make", OPERATORS)
def test_airflow_3_asks_a_task_that_published_nothing_in_silence(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = make()
    monkeypatch.setattr(links, "read_own_xcom", lambda *_: pytest.fail("it asked for an XCom that is not there"))
    assert FabricRunLink().get_link(operator, ti_key=SimpleNamespace(task=operator)) == ""


@pytest.mark.parametrize("make", OPERATORS)
def test_a_published_address_needs_no_xcom(make: Any) -> None:
    operator, pushed = make(), {}
    ti = SimpleNamespace(task=operator, xcom_push=lambda key, value: pushed.update({key: value}))
    publish_run_url(operator, ti, "https://x/run")
    assert pushed == {"run_url": "https://x/run"}
    assert FabricRunLink().get_link(operator, ti_key=ti) == "https://x/run"


def test_elsewhere_the_xcom_is_read(xcoms: dict[str, str]) -> None:
    """In Airflow 2's web server, and as a task ends that was deferred before it published anything again."""
    operator = OPERATORS[0]()
    deferred = SimpleNamespace(next_method="execute_complete")
    keys = [SimpleNamespace(task_id="run"), SimpleNamespace(task=operator, _ti_context_from_server=deferred)]
    assert [FabricRunLink().get_link(operator, ti_key=key) for key in keys] == ["", ""]
    xcoms["run_url"] = "https://x/run"
    assert [FabricRunLink().get_link(operator, ti_key=key) for key in keys] == ["https://x/run"] * 2
    assert FabricRunLink().get_link(SimpleNamespace(), ti_key=keys[0]) == "https://x/run"


def test_the_link_has_a_key_of_its_own() -> None:
    """Airflow 3 writes it as plain text: under the XCom's key a custom backend could not read its own value again."""
    assert FabricRunLink().xcom_key != links.RUN_URL_KEY


def test_the_runs_of_a_private_link_are_shown_in_the_portal() -> None:
    private = "https://0a1b2c.z0a.w.api.fabric.microsoft.com"
    assert run_url(private, "w", "i", "CopyJob", "j") == run_url(MICROSOFT_API_HOST, "w", "i", "CopyJob", "j")


def test_another_host_has_a_portal_of_its_own() -> None:
    assert not run_url("https://api.fabric.microsoft.com.example", "w", "i", "CopyJob").startswith(PORTAL)
