"""What importing an operator adds to a DAG file that has imported ``airflow.sdk``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any

PIPELINE = "airflow_provider_fabric.operators.pipeline"
PROBE = """
import json, sys, time
from airflow.sdk import DAG, BaseOperator
before, began = set(sys.modules), time.perf_counter()
exec(sys.argv[1])
took = time.perf_counter() - began
added = set(sys.modules) - before
heavy = sorted({name.split(".")[0] for name in added} & {"msal", "requests", "httpx", "starlette", "uvicorn"})
print(json.dumps({"ms": 1000 * took, "modules": len(added), "heavy": heavy, "names": sorted(added)}))
"""


def measure(rounds: int, module: str = PIPELINE, statement: str | None = None) -> dict[str, Any]:
    """Return milliseconds (median) and modules that the import of a module, or another statement, adds."""
    found = []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(rounds):
            command = [sys.executable, "-W", "ignore", "-c", PROBE, statement or f"import {module}"]
            answer = subprocess.run(
                command, env=_environment(home), capture_output=True, text=True, check=True, timeout=120
            )
            found.append(json.loads(answer.stdout.splitlines()[-1]))
    return {**found[-1], "ms": median(entry["ms"] for entry in found)}


def _environment(home: str) -> dict[str, str]:
    import os

    return {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
