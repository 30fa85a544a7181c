"""The connection form of Airflow 2.10 in a real browser: what an edit keeps, what a page says, what is left out.

Airflow 2.10.5 runs in an environment of its own: ``make test-form`` makes it, or ``AIRFLOW_2_PYTHON`` names its
interpreter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_fabric.api.connection.fields import AuthType
from devtools.airflow.stack import AirflowStack
from devtools.docs.browser import Browser

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("AIRFLOW_2_PYTHON") or str(REPOSITORY / ".venv-airflow-2" / "bin" / "python")
MISSING = "no Airflow 2.10.5 here: make test-form"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.docs,
    pytest.mark.skipif(not Path(PYTHON).exists(), reason=MISSING),
]

SECRETS = {
    "certificate": "-----BEGIN PEM",
    "certificate_password": "pass word",
    "client_secret": "s3cret of the app",
    "access_token": "eyJ.stored.token",
}
STORED = {
    "conn_type": "fabric",
    "login": "1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11",
    "password": "the password",
    "description": "before",
    "extra": {"auth_type": "client_certificate", "tenant_id": "t.example", **SECRETS},
}


@dataclass(frozen=True)
class Form:
    """Somebody who edits connections.

    :param airflow: of which only the webserver runs.
    """

    airflow: AirflowStack
    browser: Browser

    def store(self, conn_id: str) -> None:
        """Make a connection, as an administrator does on the command line."""
        self.airflow.airflow("connections", "add", conn_id, "--conn-json", json.dumps(STORED))

    def edit(self, conn_id: str) -> None:
        """Open the page on which a connection is edited, and see our fields on it."""
        self.browser.open(f"{self.airflow.base_url}/connection/list/?_flt_3_conn_id={conn_id}")
        self.browser.click("//a[contains(@href, '/connection/edit/')]")
        self.browser.wait_for("Tenant ID")

    def write(self, field: str, text: str) -> None:
        """Replace what stands in a field."""
        self.browser.run("document.querySelector(`form [name=${arguments[0]}]`).value = ''", field)
        if text:
            self.browser.type(f"//form//*[@name='{field}']", text)

    def value(self, field: str) -> str:
        return str(self.browser.run("return document.querySelector(`form [name=${arguments[0]}]`).value", field))

    def save(self) -> None:
        self.browser.click("//button[normalize-space(.)='Save']")

    def stored(self, conn_id: str) -> dict[str, Any]:
        """Return what is in Airflow's database; the command ``connections get`` makes text of numbers."""
        exported = self.airflow.home / "connections.json"
        self.airflow.airflow("connections", "export", str(exported))
        connection: dict[str, Any] = json.loads(exported.read_text())[conn_id]
        return {**connection, "extra": json.loads(connection["extra"])}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """A webserver of Airflow 2.10.5, and nothing else."""
    settings = {"PYTHONPATH": str(REPOSITORY)}
    stack = AirflowStack(dags=tmp_path_factory.mktemp("dags"), env=settings, python=PYTHON)
    try:
        stack.migrate()
        stack.component("api-server").start()
        stack.wait_until(lambda: answers(stack), 300, "the webserver answers", every=0.5)
        yield stack
    finally:
        stack.close()


def answers(stack: AirflowStack) -> bool:
    try:
        return requests.get(f"{stack.base_url}/health", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def form(airflow: AirflowStack, browser: Browser) -> Form:
    browser.resize(1280, 2600)
    return Form(airflow, browser)


def test_an_edit_of_something_else_keeps_every_secret(form: Form) -> None:
    form.store("edited")
    form.edit("edited")
    source = str(form.browser.run("return document.documentElement.outerHTML"))
    assert not [secret for secret in SECRETS.values() if secret in source]
    form.write("description", "after")
    form.save()
    form.browser.wait_for("Changed Row")
    found = form.stored("edited")
    assert found["description"] == "after"
    assert found["password"] == STORED["password"]
    assert found["extra"] == STORED["extra"]


def test_a_secret_is_replaced_where_a_new_one_is_typed(form: Form) -> None:
    form.store("replaced")
    form.edit("replaced")
    form.write("extra__fabric__client_secret", "another one")
    form.save()
    form.browser.wait_for("Changed Row")
    assert form.stored("replaced")["extra"] == {**STORED["extra"], "client_secret": "another one"}


def test_sign_in_names_its_words_and_a_wrong_one_is_refused_on_the_page(form: Form) -> None:
    form.store("refused")
    form.edit("refused")
    page = form.browser.text()
    assert [word for word in AuthType if word.value not in page] == []
    form.write("extra__fabric__auth_type", "password")
    form.save()
    form.browser.wait_for("The extra field 'auth_type' must be one of client_secret, client_certificate")
    assert form.value("extra__fabric__auth_type") == "password"
    assert form.stored("refused")["extra"] == STORED["extra"]


def test_empty_fields_are_left_out(form: Form) -> None:
    form.store("emptied")
    form.edit("emptied")
    form.write("extra__fabric__job_calls_per_minute", "90")
    form.save()
    form.browser.wait_for("Changed Row")
    assert form.stored("emptied")["extra"] == {**STORED["extra"], "job_calls_per_minute": 90}
    form.edit("emptied")
    form.write("extra__fabric__job_calls_per_minute", "")
    form.save()
    form.browser.wait_for("Changed Row")
    assert form.stored("emptied")["extra"] == STORED["extra"]
