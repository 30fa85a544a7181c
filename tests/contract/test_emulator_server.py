"""The emulator over TLS: its three doors, and msal's real code against its sign-in."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
import requests

from airflow_provider_fabric.emulator import ControlError, EmulatorControl, FabricEmulator
from airflow_provider_fabric.emulator.__main__ import main

SCOPE = "https://api.fabric.microsoft.com/.default"


@pytest.fixture(scope="module")
def running() -> Iterator[FabricEmulator]:
    with FabricEmulator(job_seconds=0.2) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: FabricEmulator) -> FabricEmulator:
    running.control.reset()
    return running


@pytest.fixture
def session(emulator: FabricEmulator) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would win over verify
        session.verify = emulator.ca_bundle
        yield session


@pytest.fixture
def client(emulator: FabricEmulator) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=emulator.ca_bundle)
    headers = {"Authorization": f"Bearer {emulator.control.issue_token()}"}
    with httpx.Client(base_url=emulator.url, verify=context, headers=headers, trust_env=False) as client:
        yield client


def authority(emulator: FabricEmulator) -> str:
    return f"{emulator.url}/{emulator.tenant_id}"


def test_msal_signs_in_with_a_secret(emulator: FabricEmulator, session: requests.Session) -> None:
    app = msal.ConfidentialClientApplication(
        emulator.client_id,
        client_credential=emulator.client_secret,
        authority=authority(emulator),
        instance_discovery=False,
        http_client=session,
    )
    result = app.acquire_token_for_client([SCOPE])
    headers = {"Authorization": f"Bearer {result['access_token']}"}
    found = session.get(f"{emulator.url}/v1/workspaces", headers=headers).json()["value"]
    assert [entry["id"] for entry in found] == [emulator.workspace_id]
    assert app.acquire_token_for_client([SCOPE])["token_source"] == "cache"
    assert emulator.control.stats()["tokens_issued"] == 1


def test_msal_explains_a_wrong_secret(emulator: FabricEmulator, session: requests.Session) -> None:
    app = msal.ConfidentialClientApplication(
        emulator.client_id,
        client_credential="wrong",
        authority=authority(emulator),
        instance_discovery=False,
        http_client=session,
    )
    result = app.acquire_token_for_client([SCOPE])
    assert (result["error"], result["error_codes"]) == ("invalid_client", [7000215])


def test_msal_signs_in_with_a_device_code_and_renews_silently(
    emulator: FabricEmulator, session: requests.Session
) -> None:
    app = msal.PublicClientApplication(
        emulator.client_id, authority=authority(emulator), instance_discovery=False, http_client=session
    )
    scopes = [f"{SCOPE.removesuffix('.default')}Item.Execute.All"]
    flow = app.initiate_device_flow(scopes)
    emulator.control.approve_device_code(flow["user_code"])
    result = app.acquire_token_by_device_flow(flow)
    assert result["id_token_claims"]["oid"] == emulator.user_id
    (account,) = app.get_accounts()
    renewed = app.acquire_token_silent(scopes, account, force_refresh=True)
    assert renewed["access_token"] != result["access_token"]


def test_msal_redeems_a_refresh_token(emulator: FabricEmulator, session: requests.Session) -> None:
    token = emulator.control.issue_refresh_token()
    app = msal.PublicClientApplication(
        emulator.client_id, authority=authority(emulator), instance_discovery=False, http_client=session
    )
    result = app.acquire_token_by_refresh_token(token, [SCOPE])
    assert result["refresh_token"] != token


@pytest.mark.parametrize("variable", ["AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_ENDPOINT"])
def test_msal_signs_in_as_a_managed_identity(
    emulator: FabricEmulator, session: requests.Session, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable == "IDENTITY_ENDPOINT":
        monkeypatch.setenv(variable, f"{emulator.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
    else:
        monkeypatch.setenv(variable, emulator.url)
    app = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=session)
    result = app.acquire_token_for_client(resource=SCOPE.removesuffix("/.default"))
    headers = {"Authorization": f"Bearer {result['access_token']}"}
    assert session.get(f"{emulator.url}/v1/workspaces", headers=headers).status_code == 200


def test_a_run_over_tls(emulator: FabricEmulator, client: httpx.Client) -> None:
    items = f"/v1/workspaces/{emulator.workspace_id}/items"
    item_id = client.post(items, json={"displayName": "a", "type": "DataPipeline"}).json()["id"]
    answer = client.post(f"{items}/{item_id}/jobs/Execute/instances")
    emulator.control.force_job(answer.headers["location"].rsplit("/", 1)[1], "Completed")
    assert client.get(answer.headers["location"]).json()["status"] == "Completed"
    stats = emulator.control.stats()
    assert stats["connections"]["opened"] == 1, "control connections do not count"
    assert stats["calls"]["job_scheduler"] == 2


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_dropped_connection(emulator: FabricEmulator, client: httpx.Client, phase: str) -> None:
    items = f"/v1/workspaces/{emulator.workspace_id}/items"
    emulator.control.add_fault(action="drop", path="*/items", phase=phase)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(items, json={"displayName": "a", "type": "DataPipeline"})
    assert len(client.get(items).json()["value"]) == (1 if phase == "after" else 0)
    assert emulator.control.request_log()[0]["status"] is None


def test_microsofts_host_names_are_in_the_certificate(emulator: FabricEmulator) -> None:
    context = ssl.create_default_context(cafile=emulator.ca_bundle)
    for name in ("api.fabric.microsoft.com", "login.microsoftonline.com", "wabi.fabric.microsoft.com", "localhost"):
        with (
            socket.create_connection((emulator.host, emulator.port)) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.version()


def test_control_over_http(emulator: FabricEmulator) -> None:
    control = emulator.control
    seeded = control.seed(copies={"type": "DataPipeline", "count": 3}, identities=[{"kind": "app"}])
    items = seeded["workspaces"][0]["items"]
    job_id = control.start_job(items[0]["id"], "Execute")
    assert control.jobs()[0]["id"] == job_id
    assert control.configure(page_size=2)["page_size"] == control.config()["page_size"] == 2
    control.add_job_rule(outcome="Failed")
    assert control.job_rules()[0]["outcome"] == "Failed"
    control.add_fault()
    assert control.faults()[0]["hits"] == 0
    control.clear_faults()
    control.revoke_tokens()
    with pytest.raises(ControlError, match="400"):
        control.configure(colour="red")


def test_a_control_client_wants_https(emulator: FabricEmulator) -> None:
    with pytest.raises(ValueError, match="https"):
        EmulatorControl("http://127.0.0.1:1", emulator.ca_bundle)


def test_the_connection_is_good_in_every_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with FabricEmulator(data_dir="emulator") as emulator:
        assert emulator.connection["extra"]["verify"] == str(tmp_path / "emulator" / "ca.pem")


def test_a_data_directory_keeps_connections_valid(tmp_path: Path) -> None:
    with FabricEmulator(data_dir=tmp_path) as first:
        connection, ca = first.connection, Path(first.ca_bundle).read_text()
        token = first.control.issue_token()
    assert (tmp_path / "connection.json").stat().st_mode & 0o777 == 0o600
    with FabricEmulator(data_dir=tmp_path) as second:
        assert Path(second.ca_bundle).read_text() == ca
        assert {**second.connection, "host": None, "extra": None} == {**connection, "host": None, "extra": None}
        assert second.connection["extra"]["tenant_id"] == connection["extra"]["tenant_id"]
        context = ssl.create_default_context(cafile=second.ca_bundle)
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{second.url}/v1/workspaces", headers=headers, verify=context, trust_env=False)
        assert answer.status_code == 200, "tokens outlive a restart too"


def test_a_temporary_directory_goes_with_the_emulator() -> None:
    with FabricEmulator() as emulator:
        directory = Path(emulator.ca_bundle).parent
        assert directory.is_dir()
    assert not directory.exists()


def start_command(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "airflow_provider_fabric.emulator", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def announced(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read the lines for scripts."""
    assert process.stdout is not None
    found: dict[str, Any] = {}
    for line in process.stdout:
        key, _, value = line.strip().partition(": ")
        found[key] = value
        if line.startswith("Press"):
            break
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    with start_command("--port", "0", "--data-dir", str(tmp_path), "--job-seconds", "7") as process:
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        said = announced(process)
        connection = json.loads(said["connection"])
        assert connection == json.loads((tmp_path / "connection.json").read_text())
        assert said["ca_bundle"] == str(tmp_path / "ca.pem")
        control = EmulatorControl(connection["host"], said["ca_bundle"])
        assert control.config()["job_seconds"] == 7
        process.send_signal(number)
        _, complaints = process.communicate()
        watchdog.cancel()
    assert (process.returncode, complaints) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "{busy}"], "cannot listen on 127.0.0.1:{busy}"),
        (["--port", "99999"], "cannot listen on 127.0.0.1:99999"),
        (["--config", "{{"], "the settings cannot be read"),
        (["--config", "[]"], "--config must be a JSON object"),
        (["--config", '{{"colour": 1}}'], "Unknown setting 'colour'"),
        (["--time-scale", "0"], "'time_scale' does not take 0.0"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    emulator: FabricEmulator, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([argument.format(busy=emulator.port) for argument in arguments]) == 2
    output, complaints = capsys.readouterr()
    assert (output, complaints.count("\n")) == ("", 1)
    assert said.format(busy=emulator.port) in complaints


def test_the_command_explains_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "memory only" in capsys.readouterr().out


EVERYWHERE = "0.0.0.0"


def test_beyond_loopback_control_needs_a_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FabricEmulator(EVERYWHERE, data_dir=tmp_path, control=True) as emulator:
        token = emulator.control_token
        assert token
        assert emulator.control.stats()["jobs"]["started"] == 0
        for guess in (None, "", "guess", emulator.client_secret):
            with pytest.raises(ControlError, match="ControlTokenRequired") as refused:
                EmulatorControl(emulator.url, emulator.ca_bundle, token=guess).reset()
            assert refused.value.status == 401
    assert "listens on 0.0.0.0, beyond this machine" in caplog.text
    assert token not in caplog.text
    assert (tmp_path / "control.token").stat().st_mode & 0o777 == 0o600
    with FabricEmulator(EVERYWHERE, data_dir=tmp_path, control=True) as again:
        assert again.control_token == token


def test_beyond_loopback_control_is_off_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with FabricEmulator(EVERYWHERE) as emulator:
        assert emulator.control_token is None
        with pytest.raises(ControlError, match="EntityNotFound"):
            emulator.control.stats()
    assert "beyond this machine" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_on_loopback_nobody_is_warned_and_no_token_is_needed(host: str, caplog: pytest.LogCaptureFixture) -> None:
    with FabricEmulator(host) as emulator:
        assert emulator.control_token is None
        assert emulator.control.stats()["jobs"]["started"] == 0
    assert [entry for entry in caplog.records if entry.levelname == "WARNING"] == []


def test_a_page_that_calls_itself_by_another_name_has_no_control(
    emulator: FabricEmulator, session: requests.Session
) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = session.post(f"{emulator.url}/_emulator/reset", json={}, headers=headers)
        assert answer.status_code == 403, answer.text


def test_the_command_prints_the_token_and_a_warning(tmp_path: Path) -> None:
    with start_command("--host", EVERYWHERE, "--port", "0", "--data-dir", str(tmp_path), "--control") as process:
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        said = announced(process)
        token = (tmp_path / "control.token").read_text()
        assert said["control_token"] == token
        url = json.loads(said["connection"])["host"]
        assert EmulatorControl(url, said["ca_bundle"], token=token).jobs() == []
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate()
        watchdog.cancel()
    assert process.returncode == 0
    assert "beyond this machine" in complaints
    assert token not in complaints
