"""The fields of a Fabric connection, each described once.

``settings.py`` reads a connection by this table, ``connection_form.py`` draws Airflow's form from it, and the table in
the documentation is printed from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any


class AuthType(str, Enum):
    """How a connection signs in."""

    CLIENT_SECRET = "client_secret"  # noqa: S105 - a name, not a secret
    CLIENT_CERTIFICATE = "client_certificate"
    MANAGED_IDENTITY = "managed_identity"
    WORKLOAD_IDENTITY = "workload_identity"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a name, not a secret
    ACCESS_TOKEN = "access_token"  # noqa: S105 - a name, not a secret


AUTH_TYPE_ALIASES: Mapping[str, AuthType] = {"spn": AuthType.CLIENT_SECRET, "token": AuthType.ACCESS_TOKEN}
"""The words of Microsoft's plugin and of its provider."""


STORED_SECRET = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"  # noqa: S105 - not a secret
"""What stands for a stored secret in the connection form of Airflow 2 (``airflow/www/views.py``, 2.10 and 2.11)."""


class Kind(Enum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    MAPPING = "mapping"
    FLAG = "flag"
    FLAG_OR_PATH = "flag or path"


@dataclass(frozen=True)
class Field:
    """One field of the connection.

    :param name: its name in Airflow: a standard field's, or the key in ``extra``.
    :param label: what the form calls it.
    :param description: what it is for, in a sentence or two.
    :param kind: what it holds.
    :param standard: it is a field of every Airflow connection; otherwise it lives in ``extra``.
    :param default: what an empty field means.
    :param placeholder: an example, shown in the empty field.
    :param aliases: keys of ``extra`` that mean the same: Microsoft's plugin and provider use some of them.
    :param secret: it must never be shown.
    :param choices: the words that the form offers.
    :param minimum: least allowed number.
    :param maximum: greatest allowed number.
    """

    name: str
    label: str
    description: str
    kind: Kind = Kind.TEXT
    standard: bool = False
    default: Any = None
    placeholder: str = ""
    aliases: tuple[str, ...] = ()
    secret: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def __str__(self) -> str:
        """Return the field's name in error messages."""
        return f"the field {self.name!r}" if self.standard else f"the extra field {self.name!r}"


_FIELDS = (
    Field(
        "login",
        "Client ID",
        "Application (client) id of the app registration. Not needed for managed_identity and access_token.",
        standard=True,
        placeholder="1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11",
        aliases=("clientId", "client_id"),
    ),
    Field(
        "password",
        "Secret or token",
        "By auth_type: the client secret's value (not its id), a refresh token (see fabric-login), or an access token. "
        "Empty for the other types.",
        standard=True,
        placeholder="client secret, refresh token or access token",
        secret=True,
    ),
    Field(
        "host",
        "API root",
        "Root of the Fabric API. Another one is needed for private links, sovereign clouds and the emulator.",
        standard=True,
        default="https://api.fabric.microsoft.com",
        placeholder="https://api.fabric.microsoft.com",
    ),
    Field(
        "auth_type",
        "Sign-in",
        "How to sign in. Dataflows may ask for a user: refresh_token.",
        default=AuthType.CLIENT_SECRET.value,
        choices=tuple(member.value for member in AuthType),
    ),
    Field(
        "tenant_id",
        "Tenant ID",
        "Directory (tenant) id of Microsoft Entra, or a domain of the tenant.",
        placeholder="1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11",
        aliases=("tenantId",),
    ),
    Field(
        "certificate",
        "Certificate",
        "For client_certificate: the certificate with its private key, as PEM text or as the path of a PEM file.",
        secret=True,
    ),
    Field(
        "certificate_password",
        "Certificate password",
        "For client_certificate: the password of the private key, if it has one.",
        secret=True,
    ),
    Field(
        "federated_token_file",
        "Federated token file",
        "For workload_identity: path of the projected token; empty means the file that the environment variable "
        "AZURE_FEDERATED_TOKEN_FILE names.",
    ),
    Field(
        "managed_identity_client_id",
        "Managed identity client ID",
        "For managed_identity: the client id of a user-assigned identity; empty means the system-assigned one.",
    ),
    Field(
        "client_secret",
        "Client secret of a confidential app",
        "For refresh_token, when the app registration is not a public client. With client_secret, another place for "
        "what Secret or token holds.",
        aliases=("clientSecret",),
        secret=True,
    ),
    Field(
        "access_token",
        "Access token",
        "For access_token: another place for what Secret or token holds.",
        aliases=("accessToken",),
        secret=True,
    ),
    Field(
        "authority",
        "Login host",
        "Root of Microsoft Entra. Another one is needed for sovereign clouds and the emulator.",
        default="https://login.microsoftonline.com",
        placeholder="https://login.microsoftonline.com",
    ),
    Field(
        "scope",
        "Scope",
        "What the token is for; several are separated by spaces. A bare name, such as Item.ReadWrite.All, is one of "
        "Fabric's.",
        default="https://api.fabric.microsoft.com/.default",
        placeholder="https://api.fabric.microsoft.com/.default",
        aliases=("scopes",),
    ),
    Field(
        "power_bi_host",
        "Power BI API root",
        "For refreshes of semantic models. Empty means Microsoft's, or the API root if that is not Microsoft's.",
    ),
    Field(
        "power_bi_scope",
        "Power BI scope",
        "What the token for the Power BI API is for.",
        default="https://analysis.windows.net/powerbi/api/.default",
    ),
    Field(
        "onelake_host",
        "OneLake root",
        "For files in OneLake (its DFS endpoint). Empty means Microsoft's, in the public cloud.",
    ),
    Field(
        "onelake_scope",
        "OneLake scope",
        "What the token for OneLake is for.",
        default="https://storage.azure.com/.default",
    ),
    Field(
        "arm_host",
        "Azure Resource Manager root",
        "For resuming and suspending capacities. Empty means Microsoft's, in the public cloud.",
    ),
    Field(
        "arm_scope",
        "Azure Resource Manager scope",
        "What the token for Azure Resource Manager is for. Empty means the .default of its root.",
    ),
    Field(
        "verify",
        "TLS verification",
        "true, false, or the path of a CA bundle. false accepts any server: for trials only.",
        kind=Kind.FLAG_OR_PATH,
        default=True,
        placeholder="true",
    ),
    Field(
        "proxies",
        "Proxies",
        'For every call, the token request included: {"https": "http://proxy.example:3128"}. Empty means the '
        "proxies of the environment.",
        kind=Kind.MAPPING,
    ),
    Field(
        "timeout_seconds",
        "Timeout",
        "Seconds to wait for a connection, and for each part of an answer.",
        kind=Kind.NUMBER,
        default=60.0,
        aliases=("timeout",),
        minimum=0.1,
        maximum=3600,
    ),
    Field(
        "job_calls_per_minute",
        "Job calls per minute",
        "A triggerer's share of the 200 job-scheduler calls a minute that Fabric allows an identity.",
        kind=Kind.INTEGER,
        default=180,
        minimum=1,
        maximum=10_000,
    ),
    Field(
        "local_cache",
        "Local cache",
        "Whether tasks of a host share ids of names, and turns to start runs: true, false, or the absolute path of a "
        "directory. No secret is kept.",
        kind=Kind.FLAG_OR_PATH,
        default=True,
        placeholder="true",
    ),
    Field(
        "events_hub",
        "Job events: hub",
        "Experimental. Where triggerers read job events: namespace and event hub of an eventstream's custom endpoint, "
        "with a slash between; fabric-events prints it. Empty means that runs are polled only.",
        placeholder="namespace.servicebus.windows.net/es_1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11",
    ),
    Field(
        "events_consumer_group",
        "Job events: consumer group",
        "The consumer group of the custom endpoint.",
        default="$Default",
    ),
    Field(
        "events_stream",
        "Job events: eventstream",
        "Ids of its workspace and of the eventstream, with a slash between, so that triggerers know which items it "
        "carries. Empty means that they learn it from events.",
        placeholder="1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11/5b218778-e7a5-4d73-8187-f10824047715",
    ),
    Field(
        "events_trust_succeeded",
        "Job events: trust success",
        "true lets an event of success end a wait without asking Fabric: whoever can write to the eventstream can then "
        "turn a task green.",
        kind=Kind.FLAG,
        default=False,
    ),
)

FIELDS: Mapping[str, Field] = MappingProxyType({field.name: field for field in _FIELDS})
"""Every field, by name, in the order of the form."""
