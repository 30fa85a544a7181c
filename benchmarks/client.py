"""A triggerer process for measurements: ``python -m benchmarks.client CORE SPECIFICATION RESULT``.

It imports Airflow, makes the file RESULT to say that it is ready, and waits for the file SPECIFICATION. Both are JSON.

Triggers are created, run and cleaned up by Airflow's own ``TriggerRunner`` (3.x), from encrypted, serialised arguments.
Only the pipe to the supervisor is replaced, by an object that hands out the triggers once and takes their events.
Connections come from ``AIRFLOW_CONN_…``, over Airflow's chain of secrets backends. The specification has

* ``kind``: ``ours``, ``naive``, ``microsoft`` or ``idle``;
* ``runs``: ``[workspace id, item id, job instance id]`` each;
* ``connection``, ``interval``, ``first_poll_after`` (epoch seconds), ``until`` (of idle triggers), ``scale`` (of time);
* ``hold``: epoch seconds at which memory is measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import TriggerRunner, messages
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time import task_runner

BEAT = 0.002
WARM_UP = 1_000_000
CONN_ID = "fabric_benchmark"


class NoSupervisor:
    """In place of the pipe to the supervisor."""

    def __init__(self) -> None:
        self._reader_task = asyncio.get_running_loop().create_future()
        self.asked: Counter[str] = Counter()

    async def asend(self, message: Any) -> None:
        """Take any message; what is asked of a supervisor here needs no answer, such as ``MaskSecret``."""
        self.send(message)

    def send(self, message: Any) -> None:
        """Take any message."""
        self.asked[type(message).__name__] += 1


class StampedEvents(deque[Any]):
    """The runner's queue of events, which notes when each came."""

    def __init__(self) -> None:
        super().__init__()
        self.stamps: dict[int, float] = {}
        self.endings: Counter[str] = Counter()
        self.messages: set[str] = set()

    def append(self, entry: Any) -> None:
        """Take an event from a trigger."""
        self.stamps[entry.trigger_id] = time.time()
        payload = entry.event.payload
        self.endings[str(payload.get("ending") or payload.get("status"))] += 1
        self.messages.add(str(payload.get("message") or payload.get("failed_reason") or ""))
        super().append(entry)


class Beat:
    """Feels the event loop's pulse: by the clock, and by processor time, which neighbours cannot disturb."""

    def __init__(self) -> None:
        self.stalls: list[float] = []
        self.busy: list[float] = []

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            wall, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.stalls.append(time.perf_counter() - wall - BEAT)
            self.busy.append(time.thread_time() - busy)


class Runner(TriggerRunner):
    """Airflow's runner, without a supervisor.

    :param workloads: what to run.
    :param hold: when to measure memory.
    :param minute: a minute of the quota, in seconds, for this provider's triggers.
    """

    def __init__(self, workloads: list[RunTrigger], hold: float | None, minute: float | None) -> None:
        super().__init__()
        self.events = self.stamped = StampedEvents()
        self._waiting = workloads
        self._warm_up = [warm_up()]
        self._untidy = True
        self._count = len(workloads)
        self._hold = hold
        self._minute = minute
        self.beat = Beat()
        self.held: int | None = None
        self.failures: list[str] = []

    async def init_comms(self) -> None:
        """Set up what stands in for the supervisor."""
        self.comms_decoder = NoSupervisor()  # type: ignore[assignment]
        task_runner.SUPERVISOR_COMMS = self.comms_decoder  # type: ignore[assignment]
        if self._minute is not None:
            from airflow_provider_fabric.triggerer import shared

            shared.configure(shared.Options(minute=self._minute))

    async def asend(self, message: Any) -> Any:
        """Take events and failures as the supervisor would, and hand out the triggers: first one that does nothing."""
        if self._warm_up:
            return messages.TriggerStateSync(to_create=[self._warm_up.pop()], to_cancel=set())
        if WARM_UP in self.triggers or self._tidy():
            return messages.TriggerStateSync(to_create=[], to_cancel=set())
        if self._waiting:
            self._begin()
        self.failures += [str(trace) for _, trace in message.failures or []]
        if self._hold is not None and self.held is None and time.time() >= self._hold:
            gc.collect()
            self.held = resident()
        new, self._waiting = self._waiting, []
        if len(self.stamped.stamps) + len(self.failures) >= self._count and not self.triggers and not new:
            self.stop = True
        return messages.TriggerStateSync(to_create=new, to_cancel=set())

    def _tidy(self) -> bool:
        """Freeze the heap, once, and return whether that was now.

        Collecting what Airflow's imports leave stalls the loop for 100 ms and more, at random. So does this collection,
        and Airflow's watchdog complains: for the first time, which takes as long again. Both come before the clocks.
        """
        if not self._untidy:
            return False
        self._untidy = False
        gc.collect()
        gc.freeze()
        return True

    def _begin(self) -> None:
        """Start the clocks: from here on the triggerer is as one that has been up for a while."""
        self.stamped.stamps.clear()
        self.stamped.endings.clear()
        self.before, self.memory, self.began = processor(), resident(), time.time()
        self._beating = asyncio.create_task(self.beat.run())


def warm_up() -> RunTrigger:
    """Return a trigger that does nothing, so that Airflow imports what it needs for the first one."""
    from benchmarks.triggers import IdleTrigger

    classpath, kwargs = IdleTrigger(0.0).serialize()
    return RunTrigger(id=WARM_UP, classpath=classpath, encrypted_kwargs=Trigger.encrypt_kwargs(kwargs))


def resident() -> int:
    """Return the process's memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def processor() -> float:
    """Return the process's processor time, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def arguments(spec: dict[str, Any], run: list[str]) -> tuple[str, dict[str, Any]]:
    """Return a trigger's class path and arguments, as its own ``serialize`` writes them."""
    workspace, item, job = run
    if spec["kind"] == "ours":
        from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

        state = {
            "job": {"workspace_id": workspace, "item_id": item, "job_instance_id": job},
            "job_type": "Execute",
            "item_type": "DataPipeline",
            "run_url": f"https://app.fabric.microsoft.com/groups/{workspace}/pipelines/{item}/{job}",
            "submitted_at": spec["submitted_at"],
            "next_poll_at": spec["first_poll_after"],
            "check_interval": spec["interval"],
        }
        return FabricJobInstanceTrigger(CONN_ID, state).serialize()
    path = f"/v1/workspaces/{workspace}/items/{item}/jobs/instances/{job}"
    if spec["kind"] == "naive":
        from benchmarks.triggers import NaiveTrigger

        return NaiveTrigger(spec["connection"], path, spec["first_poll_after"], spec["interval"]).serialize()
    if spec["kind"] == "microsoft":
        from benchmarks.microsoft import trigger

        return trigger(spec, path, run).serialize()  # type: ignore[no-any-return]
    from benchmarks.triggers import IdleTrigger

    return IdleTrigger(spec["until"]).serialize()


def workloads(spec: dict[str, Any]) -> list[RunTrigger]:
    """Return the triggers as the supervisor hands them to the runner."""
    made = []
    for number, run in enumerate(spec["runs"], 1):
        classpath, kwargs = arguments(spec, run)
        made.append(RunTrigger(id=number, classpath=classpath, encrypted_kwargs=Trigger.encrypt_kwargs(kwargs)))
    return made


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the triggers to their ends, and return what was measured."""
    if spec["kind"] == "microsoft":
        from benchmarks.microsoft import redirect

        redirect(spec["connection"]["host"])
    runner = Runner(workloads(spec), spec.get("hold"), 60.0 / spec["scale"] if spec["kind"] == "ours" else None)
    runner.run()
    stalls, busy = sorted(runner.beat.stalls), sorted(runner.beat.busy)
    return {
        "stamps": {spec["runs"][number - 1][2]: moment for number, moment in runner.stamped.stamps.items()},
        "endings": dict(runner.stamped.endings),
        "failures": [*runner.failures, *filter(None, runner.stamped.messages)][:5],
        "cpu_seconds": processor() - runner.before,
        "seconds": max(runner.stamped.stamps.values(), default=runner.began) - runner.began,
        "longest_stall_ms": 1000 * stalls[-1],
        "p999_stall_ms": 1000 * stalls[int(0.999 * len(stalls))],
        "longest_busy_ms": 1000 * busy[-1],
        "memory_bytes": None if runner.held is None else runner.held - runner.memory,
        "asked": dict(runner.comms_decoder.asked),  # type: ignore[attr-defined]
    }


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    specification, result = map(Path, sys.argv[2:])
    result.touch()
    while not specification.exists():
        time.sleep(0.02)
    result.write_text(json.dumps(main(json.loads(specification.read_text()))))
