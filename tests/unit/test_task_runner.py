"""The tests' own task runner renders templates as Airflow does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_fabric.compat import BaseOperator
from tests.task_runner import TaskRunner


class Returns(BaseOperator):
    """Returns its templated argument."""

    template_fields: Sequence[str] = ("given",)

    def __init__(self, *, given: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.given = given

    def execute(self, context: Any) -> Any:
        return self.given


@pytest.mark.parametrize(
    ("native", "given", "rendered"),
    [
        (False, "{{ ds }}", "2024-01-05"),
        (False, "{{ 40 + 2 }}", "42"),
        (True, "{{ 40 + 2 }}", 42),
        (True, "{{ params.days }}", [1, 2]),
        (False, {"nested": ["{{ ts }}", 5]}, {"nested": ["2024-01-05T06:30:00+00:00", 5]}),
        (False, "{{ task.task_id }} of {{ run_id }}", "returns of run"),
    ],
)
def test_templates_are_rendered_before_the_task_runs(native: bool, given: Any, rendered: Any) -> None:
    task = TaskRunner(
        lambda: Returns(task_id="returns", given=given), native=native, values={"params": {"days": [1, 2]}}
    )
    assert task.run() == rendered
