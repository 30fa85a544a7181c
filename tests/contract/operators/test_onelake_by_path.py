"""The recipe of docs/capabilities/onelake.md for Airflow's object storage, with ``adlfs`` below it.

That is no dependency of ours: ``pip install adlfs`` runs what is skipped without it.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.contract.operators.onelake_page import files, recipe

pytestmark = pytest.mark.filterwarnings(  # Airflow 3.1's own path warns so of itself
    "ignore:in a future version of UPath:PendingDeprecationWarning"
)
adlfs = pytest.importorskip("adlfs", reason="adlfs is not installed")

FILES = "Sales/Bronze.Lakehouse/Files"
BLOB = "/onelake/blob/*"
MEBIBYTE = 2**20


@pytest.fixture(autouse=True)
def trusted(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have ``adlfs`` trust the emulator's certificate, which it has no setting for; keep no file system.

    Its HTTP client reads ``SSL_CERT_FILE`` when it is imported, which is too early here.
    """
    import aiohttp.connector
    from fsspec.asyn import sync

    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=tenant.ca_bundle))
    yield
    for files_of_onelake in adlfs.AzureBlobFileSystem._cache.values():
        sync(files_of_onelake.loop, files_of_onelake.service_client.close)
    adlfs.AzureBlobFileSystem.clear_instance_cache()


@pytest.fixture
def root(sales: str) -> Any:
    """``Files``, as Airflow's path."""
    return recipe("onelake")(FILES)


@pytest.fixture
def onelake(root: Any) -> Any:
    """The file system below it."""
    return root.fs


def blob_calls(tenant: FabricEmulator) -> list[tuple[str, str]]:
    """Return methods and queries of the calls of the Blob endpoint."""
    return [(e["method"], e["query"]) for e in tenant.control.request_log() if e["path"].startswith("/onelake/blob/")]


def test_the_page(sales: str) -> None:
    recipe("copy_by_path")("in/a.csv", "out/b.csv")
    assert files(sales) == {"Files/in/a.csv": 8, "Files/out/b.csv": 8}


def test_by_airflows_path(root: Any, sales: str) -> None:
    target = root / "out" / "c d.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    assert not target.exists()
    with target.open("w") as stream:
        stream.write("ä,b\n")
    assert (target.exists(), target.is_file(), target.parent.is_dir()) == (True, True, True)
    assert target.read_text() == "ä,b\n"
    assert target.stat().st_size == 5
    assert {path.name for path in root.iterdir()} == {"in", "out"}
    assert sorted(path.name for path in root.glob("*/*.csv")) == ["a.csv", "c d.csv"]
    assert files(sales) == {"Files/in/a.csv": 8, "Files/out/c d.csv": 5}
    target.unlink()
    assert not target.exists()
    assert files(sales) == {"Files/in/a.csv": 8}
    with pytest.raises(FileNotFoundError):
        target.read_text()


def test_a_path_that_was_there_before_the_file_system(root: Any) -> None:
    """Airflow keeps the first file system of a protocol and a connection; the recipe's counts all the same."""
    before = type(root)("abfs://fabric_default@Sales/Bronze.Lakehouse/Files/in/a.csv")
    recipe("onelake")(FILES).fs.pipe(f"{FILES}/in/a.csv", b"new")
    assert before.read_bytes() == b"new"


def test_by_adlfs(onelake: Any, sales: str) -> None:
    onelake.pipe({f"{FILES}/out/b.csv": b"0123456789", f"{FILES}/out/deep/c.csv": b"c"})
    assert onelake.ls(FILES) == [f"{FILES}/in", f"{FILES}/out"]
    assert onelake.ls("Sales") == ["Sales/Bronze.Lakehouse"]
    assert onelake.find(f"{FILES}/out") == [f"{FILES}/out/b.csv", f"{FILES}/out/deep/c.csv"]
    assert onelake.glob(f"{FILES}/*/*.csv") == [f"{FILES}/in/a.csv", f"{FILES}/out/b.csv"]
    assert onelake.cat_file(f"{FILES}/out/b.csv", start=2, end=5) == b"234"
    assert onelake.info(f"{FILES}/out")["type"] == "directory"
    assert onelake.info(f"{FILES}/out/b.csv")["size"] == 10
    with pytest.raises(FileExistsError):
        onelake.pipe_file(f"{FILES}/out/b.csv", b"new", mode="create")
    onelake.rm(f"{FILES}/out", recursive=True)
    assert files(sales) == {"Files/in/a.csv": 8}


def test_a_file_in_blocks(tenant: FabricEmulator, onelake: Any, sales: str) -> None:
    with onelake.open(f"{FILES}/big.bin", "wb", block_size=MEBIBYTE) as stream:
        for letter in (b"x", b"y", b"z"):
            stream.write(letter * MEBIBYTE)
    blocks = [query for method, query in blob_calls(tenant) if method == "PUT" and "comp=block&" in query]
    assert len(blocks) == 3
    assert files(sales)["Files/big.bin"] == 3 * MEBIBYTE
    with onelake.open(f"{FILES}/big.bin", "rb", block_size=MEBIBYTE) as stream:
        stream.seek(2 * MEBIBYTE - 2)
        assert stream.read(4) == b"yyzz"


def test_an_empty_file(onelake: Any, sales: str) -> None:
    onelake.touch(f"{FILES}/empty.csv")
    assert onelake.cat(f"{FILES}/empty.csv") == b""
    assert files(sales)["Files/empty.csv"] == 0


def test_lists_in_pages(tenant: FabricEmulator, onelake: Any) -> None:
    names = [f"{FILES}/many/{number}.csv" for number in range(5)]
    onelake.pipe(dict.fromkeys(names, b"x"))
    tenant.control.configure(page_size=2)
    assert onelake.ls(f"{FILES}/many") == names
    assert any("marker=" in query for _, query in blob_calls(tenant))


def test_what_others_write_is_seen(tenant: FabricEmulator, onelake: Any) -> None:
    assert onelake.ls(f"{FILES}/in") == [f"{FILES}/in/a.csv"]
    other = adlfs.AzureBlobFileSystem(
        account_name="onelake",
        account_host=onelake.account_host,
        credential=FabricHook().acredential(),
        assume_container_exists=True,
    )
    other.pipe(f"{FILES}/in/b.csv", b"x")
    other.rm(f"{FILES}/in/a.csv")
    assert onelake.ls(f"{FILES}/in") == [f"{FILES}/in/b.csv"]
    assert not onelake.exists(f"{FILES}/in/a.csv")


def test_what_is_not_there(onelake: Any) -> None:
    from azure.core.exceptions import HttpResponseError

    assert not onelake.exists(f"{FILES}/in/none.csv")
    with pytest.raises(FileNotFoundError):
        onelake.ls("Nowhere/Bronze.Lakehouse/Files")
    with pytest.raises(FileNotFoundError):
        onelake.cat_file("Sales/Silver.Lakehouse/Files/in/a.csv")
    for content in (b"x", b""):
        for place in ("Nowhere/Bronze.Lakehouse/Files/a", "Sales/Silver.Lakehouse/Files/a", f"{FILES}/../a"):
            with pytest.raises((RuntimeError, HttpResponseError)), onelake.open(place, "wb") as stream:
                stream.write(content)


def test_a_fault_is_retried(tenant: FabricEmulator, onelake: Any) -> None:
    tenant.control.add_fault(method="GET", path=BLOB, status=503, count=1, headers={"Retry-After": "0"})
    assert onelake.cat_file(f"{FILES}/in/a.csv") == b"a,b\n1,2\n"


def test_a_token_for_another_audience_is_refused(
    tenant: FabricEmulator, sales: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that has Fabric's token only says so itself; a token that is sent all the same is refused."""
    from azure.core.exceptions import ClientAuthenticationError

    connection = json.loads(tenant.connection_json)
    connection["password"] = tenant.control.issue_token()
    connection["extra"]["auth_type"] = "access_token"
    monkeypatch.setenv("AIRFLOW_CONN_OF_FABRIC_ONLY", json.dumps(connection))
    path = recipe("onelake")(FILES, "of_fabric_only") / "in" / "a.csv"
    with pytest.raises(Exception, match=r"of_fabric_only.*is for 'https://api.fabric.microsoft.com'"):
        path.read_bytes()
    credential = path.fs.credential

    class ForFabric:
        async def get_token(self, *scopes: str, **options: Any) -> Any:
            return await credential.get_token("https://api.fabric.microsoft.com/.default")

    wrong = adlfs.AzureBlobFileSystem(
        account_name="onelake", account_host=path.fs.account_host, credential=ForFabric(), assume_container_exists=True
    )
    with pytest.raises(ClientAuthenticationError) as caught:
        wrong.cat_file(f"{FILES}/in/a.csv")
    assert caught.value.status_code == 401


def test_no_token_is_shown(
    tenant: FabricEmulator,
    root: Any,
    onelake: Any,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    path = root / "in" / "a.csv"
    assert path.read_text() == "a,b\n1,2\n"
    with pytest.raises(FileNotFoundError) as caught:
        onelake.cat_file(f"{FILES}/in/none.csv")
    captured = capsys.readouterr()
    shown = [repr(one) for one in (path, onelake, onelake.credential, onelake.storage_options, caught.value)]
    text = "\n".join([*shown, str(path), caplog.text, captured.out, captured.err])
    assert tenant.issued_tokens()
    assert not [token for token in (*tenant.issued_tokens(), tenant.client_secret) if token in text]
