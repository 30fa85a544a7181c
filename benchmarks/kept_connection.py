"""A secrets backend that keeps the connection of Microsoft's provider as Airflow's database would.

Its type, ``microsoft-fabric``, does not survive ``AIRFLOW_CONN_…``: Airflow makes ``microsoft_fabric`` of it, which
that provider refuses.
"""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.secrets.base_secrets import BaseSecretsBackend


class KeptConnection(BaseSecretsBackend):
    """Keeps one connection."""

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Any:
        """Return the connection."""
        from airflow.sdk import Connection

        kept = json.loads(os.environ["AIRFLOW_CONN_FABRIC_BENCHMARK"])
        return Connection(conn_id=conn_id, conn_type=kept["conn_type"], extra=json.dumps(kept["extra"]))
