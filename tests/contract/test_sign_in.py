"""Every way to sign in, with msal's own code, against the emulator; and what no log, error or foreign host may see."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_fabric.api.auth.sign_in import IdentityTokens
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Service
from airflow_provider_fabric.api.http.transport import HttpxDriver, RequestsDriver
from airflow_provider_fabric.api.items.items import list_workspaces
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError
from airflow_provider_fabric.hooks.connection_check import diagnose
from airflow_provider_fabric.login import main as fabric_login
from tests.contract.managed_identity import redirect_metadata

MANAGED = "5f0b7a3c-5c35-4a4e-9d6d-3f1f6b1f0b10"


@pytest.fixture(scope="module")
def server():
    with FabricEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(server):
    server.control.reset()
    server.control.configure(token_delay_seconds=0, token_lifetime_seconds=3600, rotate_refresh_tokens=False)
    server.control.clear_faults()
    return server


def settings_of(emulator, **changes) -> FabricSettings:
    fields = {**emulator.connection, **changes}
    extra = {**emulator.connection["extra"], **changes.pop("extra", {})}
    return FabricSettings.from_connection(
        "contract", login=fields["login"], password=fields["password"], host=fields["host"], extra=extra
    )


def tokens_of(settings: FabricSettings) -> IdentityTokens:
    return IdentityTokens(settings, sleep=lambda seconds: None)


def ask(settings: FabricSettings, tokens: IdentityTokens | None = None) -> list[str]:
    driver = RequestsDriver(settings, tokens or tokens_of(settings), sleep=lambda seconds: None)
    try:
        return [workspace.display_name for workspace in driver.run(list_workspaces())]
    finally:
        driver.close()


async def aask(settings: FabricSettings, tokens: IdentityTokens | None = None, times: int = 1) -> list[str]:
    driver = HttpxDriver(settings, tokens or tokens_of(settings))
    try:
        answers = await asyncio.gather(*(driver.run(list_workspaces()) for _ in range(times)))
        return [workspace.display_name for workspace in answers[0]]
    finally:
        await driver.aclose()


@pytest.fixture(scope="module")
def pem():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "contract")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pass-phrase"),
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def federated_token(subject: str = "system:serviceaccount:airflow:worker", audience: str | None = None) -> str:
    claims = {"iss": "https://cluster.example", "sub": subject, "aud": audience or "api://AzureADTokenExchange"}
    return jwt.encode({**claims, "exp": time.time() + 600, "iat": time.time()}, "k" * 32, algorithm="HS256")


@pytest.fixture
def sign_in(emulator, pem, tmp_path, monkeypatch):
    """Return settings for a way to sign in, by name."""

    def client_secret():
        return settings_of(emulator)

    def client_certificate():
        private, certificate = pem
        emulator.control.seed(identities=[{"client_id": emulator.client_id, "certificate": certificate}])
        extra = {"auth_type": "client_certificate", "certificate": private + certificate,
                 "certificate_password": "pass-phrase"}  # fmt: skip
        return settings_of(emulator, password=None, extra=extra)

    def workload_identity():
        path = tmp_path / "federated"
        path.write_text(federated_token())
        extra = {"auth_type": "workload_identity", "federated_token_file": str(path)}
        return settings_of(emulator, password=None, extra=extra)

    def managed_identity():
        redirect_metadata(monkeypatch, emulator.url)
        return settings_of(emulator, login=None, password=None, extra={"auth_type": "managed_identity"})

    def user_assigned_identity():
        emulator.control.seed(identities=[{"client_id": MANAGED, "kind": "managed_identity"}])
        redirect_metadata(monkeypatch, emulator.url)
        extra = {"auth_type": "managed_identity", "managed_identity_client_id": MANAGED}
        return settings_of(emulator, login=None, password=None, extra=extra)

    def app_service_identity():
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{emulator.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header-secret-of-app-service")
        return settings_of(emulator, login=None, password=None, extra={"auth_type": "managed_identity"})

    def refresh_token():
        token = emulator.control.issue_refresh_token()
        return settings_of(emulator, password=token, extra={"auth_type": "refresh_token"})

    def access_token():
        token = emulator.control.issue_token()
        return settings_of(emulator, login=None, password=token, extra={"auth_type": "access_token"})

    ways = dict(locals())
    return lambda name: ways[name]()


WAYS = [
    "client_secret",
    "client_certificate",
    "workload_identity",
    "managed_identity",
    "user_assigned_identity",
    "app_service_identity",
    "refresh_token",
    "access_token",
]


@pytest.mark.parametrize("way", WAYS)
def test_signed_in_the_api_answers(sign_in, way):
    assert ask(sign_in(way)) == ["Emulator workspace"]


@pytest.mark.parametrize("way", WAYS)
async def test_signed_in_the_api_answers_on_an_event_loop(sign_in, way):
    assert await aask(sign_in(way)) == ["Emulator workspace"]


async def test_a_hundred_conversations_at_once_make_one_token_request(emulator, sign_in):
    emulator.control.configure(token_delay_seconds=0.2)
    await aask(sign_in("client_secret"), times=100)
    stats = emulator.control.stats()
    assert stats["tokens_issued"] == 1
    assert stats["calls"]["token"] == 2  # discovery, and the request


def test_threads_and_loops_share_that_request(emulator, sign_in):
    emulator.control.configure(token_delay_seconds=0.2)
    settings = sign_in("client_secret")
    tokens = tokens_of(settings)
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(ask, settings, tokens) for _ in range(4)]
        work += [pool.submit(lambda: asyncio.run(aask(settings, tokens))) for _ in range(4)]
        assert [job.result() for job in work] == [["Emulator workspace"]] * 8
    assert emulator.control.stats()["tokens_issued"] == 1


@pytest.mark.parametrize("way", WAYS[:-1])
def test_a_revoked_token_is_replaced_once(emulator, sign_in, way):
    settings = sign_in(way)
    tokens = tokens_of(settings)
    ask(settings, tokens)
    emulator.control.revoke_tokens()
    assert ask(settings, tokens) == ["Emulator workspace"]
    assert emulator.control.stats()["tokens_issued"] == 2


async def test_a_storm_of_401_makes_one_token_request(emulator, sign_in):
    settings = sign_in("client_secret")
    tokens = tokens_of(settings)
    await aask(settings, tokens)
    emulator.control.revoke_tokens()
    await aask(settings, tokens, times=50)
    assert emulator.control.stats()["tokens_issued"] == 2


def test_each_service_has_a_token_of_its_own(sign_in):
    tokens = tokens_of(sign_in("client_secret"))
    audiences = {s: jwt.decode(tokens.token(s), options={"verify_signature": False})["aud"] for s in Service}
    assert {s: audience.rstrip("/") for s, audience in audiences.items()} == {
        Service.FABRIC: "https://api.fabric.microsoft.com",
        Service.POWER_BI: "https://analysis.windows.net/powerbi/api",
        Service.ONELAKE: "https://storage.azure.com",
        Service.ARM: "https://management.azure.com",
    }


@pytest.mark.parametrize("service", [Service.ONELAKE, Service.ARM])
def test_a_given_token_goes_to_no_service_that_it_is_not_for(sign_in, service):
    with pytest.raises(FabricAuthError, match="cannot be used for"):
        tokens_of(sign_in("access_token")).token(service)


def test_a_rotated_refresh_token_is_kept(emulator, sign_in):
    emulator.control.configure(rotate_refresh_tokens=True)
    tokens = tokens_of(sign_in("refresh_token"))
    first = tokens.token()
    second = tokens.token(refused=first)
    assert first != second


def test_a_federated_token_file_is_read_again(emulator, sign_in):
    settings = sign_in("workload_identity")
    tokens = tokens_of(settings)
    first = tokens.token()
    record = {"issuer": "https://cluster.example", "subject": "moved"}
    emulator.control.seed(identities=[{"client_id": emulator.client_id, "federated_credentials": [record]}])
    with open(settings.federated_token_file, "w") as file:
        file.write(federated_token(subject="moved") + "\n")
    assert tokens.token(refused=first) != first


class TestRefusals:
    def refusal(self, settings: FabricSettings) -> FabricAuthError:
        with pytest.raises(FabricAuthError) as caught:
            tokens_of(settings).token()
        found = [secret for secret in settings.secrets() if secret in str(caught.value)]
        assert found == []
        return caught.value

    def test_a_wrong_secret(self, emulator):
        error = self.refusal(settings_of(emulator, password="wrong-secret-value"))
        assert (error.error_code, error.is_retriable) == ("AADSTS7000215", False)
        assert "not its id" in str(error)

    def test_another_tenant(self, emulator):
        error = self.refusal(settings_of(emulator, extra={"tenant_id": "00000000-0000-0000-0000-000000000001"}))
        assert error.error_code == "AADSTS90002"

    def test_an_unknown_app(self, emulator):
        error = self.refusal(settings_of(emulator, login="00000000-0000-0000-0000-000000000001"))
        assert error.error_code == "AADSTS700016"

    def test_a_wrong_scope(self, emulator):
        error = self.refusal(settings_of(emulator, extra={"scope": "https://nothing.example/.default"}))
        assert error.error_code == "AADSTS500011"

    def test_a_certificate_that_entra_does_not_know(self, emulator, pem):
        extra = {"auth_type": "client_certificate", "certificate": "".join(pem), "certificate_password": "pass-phrase"}
        assert self.refusal(settings_of(emulator, password=None, extra=extra)).error_code == "AADSTS700027"

    def test_a_refresh_token_that_expired_or_is_another_tenants(self, emulator):
        def with_token(**wish) -> FabricSettings:
            token = emulator.control.issue_refresh_token(**wish)
            return settings_of(emulator, password=token, extra={"auth_type": "refresh_token"})

        expired = self.refusal(with_token(expired=True))
        assert expired.error_code == "AADSTS700082"
        assert "fabric-login" in str(expired)
        assert not self.refusal(with_token(tenant_id="00000000-0000-0000-0000-000000000001")).is_retriable

    def test_an_expired_access_token(self, emulator):
        token = emulator.control.issue_token(lifetime_seconds=-60)
        error = self.refusal(settings_of(emulator, login=None, password=token, extra={"auth_type": "access_token"}))
        assert "expired" in str(error)

    def test_a_managed_identity_that_is_not_assigned(self, emulator, monkeypatch):
        redirect_metadata(monkeypatch, emulator.url)
        extra = {"auth_type": "managed_identity", "managed_identity_client_id": MANAGED}
        assert "Identity not found" in str(self.refusal(settings_of(emulator, login=None, password=None, extra=extra)))

    def test_no_managed_identity_here(self, emulator, monkeypatch):
        redirect_metadata(monkeypatch, "https://127.0.0.1:9")
        error = self.refusal(settings_of(emulator, login=None, password=None, extra={"auth_type": "managed_identity"}))
        assert error.is_retriable
        assert "Azure host" in str(error)

    def test_a_federated_token_for_another_audience_and_a_file_that_went_away(self, emulator, sign_in):
        settings = sign_in("workload_identity")
        with open(settings.federated_token_file, "w") as file:
            file.write(federated_token(audience="api://other"))
        assert self.refusal(settings).error_code == "AADSTS700212"
        with open(settings.federated_token_file, "w") as file:
            file.write(" \n")
        with pytest.raises(FabricConnectionError, match=r"'federated_token_file' names an empty file"):
            tokens_of(settings).token()

    def test_entra_in_trouble_is_asked_three_times(self, emulator):
        emulator.control.add_fault(path="*/token", status=503, count=2)
        assert tokens_of(settings_of(emulator)).token()
        emulator.control.add_fault(path="*/token", status=503, count=None)
        error = self.refusal(settings_of(emulator))
        assert error.is_retriable
        assert emulator.control.stats()["routes"]["POST /{tenantId}/oauth2/v2.0/token"]["503"] == 5

    def test_a_page_of_a_proxy_in_place_of_a_token(self, emulator):
        emulator.control.add_fault(path="*/token", action="garbage", count=None)
        assert "in its place" in str(self.refusal(settings_of(emulator)))

    def test_entra_that_hangs_up_or_does_not_listen(self, emulator):
        emulator.control.add_fault(path="*/token", action="drop", count=None)
        assert self.refusal(settings_of(emulator)).is_retriable
        error = self.refusal(settings_of(emulator, extra={"authority": "https://127.0.0.1:9"}))
        assert "127.0.0.1:9 refused" in str(error)
        assert error.is_retriable

    def test_a_ca_that_is_not_trusted(self, emulator):
        error = self.refusal(settings_of(emulator, extra={"verify": True}))
        assert "'verify'" in str(error)
        assert not error.is_retriable


class TestDiagnosis:
    def test_all_is_well(self, emulator):
        assert diagnose(settings_of(emulator)) == (
            True, "Signed in (client_secret). Workspaces: 'Emulator workspace'.",
        )  # fmt: skip

    def test_no_workspace_is_visible(self, emulator):
        lonely = {"client_id": "lonely-app", "client_secret": "lonely-secret", "workspaces": []}
        emulator.control.seed(identities=[lonely])
        works, text = diagnose(settings_of(emulator, login="lonely-app", password="lonely-secret"))
        assert not works
        assert "sees no workspace" in text

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"password": "wrong-secret-value"}, ["Sign-in failed", "AADSTS7000215"]),
            ({"extra": {"tenant_id": "00000000-0000-0000-0000-000000000001"}}, ["Sign-in failed", "AADSTS90002"]),
            ({"extra": {"verify": True}}, ["Sign-in failed", "'verify'"]),
            ({"extra": {"proxies": {"https": "http://127.0.0.1:9"}}}, ["Sign-in failed", "proxy"]),
            ({"host": "https://127.0.0.1:9"}, ["cannot be reached", "127.0.0.1:9"]),
            ({"extra": {"scope": "https://graph.example/.default"}}, ["Sign-in failed", "AADSTS500011", "scope"]),
        ],
    )
    def test_what_stands_in_the_way_is_told_apart(self, emulator, changes, words):
        works, text = diagnose(settings_of(emulator, **changes))
        assert not works
        assert [word for word in words if word not in text] == []

    def test_a_token_for_somebody_else(self, emulator):
        token = emulator.control.issue_token(audience="https://graph.microsoft.com")
        works, text = diagnose(settings_of(emulator, password=token, extra={"auth_type": "access_token"}))
        assert not works
        assert "The token is for 'https://graph.microsoft.com': check the extra field 'scope'" in text

    def test_service_principals_that_may_not_call(self, emulator):
        emulator.control.add_fault(path="/v1/workspaces", status=401, error_code="Unauthorized", count=2)
        works, text = diagnose(settings_of(emulator))
        assert not works
        assert "Tenant settings" in text


def federated(settings: FabricSettings) -> list[str]:
    path = settings.federated_token_file
    return [Path(path).read_text().strip()] if path else []


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_leaks_into_logs_or_reprs(emulator, sign_in, way, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("msal").setLevel(logging.NOTSET)
    settings = sign_in(way)
    tokens = tokens_of(settings)
    await aask(settings, tokens)
    token = tokens.token()
    ask(settings, tokens)
    secrets = [token, token.split(".")[2], "header-secret-of-app-service", *settings.secrets(), *federated(settings)]
    output = capsys.readouterr()
    seen = caplog.text + output.out + output.err + repr(settings) + repr(tokens) + repr(vars(tokens))
    assert caplog.records
    assert [secret for secret in secrets if secret in seen] == []
    assert "client_assertion" not in caplog.text


class TestFabricLogin:
    def run(self, emulator, monkeypatch, capsys, *arguments: str, deny: bool = False) -> tuple[int, str, str]:
        real_print = print

        def person(*words, **options):
            real_print(*words, **options)
            if "/devicelogin" in str(words[0]):
                emulator.control.approve_device_code(deny=deny)

        monkeypatch.setattr("builtins.print", person)
        extra = emulator.connection["extra"]
        status = fabric_login(
            ["--tenant-id", extra["tenant_id"], "--client-id", emulator.client_id, "--host", emulator.url,
             "--authority", emulator.url, "--verify", emulator.ca_bundle, *arguments]
        )  # fmt: skip
        output = capsys.readouterr()
        return status, output.out, output.err

    @pytest.mark.parametrize("form", ["json", "uri", "command"])
    def test_it_prints_the_refresh_token_once(self, emulator, monkeypatch, capsys, form):
        status, out, err = self.run(emulator, monkeypatch, capsys, "--format", form)
        assert status == 0
        assert "/devicelogin" in err
        assert out.count("<refresh-token>") + out.count("%3Crefresh-token%3E") == 2
        assert [out.count(title) for title in ("As JSON", "As a URI", "As a command")] == [1, 1, 1]

    def test_what_it_prints_is_a_connection_that_works(self, emulator, monkeypatch, capsys):
        _, out, _ = self.run(emulator, monkeypatch, capsys)
        connection = json.loads(out.splitlines()[1])
        assert out.count(connection["password"]) == 1
        assert ask(settings_of(emulator, **connection)) == ["Emulator workspace"]

    def test_a_user_who_declines_is_an_error(self, emulator, monkeypatch, capsys):
        status, out, err = self.run(emulator, monkeypatch, capsys, deny=True)
        assert (status, out) == (1, "")
        assert "AADSTS70018" in err

    def test_a_tenant_that_is_not_there_is_an_error(self, emulator, capsys):
        arguments = ["--tenant-id", "nowhere.example", "--client-id", "x", "--authority", emulator.url]
        assert fabric_login([*arguments, "--verify", emulator.ca_bundle]) == 1
        assert "AADSTS90002" in capsys.readouterr().err
