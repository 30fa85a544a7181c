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


@pytest.mark.parametrize("task", tasks(), ids=lambda task: task.__name__)
def test_every_argument_that_may_be_a_text_is_templated(task: type):
    """What is left is numbers, flags, times and choices between words of ours."""
    fixed = {name for name in own_parameters(task) if name not in task.template_fields}
    if task is FabricRefreshSemanticModelOperator:
        fixed -= {"execution_data", "parameters"}  # it refuses them
    assert fixed <= {
        *task.flag_arguments,
        "check_interval",
        "if_running",
        "lookback",
        "on_deduped",
        "on_unclear_submit",
        "replace_missing",
        "response_filter",
        "schedules",
        "submit_form",
        "timeout",
    }
