"""Green means done: what is wrong with how a case of the ownership part ended, by Airflow's states and Fabric's log."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.ownership import CaseRun, Owner

RED = "FabricJobMayBeRunning"
CAUSES = {"FabricAmbiguousError", "FabricServerError", "FabricTransportError"}
"""Why it had to be: the submit's answer, lost. Airflow logs the causes of an error with it."""

ERROR = re.compile(r"^(?:airflow_provider_fabric\.[\w.]*)?(Fabric\w+): ", re.MULTILINE)


@dataclass
class Judgement:
    """What came of a case.

    :param green: tasks that succeeded.
    :param red: tasks that failed as they should.
    :param started: runs that the tasks started.
    :param cancelled: runs whose cancellation was asked for.
    :param wrong: what must not be.
    """

    green: int = 0
    red: int = 0
    started: int = 0
    cancelled: int = 0
    wrong: list[str] = field(default_factory=list)


def judge(case_run: CaseRun) -> Judgement:
    """Judge a case that has ended."""
    found = Judgement(wrong=list(case_run.wrong))
    case_run.harness.forget()
    owners = case_run.owners()
    jobs, owner_of = {job["id"]: job for job in case_run.jobs()}, _owners_of_runs(case_run)
    taken = Counter[str]()
    for owner in owners:
        if owner.ti.state == "success":
            found.green += 1
            found.wrong += _wrong_green(case_run, owner, jobs, owner_of, taken)
        else:
            found.wrong += (wrong := list(_wrong_red(case_run, owner)))
            found.red += not wrong
    found.wrong += [f"{count} green tasks share {id_}" for id_, count in taken.items() if count > 1]
    found.wrong += _wrong_counts(case_run, owners, owner_of)
    found.wrong += _wrong_cancels(case_run, jobs)
    found.wrong += _left_behind(case_run, owners)
    found.started = len(case_run.own_jobs())
    found.cancelled = sum(job["cancel_requests"] > 0 for job in jobs.values())
    return found


def _owners_of_runs(case_run: CaseRun) -> dict[str, str]:
    """Return with which task's parameters each run was started, by the requests that the service got."""
    found = {}
    for entry in case_run.control.request_log():
        body = entry["body"] if isinstance(entry["body"], dict) else {}
        parameters = (body.get("executionData") or {}).get("parameters") or {}
        if entry["job_instance_id"] and "owner" in parameters:
            found[entry["job_instance_id"]] = parameters["owner"]
    return found


def _wrong_green(
    case_run: CaseRun, owner: Owner, jobs: dict[str, Any], owner_of: dict[str, str], taken: Counter[str]
) -> Iterator[str]:
    case = case_run.case
    if case.red == "always":
        yield f"{owner.name} is green, and cannot know its run"
    xcoms = case_run.airflow.xcoms(owner.dag_id, owner.run_id, "run", owner.ti.map_index)
    published, result = xcoms.get("job_instance_id"), xcoms.get("return_value") or {}
    if published != result.get("job_instance_id"):
        yield f"{owner.name} published {published} and returned {result}"
    taken[str(published)] += 1
    job = jobs.get(str(published))
    if job is None or job["status"] != "Completed":
        yield f"{owner.name} is green without a completed run: {job}"
    elif owner_of.get(job["id"]) != owner.name and not (case.attaches and job["id"] in case_run.strangers):
        yield f"{owner.name} is green with the run of {owner_of.get(job['id'], 'somebody else')}"
    yield from (f"{owner.name} does not say {words!r}" for words in case.says if words not in log_of(case_run, owner))


def _wrong_red(case_run: CaseRun, owner: Owner) -> Iterator[str]:
    log = log_of(case_run, owner, every_try=False)
    errors = errors_of(log, causes_first=case_run.airflow.dialect.major < 3)
    by_design = owner.ti.state == "failed" and errors[:1] == [RED] and set(errors[1:]) <= {RED, *CAUSES}
    if case_run.case.red == "never" or not by_design:
        yield f"{owner.name} is {owner.ti.state}, naming {errors}:\n{log[-3000:]}"


def errors_of(log: str, *, causes_first: bool) -> list[str]:
    """Return the errors of this package that a try's log names, the one that the task ended with first.

    :param causes_first: the log has tracebacks as Python prints them, whose last error is the task's.
    """
    found = ERROR.findall(log)
    return found[::-1] if causes_first else found


def _wrong_counts(case_run: CaseRun, owners: list[Owner], owner_of: dict[str, str]) -> Iterator[str]:
    """Doubles, and runs that are lost: no task's, or going on although their task has ended."""
    least, most = case_run.case.started
    started = Counter(owner_of.get(job["id"], "nobody") for job in case_run.own_jobs())
    for owner in owners:
        count = started.pop(owner.name, 0)
        if not (least if owner.ti.state == "success" else 0) <= count <= most:
            yield f"{owner.name} started {count} runs"
    yield from (f"{count} runs of {name}" for name, count in started.items())
    green = {owner.name for owner in owners if owner.ti.state == "success"}
    for job in case_run.own_jobs():
        if job["active"] and owner_of.get(job["id"]) in green:
            yield f"{job['id']} of {owner_of.get(job['id'])} goes on"


def _wrong_cancels(case_run: CaseRun, jobs: dict[str, Any]) -> Iterator[str]:
    for id_, job in jobs.items():
        if job["cancel_requests"] and (id_ in case_run.strangers or not case_run.case.cancels):
            whose = "somebody else's" if id_ in case_run.strangers else "a task's"
            yield f"{id_}, {whose} run, was asked to cancel"


def _left_behind(case_run: CaseRun, owners: list[Owner], within: float = 15.0) -> Iterator[str]:
    """Variables that outlive the success of the task that wrote them: nobody would ever delete them."""
    green = {
        f"fabric_run:{owner.dag_id}:run:{owner.run_id}:{owner.ti.map_index}"
        for owner in owners
        if owner.ti.state == "success"
    }
    until = time.monotonic() + within  # they go right after the success is recorded
    while left := green & {row["key"] for row in case_run.airflow.db.rows("SELECT key FROM variable")}:
        if time.monotonic() > until:
            yield from (f"variable {name} is left behind" for name in sorted(left))
            return
        time.sleep(0.5)


def log_of(case_run: CaseRun, owner: Owner, *, every_try: bool = True) -> str:
    """Return the log of a task's tries, or of its last."""
    first = 1 if every_try else owner.ti.try_number
    tries = range(first, owner.ti.try_number + 1)
    logs = (case_run.airflow.task_log(owner.dag_id, owner.run_id, "run", n, owner.ti.map_index) for n in tries)
    return "\n".join(f"--- {owner.name}, try {number}\n{log}" for number, log in zip(tries, logs, strict=True))


def tell(case_run: CaseRun, judgement: Judgement) -> str:
    """Return all that is known, for whoever reads a failure."""
    jobs = [
        f"{job['id']} {job['status']} {job['startTimeUtc']} to {job['endTimeUtc']}, {job['cancel_requests']} cancels"
        + (", a stranger's" if job["id"] in case_run.strangers else "")
        for job in case_run.jobs()
    ]
    logs = [log_of(case_run, owner)[-12000:] for owner in case_run.owners()]
    return "\n".join([f"==== {case_run.case.id}", *judgement.wrong, *case_run.story, *jobs, *logs])
