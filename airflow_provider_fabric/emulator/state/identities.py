"""Who can sign in: applications, managed identities, users, and what each proves itself with."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airflow_provider_fabric.emulator.errors import invalid_input
from airflow_provider_fabric.emulator.state.ids import new_id

KINDS = ("app", "user", "managed_identity")
ROLES = ("Admin", "Member", "Contributor", "Viewer")


@dataclass
class Identity:
    """A principal of the tenant.

    :param client_id: application id; for a user, the public client it signs in with is not checked.
    :param workspaces: ids of the workspaces it may see; ``None`` is all.
    :param role: its role in all of these workspaces.
    :param thumbprints: SHA-1 or SHA-256 fingerprints of registered certificates, lower-case hex.
    :param public_keys: their keys as PEM; with one of them a client assertion's signature is verified.
    :param federated: allowed ``{issuer, subject, audience}`` of federated assertions; empty allows any
        well-formed one.
    """

    client_id: str
    kind: str = "app"
    client_secret: str | None = None
    object_id: str = field(default_factory=new_id)
    user_principal_name: str | None = None
    workspaces: frozenset[str] | None = None
    role: str = "Admin"
    thumbprints: set[str] = field(default_factory=set)
    public_keys: list[bytes] = field(default_factory=list)
    federated: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_app(self) -> bool:
        """Whether tokens of this identity are app-only."""
        return self.kind != "user"

    def may_see(self, workspace_id: str) -> bool:
        """Say whether the identity has a role in the workspace."""
        return self.workspaces is None or workspace_id in self.workspaces

    def add_certificate(self, pem: str) -> None:
        """Register a certificate.

        :raises ServiceError: 400 when it is not PEM.
        """
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except ValueError as problem:
            raise invalid_input(f"certificate is not a PEM certificate: {problem}") from problem
        der = certificate.public_bytes(Encoding.DER)
        # A fingerprint names the certificate; nothing is protected by it.
        self.thumbprints.add(hashlib.sha1(der, usedforsecurity=False).hexdigest())
        self.thumbprints.add(certificate.fingerprint(hashes.SHA256()).hex())
        key = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.public_keys.append(key)

    def has_thumbprint(self, encoded: str) -> bool:
        """Say whether an ``x5t`` or ``x5t#S256`` header names a registered certificate."""
        try:
            digest = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError:
            return False
        return digest.hex() in self.thumbprints


class Identities:
    """All principals by client id."""

    def __init__(self) -> None:
        self._all: dict[str, Identity] = {}

    def add(self, identity: Identity) -> Identity:
        """Register a principal, replacing the one with the same client id."""
        self._all[identity.client_id] = identity
        return identity

    def get(self, client_id: str | None) -> Identity | None:
        """Return a principal."""
        return self._all.get(client_id) if client_id else None

    def in_workspace(self, workspace_id: str) -> list[Identity]:
        """Return the principals that have a role in a workspace."""
        return [identity for identity in self._all.values() if identity.may_see(workspace_id)]

    def first(self, kind: str) -> Identity | None:
        """Return the first principal of a kind."""
        return next((identity for identity in self._all.values() if identity.kind == kind), None)


def read_identity(body: Any) -> Identity:
    """Read an entry of ``POST /_emulator/seed``.

    :raises ServiceError: 400 for a wrong shape.
    """
    if not isinstance(body, dict):
        raise invalid_input("An identity must be an object")
    kind = body.get("kind", "app")
    if kind not in KINDS:
        raise invalid_input(f"kind must be one of {', '.join(KINDS)}")
    if body.get("role", "Admin") not in ROLES:
        raise invalid_input(f"role must be one of {', '.join(ROLES)}")
    workspaces = body.get("workspaces")
    if not isinstance(workspaces, (list, type(None))):
        raise invalid_input("workspaces must be a list of ids or null")
    identity = Identity(
        client_id=str(body.get("client_id") or new_id()),
        kind=kind,
        client_secret=body.get("client_secret"),
        object_id=str(body.get("object_id") or new_id()),
        user_principal_name=body.get("user_principal_name"),
        workspaces=None if workspaces is None else frozenset(workspaces),
        role=body.get("role", "Admin"),
        federated=list(body.get("federated_credentials") or []),
    )
    if kind == "user" and identity.user_principal_name is None:
        identity.user_principal_name = f"user-{identity.object_id[:8]}@emulator.example"
    thumbprint = body.get("certificate_thumbprint")
    if thumbprint:
        identity.thumbprints.add(str(thumbprint).replace(":", "").lower())
    if body.get("certificate"):
        identity.add_certificate(str(body["certificate"]))
    return identity
