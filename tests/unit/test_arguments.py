"""The rule for arguments: what an author writes means the same with and without native rendering."""

from __future__ import annotations

import math
from collections import UserDict, UserList, deque, namedtuple
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_fabric.arguments import as_text, is_reference, plain_value, restore_literals
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.copy_job import FabricResetCopyJobOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.lakehouse import FabricRunTableMaintenanceOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.operators.spark_job import FabricRunSparkJobOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task


class Kind(str, Enum):
    PIPELINE = "DataPipeline"


def rendered(operator: Any, native: bool, **values: Any) -> Any:
    """Render an operator's templates as Airflow does, and resolve its arguments as a task does."""
    operator.dag = DAG("dag", schedule=None, render_template_as_native_obj=native)
    operator.render_template_fields(values, operator.get_template_env())
    operator.resolve_arguments()
    return operator


def run_item(**arguments: Any) -> FabricRunItemJobOperator:
    return FabricRunItemJobOperator(
        task_id="run", **{"workspace": "Sales", "item": "Daily load", "job_type": "Execute", **arguments}
    )


NOT_TEXT = [None, True, 1.1, ["a"], {"a": 1}, b"bytes", object()]


@pytest.mark.parametrize("value", NOT_TEXT, ids=lambda value: type(value).__name__)
def test_what_is_no_text_is_refused_by_the_argument_s_name(value: Any):
    with pytest.raises(FabricInputError, match=r"^item must be text, got "):
        as_text(value, "item")


@pytest.mark.parametrize(
    ("value", "text"), [("2024", "2024"), (2024, "2024"), (Kind.PIPELINE, "DataPipeline"), ("", "")]
)
def test_text(value: Any, text: str):
    assert as_text(value, "item") == text
    assert type(as_text(value, "item")) in (str, Kind)


LITERALS = [
    "2024",
    "007",
    "1_000",
    "1e3",
    "1.10",
    "0x10",
    "True",
    "None",
    "[1, 2]",
    "{'a': 1}",
    "a\r\nb\n",
    " x ",
    "1+2j",
]


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize("literal", LITERALS)
def test_literal_text_stays_as_it_was_written(literal: str, native: bool):
    nested = {"a": literal, "b": [literal, {"c": (literal,)}]}
    operator = rendered(run_item(item=literal, item_type=literal, parameters=nested, execution_data=nested), native)
    assert (operator.item, operator.item_type) == (literal, literal)
    assert operator.parameters == operator.execution_data == nested
    assert type(operator.parameters["a"]) is str


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize(
    ("kind", "name", "more"),
    [
        (FabricUpsertItemDefinitionOperator, "display_name", {"item_type": "Notebook", "definition": {}}),
        (FabricRunSparkJobOperator, "command_line_arguments", {"spark_job": "s"}),
        (FabricRunTableMaintenanceOperator, "table", {"lakehouse": "l"}),
        (FabricRunPipelineOperator, "pipeline", {}),
        (FabricRunItemJobOperator, "item", {"job_type": "Execute"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_digits_from_a_template_are_text(kind: Any, name: str, more: dict[str, Any], native: bool):
    for template in ("{{ year }}", "{{ number }}", "2024"):
        operator = kind(task_id="run", workspace="Sales", **{**more, name: template})
        assert getattr(rendered(operator, native, year="2024", number=2024), name) == "2024"


@pytest.mark.parametrize("value", [None, True, 1.5, ["a"]], ids=repr)
def test_what_a_native_template_makes_no_text_of_is_refused(value: Any):
    with pytest.raises(FabricInputError, match="^item_type must be text" if value is not None else "^item must be"):
        rendered(run_item(**{"item" if value is None else "item_type": "{{ value }}"}), True, value=value)


def test_an_optional_text_may_be_none():
    assert rendered(run_item(item_type="{{ value }}"), True, value=None).item_type is None


Point = namedtuple("Point", "x y")
MAPPINGS = [MappingProxyType({"day": "{{ ds }}"}), UserDict({"day": "{{ ds }}"})]


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: type(mapping).__name__)
@pytest.mark.parametrize(
    "nest", [lambda m: m, lambda m: {"a": m}, lambda m: {"a": UserList([m])}], ids=["", "in", "deep"]
)
def test_a_mapping_of_any_class_is_rendered(mapping: Any, nest: Any):
    operator = run_item(parameters=nest(mapping), execution_data=nest(mapping))
    assert "{{" not in str(rendered(operator, False, ds="2024-01-05").parameters)
    assert operator.parameters == operator.execution_data == plain_value(nest({"day": "2024-01-05"}))


def test_what_is_plain_stays_the_same_object():
    """Airflow knows a mapped value by its identity, and does not render it."""
    value = {"a": [{"b": ("c", Point(1, 2))}]}
    assert plain_value(value) is value
    assert plain_value({"a": deque([1])}) == {"a": [1]}
    assert plain_value(range(3)) == [0, 1, 2]
    assert plain_value(b"ab") == b"ab"


def test_a_mapped_literal_is_not_rendered():
    with DAG("mapped", schedule=None):
        mapped = FabricRunPipelineOperator.partial(task_id="run", workspace="w", pipeline="p").expand(
            parameters=[{"day": "{{ ds }}"}]
        )
    given = {"day": "{{ ds }}"}
    assert mapped.unmap({"parameters": given}).parameters is given


class LazySequence(UserList):
    """Stands for what Airflow gives for the output of a mapped task: a sequence, and no list."""

    def __repr__(self) -> str:
        return f"LazyXComSequence([{len(self)} items])"

    __str__ = __repr__


def test_the_output_of_a_mapped_task_is_a_list():
    values = LazySequence([1, LazySequence([2])])
    operator = FabricRunNotebookOperator(
        task_id="run",
        workspace="w",
        notebook="n",
        parameters={"all": "{{ values }}"},
        configuration={"conf": {"all": "{{ values }}"}},
    )
    rendered(operator, True, values=values)
    assert operator.parameters == {"all": [1, [2]]}
    assert operator.configuration == {"conf": {"all": [1, [2]]}}
    assert type(operator.parameters["all"]) is list
    reset = FabricResetCopyJobOperator(task_id="r", workspace="w", copy_job="c", entity_ids="{{ values }}")
    assert rendered(reset, True, values=LazySequence([1, "b"])).entity_ids == ["1", "b"]


def test_the_name_of_a_lazy_sequence_is_no_value():
    operator = run_item(parameters={"a": ["{{ values }}"]})
    with pytest.raises(FabricInputError, match=r"^parameters\.a\[0\] is 'LazyXComSequence\(\[2 items\]\)'"):
        rendered(operator, False, values=LazySequence([1, 2]))


FIXED = ["check_interval", "timeout", "deferrable", "if_running", "on_deduped", "cancel_on_kill", "durable"]


@pytest.mark.parametrize("name", FIXED)
def test_the_output_of_a_task_is_refused_where_only_the_file_can_say(name: str):
    @task
    def number() -> int:
        return 1

    with DAG("dag", schedule=None), pytest.raises(FabricInputError, match=rf"^{name} takes no output of a task"):
        run_item(**{name: number()})


def test_a_dag_parameter_is_one_too():
    dag = DAG("dag", schedule=None, params={"seconds": 5})
    with pytest.raises(FabricInputError, match=r"^check_interval takes no output"):
        run_item(check_interval=dag.param("seconds"))
    assert is_reference(run_item(item=dag.param("seconds")).item)


@pytest.mark.parametrize("value", ["{{ params.wait }}", "False", [], math.nan])
def test_a_flag_is_true_or_false(value: Any):
    with pytest.raises(FabricInputError, match=r"^cancel_on_kill must be True or False, got "):
        run_item(cancel_on_kill=value)


def test_what_is_no_rendering_stays():
    assert restore_literals("2024", "else") == "else"
    assert restore_literals({"a": "1"}, {"a": 1, "b": 2}) == {"a": "1", "b": 2}
    assert restore_literals(["1"], [1, 2]) == [1, 2]
    assert restore_literals("{{ a }}", 1) == 1
    assert restore_literals(None, 1) == 1
