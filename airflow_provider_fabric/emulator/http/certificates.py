"""The emulator's certificate authority, its server certificate, and the tenant's keys: files of the data directory.

Microsoft's clients accept Microsoft's host names only; tests send those names here, so the certificate carries them.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_fabric.emulator.state.world import Tenant

HOST_NAMES = (
    "127.0.0.1",
    "::1",
    "localhost",
    "api.fabric.microsoft.com",
    "*.fabric.microsoft.com",
    "onelake.dfs.fabric.microsoft.com",
    "onelake.blob.fabric.microsoft.com",
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "api.powerbi.com",
)


class DataDirectory:
    """Files that outlive the process. Secrets are readable by their owner only.

    :param path: the directory; made when absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca_bundle = path / "ca.pem"
        self.server_pem = path / "server.pem"
        self.connection_json = path / "connection.json"
        path.mkdir(parents=True, exist_ok=True)

    def issue_server_certificate(self, host: str) -> None:
        """Write the CA bundle and a server certificate for ``host`` and Microsoft's names."""
        authority = self._authority()
        names = dict.fromkeys((*HOST_NAMES, *([host] if host not in ("0.0.0.0", "::") else [])))  # noqa: S104
        issued = authority.issue_cert(*names)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        self._write_secret(self.server_pem, issued.private_key_pem.bytes() + chain)

    def _authority(self) -> trustme.CA:
        key_file = self.path / "ca.key.pem"
        if key_file.exists() and self.ca_bundle.exists():
            return trustme.CA.from_pem(self.ca_bundle.read_bytes(), key_file.read_bytes())
        authority = trustme.CA(organization_name="fabric-emulator")
        self._write_secret(key_file, authority.private_key_pem.bytes())
        self.ca_bundle.write_bytes(authority.cert_pem.bytes())
        return authority

    def tenant(self) -> Tenant:
        """Return the tenant of this directory, a new one the first time."""
        file = self.path / "tenant.json"
        if file.exists():
            return Tenant(**json.loads(file.read_text()))
        tenant = Tenant.new()
        self._write_secret(file, json.dumps(asdict(tenant), indent=2).encode())
        return tenant

    def signing_key(self) -> rsa.RSAPrivateKey:
        """Return the key of the access tokens, a new one the first time."""
        file = self.path / "signing.key.pem"
        if file.exists():
            key = serialization.load_pem_private_key(file.read_bytes(), password=None)
            if isinstance(key, rsa.RSAPrivateKey):
                return key
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._write_secret(file, pem)
        return made

    def control_token(self) -> str:
        """Return the token of the control endpoints, a new one the first time."""
        file = self.path / "control.token"
        if file.exists():
            return file.read_text().strip()
        token = secrets.token_urlsafe(30)
        self._write_secret(file, token.encode())
        return token

    def write_connection(self, text: str) -> None:
        """Keep the Airflow connection, which holds the client secret."""
        self._write_secret(self.connection_json, text.encode())

    @staticmethod
    def _write_secret(file: Path, content: bytes) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(content)
