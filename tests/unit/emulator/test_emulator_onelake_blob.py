"""OneLake's Blob endpoint, as Azure's Blob client and what stands on it (``adlfs``) speak to it."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ElementTree
from typing import Any

import httpx
import pytest

from airflow_provider_fabric.emulator.state.tokens import POWER_BI, STORAGE
from tests.unit.emulator.conftest import Service

VERSION = {"x-ms-version": "2026-10-06"}
BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}
FILES = {"Files/in/a.csv": "a,b\n1,2\n", "Files/in/deep/b.csv": "b", "Files/inbox.txt": "0123456789"}


class Blobs:
    """A client of the Blob endpoint, in the seeded workspace."""

    def __init__(self, service: Service, workspace: str = "Emulator workspace", item: str = "Bronze.Lakehouse") -> None:
        self.service = service
        self.root = f"/onelake/blob/{workspace}"
        self.item = item

    def __call__(self, method: str, path: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        """Call for a path of the item; ``_`` in the name of a header without a dash stands for one."""
        return self.at(method, f"{self.root}/{self.item}/{path}", content, **headers)

    def at(self, method: str, url: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        sent = VERSION | {name if "-" in name else name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.http.request(method, url, content=content, headers=sent)

    def put(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        return self("PUT", path, content, x_ms_blob_type="BlockBlob", **headers)

    def list(self, **query: str) -> ElementTree.Element:
        parameters = {"restype": "container", "comp": "list", **query}
        answer = self.service.http.get(self.root, params=parameters, headers=VERSION)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
        return ElementTree.fromstring(answer.content)

    def names(self, **query: str) -> list[str]:
        return [str(found.findtext("Name")) for found in self.list(**query).find("Blobs") or ()]


def error(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error, checking that body and header agree."""
    body = ElementTree.fromstring(answer.content)
    assert answer.headers["x-ms-error-code"] == body.findtext("Code")
    assert body.findtext("Message")
    return answer.status_code, str(body.findtext("Code"))


@pytest.fixture
def blobs(service: Service) -> Blobs:
    item: dict[str, Any] = {"type": "Lakehouse", "displayName": "Bronze", "files": FILES}
    service.control("POST", "seed", {"workspaces": [{"id": service.world.tenant.workspace_id, "items": [item]}]})
    service.sign_in(audience=STORAGE)
    return Blobs(service)


def block_id(number: int) -> str:
    return base64.b64encode(f"{number:04}".encode()).decode()


def block_list(*entries: tuple[str, int]) -> bytes:
    inner = "".join(f"<{kind}>{block_id(number)}</{kind}>" for kind, number in entries)
    return f"<?xml version='1.0' encoding='utf-8'?>\n<BlockList>{inner}</BlockList>".encode()


def test_what_is_written_is_read(blobs: Blobs, service: Service) -> None:
    service.clock.advance(60)
    headers = {"x-ms-meta-is_directory": "false", "x-ms-blob-content-type": "text/csv"}
    written = blobs.put("Files/out/c.csv", b"c,d\n", **headers)
    assert (written.status_code, written.content) == (201, b"")
    read, seen = blobs("GET", "Files/out/c.csv"), blobs("HEAD", "Files/out/c.csv")
    assert (read.status_code, read.content) == (200, b"c,d\n")
    assert (seen.status_code, seen.headers["content-length"]) == (200, "4")
    for answer in (read, seen):
        assert answer.headers["etag"] == written.headers["etag"]
        assert answer.headers["last-modified"] == written.headers["last-modified"]
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["x-ms-meta-is_directory"] == "false"
        assert answer.headers["x-ms-blob-type"] == "BlockBlob"


def test_both_endpoints_have_the_same_files(blobs: Blobs) -> None:
    blobs.put("Files/out/c.csv", b"c,d\n")
    place = "/onelake/dfs/Emulator workspace/Bronze.Lakehouse"
    assert blobs.at("GET", f"{place}/Files/out/c.csv").content == b"c,d\n"
    assert blobs.at("DELETE", f"{place}/Files/out/c.csv").status_code == 200
    assert error(blobs("GET", "Files/out/c.csv")) == (404, "BlobNotFound")


def test_by_guid(blobs: Blobs, service: Service) -> None:
    workspace = service.world.tenant.workspace_id
    item = next(item.id for item in service.world.items.of_workspace(workspace) if item.type == "Lakehouse")
    by_guid = Blobs(service, workspace, item)
    assert by_guid("GET", "Files/in/a.csv").text == "a,b\n1,2\n"
    assert by_guid.names(delimiter="/") == [f"{item}/"]
    assert error(Blobs(service, workspace)("GET", "Files/in/a.csv")) == (400, "FriendlyNameSupportDisabled")
    mixed = {"restype": "container", "comp": "list", "prefix": "Bronze.Lakehouse/Files"}
    answer = service.http.get(by_guid.root, params=mixed, headers=VERSION)
    assert error(answer) == (400, "FriendlyNameSupportDisabled")


@pytest.mark.parametrize(
    ("headers", "content", "content_range"),
    [
        ({"x_ms_range": "bytes=2-4"}, b"234", "bytes 2-4/10"),
        ({"range": "bytes=8-"}, b"89", "bytes 8-9/10"),
        ({"x_ms_range": "bytes=0-33554431"}, b"0123456789", "bytes 0-9/10"),
        ({"range": "bytes=0-1", "x_ms_range": "bytes=5-5"}, b"5", "bytes 5-5/10"),
    ],
)
def test_ranges(blobs: Blobs, headers: dict[str, str], content: bytes, content_range: str) -> None:
    answer = blobs("GET", "Files/inbox.txt", **headers)
    assert (answer.status_code, answer.content, answer.headers["content-range"]) == (206, content, content_range)


def test_a_range_beyond_the_end_of_an_empty_file_too(blobs: Blobs) -> None:
    blobs.put("Files/empty.txt", b"")
    for path, size in (("Files/inbox.txt", 10), ("Files/empty.txt", 0)):
        answer = blobs("GET", path, x_ms_range=f"bytes={size}-{size + 5}")
        assert error(answer) == (416, "InvalidRange")
        assert answer.headers["content-range"] == f"bytes */{size}"
    assert blobs("GET", "Files/empty.txt").content == b""


def test_a_large_file_is_written_in_blocks(blobs: Blobs) -> None:
    for number, content in ((1, b"one,"), (2, b"two,"), (3, b"three")):
        answer = blobs("PUT", f"Files/big.bin?comp=block&blockid={block_id(number)}", content)
        assert answer.status_code == 201
    assert error(blobs("GET", "Files/big.bin")) == (404, "BlobNotFound")
    assert "Bronze.Lakehouse/Files/big.bin" not in blobs.names()
    listed = block_list(("Latest", 1), ("Uncommitted", 2), ("Latest", 3))
    assert blobs("PUT", "Files/big.bin?comp=blocklist", listed).status_code == 201
    assert blobs("GET", "Files/big.bin").content == b"one,two,three"
    blobs("PUT", f"Files/big.bin?comp=block&blockid={block_id(2)}", b"2,")
    assert blobs("GET", "Files/big.bin").content == b"one,two,three"
    mixed = block_list(("Committed", 2), ("Latest", 2), ("Committed", 1))
    assert blobs("PUT", "Files/big.bin?comp=blocklist", mixed).status_code == 201
    assert blobs("GET", "Files/big.bin").content == b"two,2,one,"


def test_blocks_that_were_not_committed_go_with_the_next_write(blobs: Blobs) -> None:
    blobs("PUT", f"Files/a.bin?comp=block&blockid={block_id(1)}", b"old")
    assert blobs.put("Files/a.bin", b"whole").status_code == 201
    answer = blobs("PUT", "Files/a.bin?comp=blocklist", block_list(("Latest", 1)))
    assert error(answer) == (400, "InvalidBlockList")
    assert blobs("GET", "Files/a.bin").content == b"whole"


@pytest.mark.parametrize("body", [b"", b"<BlockList>", b"<BlockList><Latest>a</Committed></BlockList>", b"[]"])
def test_a_block_list_that_is_none(blobs: Blobs, body: bytes) -> None:
    assert error(blobs("PUT", "Files/a.bin?comp=blocklist", body)) == (400, "InvalidXmlDocument")


@pytest.mark.parametrize("body", [b"<BlockList />", b"<BlockList></BlockList>"])
def test_an_empty_block_list_is_an_empty_file(blobs: Blobs, body: bytes) -> None:
    assert blobs("PUT", "Files/a.bin?comp=blocklist", body).status_code == 201
    assert blobs("GET", "Files/a.bin").content == b""


@pytest.mark.parametrize(
    ("query", "content", "code"),
    [
        ("comp=block", b"x", "InvalidQueryParameterValue"),
        ("comp=block&blockid=***", b"x", "InvalidQueryParameterValue"),
        ("comp=block&blockid=" + base64.b64encode(b"x" * 65).decode(), b"x", "InvalidQueryParameterValue"),
        ("comp=block&blockid=YQ==", b"x", "InvalidBlobOrBlock"),
        (f"comp=block&blockid={block_id(2)}", b"", "InvalidHeaderValue"),
    ],
)
def test_blocks_that_are_refused(blobs: Blobs, query: str, content: bytes, code: str) -> None:
    blobs("PUT", f"Files/a.bin?comp=block&blockid={block_id(1)}", b"x")
    assert error(blobs("PUT", f"Files/a.bin?{query}", content)) == (400, code)


def test_a_file_is_not_replaced_unasked(blobs: Blobs) -> None:
    answer = blobs.put("Files/inbox.txt", b"new", if_none_match="*")
    assert error(answer) == (409, "BlobAlreadyExists")
    answer = blobs("PUT", "Files/inbox.txt?comp=blocklist", block_list(), if_none_match="*")
    assert error(answer) == (409, "BlobAlreadyExists")
    assert blobs("GET", "Files/inbox.txt").text == "0123456789"
    assert blobs.put("Files/new.txt", b"new", if_none_match="*").status_code == 201


def test_a_file_that_has_changed_meanwhile(blobs: Blobs) -> None:
    etag = blobs("HEAD", "Files/inbox.txt").headers["etag"]
    assert blobs("GET", "Files/inbox.txt", if_match=etag).status_code == 200
    assert blobs.put("Files/inbox.txt", b"new", if_match=etag).status_code == 201
    for answer in (
        blobs("GET", "Files/inbox.txt", if_match=etag),
        blobs("DELETE", "Files/inbox.txt", if_match=etag),
        blobs.put("Files/inbox.txt", b"newer", if_match=etag),
        blobs.put("Files/none.txt", b"new", if_match="*"),
    ):
        assert error(answer) == (412, "ConditionNotMet")
    assert blobs("GET", "Files/inbox.txt").text == "new"


def test_deleting(blobs: Blobs) -> None:
    assert blobs("DELETE", "Files/in/a.csv").status_code == 202
    assert error(blobs("DELETE", "Files/in/a.csv")) == (404, "BlobNotFound")
    assert error(blobs("DELETE", "Files/in")) == (409, "DirectoryIsNotEmpty")
    blobs("DELETE", "Files/in/deep/b.csv")
    assert blobs("HEAD", "Files/in").status_code == 404


def test_directories_are_there_by_themselves(blobs: Blobs) -> None:
    for path in ("", "Files", "Tables", "Files/in", "Files/in/deep/"):
        answer = blobs("HEAD", path)
        assert (answer.status_code, answer.headers["content-length"]) == (200, "0")
        assert answer.headers["x-ms-meta-hdi_isfolder"] == "true"
    assert error(blobs("GET", "Files/in")) == (404, "BlobNotFound")
    assert error(blobs.put("Files/in", b"x")) == (409, "ResourceTypeMismatch")


def test_one_level_of_a_list(blobs: Blobs) -> None:
    root = "Bronze.Lakehouse"
    assert blobs.names(delimiter="/") == [f"{root}/"]
    assert blobs.names(delimiter="/", prefix=f"{root}/") == [f"{root}/Files/", f"{root}/Tables/"]
    assert blobs.names(delimiter="/", prefix=f"{root}/Files/in") == [f"{root}/Files/in/", f"{root}/Files/inbox.txt"]
    assert blobs.names(delimiter="/", prefix=f"{root}/Files/in/") == [
        f"{root}/Files/in/a.csv",
        f"{root}/Files/in/deep/",
    ]
    assert blobs.names(delimiter="/", prefix=f"{root}/Files/none/") == []


def test_a_whole_list(blobs: Blobs) -> None:
    root = "Bronze.Lakehouse/Files"
    listed = blobs.list(prefix=f"{root}/", include="metadata")
    kinds = {b.findtext("Name"): b.findtext("Properties/ResourceType") for b in listed.iter("Blob")}
    assert kinds == {
        f"{root}/in": "directory",
        f"{root}/in/a.csv": "file",
        f"{root}/in/deep": "directory",
        f"{root}/in/deep/b.csv": "file",
        f"{root}/inbox.txt": "file",
    }
    folders = [b.findtext("Name") for b in listed.iter("Blob") if b.findtext("Metadata/hdi_isfolder") == "true"]
    assert folders == [f"{root}/in", f"{root}/in/deep"]
    sizes = [b.findtext("Properties/Content-Length") for b in listed.iter("Blob")]
    assert sizes == ["0", "8", "0", "1", "10"]
    assert not list(blobs.list(prefix=f"{root}/").iter("Metadata"))


@pytest.mark.parametrize(("asked", "configured"), [("2", 1000), ("5000", 2)])
def test_pages(blobs: Blobs, service: Service, asked: str, configured: int) -> None:
    whole = blobs.names()
    service.control("POST", "config", {"page_size": configured})
    found: list[str] = []
    marker, pages = "", 0
    while pages < 10:
        listed = blobs.list(maxresults=asked, **({"marker": marker} if marker else {}))
        page = [str(b.findtext("Name")) for b in listed.iter("Blob")]
        assert 0 < len(page) <= 2
        found, pages, marker = found + page, pages + 1, listed.findtext("NextMarker") or ""
        if not marker:
            break
    assert (found, pages) == (whole, (len(whole) + 1) // 2)


def test_names_that_mean_something_in_xml(blobs: Blobs) -> None:
    name = 'Files/<b> & "c".csv'
    assert blobs.put(name, b"x").status_code == 201
    assert f"Bronze.Lakehouse/{name}" in blobs.names(prefix="Bronze.Lakehouse/Files/<")


@pytest.mark.parametrize(
    "query",
    [
        {"maxresults": "0"},
        {"maxresults": "-1"},
        {"maxresults": "many"},
        {"marker": "zzz"},
        {"delimiter": "|"},
        {"include": "snapshots"},
        {"include": "metadata,versions"},
        {"where": "x"},
    ],
    ids=str,
)
def test_lists_that_are_refused(blobs: Blobs, query: dict[str, str]) -> None:
    parameters = {"restype": "container", "comp": "list", **query}
    answer = blobs.service.http.get(blobs.root, params=parameters, headers=VERSION)
    assert error(answer)[0] == 400


@pytest.mark.parametrize("path", ["", "Files", "Tables", "notes.txt", "Other/a.txt"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_fabric_manages_is_not_written(blobs: Blobs, method: str, path: str) -> None:
    assert error(blobs(method, path, b"x", x_ms_blob_type="BlockBlob")) == (405, "UnsupportedHttpVerb")


@pytest.mark.parametrize("path", ["Files//a.txt", "Files/./a.txt", "Files/../../Silver.Lakehouse/Files/a.txt"])
def test_paths_that_leave_their_place(blobs: Blobs, path: str) -> None:
    raw = path.replace("..", "%2E%2E").replace("/./", "/%2E/")
    assert error(blobs.put(raw, b"x")) == (400, "InvalidUri")


def test_workspaces_are_only_looked_at(blobs: Blobs) -> None:
    assert blobs.at("HEAD", f"{blobs.root}?restype=container").status_code == 200
    assert error(blobs.at("GET", f"{blobs.root}?restype=container")) == (405, "UnsupportedHttpVerb")
    for method in ("PUT", "DELETE"):
        assert blobs.at(method, f"{blobs.root}?restype=container").status_code == 405
    assert blobs.at("HEAD", "/onelake/blob/Nowhere?restype=container").status_code == 404
    assert error(blobs.at("GET", "/onelake/blob/Nowhere?restype=container&comp=list")) == (404, "ContainerNotFound")
    assert error(blobs.at("GET", "/onelake/blob/Nowhere/a/b")) == (404, "ContainerNotFound")
    assert error(blobs.at("GET", f"{blobs.root}/Silver.Lakehouse/Files/a")) == (404, "BlobNotFound")


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "DELETE"])
@pytest.mark.parametrize("query", ["snapshot=2026-01-01", "versionid=1", "action=setAccessControl"])
def test_parameters_that_change_a_call_refuse_it(blobs: Blobs, method: str, query: str) -> None:
    answer = blobs(method, f"Files/inbox.txt?{query}", b"x", x_ms_blob_type="BlockBlob")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "UnsupportedQueryParameter")
    assert blobs("GET", "Files/inbox.txt").text == "0123456789"


@pytest.mark.parametrize("operation", ["metadata", "properties", "lease", "tier", "tags", "copy", "snapshot", "page"])
def test_operations_that_it_does_not_have(blobs: Blobs, operation: str) -> None:
    answer = blobs("PUT", f"Files/inbox.txt?comp={operation}", b"")
    assert error(answer) == (400, "UnsupportedQueryParameter")


@pytest.mark.parametrize(
    "headers",
    [
        {"x_ms_copy_source": "https://elsewhere.example/a"},
        {"x_ms_blob_type": "AppendBlob"},
        {"x_ms_blob_content_encoding": "gzip"},
        {"x-ms-meta-hdi_isfolder": "true"},
        {"if_none_match": '"0x1"'},
        {"content_md5": "x"},
    ],
    ids=str,
)
def test_headers_that_change_a_call_refuse_it(blobs: Blobs, headers: dict[str, str]) -> None:
    answer = blobs("PUT", "Files/new.txt", b"x", **{"x_ms_blob_type": "BlockBlob", **headers})
    assert error(answer) == (400, "UnsupportedHeader")
    assert blobs("HEAD", "Files/new.txt").status_code == 404


def test_headers_that_are_ignored_are_named(blobs: Blobs) -> None:
    answer = blobs.put("Files/new.txt", b"x", x_ms_access_tier="Cool", x_ms_owner="me")
    assert (answer.status_code, answer.headers["x-ms-rejected-headers"]) == (201, "x-ms-owner,x-ms-access-tier")
    assert "x-ms-rejected-headers" not in blobs("HEAD", "Files/new.txt").headers


def test_a_body_that_is_cut_off_is_not_a_file(blobs: Blobs) -> None:
    for url in ("Files/new.txt", f"Files/new.txt?comp=block&blockid={block_id(1)}"):
        answer = blobs("PUT", url, b"12345", x_ms_blob_type="BlockBlob", content_length="9")
        assert error(answer) == (413, "RequestBodyTooLarge")
    assert blobs("HEAD", "Files/new.txt").status_code == 404


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "DELETE"])
def test_a_version_is_needed(blobs: Blobs, method: str) -> None:
    answer = blobs.service.http.request(method, f"{blobs.root}/{blobs.item}/Files/inbox.txt", headers=BLOCK_BLOB)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "MissingRequiredHeader")
    assert error(blobs("PUT", "Files/new.txt", b"x")) == (400, "MissingRequiredHeader")


def test_a_token_for_another_audience(blobs: Blobs, service: Service) -> None:
    service.sign_in(audience=POWER_BI)
    assert error(blobs("GET", "Files/inbox.txt"))[0] == 401
    del service.http.headers["Authorization"]
    assert error(blobs("GET", "Files/inbox.txt"))[0] == 401


def test_injected_faults(blobs: Blobs, service: Service) -> None:
    service.control("POST", "faults", {"method": "GET", "path": "/onelake/blob/*", "status": 503, "count": 1})
    assert blobs("GET", "Files/inbox.txt").status_code == 503
    assert blobs("GET", "Files/inbox.txt").status_code == 200
