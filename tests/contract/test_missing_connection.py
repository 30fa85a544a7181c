"""A connection that does not exist is an error of ours, which says what to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_fabric.compat import is_missing_connection
from airflow_provider_fabric.exceptions import FabricConnectionError
from airflow_provider_fabric.hooks import fabric
from airflow_provider_fabric.hooks.fabric import FabricHook


class AirflowNotFoundException(Exception):
    """Airflow's own, by its name: it lives in another module in each version."""


class AirflowRuntimeError(Exception):
    """That of Airflow 3.0, whose ``error.error`` is an enum."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.error = type("Response", (), {"error": word})()


NOT_FOUND = [
    AirflowNotFoundException("The conn_id `x` isn't defined"),
    AirflowRuntimeError("ErrorType.CONNECTION_NOT_FOUND"),
]
MESSAGE = r"^There is no Airflow connection 'my-fabric'\. .* AIRFLOW_CONN_MY-FABRIC "


@pytest.mark.parametrize("error", NOT_FOUND, ids=lambda error: type(error).__name__)
def test_it_names_the_variable(error: Exception, monkeypatch: pytest.MonkeyPatch):
    def missing(*_: Any) -> Any:
        raise error

    async def amissing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(FabricHook, "get_connection", missing)
    monkeypatch.setattr(fabric, "get_connection_async", amissing)
    hook = FabricHook("my-fabric")
    with pytest.raises(FabricConnectionError, match=MESSAGE):
        hook.list_workspaces()
    with pytest.raises(FabricConnectionError, match=MESSAGE):
        asyncio.run(hook.alist_workspaces())
    tested, message = hook.test_connection()
    assert not tested
    assert "AIRFLOW_CONN_MY-FABRIC" in message


@pytest.mark.parametrize("error", [RuntimeError("x"), AirflowRuntimeError("API_SERVER_ERROR")])
def test_other_errors_are_not_taken_for_it(error: Exception, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(FabricHook, "get_connection", broken)
    assert not is_missing_connection(error)
    with pytest.raises(type(error)):
        FabricHook("x").get_conn()
