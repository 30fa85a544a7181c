"""Entra's error envelope: ``error``, ``error_description`` that begins with an AADSTS code, trace ids.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes. Which HTTP status goes with which
OAuth error is RFC 6749, section 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import new_request_id
from airflow_provider_fabric.emulator.http.responses import json_response

CODES_WITH_ADDRESS = frozenset(
    {70011, 70016, 90002, 500011, 700016, 700027, 700082, 700213, 900144, 7000215, 7000218, 9002313}
)
"""Codes that Entra was seen to send with ``error_uri``; 70003 and 700038, for example, come without."""


@dataclass
class EntraError(Exception):
    """A refusal of the sign-in service.

    :param error: OAuth error code, e.g. ``invalid_client``.
    :param code: number of the AADSTS code.
    """

    error: str
    code: int
    message: str
    status: int = 400
    suberror: str | None = None

    def to_response(self, now: float) -> Response:
        """Return the refusal as a response."""
        trace, correlation = new_request_id(), new_request_id()
        timestamp = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
        body: dict[str, object] = {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.message} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {timestamp}",
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        if self.code in CODES_WITH_ADDRESS:
            body["error_uri"] = f"https://login.microsoftonline.com/error?code={self.code}"
        if self.suberror:
            body["suberror"] = self.suberror
        return json_response(body, self.status)
