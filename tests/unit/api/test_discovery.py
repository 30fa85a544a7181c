"""Where Entra's token endpoint is: remembered without a token or a secret, and used only at the own login host."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.api.auth.discovery import DAY, PATH, DiscoveryClient, KnownAnswer
from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory
from airflow_provider_fabric.api.local_cache.stamps import Stamp

AUTHORITY = "https://login.microsoftonline.com/contoso.example"
NOW = Stamp(1_800_000_000.0, 1000.0)


def document(root: str = AUTHORITY, **more: Any) -> dict[str, Any]:
    return {
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "issuer": "https://login.microsoftonline.com/guid/v2.0",
        "claims_supported": ["sub"],
        **more,
    }


class Session:
    """Answers every GET alike, and counts."""

    def __init__(self, content: Any, status: int = 200) -> None:
        self.text = content if isinstance(content, str) else json.dumps(content)
        self.status, self.gets, self.posts = status, list[str](), 0

    def get(self, url: str, **_: Any) -> Any:
        self.gets.append(url)
        return SimpleNamespace(status_code=self.status, text=self.text, headers={})

    def post(self, url: str, **_: Any) -> Any:
        self.posts += 1
        return SimpleNamespace(
            status_code=200, text='{"access_token": "t0ken"}', headers={"Retry-After": "60"}, data=_.get("data")
        )


def client(folder: Path | None, session: Session, authority: str = AUTHORITY, now: Stamp = NOW) -> DiscoveryClient:
    directory = None if folder is None else PrivateDirectory(str(folder))
    return DiscoveryClient(session, directory, authority, clock=lambda: now)


def discover(folder: Path | None, session: Session, **more: Any) -> dict[str, Any]:
    authority = more.get("authority", AUTHORITY)
    answer = client(folder, session, **more).get(authority + PATH)
    return json.loads(answer.text)


def test_it_is_asked_for_once(tmp_path: Path) -> None:
    session = Session(document())
    first = discover(tmp_path, session)
    again = discover(tmp_path, session)
    assert again == {name: first[name] for name in again}
    assert {"token_endpoint", "authorization_endpoint", "issuer"} <= again.keys()
    assert len(session.gets) == 1


@pytest.mark.parametrize(
    "authority", ["https://login.microsoftonline.us/t.example", "https://login.partner.microsoftonline.cn/t.example"]
)
def test_sovereign_hosts_have_their_own(tmp_path: Path, authority: str) -> None:
    discover(tmp_path, Session(document()))
    session = Session(document(authority))
    for _ in range(2):
        found = discover(tmp_path, session, authority=authority)
        assert found["token_endpoint"].startswith(authority)
    assert len(session.gets) == 1


def test_for_a_day(tmp_path: Path) -> None:
    session = Session(document())
    discover(tmp_path, session)
    discover(tmp_path, session, now=Stamp(NOW.wall + DAY - 1, 5.0))
    assert len(session.gets) == 1
    discover(tmp_path, session, now=Stamp(NOW.wall + DAY + 1, 5.0))
    assert len(session.gets) == 2
    discover(tmp_path, session, now=Stamp(NOW.wall - 60, 5.0))
    assert len(session.gets) == 3


@pytest.mark.parametrize(
    "answer",
    [
        document(token_endpoint="https://login.evil.example/token"),
        document(authorization_endpoint="http://login.microsoftonline.com/a"),
        document(token_endpoint="https://[broken"),
        document(device_authorization_endpoint="https://elsewhere.example/d"),
        {"token_endpoint": AUTHORITY},
        [],
        "<html>",
    ],
)
def test_what_leads_elsewhere_is_not_kept(tmp_path: Path, answer: Any) -> None:
    session = Session(answer)
    for _ in range(2):
        client(tmp_path, session).get(AUTHORITY + PATH)
    assert len(session.gets) == 2


def test_a_file_that_leads_elsewhere_is_not_used(tmp_path: Path) -> None:
    discover(tmp_path, Session(document()))
    (file,) = Path(PrivateDirectory(str(tmp_path)).path).iterdir()
    file.write_text(file.read_text().replace(f"{AUTHORITY}/oauth2/v2.0/token", "https://evil.example/token"))
    session = Session(document())
    assert "evil" not in json.dumps(discover(tmp_path, session))
    assert len(session.gets) == 1


@pytest.mark.parametrize("status", [400, 404, 500, 302])
def test_errors_are_not_kept(tmp_path: Path, status: int) -> None:
    session = Session(document(), status)
    for _ in range(2):
        assert client(tmp_path, session).get(AUTHORITY + PATH).status_code == status
    assert len(session.gets) == 2


def test_no_answer_of_the_token_endpoint_is_kept_whatever_its_headers(tmp_path: Path) -> None:
    session = Session(document())
    one = client(tmp_path, session)
    one.get(AUTHORITY + PATH)
    for _ in range(2):
        one.post(f"{AUTHORITY}/oauth2/v2.0/token", data={"client_secret": "s3cr3t"})
    assert session.posts == 2
    kept = "".join(file.read_text() for file in Path(PrivateDirectory(str(tmp_path)).path).iterdir())
    assert "t0ken" not in kept
    assert "s3cr3t" not in kept


def test_other_gets_are_made(tmp_path: Path) -> None:
    session = Session(document())
    for _ in range(2):
        client(tmp_path, session).get("https://login.microsoftonline.com/common/discovery/instance")
    assert len(session.gets) == 2


def test_after_a_failed_sign_in_it_is_asked_for_again(tmp_path: Path) -> None:
    session = Session(document())
    discover(tmp_path, session)
    client(tmp_path, session).forget()
    discover(tmp_path, session)
    assert len(session.gets) == 2


def test_switched_off_nothing_is_kept(tmp_path: Path) -> None:
    session = Session(document())
    for _ in range(2):
        discover(None, session)
    client(None, session).forget()
    assert len(session.gets) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_is_remembered_reads_as_a_success() -> None:
    KnownAnswer("{}").raise_for_status()
