"""Sign-in: a token for each way a connection can prove who it is. The only module that imports msal.

msal is imported when the first token is fetched, in the thread that fetches it. A fetch builds a new msal application:
the cache is ours (:mod:`.tokens`), and msal's own would hand a refused token out again.

Wire facts: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token,
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import logging
import math
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_fabric.api.auth.certificate import CertificateError, load_certificate
from airflow_provider_fabric.api.auth.claims import audience_of, expiry_of
from airflow_provider_fabric.api.auth.discovery import DiscoveryClient
from airflow_provider_fabric.api.auth.entra_errors import entra_error, refusal_in, unreachable_error
from airflow_provider_fabric.api.auth.federated_token import FederatedTokenError, load_federated_token
from airflow_provider_fabric.api.auth.tokens import AccessToken, Audience, SharedTokens
from airflow_provider_fabric.api.connection.fields import FIELDS, AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.failures import failure_of
from airflow_provider_fabric.api.http.flow import Service, TransportFailure
from airflow_provider_fabric.api.http.transport import sign_in_session
from airflow_provider_fabric.api.local_cache.directory import cache_directory
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError, FabricError

log = logging.getLogger(__name__)

PAUSES = (1.0, 3.0)
"""Seconds between tries of one fetch while Entra is failing."""

MANAGED_IDENTITY_TIMEOUT = 10.0
"""Seconds: the metadata endpoint is on the same machine or not at all."""

ONE_HOUR = 3600.0
LONGEST_LIFETIME = 7 * 86400.0
_VISIBLE = re.compile(r"[!-~]+")

KEPT_SOURCES = 64
"""Identities whose tokens a process keeps; changed secrets leave old ones behind."""


class SignIn:
    """Fetches tokens for one connection. Blocks; :class:`IdentityTokens` decides when.

    :param settings: the connection.
    :param clock: epoch seconds.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self,
        settings: FabricSettings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._refresh_token = settings.secret
        """The newest one: Entra sends another with each token, which lives longer than the one in the connection."""

    def fetch(self, audience: Audience) -> AccessToken:
        """Return a new token, trying again for a few seconds while Entra is failing.

        :param audience: what it is for.
        :raises FabricAuthError: none was issued.
        :raises FabricConnectionError: the connection's credentials cannot be used.
        """
        if self._settings.auth_type is AuthType.ACCESS_TOKEN:
            return self._given(audience)
        for pause in (*PAUSES, None):
            try:
                return self._fetch_once(audience)
            except FabricAuthError as error:
                if pause is None or not error.is_retriable:
                    raise
            self._sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _given(self, audience: Audience) -> AccessToken:
        token = self._settings.secret or ""
        if audience not in {Service.FABRIC, Service.POWER_BI}:
            self._require_audience(token, " ".join(self._scopes(audience)))
        expiry = expiry_of(token)
        now = self._clock()
        if expiry is not None and expiry <= now:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(expiry))
            raise FabricAuthError(
                f"Connection {self._settings.conn_id!r}: the access token in the password expired at {when} UTC "
                f"({_span(now - expiry)} ago). Put a new one there, or choose an auth_type that renews itself.",
                error_code="TokenExpired",
            )
        end = float("inf") if expiry is None else expiry
        return AccessToken(token, expires_at=end, renew_at=end)

    def _require_audience(self, token: str, scopes: str) -> None:
        held = audience_of(token)
        if held is None or any(resource_of(scope) != resource_of(held) for scope in scopes.split()):
            raise FabricAuthError(
                f"Connection {self._settings.conn_id!r}: its access token is for {held or 'an unknown audience'!r}, so "
                f"it cannot be used for {scopes!r}. Choose an auth_type that signs in, such as client_secret.",
                error_code="WrongAudience",
            )

    def _fetch_once(self, audience: Audience) -> AccessToken:
        asked_at = self._clock()
        managed = self._settings.auth_type is AuthType.MANAGED_IDENTITY
        timeout = min(self._settings.timeout_seconds, MANAGED_IDENTITY_TIMEOUT if managed else math.inf)
        with sign_in_session(self._settings, timeout=timeout, direct=managed) as session:
            client = DiscoveryClient(session, cache_directory(self._settings), self._authority())
            try:
                answer = _ACQUIRE[self._settings.auth_type](
                    self, session if managed else client, self._scopes(audience)
                )
                return self._token_in(answer, session.last, asked_at)
            except FabricError:
                client.forget()
                raise
            except Exception as error:  # noqa: BLE001 - the border to msal, which lets through what its parts raise
                client.forget()
                raise self._error_from(error, session.last) from None

    def _scopes(self, audience: Audience) -> list[str]:
        if isinstance(audience, str):
            return audience.split()
        return scopes_of(self._settings)[audience].split()

    def _token_in(self, answer: object, last: Any, asked_at: float) -> AccessToken:
        status = last.status_code if last is not None else None
        if not isinstance(answer, Mapping) or not isinstance(answer.get("access_token"), str):
            raise entra_error(self._settings, answer if isinstance(answer, Mapping) else {}, status)
        if isinstance(answer.get("refresh_token"), str):
            self._refresh_token = answer["refresh_token"]
        if _VISIBLE.fullmatch(answer["access_token"]) is None:
            raise self._no_entra(last)
        return AccessToken.living(answer["access_token"], asked_at, _lifetime(answer.get("expires_in")))

    def _error_from(self, error: Exception, last: Any) -> FabricAuthError:
        """Return what an exception of msal, or of the session that it uses, means."""
        if last is not None and last.status_code >= 300:
            return entra_error(self._settings, refusal_in(last.content), last.status_code)
        host = urlsplit(last.url if last is not None else self._settings.authority).netloc
        if isinstance(error, OSError) or last is None:
            if self._settings.auth_type is AuthType.MANAGED_IDENTITY:
                reason = "no managed identity endpoint answered; is this an Azure host that has a managed identity?"
                return unreachable_error(self._settings, TransportFailure(reason, unsent=True))
            proxied = bool(self._settings.proxies)
            return unreachable_error(self._settings, failure_of(error, host, proxied=proxied, field="authority"))
        return self._no_entra(last)

    def _no_entra(self, last: Any) -> FabricAuthError:
        host = urlsplit(last.url if last is not None else self._settings.authority).netloc
        reason = f"{host} did not answer as Entra does. A proxy or gateway may have answered in its place."
        return unreachable_error(self._settings, TransportFailure(reason, unsent=False))

    def _authority(self) -> str:
        return f"{self._settings.authority}/{self._settings.tenant_id}"

    def _app(self, kind: str, session: Any, **credential: Any) -> Any:
        import msal

        return getattr(msal, kind)(
            self._settings.client_id,
            authority=self._authority(),
            http_client=session,
            instance_discovery=False,  # the login host is the user's word; it need not be known to Microsoft
            **credential,
        )

    def by_secret(self, session: Any, scopes: list[str]) -> Mapping[str, Any]:
        """Sign in with a client secret."""
        return self._as_app(session, scopes, self._settings.secret)

    def by_certificate(self, session: Any, scopes: list[str]) -> Mapping[str, Any]:
        """Sign in with a certificate; a file is read each time, so that it can be renewed in place."""
        try:
            credential = load_certificate(
                self._settings.certificate or "", self._settings.certificate_password, self._clock()
            )
        except CertificateError as error:
            raise self._wrong("certificate", str(error)) from None
        return self._as_app(session, scopes, credential)

    def by_federated_token(self, session: Any, scopes: list[str]) -> Mapping[str, Any]:
        """Sign in with a token that another party issued; its file is read each time, because it rotates."""
        try:
            token = load_federated_token(self._settings.federated_token_file or "")
        except FederatedTokenError as error:
            raise self._wrong("federated_token_file", str(error)) from None
        return self._as_app(session, scopes, {"client_assertion": lambda: token})

    def _as_app(self, session: Any, scopes: list[str], credential: object) -> Mapping[str, Any]:
        app = self._app("ConfidentialClientApplication", session, client_credential=credential)
        answer: Mapping[str, Any] = app.acquire_token_for_client(scopes=scopes)
        return answer

    def by_refresh_token(self, session: Any, scopes: list[str]) -> Mapping[str, Any]:
        """Sign in as the user who gave a refresh token; see ``login.py``."""
        if self._settings.client_secret:
            app = self._app("ConfidentialClientApplication", session, client_credential=self._settings.client_secret)
        else:
            app = self._app("PublicClientApplication", session)
        answer: Mapping[str, Any] = app.acquire_token_by_refresh_token(self._refresh_token, scopes=scopes)
        return answer

    def by_managed_identity(self, session: Any, scopes: list[str]) -> Mapping[str, Any]:
        """Sign in as the Azure host that this runs on."""
        import msal

        client_id = self._settings.client_id
        identity = (
            msal.UserAssignedManagedIdentity(client_id=client_id) if client_id else msal.SystemAssignedManagedIdentity()
        )
        client = msal.ManagedIdentityClient(identity, http_client=session)
        answer: Mapping[str, Any] = client.acquire_token_for_client(resource=scopes[0].rsplit("/", 1)[0])
        return answer

    def device_sign_in(self, show: Callable[[str], object]) -> str:
        """Sign in as a user with a browser, and return the refresh token.

        :param show: shows a person where to go and what to type there.
        :raises FabricAuthError: the user declined, took too long, or Entra refuses.
        """
        with sign_in_session(self._settings, timeout=self._settings.timeout_seconds) as session:
            try:
                app = self._app("PublicClientApplication", session)
                flow = app.initiate_device_flow(scopes=self._scopes(Service.FABRIC))
                if "user_code" in flow:
                    show(str(flow["message"]))
                    flow = app.acquire_token_by_device_flow(flow)
            except Exception as error:  # noqa: BLE001 - the border to msal, as above
                raise self._error_from(error, session.last) from None
        token = flow.get("refresh_token")
        if not isinstance(token, str):
            raise entra_error(self._settings, flow)
        return token

    def _wrong(self, name: str, text: str) -> FabricConnectionError:
        return FabricConnectionError(f"Connection {self._settings.conn_id!r}: {FIELDS[name]} {text}.")


_ACQUIRE: Mapping[AuthType, Callable[[SignIn, Any, list[str]], Mapping[str, Any]]] = {
    AuthType.CLIENT_SECRET: SignIn.by_secret,
    AuthType.CLIENT_CERTIFICATE: SignIn.by_certificate,
    AuthType.WORKLOAD_IDENTITY: SignIn.by_federated_token,
    AuthType.REFRESH_TOKEN: SignIn.by_refresh_token,
    AuthType.MANAGED_IDENTITY: SignIn.by_managed_identity,
}


def scopes_of(settings: FabricSettings) -> dict[Service, str]:
    """Return what is asked for on behalf of each service; several scopes are separated by spaces."""
    return {
        Service.FABRIC: settings.scope,
        Service.POWER_BI: settings.power_bi_scope,
        Service.ONELAKE: settings.onelake_scope,
        Service.ARM: settings.arm_scope,
    }


def resource_of(scope: str) -> str:
    """Return the resource that a scope belongs to: ``https://storage.azure.com/.default`` is for its host."""
    return scope.removesuffix(".default").rstrip("/").lower()


def _lifetime(expires_in: object) -> float:
    """Return for how many seconds a token is good: what Entra says, an hour if that makes no sense."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return ONE_HOUR
    return min(seconds, LONGEST_LIFETIME) if seconds > 0 else ONE_HOUR


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"


class IdentityTokens(SharedTokens):
    """The tokens of one connection.

    :param settings: the connection.
    :param clock: epoch seconds.
    :param sleep: waits between tries.
    """

    def __init__(
        self,
        settings: FabricSettings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if settings.verify is False:
            log.warning(
                "Connection %r: verify=false accepts any server as Fabric and Entra; use it for trials only.",
                settings.conn_id,
            )
        super().__init__(SignIn(settings, clock=clock, sleep=sleep).fetch, clock=clock)


def device_sign_in(settings: FabricSettings, show: Callable[[str], object]) -> str:
    """Sign in as a user with a browser: see :meth:`SignIn.device_sign_in`."""
    return SignIn(settings).device_sign_in(show)


_sources: OrderedDict[str, IdentityTokens] = OrderedDict()
_sources_lock = threading.Lock()


def token_source(settings: FabricSettings) -> IdentityTokens:
    """Return the process's one source of tokens for an identity.

    :param settings: a connection; others with the same identity on the same host share the source.
    """
    with _sources_lock:
        source = _sources.get(settings.identity)
        if source is None:
            source = _sources[settings.identity] = IdentityTokens(settings)
            while len(_sources) > KEPT_SOURCES:
                _sources.popitem(last=False)
        _sources.move_to_end(settings.identity)
        return source


def _forget_sources() -> None:
    """Start afresh in a forked child: a fetch under way in the parent never ends here."""
    global _sources_lock
    _sources_lock = threading.Lock()
    _sources.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_sources)
