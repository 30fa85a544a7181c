"""Every operator and sensor, every argument, every form in which it may be given: the table in the documentation."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from devtools.docs.argument_table import EXPECTED, FORMS, KINDS, kind_of, outcome, own_parameters, tasks

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
