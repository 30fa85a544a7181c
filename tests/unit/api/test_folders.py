"""Folders of a workspace: paths, the names that Fabric refuses, and making one that somebody else makes too."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.api.http.flow import TransportFailure
from airflow_provider_fabric.api.items.folders import (
    Folder,
    FolderTree,
    create_folder,
    ensure_folder,
    folder_names,
    move_item,
    resolve_folder,
)
from airflow_provider_fabric.exceptions import FabricApiError, FabricInputError, FabricNameError
from tests.flow_driver import ITEM, WORKSPACE, drive, ok, page, refusal

SALES, DAILY = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
LIST = f"GET /v1/workspaces/{WORKSPACE}/folders"
MAKE = f"POST /v1/workspaces/{WORKSPACE}/folders"


def wire(folder_id: str, name: str, parent: str | None = None) -> dict[str, str]:
    return {"id": folder_id, "displayName": name} | ({"parentFolderId": parent} if parent else {})


def test_a_tree_knows_paths_in_any_order_and_any_case():
    tree = FolderTree([Folder(DAILY, "Daily", SALES), Folder(SALES, "Sales")])
    assert [tree.path(id_) for id_ in (SALES, DAILY, None, ITEM)] == ["Sales", "Sales/Daily", "", ""]
    assert [tree.find(path) for path in ("sales/DAILY", "Sales", "Daily", "")] == [DAILY, SALES, None, None]
    assert (SALES in tree, ITEM in tree) == (True, False)


def test_folders_that_lie_in_each_other_end():
    tree = FolderTree([Folder(DAILY, "Daily", SALES), Folder(SALES, "Sales", DAILY)])
    assert tree.path(DAILY).count("/") <= 3


def test_parents_are_made_first_and_what_is_there_is_used():
    tree = FolderTree([Folder(SALES, "Sales")])
    talk = drive(ensure_folder(WORKSPACE, "/Sales/Daily/", tree), [ok(wire(DAILY, "Daily", SALES), 201)])
    assert talk.result() == DAILY
    assert talk.requests[0].json == {"displayName": "Daily", "parentFolderId": SALES}
    assert drive(ensure_folder(WORKSPACE, "Sales/Daily", tree), []).result() == DAILY
    assert drive(ensure_folder(WORKSPACE, "", tree), []).result() is None


@pytest.mark.parametrize(
    "answer",
    [refusal(409, "FolderDisplayNameAlreadyInUse"), refusal(503, "Busy"), TransportFailure("cut", unsent=False)],
)
def test_a_folder_that_is_there_after_all_is_used(answer):
    talk = drive(ensure_folder(WORKSPACE, "Sales", FolderTree([])), [answer, page(wire(SALES, "Sales"))])
    assert talk.result() == SALES
    assert talk.paths == [MAKE, LIST], "made once"


def test_a_refusal_is_reported():
    talk = drive(ensure_folder(WORKSPACE, "Sales", FolderTree([])), [refusal(403, "InsufficientPrivileges")])
    with pytest.raises(FabricApiError, match="create folder 'Sales'"):
        talk.result()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Sales/50% off", "'50% off' holds %"),
        ("a.b", "'a.b' holds ."),
        ("a\\b", "forbids"),
        ("/".join("abcdefghijk"), "11 folders deep; Fabric allows 10"),
        ("a/ b", "no space"),
        ("x" * 256, "255 characters"),
        ("Recycled", "reserved"),
        ("a\tb", "control character"),
    ],
)
def test_what_fabric_refuses_is_refused_before_anything_is_sent(path, words):
    with pytest.raises(FabricInputError, match="folder: ") as caught:
        folder_names(path)
    assert words in str(caught.value)


def test_a_folder_is_resolved_by_id_by_path_and_made_if_wanted():
    assert drive(resolve_folder(WORKSPACE, SALES.upper()), []).result() == SALES
    assert drive(resolve_folder(WORKSPACE, "Sales"), [page(wire(SALES, "Sales"))]).result() == SALES
    assert drive(resolve_folder(WORKSPACE, "Sales"), [page(), ok(wire(SALES, "Sales"), 201)]).result() == SALES
    with pytest.raises(FabricNameError, match="no folder 'Sales'"):
        drive(resolve_folder(WORKSPACE, "Sales", create=False), [page()]).result()
    with pytest.raises(FabricInputError, match="folder must be"):
        drive(resolve_folder(WORKSPACE, "/"), []).result()


def test_a_move_and_a_new_folder_are_sent_as_documented():
    talk = drive(move_item(WORKSPACE, ITEM, SALES), [ok({"value": []})])
    assert (talk.paths, talk.requests[0].json) == (
        [f"POST /v1/workspaces/{WORKSPACE}/items/{ITEM}/move"],
        {"targetFolderId": SALES},
    )
    assert drive(move_item(WORKSPACE, ITEM, None), [ok({"value": []})]).requests[0].json == {}
    assert drive(create_folder(WORKSPACE, "Sales"), [ok(wire(SALES, "Sales"), 201)]).result() == Folder(SALES, "Sales")
