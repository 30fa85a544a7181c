"""An event loop whose time passes only while everybody sleeps, and a Fabric that lives in it.

``run_virtually(main)`` runs hours of waiting in milliseconds, and the same way every time.
"""

from __future__ import annotations

import asyncio
import json
import random
import selectors
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.exceptions import FabricError

T = TypeVar("T")

EPOCH = 1_750_000_000.0
WORKSPACE = "cfafbeb1-8037-4d0c-896e-a46fb27ff229"


class _Selector(selectors.SelectSelector):
    """Never waits: the time it should wait is added to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits for something that will never come")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def clock() -> float:
    """Return epoch seconds in virtual time."""
    return EPOCH + asyncio.get_running_loop().time()


def run_virtually(main: Coroutine[Any, Any, T], *, seed: int = 1) -> T:
    """Run a coroutine in virtual time; tasks that are left over are cancelled."""
    random.seed(seed)
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()


def guid(number: int) -> str:
    """Return a GUID made of a number."""
    return f"00000000-0000-4000-8000-{number:012d}"


@dataclass
class Run:
    """One run: when it starts, and how long it takes, in seconds."""

    started: float
    takes: float
    listed: bool = True
    visible_after: float = 0.0
    outcome: str = "Completed"
    _over: str | None = None

    @property
    def ends(self) -> float:
        return self.started + self.takes

    def wire(self, run_id: str) -> str:
        """Return the service's JSON."""
        over = clock() >= self.ends
        if self._over is not None and over:
            return self._over
        text = json.dumps(
            {
                "id": run_id,
                "status": self.outcome if over else "InProgress",
                "startTimeUtc": _time(self.started),
                "endTimeUtc": _time(self.ends) if over else None,
            }
        )
        self._over = text if over else None
        return text


@dataclass
class FakeFabric:
    """The job scheduler's reads, with a quota: so many accepted calls in any minute.

    :param latency: seconds that every call takes.
    :param quota: calls a minute, or ``None``.
    :param page_size: entries of a page of a List.
    :param answer: answers instead, unless it returns ``None``.
    """

    latency: float = 0.1
    quota: int | None = None
    page_size: int = 100
    answer: Callable[[Request], Response | TransportFailure | FabricError | None] = lambda _: None
    items: dict[str, dict[str, Run]] = field(default_factory=dict)
    calls: list[tuple[float, str]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0
    _accepted: deque[float] = field(default_factory=deque)

    def start(self, item: int, run: int, takes: float, **more: Any) -> tuple[str, str]:
        """Start a run; return the ids of item and run."""
        self.items.setdefault(guid(item), {})[guid(run)] = Run(clock(), takes, **more)
        return guid(item), guid(run)

    @property
    def lists(self) -> int:
        """How many first pages of a List were asked for."""
        return sum(what.startswith("LIST") for _, what in self.calls)

    @property
    def cancels(self) -> int:
        """How many cancels were sent."""
        return sum(what.startswith("CANCEL") for _, what in self.calls)

    @property
    def gets(self) -> int:
        """How many single instances were asked for."""
        return sum(what.startswith("GET") for _, what in self.calls)

    def busiest_minute(self, minute: float = 60.0) -> int:
        """Return the most calls in any minute."""
        times, most, first = [moment for moment, _ in self.calls], 0, 0
        for last, moment in enumerate(times):
            while times[first] <= moment - minute:
                first += 1
            most = max(most, last - first + 1)
        return most

    async def arun(self, flow: Flow[T]) -> T:
        """Run a flow: the third driver."""
        answer: Response | TransportFailure | None = None
        failure: FabricError | None = None
        while True:
            try:
                wish = flow.send(answer) if failure is None else flow.throw(failure)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = failure = None
            if isinstance(wish, Sleep):
                await asyncio.sleep(wish.seconds)
                continue
            reply = await self._call(wish)
            if isinstance(reply, FabricError):
                failure = reply
            else:
                answer = reply

    async def _call(self, request: Request) -> Response | TransportFailure | FabricError:
        _, item, _, _, *run = request.path.split("/")[4:]
        kind = "CANCEL" if request.method == "POST" else "GET"
        self.calls.append((clock(), f"{kind} {run[0]}" if run else f"{'PAGE' if request.params else 'LIST'} {item}"))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.latency)
        self.under_way -= 1
        reply = self._throttled() or self.answer(request) or self._read(item, run, request)
        if isinstance(reply, Response):
            self.statuses[reply.status] += 1
        return reply

    def _throttled(self) -> Response | None:
        now = clock()
        while self._accepted and self._accepted[0] <= now - 60:
            self._accepted.popleft()
        if self.quota is not None and len(self._accepted) >= self.quota:
            return refused(429, retry_after=str(int(self._accepted[0] + 60 - now) + 1))
        self._accepted.append(now)
        return None

    def _read(self, item: str, run: list[str], request: Request) -> Response:
        runs = {i: r for i, r in self.items.get(item, {}).items() if r.started + r.visible_after <= clock()}
        if request.method == "POST":
            return self._cancel(runs.get(run[0]))
        if run:
            return Response(200, {}, runs[run[0]].wire(run[0]).encode()) if run[0] in runs else refused(404)
        entries = [run.wire(run_id) for run_id, run in reversed(runs.items()) if run.listed]
        first = int(request.params.get("continuationToken", 0))
        after = first + self.page_size
        token = json.dumps(str(after) if after < len(entries) else None)
        return Response(200, {}, f'{{"value":[{",".join(entries[first:after])}],"continuationToken":{token}}}'.encode())

    def _cancel(self, run: Run | None) -> Response:
        if run is None:
            return refused(404)
        if clock() >= run.ends:
            return Response(400, {}, b'{"errorCode": "JobAlreadyCompleted", "message": "over"}')
        run.takes, run.outcome = clock() - run.started, "Cancelled"
        return Response(202)


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).replace(tzinfo=None).isoformat()


def refused(status: int, code: str | None = None, **headers: str) -> Response:
    """Return a refusal."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, json.dumps({"errorCode": code or f"Code{status}", "message": "no"}).encode())
