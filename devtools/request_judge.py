"""What the emulator's request log says about a client: how often it submitted, when it polled, what it signed in.

The log is the judge of the demo and of the end-to-end tests: it cannot be talked into anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

Entry = Mapping[str, Any]

_SUBMIT = re.compile(r"/items/(?P<item>[^/]+)/jobs/(?:(?P<job_type>[^/]+)/)?instances$")
_POLL = re.compile(r"/jobs/(?:[^/]+/)?instances/(?P<instance>[^/]+)$")
_TOKEN = re.compile(r"(/oauth2/v2\.0/token|/identity/oauth2/token|/msi/token)$")

CLOCK_SECONDS = 0.05
"""A poll that comes this much early is on time: headers carry whole seconds, and two clocks were read."""


@dataclass
class Judgement:
    """What was seen.

    :param submits: (item id, job type) → how many submits were accepted.
    :param attempts: submits that were sent, accepted or not.
    :param instances: job instance id → when it was accepted.
    :param polls: single looks at a job instance.
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


def judge(entries: Iterable[Entry]) -> Judgement:
    """Read a request log, oldest first (the ``value`` of ``GET /_emulator/requests``)."""
    seen = Judgement()
    not_before: dict[str, float] = {}
    for entry in entries:
        if entry["bucket"] == "token":
            seen.token_requests += bool(_TOKEN.search(entry["path"]))
            continue
        if not entry["authorized"]:
            seen.unauthorised.append(f"{entry['method']} {entry['path']} → {entry['status']}")
        seen.throttled += entry["status"] in (429, 430)
        if entry["method"] == "POST":
            _submit(seen, entry, not_before)
        elif entry["method"] == "GET":
            _poll(seen, entry, not_before)
    return seen


def _submit(seen: Judgement, entry: Entry, not_before: dict[str, float]) -> None:
    match = _SUBMIT.search(entry["path"])
    if match is None:
        return
    seen.attempts += 1
    if entry["status"] != 202:
        return
    job_type = match["job_type"] or parse_qs(entry["query"] or "").get("jobType", ["?"])[0]
    seen.submits[match["item"], job_type] += 1
    seen.instances[entry["job_instance_id"]] = entry["time"]
    _wait(not_before, entry["job_instance_id"], entry)


def _poll(seen: Judgement, entry: Entry, not_before: dict[str, float]) -> None:
    match = _POLL.search(entry["path"])
    if match is None:
        return
    seen.polls += 1
    instance = match["instance"]
    early = not_before.get(instance, 0.0) - entry["time"]
    if early > CLOCK_SECONDS:
        seen.early.append(f"job instance {instance} was looked at {early:.2f} s too early")
    _wait(not_before, instance, entry)


def _wait(not_before: dict[str, float], instance: str, entry: Entry) -> None:
    if entry["retry_after"]:
        not_before[instance] = entry["time"] + float(entry["retry_after"])
