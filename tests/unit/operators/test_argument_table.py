"""Every operator and sensor, every argument, every form in which it may be given: the table in the documentation."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from devtools.docs.argument_table import (
    EXPECTED,
    FORMS,
    KINDS,
    Source,
    all_parameters,
    kind_of,
    outcome,
    own_parameters,
    tasks,
)
from tests.task_runner import TaskRunner

try:
    from airflow.sdk import DAG, TaskGroup
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.utils.task_group import TaskGroup

ARGUMENTS = [(task, name) for task in tasks() for name in own_parameters(task)]


@pytest.mark.parametrize(
    ("task", "name"), ARGUMENTS, ids=lambda value: value if isinstance(value, str) else value.__name__
)
def test_an_argument_means_what_the_table_says(task: type, name: str):
    kind = kind_of(task, name)
    found = {form: outcome(task, name, form) for form in FORMS}
    assert found == dict(zip(FORMS, EXPECTED[kind], strict=True))


def test_every_kind_is_tried():
    assert {kind_of(task, name) for task, name in ARGUMENTS} == set(KINDS)
    assert len(tasks()) >= 14


CHOICES = {
    "if_running",
    "on_deduped",
    "on_failure",
    "on_unclear_submit",
    "replace_missing",
    "schedules",
    "submit_form",
}
"""Words of ours that only the DAG file says."""


@pytest.mark.parametrize("task", tasks(), ids=lambda task: task.__name__)
def test_every_argument_that_may_be_a_text_is_templated(task: type):
    """What is left is numbers, flags, times, functions and choices between words of ours."""
    fixed = {name: str(p.annotation) for name, p in own_parameters(task).items() if name not in task.template_fields}
    if task is FabricRefreshSemanticModelOperator:
        fixed = {name: kind for name, kind in fixed.items() if name not in ("execution_data", "parameters")}  # refused
    texts = {name for name, kind in fixed.items() if "str" in kind or "Mapping" in kind or "Sequence" in kind}
    assert texts <= CHOICES, "template these, or name them as choices"
    flags = {name for name, kind in fixed.items() if "bool" in kind}
    named = {
        *task.flag_arguments,
        *(name.removesuffix("_only") for name in task.flag_arguments),
    }  # dry_run is Airflow's
    assert flags <= named, "name these in flag_arguments"


class Mapped:
    """A class of tasks, mapped in a DAG: what must be given is given by ``partial()``."""

    def __init__(self, task: type[Any]) -> None:
        self.dag = DAG("mapped", schedule=None, params={"value": "2024"})
        self.source = Source(task_id="source", dag=self.dag)
        self._task = task
        self.needed = {n: "x" for n, p in all_parameters(task).items() if p.default is p.empty}

    def map(self, partial: dict[str, Any], expand: dict[str, Any]) -> Any:
        given = {name: value for name, value in {**self.needed, **partial}.items() if name not in expand}
        return self._task.partial(task_id="run", dag=self.dag, **given).expand(**expand)


def another(task: type[Any], name: str) -> str:
    """Return an argument to map over besides one."""
    return next(n for n in task.template_fields if n not in (name, "fabric_conn_id") and n in all_parameters(task))


@pytest.mark.parametrize("given", ["output", "parameter"])
@pytest.mark.parametrize(
    ("task", "name"), ARGUMENTS, ids=lambda value: value if isinstance(value, str) else value.__name__
)
def test_what_partial_takes(task: type, name: str, given: str):
    """The output of a task may be given to ``partial()`` where it may be given to the task, and nowhere else."""
    mapped = Mapped(task)
    value = mapped.source.output if given == "output" else mapped.dag.param("value")
    if kind_of(task, name) in ("flag", "fixed"):
        with pytest.raises(FabricInputError, match=rf"^{name} .*expand\(\)"):
            mapped.map({name: value}, {another(task, name): ["a", "b"]})
    else:
        operator = mapped.map({name: value}, {another(task, name): ["a", "b"]})
        assert operator.partial_kwargs[name] is value


@pytest.mark.parametrize("owner", ["partial", "dag", "task group"])
@pytest.mark.parametrize(
    ("task", "name"), ARGUMENTS, ids=lambda value: value if isinstance(value, str) else value.__name__
)
def test_default_args_are_no_way_around_it(task: type, name: str, owner: str):
    """Airflow fills them in when a mapped task runs, so nobody would hear of it before."""
    mapped = Mapped(task)
    defaults = {name: mapped.dag.param("value"), "argument_of_other_operators": mapped.source.output}
    over = {another(task, name): ["a", "b"]}
    needed = mapped.needed.pop(name, None)
    refused = kind_of(task, name) in ("flag", "fixed")

    def make() -> None:
        if owner == "partial":
            mapped.map({"default_args": defaults}, over)
        elif owner == "dag":
            mapped.dag.default_args.update(defaults)
            mapped.map({}, over)
        else:
            with TaskGroup("group", dag=mapped.dag) as group:
                group.default_args.update(defaults)
                mapped.map({}, over)

    with pytest.raises(FabricInputError, match=rf"^{name} .*expand\(\)") if refused else nullcontext():
        make()
    if refused and needed is None:  # what the task itself is given counts
        mapped.map({"default_args": defaults, name: PLAIN.get(name, True)}, over)


@pytest.mark.parametrize(
    ("task", "name"),
    [argument for argument in ARGUMENTS if kind_of(*argument) in ("flag", "fixed")],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_whatever_is_not_templated_can_be_mapped_over(task: type, name: str):
    """The values come from the output of a task: each mapped task is made with a plain one."""
    mapped = Mapped(task)
    value = PLAIN.get(name, True)
    operator = mapped.map({}, {name: mapped.source.output})
    attribute = "dry_run_only" if name == "dry_run" else name  # ``dry_run`` is a method of Airflow's
    assert getattr(operator.unmap({name: value}), attribute) == value
    if kind_of(task, name) == "flag":
        with pytest.raises(FabricInputError, match=f"^{name} must be True or False"):
            operator.unmap({name: "2024"})


PLAIN: dict[str, Any] = {
    "check_interval": 5.0,
    "if_running": "fail",
    "lookback": timedelta(hours=1),
    "max_removals": 3,
    "on_deduped": "skip",
    "on_failure": "stop",
    "on_unclear_submit": "fail",
    "pages": True,
    "replace_missing": "ignore",
    "response_filter": len,
    "schedules": "keep",
    "submit_form": "path",
    "timeout": 60.0,
    "unchanged_for": 60.0,
}
"""A value for each argument that is neither a flag nor templated."""


class NothingIsSentError(AssertionError):
    """A request was about to be sent."""


def first_request(flow: Any) -> Any:
    """Run a flow that needs no answer; the driver of these tests."""
    try:
        request = next(flow)
    except StopIteration as end:
        return end.value
    raise NothingIsSentError(str(request))


GUID = "11111111-1111-4111-8111-111111111111"
DEFINITIONS = Path(__file__).resolve().parents[3] / "example_dags" / "definitions"
VALID: dict[str, Any] = {"method": "GET", "path": "Files/orders.csv", "definition": {"a.json": {}}, "v_order": True}
"""What an argument must be so that the others are looked at; a GUID, otherwise."""


WRONG = {"object": object(), "-1.5": -1.5, "nan": float("nan"), "set": {"a": {1, 2}}}


def takes_numbers(task: type, name: str) -> bool:
    """Return whether a number is as good as anything for an argument."""
    annotation = str(own_parameters(task)[name].annotation)
    return kind_of(task, name) in ("data", "text") and ("Any" in annotation or name in ("json", "since"))


@pytest.mark.parametrize(
    ("task", "name", "wrong"),
    [
        pytest.param(task, name, wrong, id=f"{task.__name__}-{name}-{form}")
        for task, name in ARGUMENTS
        for form, wrong in WRONG.items()
        if not (isinstance(wrong, float) and takes_numbers(task, name))
    ],
)
def test_what_an_argument_cannot_be_is_refused_by_name_before_anything_is_sent(
    task: type, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps({"conn_type": "fabric", "login": GUID}))
    monkeypatch.setattr("airflow_provider_fabric.hooks.fabric.FabricHook.run", lambda _, flow: first_request(flow))
    given = {n: VALID.get(n, GUID) for n, p in all_parameters(task).items() if p.default is p.empty or n in VALID}
    given |= {"folder": str(DEFINITIONS)} if task.__name__ == "FabricDeployFolderOperator" else {}
    given |= {"path": "/workspaces"} if task.__name__ == "FabricRestOperator" else {}
    with pytest.raises(FabricInputError, match=rf"\b{name}\b"):
        TaskRunner(lambda: task(task_id="run", **{**given, name: wrong})).run()
