"""Microsoft's provider (``apache-airflow-providers-microsoft-fabric``), unchanged, against the emulator.

It signs in at a host name that is written into it, so name resolution in this process sends that name to the emulator,
whose certificate carries it. The process gets the emulator's CA bundle by the variables its libraries read.
"""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

LOGIN = "login.microsoftonline.com"


def redirect(host: str) -> None:
    """Let the sign-in host's name lead to the emulator."""
    emulator = urlsplit(host)
    resolve = socket.getaddrinfo

    def getaddrinfo(name: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        text = name.decode() if isinstance(name, bytes) else name
        if text == LOGIN:
            return resolve(emulator.hostname, emulator.port, *args, **kwargs)
        return resolve(name, port, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]


def connection(ours: dict[str, Any]) -> dict[str, Any]:
    """Return the connection in that provider's form."""
    return {
        "conn_type": "microsoft-fabric",
        "extra": {
            "auth_type": "spn",
            "tenantId": ours["extra"]["tenant_id"],
            "clientId": ours["login"],
            "clientSecret": ours["password"],
        },
    }


def trigger(spec: dict[str, Any], path: str, run: list[str]) -> Any:
    """Return its trigger for a run, with the arguments its operator gives it."""
    from airflow.providers.microsoft.fabric.triggers.run_item.job import MSFabricRunJobTrigger

    workspace, item, job = run
    return MSFabricRunJobTrigger(
        config={
            "fabric_conn_id": "fabric_benchmark",
            "timeout_seconds": 3600,
            "poll_interval_seconds": int(spec["interval"]),
            "api_host": spec["connection"]["host"],
        },
        tracker={
            "item": {"workspace_id": workspace, "item_type": "Pipeline", "item_id": item, "item_name": "benchmark"},
            "run_id": job,
            "location_url": spec["connection"]["host"] + path,
            "run_timeout_in_seconds": 3600,
            "start_time": datetime.fromtimestamp(spec["submitted_at"]).isoformat(),
            "retry_after": max(0.0, spec["first_poll_after"] - spec["submitted_at"]),
        },
    )
