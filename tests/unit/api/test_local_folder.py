"""An item's folder on disk: what is a part, what is left out, and what is refused."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from airflow_provider_fabric.api.items.definitions import read_definition
from airflow_provider_fabric.exceptions import FabricInputError


def write(folder: Path, *paths: str, **contents: bytes) -> Path:
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(contents.get(path, b"{}"))
    return folder


MODEL = ("definition.pbism", "definition/model.tmdl", ".platform")


def test_what_power_bi_git_and_editors_leave_is_no_part(tmp_path: Path) -> None:
    """``.pbi/cache.abf`` is data."""
    left = (".pbi/cache.abf", ".pbi/localSettings.json", ".gitignore", ".git/HEAD", ".DS_Store", ".vscode/x.json")
    write(tmp_path, *MODEL, *left, "definition/.pbi/x", "__pycache__/a.pyc", ".ipynb_checkpoints/x.ipynb", "x.tmdl~")
    assert list(read_definition(tmp_path, "SemanticModel")) == [
        ".platform",
        "definition.pbism",
        "definition/model.tmdl",
    ]


def test_items_below_an_item_are_no_parts_of_it(tmp_path: Path) -> None:
    write(tmp_path, "EventhouseProperties.json", ".platform", ".children/T.KQLDatabase/.platform")
    write(tmp_path, ".children/T.KQLDatabase/DatabaseSchema.kql", "Other.Notebook/.platform", "Other.Notebook/x.py")
    assert list(read_definition(tmp_path, "Eventhouse")) == [".platform", "EventhouseProperties.json"]


def test_dotted_parts_are_kept(tmp_path: Path) -> None:
    write(tmp_path, ".platform", ".schedules", ".resources/functions.json", "definition.json", "function_app.py")
    assert list(read_definition(tmp_path, "UserDataFunction")) == [
        ".platform",
        "definition.json",
        "function_app.py",
        ".resources/functions.json",
        ".schedules",
    ]


@pytest.mark.parametrize("name", [".env", ".env.prod", "prod.env", ".netrc", "Resources/.env", ".aws/credentials"])
def test_what_may_hold_secrets_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    write(tmp_path, "notebook-content.py", name)
    with caplog.at_level(logging.WARNING):
        assert list(read_definition(tmp_path, "Notebook")) == ["notebook-content.py"]
    (text,) = [record.getMessage() for record in caplog.records]
    assert name.removesuffix("/credentials") in text


def test_a_symbolic_link_to_a_file_outside_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "A.Notebook", "notebook-content.py")
    (tmp_path / "passwd").write_text("s3cret")
    (folder / "data.txt").symlink_to(tmp_path / "passwd")
    with pytest.raises(FabricInputError, match=r"'data\.txt' leads out of the folder"):
        read_definition(folder, "Notebook")


def test_a_symbolic_link_to_a_folder_outside_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "A.Notebook", "notebook-content.py")
    write(tmp_path / "other", "x.py")
    (folder / "Resources").symlink_to(tmp_path / "other")
    with pytest.raises(FabricInputError, match="'Resources' leads out of the folder"):
        read_definition(folder, "Notebook")


def test_a_symbolic_link_to_nothing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "notebook-content.py")
    (tmp_path / "x.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(FabricInputError, match=r"'x\.txt' leads nowhere"):
        read_definition(tmp_path, "Notebook")


def test_links_inside_the_folder_are_followed_and_circles_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "notebook-content.py", "Resources/real/a.txt")
    (tmp_path / "Resources" / "again").symlink_to(tmp_path / "Resources" / "real")
    (tmp_path / "Resources" / "b.txt").symlink_to("real/a.txt")
    assert "Resources/again/a.txt" in read_definition(tmp_path, "Notebook")
    (tmp_path / "Resources" / "up").symlink_to(tmp_path)
    with pytest.raises(FabricInputError, match="leads back"):
        read_definition(tmp_path, "Notebook")


def test_a_folder_may_itself_be_a_link_as_git_sync_makes_it(tmp_path: Path) -> None:
    write(tmp_path / "revision" / "A.Notebook", "notebook-content.py")
    (tmp_path / "current").symlink_to(tmp_path / "revision")
    assert list(read_definition(tmp_path / "current" / "A.Notebook", "Notebook")) == ["notebook-content.py"]


def test_a_mounted_kubernetes_volume_is_read_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "..2024_01", "notebook-content.py")
    (tmp_path / "..data").symlink_to("..2024_01")
    (tmp_path / "notebook-content.py").symlink_to("..data/notebook-content.py")
    assert list(read_definition(tmp_path, "Notebook")) == ["notebook-content.py"]
    assert caplog.records == []


def test_a_foreign_folder_is_refused_before_its_files_are_read(tmp_path: Path) -> None:
    write(tmp_path, *(f"file{number}.py" for number in range(30)))
    with pytest.raises(FabricInputError, match=r"needs the part 'pipeline-content\.json'.* and 20 more"):
        read_definition(tmp_path, "DataPipeline")


def test_a_pipe_is_no_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "notebook-content.py")
    os.mkfifo(tmp_path / "pipe")
    assert list(read_definition(tmp_path, "Notebook")) == ["notebook-content.py"]
    assert "'pipe'" in caplog.text


@pytest.mark.parametrize("name", ["no such folder", "a\0b", "x" * 5000])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(FabricInputError, match="there is no folder") as caught:
        read_definition(name, "Notebook")
    assert len(str(caught.value)) < 600


CONTENTS = [b"", b"\r\n", b"\xef\xbb\xbfx", b"a\0b", "{{ ds }} {% if %} {# x #} 🎉".encode(), bytes(range(256)) * 20]


@pytest.mark.parametrize("content", CONTENTS)
def test_bytes_are_read_as_they_are(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "notebook-content.py")
    (tmp_path / "data.bin").write_bytes(content)
    assert read_definition(tmp_path, "Notebook")["data.bin"] == content
