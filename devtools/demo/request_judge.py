"""What the emulator's request log says about a client: how often it submitted, when it polled, what it signed in.

The log is the judge of the demo and of the end-to-end tests: it cannot be talked into anything.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

Entry = Mapping[str, Any]

_INSTANCES = re.compile(r"/items/(?P<item>[^/]+)/jobs/(?:(?P<job_type>[^/]+)/)?instances$")
_INSTANCE = re.compile(r"/jobs/(?:[^/]+/)?instances/(?P<instance>[^/]+)$")
_TOKEN = re.compile(r"(/oauth2/v2\.0/token|/identity/oauth2/token|/msi/token)$")

CLOCK_SECONDS = 0.05
"""A poll that comes this much early is on time: headers carry whole seconds, and two clocks were read."""


@dataclass
class Judgement:
    """What was seen.

    :param submits: (item id, job type) → how many submits were accepted.
    :param attempts: submits that were sent, accepted or not.
    :param instances: job instance id → when it was accepted.
    :param polls: looks at job instances that were waited for, one by one or by a List of their item.
    :param early: polls before their ``Retry-After``, as sentences.
    :param unauthorised: calls of the API without a valid token, as sentences.
    :param token_requests: how many tokens were asked for.
    :param throttled: answers 429 and 430.
    """

    submits: Counter[tuple[str, str]] = field(default_factory=Counter)
    attempts: int = 0
    instances: dict[str, float] = field(default_factory=dict)
    polls: int = 0
    early: list[str] = field(default_factory=list)
    unauthorised: list[str] = field(default_factory=list)
    token_requests: int = 0
    throttled: int = 0

    @property
    def doubled(self) -> list[tuple[str, str]]:
        """Return the jobs that were submitted more than once."""
        return [job for job, count in self.submits.items() if count > 1]


@dataclass
class _Run:
    """An accepted run, as far as the log tells.

    :param due: no look before this.
    :param ends: when it is over; unknown is never.
    :param seen_over: somebody has looked since.
    """

    item: str
    due: float = 0.0
    ends: float = math.inf
    seen_over: bool = False

    def looked_at(self, entry: Entry) -> float:
        """Take a look down; return how many seconds too early it came."""
        early = self.due - entry["time"]
        self.seen_over = self.seen_over or entry["time"] >= self.ends
        self.ask_for_patience(entry)
        return early

    def ask_for_patience(self, entry: Entry) -> None:
        """Read the answer's ``Retry-After``."""
        if entry["retry_after"]:
            self.due = entry["time"] + float(entry["retry_after"])


def judge(entries: Iterable[Entry], jobs: Iterable[Mapping[str, Any]] = ()) -> Judgement:
    """Read a request log.

    :param entries: oldest first (the ``value`` of ``GET /_emulator/requests``).
    :param jobs: the job instances (``GET /_emulator/jobs``). They tell when a run was over, so that a List after that
        is not taken for a look at it; without them, a List of an item with an older run is never early.
    """
    seen = Judgement()
    ends = {job["id"]: float(job["ends_at"]) for job in jobs if not job["active"]}
    runs: dict[str, _Run] = {}
    for entry in entries:
        if entry["bucket"] == "token":
            seen.token_requests += bool(_TOKEN.search(entry["path"]))
            continue
        if not entry["authorized"]:
            seen.unauthorised.append(f"{entry['method']} {entry['path']} → {entry['status']}")
        seen.throttled += entry["status"] in (429, 430)
        if entry["method"] == "POST":
            _submit(seen, entry, runs, ends)
        elif entry["method"] == "GET":
            _get(seen, entry, runs)
            _list(seen, entry, runs)
    return seen


def _submit(seen: Judgement, entry: Entry, runs: dict[str, _Run], ends: Mapping[str, float]) -> None:
    match = _INSTANCES.search(entry["path"])
    if match is None:
        return
    seen.attempts += 1
    if entry["status"] != 202:
        return
    instance = entry["job_instance_id"]
    job_type = match["job_type"] or parse_qs(entry["query"] or "").get("jobType", ["?"])[0]
    seen.submits[match["item"], job_type] += 1
    seen.instances[instance] = entry["time"]
    runs[instance] = _Run(match["item"], ends=ends.get(instance, math.inf))
    runs[instance].ask_for_patience(entry)


def _get(seen: Judgement, entry: Entry, runs: Mapping[str, _Run]) -> None:
    """Judge a look at one run."""
    match = _INSTANCE.search(entry["path"])
    if match is None:
        return
    seen.polls += 1
    if match["instance"] in runs:
        _note(seen, f"job instance {match['instance']}", runs[match["instance"]].looked_at(entry))


def _list(seen: Judgement, entry: Entry, runs: Mapping[str, _Run]) -> None:
    """Judge a look at all runs of an item: early only if none of those waited for was due."""
    match = _INSTANCES.search(entry["path"])
    if match is None or "continuationToken" in (entry["query"] or ""):
        return
    waited_for = [run for run in runs.values() if run.item == match["item"] and not run.seen_over]
    if waited_for:
        seen.polls += 1
        _note(seen, f"item {match['item']}", min(run.looked_at(entry) for run in waited_for))


def _note(seen: Judgement, what: str, early: float) -> None:
    if early > CLOCK_SECONDS:
        seen.early.append(f"{what} was looked at {early:.2f} s too early")
