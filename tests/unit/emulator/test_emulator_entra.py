"""Sign-in: every grant, Entra's refusals, and what the API does with good and bad tokens."""

from __future__ import annotations

import datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from airflow_provider_fabric.emulator.state.tokens import FABRIC, POWER_BI, Tokens

from .conftest import Service, error_of

SCOPE = f"{FABRIC}/.default"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OTHER = "0a3c7b0e-6d5f-4a8e-9f64-1c2d3e4f5a6b"
NO_APPLICATION = "00000000-0000-0000-0000-000000000000"


def ask(service: Service, tenant: str | None = None, **form: Any) -> httpx.Response:
    form = {"client_id": service.world.tenant.client_id, "scope": SCOPE} | form
    tenant = tenant or service.world.tenant.tenant_id
    return service.http.post(f"/{tenant}/oauth2/v2.0/token", data=form)


def with_secret(service: Service, **form: Any) -> httpx.Response:
    secret = service.world.tenant.client_secret
    return ask(service, **{"grant_type": "client_credentials", "client_secret": secret} | form)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, OAuth error and AADSTS code of a refusal, checking its envelope."""
    body = answer.json()
    code = body["error_description"].partition(":")[0]
    assert [int(code.removeprefix("AADSTS"))] == body["error_codes"]
    assert {"timestamp", "trace_id", "correlation_id"} <= set(body)
    return answer.status_code, body["error"], code


def use(service: Service, token: str) -> httpx.Response:
    return service.get("/items", headers={"Authorization": f"Bearer {token}"})


def test_a_client_secret_gives_a_token_with_real_claims(service: Service) -> None:
    body = with_secret(service).json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    tenant = service.world.tenant
    assert (claims["aud"], claims["tid"], claims["appid"]) == (FABRIC, tenant.tenant_id, tenant.client_id)
    assert claims["idtyp"] == "app"
    assert (claims["iat"], claims["exp"]) == (1_750_000_000, 1_750_003_600)
    assert use(service, body["access_token"]).status_code == 200
    stats = service.control("GET", "stats")
    assert (stats["tokens_issued"], stats["calls"]["token"]) == (2, 1), "one of them signed the test client in"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", "AADSTS7000215")),
        ({"client_secret": ""}, (401, "invalid_client", "AADSTS7000218")),
        ({"client_id": NO_APPLICATION}, (400, "unauthorized_client", "AADSTS700038")),
        ({"client_id": OTHER}, (400, "unauthorized_client", "AADSTS700016")),
        ({"client_id": ""}, (400, "invalid_request", "AADSTS900144")),
        ({"tenant": OTHER}, (400, "invalid_request", "AADSTS90002")),
        ({"tenant": "common"}, (400, "invalid_request", "AADSTS50059")),
        ({"scope": f"{FABRIC}/Item.Read.All"}, (400, "invalid_scope", "AADSTS1002012")),
        ({"scope": "/.default"}, (400, "invalid_scope", "AADSTS70011")),
        ({"scope": "https://nobody.example/.default"}, (400, "invalid_resource", "AADSTS500011")),
        ({"scope": f"{SCOPE} {POWER_BI}/.default"}, (400, "invalid_scope", "AADSTS70011")),
        ({"grant_type": ""}, (400, "invalid_request", "AADSTS900144")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", "AADSTS70003")),
    ],
)
def test_refusals(service: Service, change: dict[str, str], expected: tuple[int, str, str]) -> None:
    answer = with_secret(service, **change)
    assert refusal(answer) == expected
    assert service.world.tenant.client_secret not in answer.text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_secret": "wrong"}, 7000215),
        ({"scope": "https://nobody.example/.default"}, 500011),
        ({"grant_type": "password"}, None),
        ({"client_id": NO_APPLICATION}, None),
        ({"scope": f"{FABRIC}/Item.Read.All"}, None),
    ],
)
def test_only_some_refusals_name_a_page(service: Service, change: dict[str, str], code: int | None) -> None:
    page = None if code is None else f"https://login.microsoftonline.com/error?code={code}"
    assert with_secret(service, **change).json().get("error_uri") == page


def test_the_tenant_by_its_domain(service: Service) -> None:
    assert with_secret(service, tenant="emulator.onmicrosoft.com").status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "Unauthorized"),
        ("", "Unauthorized"),
        ("Bearer ", "Unauthorized"),
        ("Basic abc", "Unauthorized"),
        ("Bearer nonsense", "InvalidToken"),
        ("Bearer a.b.c", "InvalidToken"),
    ],
)
def test_bad_authorization_headers(service: Service, header: str | None, code: str) -> None:
    del service.http.headers["Authorization"]
    headers = {} if header is None else {"Authorization": header}
    answer = service.get("/items", headers=headers)
    assert error_of(answer) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_tokens_expire(service: Service) -> None:
    service.control("POST", "config", {"token_lifetime_seconds": 60})
    token = with_secret(service).json()["access_token"]
    service.clock.advance(59)
    assert use(service, token).status_code == 200
    service.clock.advance(1)
    assert error_of(use(service, token)) == (401, "TokenExpired")


def test_tokens_are_revoked(service: Service) -> None:
    token = with_secret(service).json()["access_token"]
    service.control("POST", "tokens/revoke", {})
    assert error_of(use(service, token)) == (401, "TokenExpired")
    assert use(service, with_secret(service).json()["access_token"]).status_code == 200


def test_tokens_for_another_resource(service: Service) -> None:
    storage = with_secret(service, scope="https://storage.azure.com/.default").json()["access_token"]
    assert error_of(use(service, storage)) == (401, "InvalidToken")
    power_bi = with_secret(service, scope=f"{POWER_BI}/.default").json()["access_token"]
    assert use(service, power_bi).status_code == 200, "Microsoft's command line sends this audience to Fabric"


def test_tokens_of_somebody_else(service: Service, signing_key: rsa.RSAPrivateKey) -> None:
    identity = service.world.identities.get(service.world.tenant.client_id)
    assert identity is not None
    tenant = service.world.tenant.tenant_id
    forged = Tokens(rsa.generate_private_key(public_exponent=65537, key_size=2048), tenant)
    token = forged.issue(identity, FABRIC, service.clock(), 60)
    assert error_of(use(service, token)) == (401, "InvalidToken")
    before_restart = Tokens(signing_key, tenant).issue(identity, FABRIC, service.clock(), 60)
    assert use(service, before_restart).status_code == 200
    service.control("POST", "tokens/revoke", {})
    assert error_of(use(service, before_restart)) == (401, "TokenExpired")


def refresh(service: Service, token: str, **form: Any) -> httpx.Response:
    scope = f"{SCOPE} offline_access openid profile"
    return ask(service, **{"grant_type": "refresh_token", "refresh_token": token, "scope": scope} | form)


def test_a_refresh_token_gives_a_delegated_token_and_a_new_refresh_token(service: Service) -> None:
    first = service.control("POST", "refreshtokens", {})["refresh_token"]
    body = refresh(service, first).json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (claims["idtyp"], claims["upn"]) == ("user", "user@emulator.example")
    assert body["refresh_token"] != first
    assert jwt.decode(body["id_token"], options={"verify_signature": False})["preferred_username"]
    assert use(service, body["access_token"]).status_code == 200
    assert refresh(service, first).status_code == 200, "the old one keeps working"
    assert refresh(service, body["refresh_token"], tenant="organizations").status_code == 200


def test_strict_rotation(service: Service) -> None:
    service.control("POST", "config", {"rotate_refresh_tokens": True})
    first = service.control("POST", "refreshtokens", {})["refresh_token"]
    second = refresh(service, first).json()["refresh_token"]
    assert refusal(refresh(service, first)) == (400, "invalid_grant", "AADSTS9002313")
    assert refresh(service, second).status_code == 200


@pytest.mark.parametrize(
    ("wish", "form", "code"),
    [
        ({"expired": True}, {}, "AADSTS700082"),
        ({"tenant_id": OTHER}, {}, "AADSTS700229"),
        ({"tenant_id": OTHER}, {"tenant": "common"}, "AADSTS50020"),
        ({}, {"client_id": OTHER}, "AADSTS700005"),
    ],
)
def test_refused_refresh_tokens(service: Service, wish: dict[str, Any], form: dict[str, Any], code: str) -> None:
    token = service.control("POST", "refreshtokens", wish)["refresh_token"]
    assert refusal(refresh(service, token, **form)) == (400, "invalid_grant", code)


def test_a_device_code_waits_for_approval(service: Service) -> None:
    tenant, client = service.world.tenant.tenant_id, service.world.tenant.client_id
    started = service.http.post(f"/{tenant}/oauth2/v2.0/devicecode", data={"client_id": client, "scope": SCOPE}).json()
    assert started["user_code"] in started["message"]
    grant = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": started["device_code"],
    }
    assert refusal(ask(service, **grant))[1:] == ("authorization_pending", "AADSTS70016")
    assert service.control("POST", "devicecode/approve", {"user_code": "WRONG"}) == {"decided": 0}
    assert service.control("POST", "devicecode/approve", {"user_code": started["user_code"]}) == {"decided": 1}
    body = ask(service, **grant).json()
    assert use(service, body["access_token"]).status_code == 200
    assert body["refresh_token"]
    assert refusal(ask(service, **grant))[1] == "bad_verification_code"


def test_a_device_code_is_refused_or_expires(service: Service) -> None:
    tenant, client = service.world.tenant.tenant_id, service.world.tenant.client_id
    grants = []
    for _ in range(2):
        form = {"client_id": client, "scope": SCOPE}
        started = service.http.post(f"/{tenant}/oauth2/v2.0/devicecode", data=form).json()
        grants.append({"grant_type": "device_code", "device_code": started["device_code"]})
    service.control("POST", "devicecode/approve", {"deny": True})
    assert refusal(ask(service, **grants[0]))[1] == "authorization_declined"
    service.clock.advance(901)
    assert refusal(ask(service, **grants[1]))[1] == "expired_token"
    answer = service.http.post(f"/{tenant}/oauth2/v2.0/devicecode", data={"scope": SCOPE})
    assert refusal(answer)[2] == "AADSTS900144"


@pytest.fixture(scope="module")
def certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    return key, builder.sign(key, hashes.SHA256())


def thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return jwt.utils.base64url_encode(certificate.fingerprint(algorithm)).decode()


def assertion(key: rsa.RSAPrivateKey, headers: dict[str, str], **claims: Any) -> dict[str, str]:
    text = jwt.encode(claims, key, algorithm="PS256", headers=headers)
    return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}


def test_certificates(service: Service, certificate: tuple[rsa.RSAPrivateKey, x509.Certificate]) -> None:
    key, registered = certificate
    pem = registered.public_bytes(serialization.Encoding.PEM).decode()
    client = service.control("POST", "seed", {"identities": [{"certificate": pem}]})["identities"][0]["client_id"]
    claims = {"iss": client, "sub": client, "aud": "https://fabric.test/token", "exp": service.clock() + 60}
    named = {"x5t#S256": thumbprint(registered, hashes.SHA256())}
    assert ask(service, client_id=client, **assertion(key, named, **claims)).status_code == 200
    by_sha1 = {"x5t": thumbprint(registered, hashes.SHA1())}
    assert ask(service, client_id=client, **assertion(key, by_sha1, **claims)).status_code == 200

    def refused(signer: rsa.RSAPrivateKey, headers: dict[str, str], **change: Any) -> str:
        return refusal(ask(service, client_id=client, **assertion(signer, headers, **claims | change)))[2]

    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refused(stranger, named) == "AADSTS700027"
    assert refused(key, {"x5t": "bm8"}) == "AADSTS700027"
    assert refused(key, {}) == "AADSTS700027"
    assert refused(key, named, exp=service.clock()) == "AADSTS700024"
    assert refused(key, named, sub="other") == "AADSTS700021"
    broken = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": "x"}
    assert refusal(ask(service, grant_type="client_credentials", **broken))[2] == "AADSTS50027"


def test_a_certificate_known_by_its_thumbprint_only(
    service: Service, certificate: tuple[rsa.RSAPrivateKey, x509.Certificate]
) -> None:
    key, registered = certificate
    digest = registered.fingerprint(hashes.SHA1()).hex().upper()
    seed = {"identities": [{"certificate_thumbprint": digest}]}
    client = service.control("POST", "seed", seed)["identities"][0]["client_id"]
    claims = {"iss": client, "sub": client, "aud": "x", "exp": service.clock() + 60}
    named = {"x5t": thumbprint(registered, hashes.SHA1())}
    assert ask(service, client_id=client, **assertion(key, named, **claims)).status_code == 200


def test_federated_assertions(service: Service, certificate: tuple[rsa.RSAPrivateKey, x509.Certificate]) -> None:
    key, _ = certificate
    claims = {
        "iss": "https://issuer.example",
        "sub": "system:serviceaccount:airflow:worker",
        "aud": ["api://AzureADTokenExchange"],
        "exp": service.clock() + 60,
    }

    def outcome(client: str | None = None, **change: Any) -> int | str:
        client = client or service.world.tenant.client_id
        answer = ask(service, client_id=client, **assertion(key, {}, **claims | change))
        return answer.status_code if answer.status_code == 200 else refusal(answer)[2]

    assert outcome() == 200
    assert outcome(aud="somebody") == "AADSTS700212"
    assert outcome(iss="http://issuer.example") == "AADSTS700211"
    record = {"issuer": claims["iss"], "subject": claims["sub"]}
    seed = {"identities": [{"federated_credentials": [record]}]}
    strict = service.control("POST", "seed", seed)["identities"][0]["client_id"]
    assert outcome(strict) == 200
    assert outcome(strict, sub="somebody") == "AADSTS700213"


def test_managed_identities(service: Service) -> None:
    seed = {"identities": [{"kind": "managed_identity"}]}
    mine = service.control("POST", "seed", seed)["identities"][0]["client_id"]
    query = {"api-version": "2018-02-01", "resource": FABRIC}

    def metadata(change: dict[str, str], headers: dict[str, str] | None = None) -> httpx.Response:
        headers = {"Metadata": "true"} if headers is None else headers
        return service.http.get("/metadata/identity/oauth2/token", params=query | change, headers=headers)

    body = metadata({"client_id": mine}).json()
    assert (body["client_id"], body["expires_in"], body["expires_on"]) == (mine, "3600", "1750003600")
    assert use(service, body["access_token"]).status_code == 200
    assert metadata({}).json()["client_id"] != mine
    for change, headers in (
        ({}, {}),
        ({"client_id": OTHER}, None),
        ({"resource": ""}, None),
        ({"api-version": ""}, None),
        ({"resource": "https://nobody.example"}, None),
    ):
        assert metadata(change, headers).status_code == 400
    answer = service.http.get("/msi/token", params=query, headers={"X-IDENTITY-HEADER": "secret"})
    assert use(service, answer.json()["access_token"]).status_code == 200
    assert service.http.get("/msi/token", params=query).status_code == 401


def test_discovery_names_the_host_that_was_asked(service: Service) -> None:
    tenant = service.world.tenant.tenant_id
    headers = {"Host": "login.microsoftonline.com"}
    found = service.http.get(f"/{tenant}/v2.0/.well-known/openid-configuration", headers=headers).json()
    assert found["token_endpoint"] == f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
    assert found["issuer"] == f"https://login.microsoftonline.com/{tenant}/v2.0"
    (key,) = service.http.get(f"/{tenant}/discovery/v2.0/keys").json()["keys"]
    token = with_secret(service).json()["access_token"]
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], audience=FABRIC, options=options)
    assert claims["tid"] == tenant
    asked = {"authorization_endpoint": f"https://x.example/{tenant}/oauth2/v2.0/authorize", "api-version": "1.1"}
    instance = service.http.get("/common/discovery/instance", params=asked).json()
    assert instance["tenant_discovery_endpoint"].endswith(f"/{tenant}/v2.0/.well-known/openid-configuration")
    answer = service.http.get(f"/{OTHER}/v2.0/.well-known/openid-configuration")
    assert refusal(answer)[2] == "AADSTS90002"


def test_a_slow_token_endpoint(service: Service) -> None:
    service.control("POST", "config", {"token_delay_seconds": 2})
    with_secret(service)
    service.get("/items")
    assert service.slept == [2]
