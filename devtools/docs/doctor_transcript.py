"""Write ``docs/examples/doctor.txt``: what ``fabric-doctor`` prints against the emulator, well and with a fault.

::

    python -m devtools.docs.doctor_transcript    write it

Only what differs from run to run is replaced: the port, ids and the token's remaining minutes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_fabric import doctor
from airflow_provider_fabric.emulator import FabricEmulator

TRANSCRIPT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "doctor.txt"
COMMAND = 'fabric-doctor --workspace "Emulator workspace" --item "Daily load" --item-type DataPipeline --no-airflow'
NOT_LET_IN: Mapping[str, Any] = {
    "method": "GET",
    "path": "/v1/workspaces",
    "status": 403,
    "body": {"errorCode": "Unauthorized", "message": "This application may not use the API in this tenant."},
    "count": None,
}
"""What the service answers while the tenant setting is off."""

VARIABLE = "AIRFLOW_CONN_FABRIC_DEFAULT"


def transcript() -> str:
    """Run the command twice, and return what it prints."""
    with FabricEmulator(retry_after_seconds=0) as emulator, connection(emulator.connection_json):
        pipeline = {"type": "DataPipeline", "displayName": "Daily load"}
        emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": [pipeline]}])
        well = session()
        emulator.control.add_fault(**NOT_LET_IN)
        return f"{well}\n{session()}"


def session() -> str:
    """Run the command once, as a terminal shows it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        doctor.main(shlex.split(COMMAND)[1:])
    return f"$ {COMMAND}\n{lasting(printed.getvalue())}"


def lasting(text: str) -> str:
    """Return a text without what is of this run only."""
    ids = dict.fromkeys(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))
    for number, id_ in enumerate(ids, 1):
        text = text.replace(id_, f"{number}f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8443", text)
    text = re.sub(r"\S*/ca\.pem", "ca.pem", text)
    return re.sub(r"valid for \d+ min", "valid for 60 min", text)


@contextlib.contextmanager
def connection(as_json: str) -> Iterator[None]:
    """Let ``fabric_default`` be a connection."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = json.dumps(json.loads(as_json))
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def main() -> int:
    """Write it."""
    TRANSCRIPT.write_text(transcript())
    return 0


if __name__ == "__main__":
    sys.exit(main())
