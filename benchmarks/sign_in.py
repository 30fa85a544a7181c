"""A thousand triggers on one connection start at once in Airflow's own trigger runner: what does signing in cost?

Each measurement is a process of its own with Airflow's ``TriggerRunner`` (3.x), whose triggers all wait for one run at
an emulator with a token endpoint that takes 2 s. Two ways take turns: ``sign_in`` fetches the token with msal; ``wait``
gets a token that is already there after a thread has slept as long, which costs nothing but the wait. The longest
stall of the event loop between the first trigger that asks for a token and the token's arrival is compared: what is
above that of ``wait`` is what signing in adds to what a thousand starting triggers do to a loop anyway. The heap that
Airflow's imports leave is frozen first: a full garbage collection of it stalls the loop for more than 100 ms, at
random, and would drown what is measured.

Run it: ``python benchmarks/sign_in.py``. It exits with 1 when a bound of the project's issue 4 is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TRIGGERS = 1000
TOKEN_SECONDS = 2.0
JOB_SECONDS = 6.0
ROUNDS = 5
MOST_ADDED_MS = 20.0
BEAT = 0.002


def child(state: dict[str, Any], way: str) -> dict[str, Any]:
    """Run the triggers to their events and return what was measured."""
    from airflow.executors.workloads.trigger import RunTrigger
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.models.trigger import Trigger

    from airflow_provider_fabric.api.auth.sign_in import SignIn

    arguments = Trigger.encrypt_kwargs({"fabric_conn_id": "bench", "run": state})
    classpath = "airflow_provider_fabric.triggers.job.FabricJobInstanceTrigger"
    stalls: list[tuple[float, float]] = []
    window: list[float] = []
    fired: list[Any] = []

    fetch = SignIn.fetch

    def timed(self: SignIn, service: Any) -> Any:
        window.append(time.perf_counter())
        if way == "wait":
            time.sleep(2 * TOKEN_SECONDS)  # discovery and the token request
        token = fetch(self, service)
        window.append(time.perf_counter())
        return token

    SignIn.fetch = timed  # type: ignore[method-assign]

    class Comms:
        """In place of the pipe to the supervisor."""

        _reader_task: asyncio.Task[None]

    class Runner(TriggerRunner):
        """Airflow's runner, without a supervisor: its triggers are given, its events are kept."""

        async def init_comms(self) -> None:
            self.comms_decoder = Comms()
            self.comms_decoder._reader_task = asyncio.create_task(asyncio.sleep(3600))
            self.to_create.extend(
                RunTrigger(id=number, classpath=classpath, encrypted_kwargs=arguments) for number in range(TRIGGERS)
            )
            self.beat = asyncio.create_task(beat())

        async def sync_state_to_supervisor(self, finished_ids: list[int]) -> None:
            fired.extend(self.events)
            self.events.clear()
            self.stop = len(fired) >= TRIGGERS

    async def beat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            stalls.append((before, time.perf_counter() - before - BEAT))

    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    asyncio.run(Runner().arun())
    outcomes = {event.event.payload["ending"] for event in fired}
    begun, ended = window
    return {
        "stall_ms": 1000 * max(stall for at, stall in stalls if at + BEAT + stall >= begun and at <= ended),
        "stall_ms_of_all": 1000 * max(stall for _, stall in stalls),
        "sign_in_seconds": ended - begun,
        "seconds": time.perf_counter() - started,
        "outcomes": sorted(outcomes),
    }


def measure(emulator: Any, way: str, home: Path) -> dict[str, Any]:
    """Start a run, let a thousand triggers of a new process wait for it, and return the figures."""
    control = emulator.control
    control.reset()
    control.configure(token_delay_seconds=TOKEN_SECONDS, job_seconds=JOB_SECONDS)
    seeded = control.seed(
        workspaces=[{"displayName": "Bench", "items": [{"type": "DataPipeline", "displayName": "P"}]}]
    )
    workspace = seeded["workspaces"][0]
    item = workspace["items"][0]["id"]
    connection = emulator.connection
    if way == "wait":
        connection["password"] = control.issue_token()
        connection["extra"] = {**connection["extra"], "auth_type": "access_token"}
    issued = control.stats()["tokens_issued"]
    now = time.time()
    job = {"workspace_id": workspace["id"], "item_id": item, "job_instance_id": control.start_job(item)}
    state = {
        "job": job, "job_type": "Execute", "item_type": "DataPipeline", "run_url": "", "submitted_at": now,
        "next_poll_at": now, "check_interval": 1.0, "deadline": now + 120,
    }  # fmt: skip
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_BENCH": json.dumps(connection),
    }
    command = [sys.executable, "-W", "ignore", __file__, "--child", json.dumps(state), "--way", way]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"The trigger runner failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    stats = control.stats()
    routes = stats["routes"]
    return {
        **json.loads(done.stdout.splitlines()[-1]),
        "tokens": stats["tokens_issued"] - issued,
        "token_requests": sum(routes.get("POST /{tenantId}/oauth2/v2.0/token", {}).values()),
        "discoveries": sum(routes.get("GET /{tenantId}/v2.0/.well-known/openid-configuration", {}).values()),
    }


def main() -> int:
    """Measure, print the figures, and say whether they are within the bounds."""
    from airflow_provider_fabric.emulator import FabricEmulator

    found: dict[str, list[dict[str, Any]]] = {"sign_in": [], "wait": []}
    with FabricEmulator() as emulator, tempfile.TemporaryDirectory() as home:
        for number in range(ROUNDS):
            for way, results in found.items():
                results.append(measure(emulator, way, Path(home)))
                print(f"round {number + 1} {way:<7} {json.dumps(results[-1])}", flush=True)
    stalls = {way: [result["stall_ms"] for result in results] for way, results in found.items()}
    added = statistics.median(stalls["sign_in"]) - statistics.median(stalls["wait"])
    requests = {result["token_requests"] for result in found["sign_in"]}
    print(f"\n{TRIGGERS} triggers, token endpoint of {TOKEN_SECONDS} s, {ROUNDS} rounds each")
    for way, values in stalls.items():
        print(
            f"longest stall, {way:<7} median {statistics.median(values):6.1f} ms  all {[round(v, 1) for v in values]}"
        )
    print(f"added by signing in: {added:.1f} ms (at most {MOST_ADDED_MS:.0f}); token requests per process: {requests}")
    return 0 if added <= MOST_ADDED_MS and requests == {1} else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(json.loads(options.child), options.way)))
        sys.exit(0)
    sys.exit(main())
