"""The few calls of Airflow's REST API that the stack makes: what a person does in the UI."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import requests

from devtools.airflow.versions import Dialect

TIMEOUT_SECONDS = 90.0
"""Longer than a component waits for SQLite's lock: the answer says more than silence."""
TRIES = 6
"""Of one call that Airflow 3 answers with 500, a second apart: see ``stack.API_SERVER_PATIENCE``."""


def as_a_person(do: Callable[[], None], *, done: Callable[[], bool], say: Callable[[str], None] | None = None) -> None:
    """Do something in Airflow, and try again if it is busy, as a person would.

    :param do: what to do.
    :param done: whether it has been done although the answer was an error.
    :param say: gets every error.
    """
    for pause in (5.0, 10.0, None):
        try:
            do()
        except Exception as error:
            if done():
                return
            if pause is None:
                raise
            if say is not None:
                say(f"trying again: {error}")
            time.sleep(pause)
        else:
            return


class AirflowRest:
    """REST client of one API server (3.x: ``/api/v2`` with a token; 2.x: ``/api/v1``, everybody is the admin)."""

    def __init__(self, base_url: str, dialect: Dialect) -> None:
        self.base_url = base_url
        self.dialect = dialect
        self._session = requests.Session()
        self._session.trust_env = False  # loopback; no proxy of the environment

    def answers(self) -> bool:
        """Whether the server is up and its database is reachable."""
        path = "/api/v2/monitor/health" if self.dialect.major >= 3 else "/health"
        try:
            return self._session.get(self.base_url + path, timeout=5).ok
        except requests.RequestException:
            return False

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send one request below the API's prefix and return the JSON answer.

        :raises RuntimeError: for an error status, with the server's words.
        """
        if self.dialect.major >= 3 and "Authorization" not in self._session.headers:
            self._sign_in()
        url = f"{self.base_url}{self.dialect.rest}{path}"
        for tries_left in reversed(range(TRIES if self.dialect.major >= 3 else 1)):
            answer = self._session.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
            if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR or not tries_left:
                break
            time.sleep(1)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _sign_in(self) -> None:
        answer = self._session.get(self.base_url + "/auth/token", timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a DAG run."""
        self.call("POST", f"/dags/{dag_id}/dagRuns", self.dialect.trigger_payload(run_id, conf))

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str] | None, *, downstream: bool) -> None:
        """Clear task instances of a run (all of them for None), whatever their state."""
        body: dict[str, Any] = {"dry_run": False, "only_failed": False, "dag_run_id": run_id}
        if task_ids is not None:
            body |= {"task_ids": list(task_ids), "include_downstream": downstream}
        self.call("POST", f"/dags/{dag_id}/clearTaskInstances", body | {"reset_dag_runs": True})

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task instance ``success`` or ``failed``, as the UI does."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        if map_index >= 0:
            path += f"/{map_index}"
        self.call("PATCH", path, self.dialect.state_payload(state))
