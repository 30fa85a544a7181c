"""The documentation's pictures: taken anew from a real Airflow, and the ones in the repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_fabric.links import RUN_URL_KEY
from devtools.airflow.versions import installed_airflow
from devtools.docs import screenshots
from devtools.docs.browser import MISSING, is_installed
from devtools.docs.doc_parts import documents
from devtools.docs.screenshots import DAG_ID, DIALOG, IN_DIALOG, Stage

PICTURES = set(screenshots.SHOWN)
MAX_BYTES = 300_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not is_installed():
        pytest.skip(MISSING)
    version = installed_airflow()
    if not version.startswith("3.3."):
        pytest.skip(f"the pictures are of Airflow 3.3's pages, this is {version}")
    with screenshots.stage(tmp_path_factory.mktemp("pictures")) as on:
        yield on


def check(files: list[Path]) -> None:
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG\r\n"), file
        assert 10_000 < file.stat().st_size < MAX_BYTES, file


def test_the_documentation_has_every_picture() -> None:
    files = sorted(screenshots.IMAGES.glob("*.png"))
    assert not PICTURES - {file.name for file in files}
    check(files)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_shows_the_code_of_today(name: str) -> None:
    taken_of = json.loads(screenshots.SOURCES.read_text())
    assert taken_of.get(name) == screenshots.sources()[name], f"{name} is stale: make pictures"


def test_a_source_that_is_gone_is_noticed() -> None:
    with pytest.raises(FileNotFoundError, match="no/such"):
        screenshots._files("example_dags/fabric_data_factory.py", "no/such/*.py")


def test_every_picture_is_shown_on_a_page() -> None:
    pages = "".join(path.read_text() for path in documents())
    assert [name for name in sorted(PICTURES) if f"images/{name}" not in pages] == []


@pytest.mark.browser
@pytest.mark.docs
def test_every_picture_can_be_taken(stage: Stage) -> None:
    """Taking them waits for what they show: deferred tasks, the extra link, the page that it opens."""
    taken = screenshots.take_all(stage)
    assert {file.name for file in taken} == PICTURES
    check(taken)
    run_url = stage.airflow.xcoms(DAG_ID, "second", "run_pipeline")[RUN_URL_KEY]
    stage.browser.open(run_url)
    stage.browser.wait_for(run_url.rpartition("/")[2], selector="#facts")


@pytest.mark.browser
@pytest.mark.docs
def test_a_connection_typed_into_the_form_works(stage: Stage) -> None:
    """All that the form stores, its empty fields included, is read again: the connection test signs in."""
    browser, connection = stage.browser, stage.emulator.connection
    browser.resize(*screenshots.FORM)
    screenshots.open_form(stage, "typed_in")
    for name in ("host", "login", "password"):
        browser.type(f"{IN_DIALOG}//input[@name='{name}']", connection[name])
    screenshots.unfold(browser, "Extra Fields", last=screenshots.LAST_FIELD)
    for name in ("tenant_id", "authority", "verify"):
        browser.type(f"{IN_DIALOG}//input[@name='element_{name}']", connection["extra"][name])
    browser.click(f"{IN_DIALOG}//button[normalize-space(.)='Save']")
    browser.wait_for("typed_in", selector="table")
    assert browser.text(DIALOG) == ""
    stored = stage.airflow.rest.call("GET", "/connections/typed_in")
    assert connection["password"] not in str(stored)
    answer = stage.airflow.rest.call("POST", "/connections/test", stored)
    assert answer["status"] is True, answer["message"]
    assert "Emulator workspace" in answer["message"]
