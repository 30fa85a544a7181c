"""Who may use the control endpoints: programs on this machine, or those that know the control token; no web page."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.hosts import host_name, is_loopback
from airflow_provider_fabric.emulator.http.request import ApiRequest

OWN_PAGES = ("same-origin", "none")
"""Values of ``Sec-Fetch-Site`` that browsers send for our own pages and for addresses typed by a person."""


@dataclass(frozen=True)
class ControlAccess:
    """The rule by which control calls are let in.

    :param hosts: names that the header ``Host`` may have besides loopback addresses; ``None`` is any.
    :param token: bearer token that every call has to carry; ``None`` is none.
    """

    hosts: frozenset[str] | None = frozenset()
    token: str | None = field(default=None, repr=False)

    def check(self, request: ApiRequest) -> None:
        """Refuse a control call that a web page may have sent, and one without the token.

        A page that a developer visits can send requests to loopback addresses: under its own name if that name is made
        to resolve to 127.0.0.1 (then ``Host`` is foreign), or across origins (then the browser says so).

        :raises ServiceError: 403 ``ForeignHost`` or ``ForeignOrigin``, 401 ``ControlTokenRequired``.
        """
        host = request.header("host") or ""
        name = host_name(host)
        if self.hosts is not None and not is_loopback(name) and name not in self.hosts:
            raise _refusal("ForeignHost", f"Control calls must be sent to a loopback address, not to '{host}'")
        origin = request.header("origin")
        site = request.header("sec-fetch-site")
        if (origin is not None and origin.lower() != request.base_url.lower()) or site not in (None, *OWN_PAGES):
            raise _refusal("ForeignOrigin", f"Control calls from web pages of another origin ({origin}) are refused")
        if self.token is not None and not self._is_token(request.header("authorization") or ""):
            raise ServiceError(
                401,
                "ControlTokenRequired",
                "The emulator listens beyond this machine, so control calls need its control token: "
                "EmulatorControl(..., token=...), or the header 'Authorization: Bearer <token>'",
                headers={"WWW-Authenticate": 'Bearer realm="fabric-emulator control"'},
            )

    def _is_token(self, authorization: str) -> bool:
        scheme, _, text = authorization.partition(" ")
        expected = (self.token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(text.strip().encode(), expected)


def _refusal(code: str, message: str) -> ServiceError:
    return ServiceError(403, code, message, is_retriable=False)
