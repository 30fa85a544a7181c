"""What a Fabric connection says, checked and typed; or one sentence about the field that is wrong.

No Airflow, msal or HTTP import here. The fields are described in :mod:`.connection_fields`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_fabric.api.connection.fields import FIELDS, AuthType
from airflow_provider_fabric.api.connection.pasted import bare_token, full_scopes
from airflow_provider_fabric.api.connection.reader import ConnectionReader, is_there
from airflow_provider_fabric.api.connection.urls import authority_of, is_microsoft, proxies_of, root_of
from airflow_provider_fabric.api.connection.values import auth_type_of, consumer_group_of, hub_of, stream_of

POWER_BI_HOST = "https://api.powerbi.com"
ONELAKE_HOST = "https://onelake.dfs.fabric.microsoft.com"
ARM_HOST = "https://management.azure.com"
RESERVED_SCOPES = frozenset({"openid", "profile", "offline_access"})
"""What msal asks for by itself, and refuses to be asked for; Microsoft's tutorial puts ``offline_access`` into
connections."""
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHARED_TENANTS = {"common", "organizations", "consumers"}


@dataclass(frozen=True)
class FabricSettings:
    """One connection, ready to be used.

    :param conn_id: Airflow's connection id, for messages.
    :param auth_type: how to sign in.
    :param tenant_id: Entra tenant id or domain.
    :param client_id: application id, or that of a user-assigned managed identity.
    :param secret: client secret, refresh token or access token, by ``auth_type``.
    :param client_secret: with a refresh token of a confidential app: that app's secret.
    :param certificate: PEM text, or a path.
    :param certificate_password: of the certificate's private key.
    :param federated_token_file: path of the token of a workload identity.
    :param host: root of the Fabric API; no trailing slash, no ``/v1``.
    :param power_bi_host: root of the Power BI API; Microsoft's, unless ``host`` is not Microsoft's: then ``host``, so
        that a connection to an emulator or a private endpoint never sends a token to the public service by surprise.
    :param authority: root of Entra.
    :param scope: of the token for ``host``; several are separated by spaces.
    :param power_bi_scope: of the token for ``power_bi_host``.
    :param onelake_host: root of OneLake's DFS endpoint; Microsoft's in the public cloud, ``None`` if nobody says it.
    :param onelake_scope: of the token for ``onelake_host``.
    :param arm_host: root of Azure Resource Manager; Microsoft's in the public cloud, ``None`` if nobody says it.
    :param arm_scope: of the token for ``arm_host``.
    :param verify: verify TLS, and by which CA bundle.
    :param proxies: by scheme, as ``requests`` has them; ``None`` for those of the environment.
    :param timeout_seconds: seconds to wait for a connection and for each part of an answer.
    :param job_calls_per_minute: this process's share of the job-scheduler quota.
    :param local_cache: whether processes of one host share a cache directory, or in which directory it lies.
    :param events_hub: host and name of the event hub that job events are read from; ``None`` if there is none.
    :param events_consumer_group: with which consumer group.
    :param events_stream: GUIDs of the eventstream's workspace and of the eventstream, if they are known.
    :param events_trust_succeeded: whether an event of success ends a wait.
    """

    conn_id: str
    auth_type: AuthType = AuthType.CLIENT_SECRET
    tenant_id: str | None = None
    client_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    certificate_password: str | None = field(default=None, repr=False)
    federated_token_file: str | None = None
    host: str = FIELDS["host"].default
    power_bi_host: str = POWER_BI_HOST
    authority: str = FIELDS["authority"].default
    scope: str = FIELDS["scope"].default
    power_bi_scope: str = FIELDS["power_bi_scope"].default
    onelake_host: str | None = ONELAKE_HOST
    onelake_scope: str = FIELDS["onelake_scope"].default
    arm_host: str | None = ARM_HOST
    arm_scope: str = f"{ARM_HOST}/.default"
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    timeout_seconds: float = FIELDS["timeout_seconds"].default
    job_calls_per_minute: int = FIELDS["job_calls_per_minute"].default
    local_cache: bool | str = FIELDS["local_cache"].default
    events_hub: tuple[str, str] | None = None
    events_consumer_group: str = FIELDS["events_consumer_group"].default
    events_stream: tuple[str, str] | None = None
    events_trust_succeeded: bool = False

    @classmethod
    def from_connection(
        cls,
        conn_id: str,
        *,
        login: object = None,
        password: object = None,
        host: object = None,
        port: object = None,
        schema: object = None,
        extra: object = None,
    ) -> FabricSettings:
        """Read an Airflow connection.

        :param conn_id: its id.
        :param login: see the table of fields, as for the other parameters.
        :param password: the secret that ``auth_type`` asks for.
        :param host: API root; ``https://`` may be left out, ``/v1`` at its end is ignored.
        :param port: port, if the host does not name one.
        :param schema: ``https`` or ``http``, if the host does not say it.
        :param extra: the decoded extra.
        :raises FabricConnectionError: a field is missing, malformed, or contradicts ``auth_type``.
        """
        reader = ConnectionReader(conn_id, {"login": login, "password": password, "host": host}, extra)
        auth_type = auth_type_of(reader)
        root = root_of(reader, "host", port=port, scheme=schema)
        own = is_microsoft(root)
        authority = authority_of(reader)
        public = own and authority == FIELDS["authority"].default  # a sovereign cloud has hosts of its own
        power_bi = _other_root(reader, "power_bi_host", None)
        arm = _other_root(reader, "arm_host", ARM_HOST if public else None)
        return cls(
            conn_id=conn_id,
            auth_type=auth_type,
            **_credentials(reader, auth_type),
            host=root,
            power_bi_host=power_bi or (POWER_BI_HOST if own else root),
            authority=authority,
            scope=_scope(reader, "scope"),
            power_bi_scope=_scope(reader, "power_bi_scope"),
            onelake_host=_other_root(reader, "onelake_host", ONELAKE_HOST if public else None),
            onelake_scope=reader.line("onelake_scope") or "",
            arm_host=arm,
            arm_scope=reader.line("arm_scope") or f"{arm or ARM_HOST}/.default",
            verify=reader.flag_or_path("verify"),
            proxies=proxies_of(reader),
            timeout_seconds=reader.number("timeout_seconds"),
            job_calls_per_minute=int(reader.number("job_calls_per_minute")),
            local_cache=reader.flag_or_directory("local_cache"),
            **_events(reader, auth_type),
        )

    @property
    def identity(self) -> str:
        """A key that is the same for the same identity on the same host. It holds digests only: safe to log."""
        content = {k: v for k, v in asdict(self).items() if k not in {"conn_id", "job_calls_per_minute"}}
        text = json.dumps(content, sort_keys=True, default=dict)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def secrets(self) -> list[str]:
        """Return what Airflow's secrets masker must hide."""
        own = (self.secret, self.client_secret, self.certificate_password)
        pem = self.certificate if self.certificate and "-----BEGIN" in self.certificate else None
        proxies = [urlsplit(url).password for url in (self.proxies or {}).values()]
        return [value for value in (*own, pem, *proxies) if value]

    def redact(self, text: str) -> str:
        """Return a text that came from elsewhere without any secret of this connection."""
        for secret in sorted(self.secrets(), key=len, reverse=True):
            if len(secret) > 3:
                text = text.replace(secret, "***")
        return text


def _other_root(reader: ConnectionReader, name: str, default: str | None) -> str | None:
    return root_of(reader, name) if reader.text(name) else default


def _events(reader: ConnectionReader, auth_type: AuthType) -> dict[str, Any]:
    hub = hub_of(reader)
    if hub is not None and auth_type is AuthType.ACCESS_TOKEN:
        raise reader.wrong(
            "events_hub", "needs another auth_type than access_token: the hub asks for a token of its own"
        )
    return {
        "events_hub": hub,
        "events_consumer_group": consumer_group_of(reader),
        "events_stream": stream_of(reader),
        "events_trust_succeeded": reader.flag("events_trust_succeeded"),
    }


def _credentials(reader: ConnectionReader, auth_type: AuthType) -> dict[str, Any]:
    if auth_type is AuthType.ACCESS_TOKEN:
        return {"secret": _access_token(reader)}
    if auth_type is AuthType.MANAGED_IDENTITY:
        return {"client_id": reader.line("managed_identity_client_id")}
    found = {"tenant_id": _tenant(reader, auth_type), "client_id": _client(reader, auth_type)}
    if auth_type is AuthType.CLIENT_CERTIFICATE:
        return {**found, **_certificate(reader)}
    if auth_type is AuthType.WORKLOAD_IDENTITY:
        return {**found, "federated_token_file": _federated_token_file(reader)}
    if auth_type is AuthType.REFRESH_TOKEN:
        secret = reader.line("password")
        if not secret:
            raise reader.missing("password", "auth_type refresh_token needs one there; fabric-login prints it")
        _refuse_jwt(reader, secret)
        return {**found, "secret": secret, "client_secret": reader.line("client_secret")}
    secret = _either(reader, "password", "client_secret")
    if not secret:
        raise reader.missing("password", "auth_type client_secret needs the client secret there")
    _refuse_jwt(reader, secret)
    if len(secret) > 200 and secret[:3] in {"0.A", "1.A"}:
        raise reader.wrong("password", "holds a refresh token: set auth_type to refresh_token")
    return {**found, "secret": secret}


def _access_token(reader: ConnectionReader) -> str:
    """Return the token without what was pasted around it."""
    found = [bare_token(text) for name in ("password", "access_token") if (text := reader.line(name))]
    if len(set(found)) > 1:
        raise reader.error("the fields 'password' and 'access_token' hold different values: fill one of them")
    if not found or not found[0]:
        raise reader.missing("password", "auth_type access_token needs an access token there")
    if " " in found[0]:
        raise reader.wrong("password", "must hold one access token and nothing else: there are spaces in it")
    return found[0]


def _scope(reader: ConnectionReader, name: str) -> str:
    """Return the scopes, in full, without those that msal adds by itself."""
    scopes = full_scopes(reader.line(name) or "", FIELDS[name].default)
    own = [scope for scope in scopes if scope.rsplit("/", 1)[-1] not in RESERVED_SCOPES]
    return " ".join(own) or str(FIELDS[name].default)


def _either(reader: ConnectionReader, name: str, other: str) -> str | None:
    first, second = reader.line(name), reader.line(other)
    if first and second and first != second:
        raise reader.error(f"the fields {name!r} and {other!r} hold different values: fill one of them")
    return first or second


def _refuse_jwt(reader: ConnectionReader, secret: str) -> None:
    token = bare_token(secret)
    if token.startswith("eyJ") and token.count(".") == 2:
        raise reader.wrong("password", "holds an access token: set auth_type to access_token")


def _tenant(reader: ConnectionReader, auth_type: AuthType) -> str | None:
    value = reader.line("tenant_id")
    if auth_type is AuthType.WORKLOAD_IDENTITY:
        value = value or os.environ.get("AZURE_TENANT_ID", "").strip()
    if not value:
        raise reader.missing("tenant_id", f"auth_type {auth_type.value} needs it")
    if not _TENANT.fullmatch(value):
        raise reader.wrong("tenant_id", f"must be a GUID or a domain name, not {value[:80]!r}")
    if value.lower() in _SHARED_TENANTS and auth_type is not AuthType.REFRESH_TOKEN:
        raise reader.wrong("tenant_id", f"must name one tenant; {value!r} works for users only")
    return value


def _client(reader: ConnectionReader, auth_type: AuthType) -> str | None:
    value = reader.line("login")
    if auth_type is AuthType.WORKLOAD_IDENTITY:
        value = value or os.environ.get("AZURE_CLIENT_ID", "").strip()
    if not value:
        raise reader.missing("login", f"auth_type {auth_type.value} needs the application id there")
    if not _CLIENT.fullmatch(value):
        raise reader.wrong("login", f"must be an application (client) id, not {value[:80]!r}")
    return value


def _certificate(reader: ConnectionReader) -> dict[str, str | None]:
    value = reader.text("certificate")
    if not value:
        raise reader.missing("certificate", "auth_type client_certificate needs it")
    if "-----BEGIN" not in value and not is_there(value):
        raise reader.wrong("certificate", "is neither PEM text (-----BEGIN …) nor the path of a file that is there")
    return {"certificate": value, "certificate_password": reader.text("certificate_password")}


def _federated_token_file(reader: ConnectionReader) -> str:
    path = reader.line("federated_token_file") or os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "").strip()
    if not path:
        raise reader.missing(
            "federated_token_file", "auth_type workload_identity needs it, or the variable AZURE_FEDERATED_TOKEN_FILE"
        )
    if not is_there(path):
        raise reader.wrong("federated_token_file", f"names a file that is not there: {path!r}")
    return path
