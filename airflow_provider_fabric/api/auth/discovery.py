"""Where Entra's token endpoint is: asked once a day by all processes of a host, not by each.

msal reads the tenant's OpenID configuration before its first token request. Its own ``http_cache`` would keep that, but
also answers of the token endpoint (errors, and a token that came with ``Retry-After``), as Python objects, so it is not
written to disk. What is kept here is addresses, which anybody can read at Entra; what is read back is used only if its
addresses are at the connection's own login host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_fabric.api.json_text import parse_json
from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory
from airflow_provider_fabric.api.local_cache.stamps import Stamp

DAY = 86400.0
PATH = "/v2.0/.well-known/openid-configuration"
REQUIRED = ("token_endpoint", "authorization_endpoint")
KEPT = (*REQUIRED, "device_authorization_endpoint", "issuer")


@dataclass(frozen=True)
class KnownAnswer:
    """What msal reads of an answer."""

    text: str
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def raise_for_status(self) -> None:
        """Do nothing: it was a success."""


class DiscoveryClient:
    """An HTTP client for msal that remembers a tenant's OpenID configuration.

    :param session: makes the calls.
    :param directory: where it is kept; ``None`` keeps nothing.
    :param authority: login host and tenant: ``https://login.microsoftonline.com/<tenant>``.
    :param clock: present time.
    """

    def __init__(
        self,
        session: Any,
        directory: PrivateDirectory | None,
        authority: str,
        *,
        clock: Callable[[], Stamp] = Stamp.now,
    ) -> None:
        self._session = session
        self._directory = directory
        self._authority = authority
        self._clock = clock

    def get(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """Return the remembered configuration, or ask for it; anything else is asked for."""
        if self._directory is None or url.lower() != (self._authority + PATH).lower():
            return self._session.get(url, *args, **kwargs)
        known = self._directory.read(self._file)
        kept_at = Stamp.from_state(known.get("kept"))
        if kept_at is not None and 0 <= self._clock().wall - kept_at.wall <= DAY and known.get("of") == url:
            found = self._checked(known.get("document"))
            if found is not None:
                return KnownAnswer(json.dumps(found))
        answer = self._session.get(url, *args, **kwargs)
        if answer.status_code == 200:
            self._keep(url, answer.text)
        return answer

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for a token: always the service, and nothing of it is kept."""
        return self._session.post(*args, **kwargs)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def forget(self) -> None:
        """Ask for the configuration the next time: no token was had with this one."""
        if self._directory is not None:
            self._directory.delete(self._file)

    @property
    def _file(self) -> str:
        return f"discovery-{hashlib.sha256(self._authority.encode()).hexdigest()[:40]}"

    def _keep(self, url: str, text: str) -> None:
        try:
            document = self._checked(parse_json(text))
        except ValueError:
            return
        if document is not None and self._directory is not None:
            self._directory.write(self._file, {"of": url, "kept": self._clock().to_state(), "document": document})

    def _checked(self, document: object) -> dict[str, str] | None:
        """Return what msal needs of a configuration; ``None`` unless its addresses are at the login host."""
        if not isinstance(document, dict):
            return None
        kept = {name: document[name] for name in KEPT if isinstance(document.get(name), str)}
        own = _root(self._authority)
        addresses = {_root(text) for name, text in kept.items() if name.endswith("_endpoint")}
        return kept if addresses == {own} and all(name in kept for name in REQUIRED) else None


def _root(address: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.scheme.lower(), parts.netloc.lower()
