"""Sign-in without sockets: given tokens, certificates, and what Entra's refusals are made into."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_provider_fabric.api.auth.certificate import CertificateError, load_certificate
from airflow_provider_fabric.api.auth.claims import claims_of, expiry_of
from airflow_provider_fabric.api.auth.entra_errors import REMEDIES, entra_error
from airflow_provider_fabric.api.auth.sign_in import IdentityTokens, token_source
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError

NOW = 1_800_000_000.0


def jwt(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{body}.c2ln"


def given(token: str) -> IdentityTokens:
    settings = FabricSettings("given", AuthType.ACCESS_TOKEN, secret=token)
    return IdentityTokens(settings, clock=lambda: NOW)


class TestGivenTokens:
    def test_a_given_token_is_used_as_it_is(self):
        token = jwt(exp=NOW + 60)
        assert given(token).token() == token
        assert given(token).token(refused=token) == token

    def test_a_token_that_says_nothing_of_its_expiry_is_used(self):
        assert given("opaque").token() == "opaque"

    def test_an_expired_one_is_explained(self):
        token = jwt(exp=NOW - 3 * 3600)
        with pytest.raises(FabricAuthError, match=r"'given'.*expired at 2027-01-15 05:00:00 UTC \(3 h ago\)") as caught:
            given(token).token()
        assert (caught.value.error_code, caught.value.is_retriable) == ("TokenExpired", False)
        assert token not in str(caught.value)

    @pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.!!.c", "a.W10.c", jwt(exp="soon"), jwt(exp=True)])
    def test_claims_of_nonsense_are_empty(self, token):
        assert expiry_of(token) is None
        assert claims_of(token).get("aud") is None


def test_a_process_has_one_source_for_an_identity():
    one = FabricSettings("a", AuthType.ACCESS_TOKEN, secret="same")
    other = FabricSettings("b", AuthType.ACCESS_TOKEN, secret="same", job_calls_per_minute=1)
    assert token_source(one) is token_source(other)
    assert token_source(one) is not token_source(FabricSettings("a", AuthType.ACCESS_TOKEN, secret="another"))


def test_old_identities_are_forgotten():
    first = token_source(FabricSettings("a", AuthType.ACCESS_TOKEN, secret="first"))
    for number in range(64):
        token_source(FabricSettings("a", AuthType.ACCESS_TOKEN, secret=f"number {number}"))
    assert token_source(FabricSettings("a", AuthType.ACCESS_TOKEN, secret="first")) is not first


class TestEntraErrors:
    settings = FabricSettings("c", secret="the-secret-value")

    @pytest.mark.parametrize("code", sorted(REMEDIES))
    def test_a_known_code_is_explained(self, code):
        error = entra_error(
            self.settings,
            {"error": "invalid_client", "error_description": f"AADSTS{code}: Words. Trace ID: t Correlation ID: x",
             "correlation_id": "x-1"},
        )  # fmt: skip
        assert str(error) == (
            f"Connection 'c': no token was issued: AADSTS{code}: Words. (correlation id x-1) {REMEDIES[code]}"
        )
        assert (error.error_code, error.is_retriable) == (f"AADSTS{code}", False)

    def test_the_codes_that_the_issue_names_are_known(self):
        named = {90002, 700016, 7000215, 7000222, 70011, 700082, 50076, 65001, 500011, 50034, 53003}
        assert named <= set(REMEDIES)

    @pytest.mark.parametrize(
        ("answer", "status", "retriable"),
        [
            ({"error": "temporarily_unavailable"}, 400, True),
            ({"error": "server_error", "error_description": "AADSTS90033: A transient error"}, 400, True),
            ({}, 503, True),
            ({}, 429, True),
            ({"error": "invalid_grant"}, 400, False),
            ({"error": "x", "error_codes": [90033]}, 400, True),
            ({}, 404, False),
        ],
    )
    def test_an_error_that_passes_is_no_refusal(self, answer, status, retriable):
        assert entra_error(self.settings, answer, status).is_retriable is retriable

    def test_a_secret_that_is_echoed_is_removed(self):
        error = entra_error(self.settings, {"error": "e", "error_description": "bad: the-secret-value"})
        assert "the-secret-value" not in str(error)


def make_certificate(key, *, days: int = 30, name: str = "test"):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime.fromtimestamp(NOW, tz=datetime.timezone.utc) - datetime.timedelta(days=60)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=60 + days))
        .sign(key, hashes.SHA256())
    )


def key_pem(key, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def certificate_pem(certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def certificate(key):
    return make_certificate(key)


class TestCertificates:
    def load(self, text: str, password: str | None = None) -> dict[str, str]:
        return load_certificate(text, password, NOW)

    def refusal(self, text: str, password: str | None = None) -> str:
        with pytest.raises(CertificateError) as caught:
            self.load(text, password)
        return str(caught.value)

    def test_the_thumbprint_is_the_one_that_the_portal_shows(self, key, certificate):
        der = certificate.public_bytes(serialization.Encoding.DER)
        found = self.load(key_pem(key) + certificate_pem(certificate))
        assert found["thumbprint"] == hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()

    def test_a_file_and_a_password_and_mangled_line_breaks_all_load_the_same(self, key, certificate, tmp_path):
        plain = key_pem(key) + certificate_pem(certificate)
        path = tmp_path / "app.pem"
        path.write_text(plain)
        locked = key_pem(key, b"pass") + certificate_pem(certificate)
        expected = self.load(plain)
        for text, password in [
            (str(path), None),
            (locked, "pass"),
            (plain, "needless"),
            (plain.replace("\n", "\\n"), None),
            (plain.replace("\n", " "), None),
            (plain.replace("\n", ""), None),
        ]:
            assert self.load(text, password) == expected

    def test_its_own_certificate_is_found_in_a_chain(self, key, certificate):
        issuer = make_certificate(rsa.generate_private_key(public_exponent=65537, key_size=2048), name="issuer")
        found = self.load(certificate_pem(issuer) + certificate_pem(certificate) + key_pem(key))
        assert found["public_certificate"] == certificate_pem(certificate)

    def test_what_is_wrong_is_said(self, key, certificate, tmp_path):
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        curve = ec.generate_private_key(ec.SECP256R1())
        pfx = tmp_path / "app.pfx"
        pfx.write_bytes(b"\x30\x82\xff")
        locked = key_pem(key, b"pass") + certificate_pem(certificate)
        cases = [
            (certificate_pem(certificate), None, "without its private key"),
            (key_pem(key), None, "without its certificate"),
            (locked, None, "certificate_password"),
            (locked, "wrong", "certificate_password"),
            (key_pem(other) + certificate_pem(certificate), None, "do not belong together"),
            (key_pem(curve) + certificate_pem(make_certificate(curve)), None, "not RSA"),
            (key_pem(key) + certificate_pem(make_certificate(key, days=-1)), None, "expired on 2027-01-14"),
            ("-----BEGIN PRIVATE KEY-----", None, "no complete PEM block"),
            (key_pem(key).replace("M", "!"), None, "damaged"),
            (key_pem(key) + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", None, "damaged"),
            (str(tmp_path / "none.pem"), None, "cannot be read"),
            (str(pfx), None, "openssl pkcs12"),
        ]
        assert [words for text, password, words in cases if words not in self.refusal(text, password)] == []

    def test_the_error_names_field_and_connection_and_no_key(self, key):
        pem = key_pem(key)
        settings = FabricSettings(
            "c", AuthType.CLIENT_CERTIFICATE, tenant_id="t", client_id="a", certificate=pem, authority="https://[::1]:1"
        )
        with pytest.raises(
            FabricConnectionError, match="Connection 'c': the extra field 'certificate' holds"
        ) as caught:
            IdentityTokens(settings).token()
        assert pem[30:60] not in str(caught.value)
