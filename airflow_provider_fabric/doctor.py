"""``fabric-doctor``: from the Airflow connection to the job, what is missing at each step, and who can grant it.

Each step asks the service itself; nothing is started, changed or stored, and no secret is printed. A step that needs
one that failed is skipped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_fabric.api.auth.claims import claims_of
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.failures import failure_of
from airflow_provider_fabric.api.http.flow import Flow, Request
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.http.transport import sign_in_session
from airflow_provider_fabric.api.items.items import workspace_path
from airflow_provider_fabric.exceptions import FabricApiError, FabricError, FabricPermissionError
from airflow_provider_fabric.hooks.connection_check import APP_ONLY, AUDIENCES, check
from airflow_provider_fabric.hooks.fabric import FabricHook

RUNS_ITEMS = ("Admin", "Member", "Contributor")
"""Workspace roles that may run items; dataflows and dbt jobs take Member or Admin."""
NEED_MEMBER = ("Dataflow", "DataBuildToolJob")

WHO = {
    "connection": "whoever administers Airflow",
    "network": "your network team",
    "TLS": "your network team",
    "proxy": "your network team",
    "authority": "an Entra administrator",
    "token": "an Entra administrator (Application Administrator)",
    "audience": "whoever administers Airflow",
    "tenant setting": "a Fabric administrator",
    "workspace": "an Admin of the workspace",
    "workspace role": "an Admin of the workspace",
    "item": "a Member of the workspace",
    "job rights": "an Admin of the workspace",
    "triggerer": "whoever administers Airflow",
}
"""Step → who can grant what is missing."""


@dataclass(frozen=True)
class Finding:
    """What one step found.

    :param step: its name.
    :param state: ``ok``, ``failed``, ``unsure`` or ``skipped``.
    :param text: what was found.
    """

    step: str
    state: str
    text: str

    def __str__(self) -> str:
        """Return the finding as a line or two."""
        line = f"{self.state:8}{self.step:16}{self.text}"
        return f"{line}\n{'':24}Who can grant it: {WHO[self.step]}." if self.state == "failed" else line


@dataclass
class Doctor:
    """One examination.

    :param conn_id: id of the Airflow connection.
    :param workspace: GUID or display name; ``None`` ends the examination before it.
    :param item: GUID or display name of an item in the workspace.
    :param item_type: kind of item, if the name alone is not enough.
    :param airflow: runs Airflow's command line with some arguments and returns its exit status; ``None`` leaves the
        triggerer out.
    """

    conn_id: str
    workspace: str | None = None
    item: str | None = None
    item_type: str | None = None
    airflow: Callable[[Sequence[str]], int] | None = None
    _claims: dict[str, Any] = field(default_factory=dict)
    _workspace_id: str = ""

    def examine(self) -> Iterator[Finding]:
        """Yield the findings, in order; what depends on a failed step is skipped."""
        hook = FabricHook(self.conn_id)
        steps: list[tuple[str, Callable[[FabricHook], Iterator[Finding]]]] = [
            ("connection", self._connection),
            ("network", self._network),
            ("authority", self._authority),
            ("token", self._token),
            ("audience", self._audience),
            ("tenant setting", self._tenant_setting),
        ]
        if self.workspace is not None:
            steps += [("workspace", self._workspace), ("workspace role", self._role)]
            steps += [("item", self._item), ("job rights", self._job_rights)] if self.item is not None else []
        failed = False
        for name, step in steps:
            if failed:
                yield Finding(name, "skipped", "a step before it failed")
                continue
            for finding in step(hook):
                yield finding
                failed = failed or finding.state == "failed"
        hook.close()
        if self.airflow is not None:
            yield self._triggerer(self.airflow)

    def _connection(self, hook: FabricHook) -> Iterator[Finding]:
        try:
            settings = hook.get_conn()
        except FabricError as error:
            yield Finding("connection", "failed", str(error))
        except Exception as error:  # noqa: BLE001 - Airflow's own, of any secrets backend
            variable = f"AIRFLOW_CONN_{self.conn_id.upper()}"
            text = f"Airflow has no connection {self.conn_id!r} that can be read ({type(error).__name__})."
            yield Finding("connection", "failed", f"{text} Add one of type 'fabric', or set the variable {variable}.")
        else:
            where = f"tenant {settings.tenant_id}, " if settings.tenant_id else ""
            yield Finding("connection", "ok", f"{self.conn_id!r}: {settings.auth_type.value}, {where}{settings.host}")

    def _network(self, hook: FabricHook) -> Iterator[Finding]:
        settings = hook.get_conn()
        yield from _reach(settings, settings.host, "host")

    def _authority(self, hook: FabricHook) -> Iterator[Finding]:
        settings = hook.get_conn()
        if settings.auth_type in {AuthType.ACCESS_TOKEN, AuthType.MANAGED_IDENTITY}:
            yield Finding("authority", "ok", f"{settings.auth_type.value} asks no login host")
            return
        address = f"{settings.authority}/{settings.tenant_id}/v2.0/.well-known/openid-configuration"
        answer = _get(settings, address, "authority")
        if isinstance(answer, Finding):
            yield Finding("authority", answer.state, answer.text)
        elif answer == 200:
            yield Finding("authority", "ok", f"{settings.authority} knows the tenant {settings.tenant_id}")
        else:
            text = f"{settings.authority} answered {answer} for the tenant {settings.tenant_id!r}"
            yield Finding("authority", "failed", f"{text}: check the extra fields 'tenant_id' and 'authority'.")

    def _token(self, hook: FabricHook) -> Iterator[Finding]:
        from airflow_provider_fabric.api.auth.sign_in import token_source

        try:
            token = token_source(hook.get_conn()).token()
        except FabricError as error:
            yield Finding("token", "failed", str(error))
            return
        self._claims = claims_of(token)
        who = next((str(self._claims[key]) for key in ("upn", "unique_name", "appid") if self._claims.get(key)), "?")
        left = (float(self._claims.get("exp") or time.time()) - time.time()) / 60
        yield Finding("token", "ok", f"for {who}, valid for {left:.0f} min")

    def _audience(self, hook: FabricHook) -> Iterator[Finding]:
        audience = str(self._claims.get("aud") or "")
        if audience.rstrip("/") in AUDIENCES:
            yield Finding("audience", "ok", audience)
        elif audience:
            text = f"The token is for {audience!r}, not for Fabric: check the extra field 'scope'"
            yield Finding("audience", "failed", f"{text} ({hook.get_conn().scope}).")
        else:
            yield Finding("audience", "unsure", "the token does not say whom it is for")

    def _tenant_setting(self, hook: FabricHook) -> Iterator[Finding]:
        accepted, text = hook.run(check(hook.get_conn(), str(self._claims.get("aud") or "")))
        yield Finding("tenant setting", "ok" if accepted else "failed", text)

    def _workspace(self, hook: FabricHook) -> Iterator[Finding]:
        try:
            self._workspace_id = hook.resolve_workspace(str(self.workspace))
            found = hook.request("GET", workspace_path(self._workspace_id))
        except FabricError as error:
            yield Finding("workspace", "failed", f"{error} Add the identity to the workspace (Manage access).")
        else:
            capacity = "" if found.get("capacityId") else "; it has no capacity, so nothing can run in it"
            state = "ok" if found.get("capacityId") else "unsure"
            yield Finding("workspace", state, f"{found.get('displayName')!r} ({self._workspace_id}){capacity}")

    def _role(self, hook: FabricHook) -> Iterator[Finding]:
        try:
            assignments = hook.run(_role_assignments(self._workspace_id))
        except FabricPermissionError:
            text = "below Member: Contributor may run items, Viewer may not; Fabric does not say which to this identity"
            yield Finding("workspace role", "unsure", text)
            return
        except FabricError as error:
            yield Finding("workspace role", "unsure", f"could not be read: {error}")
            return
        mine = [str(a.get("role")) for a in assignments if _id_of(a) == self._claims.get("oid")]
        if not mine:
            yield Finding("workspace role", "unsure", "through a group; Fabric lists no role of its own")
        elif mine[0] in RUNS_ITEMS:
            yield Finding("workspace role", "ok", mine[0])
        else:
            yield Finding("workspace role", "failed", f"{mine[0]} may not run items: Contributor or more is needed.")

    def _item(self, hook: FabricHook) -> Iterator[Finding]:
        try:
            item_id = hook.resolve_item(self._workspace_id, str(self.item), self.item_type)
            found = hook.get_item(self._workspace_id, item_id)
        except FabricError as error:
            yield Finding("item", "failed", str(error))
        else:
            self.item, self.item_type = found.id, found.type
            yield Finding("item", "ok", f"{found.type} {found.display_name!r} ({found.id})")

    def _job_rights(self, hook: FabricHook) -> Iterator[Finding]:
        try:
            runs = hook.list_item_job_instances(self._workspace_id, str(self.item))
        except FabricApiError as error:
            yield Finding("job rights", "failed", str(error))
            return
        read = f"its {len(runs)} runs can be read"
        if self.item_type == "Dataflow" and hook.get_conn().auth_type in APP_ONLY:
            text = f"{read}; Fabric's documentation lets only users run dataflows"
            advice = "sign in with auth_type refresh_token, or run the dataflow from a pipeline."
            yield Finding("job rights", "unsure", f"{text}: {advice}")
        elif self.item_type in NEED_MEMBER:
            yield Finding("job rights", "ok", f"{read}; running it takes the role Member or Admin")
        else:
            yield Finding("job rights", "ok", f"{read}; whether it may be started only a start can show")

    @staticmethod
    def _triggerer(airflow: Callable[[Sequence[str]], int]) -> Finding:
        try:
            status = airflow(["jobs", "check", "--job-type", "TriggererJob"])
        except (OSError, subprocess.SubprocessError) as error:
            return Finding("triggerer", "unsure", f"could not ask Airflow: {type(error).__name__}")
        if status == 0:
            return Finding("triggerer", "ok", "a triggerer is running")
        text = "No triggerer is alive (deferred tasks wait for ever), or Airflow's database cannot be read from here."
        return Finding("triggerer", "failed", f"{text} Start one: airflow triggerer.")


def _reach(settings: FabricSettings, address: str, name: str) -> Iterator[Finding]:
    """Yield whether a host is reached, speaks TLS that is trusted, and through which proxy."""
    answer = _get(settings, address, name)
    host = urlsplit(address).netloc
    if isinstance(answer, Finding):
        before = {"network": (), "TLS": ("network",), "proxy": ()}[answer.step]
        yield from (Finding(step, "ok", host) for step in before)
        yield answer
        return
    yield Finding("network", "ok", host)
    yield Finding("TLS", "ok", "verified" if settings.verify else "not verified: 'verify' is false")
    through = "through the proxy of the field 'proxies'" if settings.proxies else "none, or that of the environment"
    yield Finding("proxy", "ok", through)


def _get(settings: FabricSettings, address: str, name: str) -> int | Finding:
    """Return the HTTP status that an address answers without any credential, or why it does not."""
    with sign_in_session(settings, timeout=min(settings.timeout_seconds, 30.0)) as session:
        try:
            return int(session.get(address, allow_redirects=False).status_code)
        except Exception as error:  # noqa: BLE001 - whatever an HTTP library raises is explained, not shown
            failure = failure_of(error, urlsplit(address).netloc, proxied=bool(settings.proxies), field=name)
            names = {base.__name__ for base in type(error).__mro__}
            step = "proxy" if "ProxyError" in names else "TLS" if "SSLError" in names else "network"
            return Finding(step, "failed", f"{failure.reason[:1].upper()}{failure.reason[1:]}")


def _role_assignments(workspace_id: str) -> Flow[list[dict[str, Any]]]:
    """Return who has which role in a workspace; takes the role Member or more.

    https://learn.microsoft.com/rest/api/fabric/core/workspaces/list-workspace-role-assignments
    """
    path = f"{workspace_path(workspace_id)}/roleAssignments"
    return (yield from list_all(Request("GET", path, "list the roles of the workspace")))


def _id_of(assignment: dict[str, Any]) -> Any:
    principal = assignment.get("principal")
    return principal.get("id") if isinstance(principal, dict) else None


def _run_airflow(arguments: Sequence[str]) -> int:
    command = [sys.executable, "-W", "ignore", "-m", "airflow", *arguments]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode  # noqa: S603


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="fabric-doctor", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--conn-id", default="fabric_default", help="id of the Airflow connection")
    parser.add_argument("--workspace", help="GUID or display name")
    parser.add_argument("--item", help="GUID or display name of an item in the workspace")
    parser.add_argument("--item-type", help="kind of item, such as DataPipeline")
    parser.add_argument("--no-airflow", action="store_true", help="do not ask whether a triggerer is running")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: command-line arguments; those of the process by default.
    :returns: 0 if no step failed, else 1.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.item and not options.workspace:
        parser.error("--item needs --workspace")
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")  # as `airflow connections test`: its database
    doctor = Doctor(
        options.conn_id,
        options.workspace,
        options.item,
        options.item_type,
        None if options.no_airflow else _run_airflow,
    )
    failed = 0
    for finding in doctor.examine():
        print(finding, flush=True)
        failed += finding.state == "failed"
    print("Nothing stands in the way." if not failed else "Fix what failed, then run this again.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
