"""A client of the control endpoints, on the standard library alone, so that any test environment can use it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


class ControlError(Exception):
    """The emulator refused a control call.

    :param status: HTTP status.
    :param body: its answer.
    """

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"the emulator answered {status}: {body}")
        self.status = status
        self.body = body


class EmulatorControl:
    """Control of one emulator; each method is the endpoint of the same name.

    :param url: root of the emulator, ``https://127.0.0.1:8443``.
    :param ca_bundle: path of its CA bundle.
    :param timeout: seconds for each call.
    :param token: the control token, which an emulator that listens beyond loopback addresses asks for.
    """

    def __init__(self, url: str, ca_bundle: str, timeout: float = 30.0, *, token: str | None = None) -> None:
        if not url.startswith("https://"):
            raise ValueError(f"the emulator speaks https, not {url}")
        self._root = f"{url.rstrip('/')}/_emulator/"
        self._context = ssl.create_default_context(cafile=ca_bundle)
        self._timeout = timeout
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def reset(self) -> None:
        """Go back to the seeded workspace and identities."""
        self._call("POST", "reset", {})

    def stats(self) -> dict[str, Any]:
        """Return the totals: calls, routes, tokens, throttling, connections, jobs."""
        return self._object("GET", "stats")

    def requests(self, since: int = 0, limit: int | None = None) -> dict[str, Any]:
        """Return logged requests from number ``since`` on, and the number to ask for ``next``."""
        query: dict[str, int] = {"since": since} if limit is None else {"since": since, "limit": limit}
        return self._object("GET", f"requests?{urllib.parse.urlencode(query)}")

    def request_log(self) -> list[dict[str, Any]]:
        """Return all logged requests."""
        entries: list[dict[str, Any]] = self.requests()["value"]
        return entries

    def add_fault(self, **fault: Any) -> str:
        """Add a fault; return its id."""
        return str(self._object("POST", "faults", fault)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults with their counts."""
        found: list[dict[str, Any]] = self._object("GET", "faults")["value"]
        return found

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "faults")

    def add_job_rule(self, **rule: Any) -> str:
        """Add a rule for future job instances; return its id."""
        return str(self._object("POST", "jobs", rule)["id"])

    def job_rules(self) -> list[dict[str, Any]]:
        """Return all rules with their uses."""
        found: list[dict[str, Any]] = self._object("GET", "jobs/rules")["value"]
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """Return every job instance."""
        found: list[dict[str, Any]] = self._object("GET", "jobs")["value"]
        return found

    def start_job(self, item_id: str, job_type: str | None = None, **more: Any) -> str:
        """Start a run as Fabric's schedule or a person would; return its id."""
        return str(self._object("POST", "jobs/start", {"item_id": item_id, "job_type": job_type, **more})["id"])

    def force_job(self, job_id: str, status: str, failure_reason: Any = None) -> dict[str, Any]:
        """Put an instance into a state now."""
        return self._object("POST", f"jobs/{job_id}", {"status": status, "failure_reason": failure_reason})

    def set_event_faults(self, **faults: Any) -> dict[str, Any]:
        """Set what goes wrong with job events (``drop``, ``duplicate``, ``line`` …); nothing named, nothing does."""
        return self._object("POST", "events", faults)

    def config(self) -> dict[str, Any]:
        """Return the settings."""
        return self._object("GET", "config")

    def configure(self, **settings: Any) -> dict[str, Any]:
        """Change settings; return all."""
        return self._object("POST", "config", settings)

    def revoke_tokens(self) -> None:
        """Let every token issued so far answer ``TokenExpired``."""
        self._call("POST", "tokens/revoke", {})

    def issue_token(self, **options: Any) -> str:
        """Return an access token (``client_id``, ``audience``, ``tenant_id``, ``lifetime_seconds``)."""
        return str(self._object("POST", "tokens/issue", options)["access_token"])

    def issue_refresh_token(self, **options: Any) -> str:
        """Return a refresh token (``client_id``, ``user_id``, ``expired``, ``tenant_id``, ``lifetime_seconds``)."""
        return str(self._object("POST", "refreshtokens", options)["refresh_token"])

    def approve_device_code(self, user_code: str | None = None, *, deny: bool = False) -> int:
        """Approve or refuse device codes; return how many were decided."""
        body: dict[str, Any] = {"deny": deny} | ({} if user_code is None else {"user_code": user_code})
        return int(self._object("POST", "devicecode/approve", body)["decided"])

    def seed(
        self,
        workspaces: list[dict[str, Any]] | None = None,
        identities: list[dict[str, Any]] | None = None,
        copies: dict[str, Any] | None = None,
        capacities: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Add workspaces with items, identities, many copies of an item, or capacities; return their ids."""
        body = {"workspaces": workspaces, "identities": identities, "copies": copies, "capacities": capacities}
        return self._object("POST", "seed", {key: value for key, value in body.items() if value is not None})

    def _object(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._call(method, path, body)
        if not isinstance(answer, dict):
            raise ControlError(200, f"not an object: {answer!r}")
        return answer

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        # The scheme was checked in the constructor.
        request = urllib.request.Request(self._root + path, data, self._headers, method=method)  # noqa: S310
        handler = urllib.request.HTTPSHandler(context=self._context)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
        try:
            with opener.open(request, timeout=self._timeout) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ControlError(refusal.code, refusal.read().decode("utf-8", "replace")) from None
