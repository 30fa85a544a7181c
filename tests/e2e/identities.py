"""A connection for every way to sign in to the emulator, and every secret in it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_fabric.emulator import FabricEmulator

CERTIFICATE_APP = "0c6f7c52-9d2e-4f1b-8f52-6f0a4a3f2b10"
PASS_PHRASE = "a-pass-phrase-of-a-certificate"
WRONG_SECRET = "this-client-secret-is-wrong-but-still-a-secret"


def certificate() -> tuple[str, str]:
    """Return a private key, encrypted, and its certificate, both as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "airflow")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(PASS_PHRASE.encode())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return private.decode(), signed.public_bytes(serialization.Encoding.PEM).decode()


def connections(emulator: FabricEmulator, folder: Path) -> dict[str, dict[str, Any]]:
    """Return connections by id: ``fabric_default``, ``fabric_<auth type>`` and one whose secret is wrong."""
    private, public = certificate()
    emulator.control.seed(identities=[{"client_id": CERTIFICATE_APP, "certificate": public}])
    federated = folder / "federated-token"
    claims = {"iss": "https://cluster.example", "sub": "system:serviceaccount:airflow:worker"}
    life = {"aud": "api://AzureADTokenExchange", "exp": time.time() + 3600, "iat": time.time()}
    federated.write_text(jwt.encode({**claims, **life}, "k" * 32, algorithm="HS256"))
    changes: dict[str, dict[str, Any]] = {
        "client_secret": {},
        "client_certificate": {
            "login": CERTIFICATE_APP,
            "password": None,
            "extra": {"certificate": private + public, "certificate_password": PASS_PHRASE},
        },
        "workload_identity": {"password": None, "extra": {"federated_token_file": str(federated)}},
        "managed_identity": {"login": None, "password": None},
        "refresh_token": {"password": emulator.control.issue_refresh_token()},
        "access_token": {"login": None, "password": emulator.control.issue_token()},
    }
    made = {"fabric_default": emulator.connection, "fabric_wrong": {**emulator.connection, "password": WRONG_SECRET}}
    for auth_type, change in changes.items():
        extra = {**emulator.connection["extra"], **change.pop("extra", {}), "auth_type": auth_type}
        made[f"fabric_{auth_type}"] = {**emulator.connection, **change, "extra": extra}
    return made


def secrets(made: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield every secret in the connections; of a PEM text, each line of its private key."""
    for connection in made.values():
        extra = connection["extra"]
        yield from filter(None, [connection["password"], extra.get("certificate_password")])
        if "federated_token_file" in extra:
            yield Path(extra["federated_token_file"]).read_text()
        private = extra.get("certificate", "").partition("-----BEGIN CERTIFICATE-----")[0]
        yield from (line for line in private.splitlines() if line and not line.startswith("-----"))
