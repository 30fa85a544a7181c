"""What becomes of every argument of every operator and sensor, by how a DAG's author gives it: tried, not claimed.

Nothing is sent. Templates are rendered as Airflow does, then the argument is what the task would use.
"""

from __future__ import annotations

import inspect
from collections import UserList
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from airflow_provider_fabric.compat import BaseOperator
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from devtools.docs.public_api import public_names

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

DIGITS = "2024"


class MappedOutput(UserList[Any]):
    """Stands for what Airflow gives as the output of a mapped task: a lazy sequence, and no list."""


class Source(BaseOperator):
    """A task with an output."""


FORMS: Mapping[str, tuple[Callable[[DAG], Any], bool, Any]] = {
    'literal `"2024"`': (lambda _: DIGITS, False, None),
    'literal `"2024"`, native rendering': (lambda _: DIGITS, True, None),
    "Jinja, of the number 2024": (lambda _: "{{ value }}", False, 2024),
    "Jinja, of the number 2024, native rendering": (lambda _: "{{ value }}", True, 2024),
    "output of a task": (lambda dag: Source(task_id="source", dag=dag).output, False, DIGITS),
    "DAG parameter (`dag.param`)": (lambda dag: dag.param("value"), False, DIGITS),
    "output of a mapped task": (lambda dag: Source(task_id="source", dag=dag).output, False, MappedOutput([2024])),
    "lazy sequence, native rendering": (lambda _: "{{ value }}", True, MappedOutput([2024])),
    "another type (`1.5`)": (lambda _: 1.5, False, None),
}
"""How an argument is given: what is written in the DAG file, whether rendering is native, and the value at run time."""

KINDS: Mapping[str, str] = {
    "text": "text by nature",
    "texts": "list of texts",
    "data": "value inside a mapping, such as `parameters`",
    "flag": "`True` or `False`",
    "fixed": "number or choice",
}

OWN_RULES = ("definition",)
"""Arguments whose templates follow a rule of their own, which the page on deploying explains."""

CHECKED = "own rule"
PARSED, REFUSED = "refused when parsed", "refused by name"

EXPECTED: Mapping[str, tuple[str, ...]] = {
    "text": ("'2024'",) * 6 + (REFUSED, REFUSED, REFUSED),
    "texts": ("['2024']",) * 8 + (REFUSED,),
    "data": ("'2024'", "'2024'", "'2024'", "2024", "'2024'", "'2024'", "[2024]", "[2024]", "1.5"),
    "flag": (PARSED,) * 9,
    "fixed": (CHECKED,) * 4 + (PARSED,) * 3 + (CHECKED,) * 2,
}
"""What becomes of each kind of argument, form by form."""

MAPPINGS = ("parameters", "execution_data", "configuration", "options", "query", "replace")


def tasks() -> list[type[Any]]:
    """Return every operator and sensor that takes a workspace by our rule for arguments."""
    return [
        thing
        for _, thing in public_names()
        if inspect.isclass(thing) and issubclass(thing, BaseOperator) and hasattr(thing, "prepare_arguments")
    ]


def own_parameters(task: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the arguments that the tables are about."""
    return {name: parameter for name, parameter in all_parameters(task).items() if name not in OWN_RULES}


def all_parameters(task: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the arguments of a class and of our classes that it derives from."""
    found: dict[str, inspect.Parameter] = {}
    for kind in reversed(task.__mro__):
        if kind.__module__.startswith("airflow_provider_fabric."):
            parameters = inspect.signature(kind.__init__).parameters.values()
            found |= {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    if issubclass(task, FabricRunItemJobOperator) and task is not FabricRunItemJobOperator:
        own = inspect.signature(task.__init__).parameters
        hidden = {"item", "item_type", "job_type"} - set(own)  # a subclass says these itself
        found = {name: parameter for name, parameter in found.items() if name not in hidden}
    return found


def kind_of(task: type[Any], name: str) -> str:
    """Return which kind of argument it is: a key of :data:`KINDS`."""
    if name in task.text_arguments or name in task.optional_text_arguments:
        return "text"
    if name in task.text_list_arguments:
        return "texts"
    if name in task.flag_arguments:
        return "flag"
    return "data" if name in task.template_fields else "fixed"


def outcome(task: type[Any], name: str, form: str) -> str:
    """Return what becomes of an argument that is given in a form."""
    make, native, value = FORMS[form]
    kind = kind_of(task, name)
    dag = DAG("dag", schedule=None, render_template_as_native_obj=native, params={"value": DIGITS})
    needed = {p.name: "x" for p in all_parameters(task).values() if p.default is p.empty}
    given = _wrapped(make(dag), kind, name)
    try:
        operator = task(task_id="run", dag=dag, **{**needed, name: given})
    except (FabricInputError, ValueError, TypeError) as error:
        refused = PARSED if name in str(error) else f"another error: {error}"
        return CHECKED if kind == "fixed" and refused == PARSED and not hasattr(given, "resolve") else refused
    if kind == "fixed":
        return CHECKED
    ti = SimpleNamespace(xcom_pull=lambda *_, **__: value, get_relevant_upstream_map_indexes=lambda *_, **__: None)
    run = SimpleNamespace(conf={})
    context = {"value": value, "params": {"value": DIGITS}, "ti": ti, "dag_run": run, "expanded_ti_count": None}
    try:
        operator.render_template_fields(context, operator.get_template_env())
        operator.resolve_arguments()
    except FabricInputError as error:
        return REFUSED if name in str(error) else f"another error: {error}"
    return repr(_unwrapped(getattr(operator, name), kind, name))


def _wrapped(value: Any, kind: str, name: str) -> Any:
    """Return an argument that holds a value where this kind of argument holds one."""
    if kind == "texts" and not (hasattr(value, "resolve") or value == "{{ value }}"):
        return [value]
    return {"a": value} if kind == "data" and name in MAPPINGS else value


def _unwrapped(value: Any, kind: str, name: str) -> Any:
    if kind == "texts" and not isinstance(value, list):
        return [value]
    return value["a"] if kind == "data" and name in MAPPINGS else value


def outcomes_table() -> str:
    """Return what becomes of each kind of argument, by the form in which it is given."""
    shown = [kind for kind in KINDS if kind != "flag"]  # always the same: a sentence on the page
    rows = ["| Given as | " + " | ".join(KINDS[kind] for kind in shown) + " |", "| --- " * (len(shown) + 1) + "|"]
    for index, form in enumerate(FORMS):
        cells = [EXPECTED[kind][index] for kind in shown]
        rows.append(f"| {form} | " + " | ".join(cell if " " in cell else f"`{cell}`" for cell in cells) + " |")
    return "\n".join(rows) + "\n"


TEMPLATED = ("text", "texts", "data")
"""Kinds of arguments that are templated: the page lists these, and all others are not."""
SAID_BY_THE_CLASS = ("`item`", "`item_type`")
"""Arguments of :class:`FabricRunItemJobOperator` that a class for one kind of item has no use for."""


def arguments_table() -> str:
    """Return which templated arguments of each operator and sensor are of which kind.

    ``…`` stands for those of :class:`FabricRunItemJobOperator`, in classes that derive from it.
    """
    shared = _by_kind(FabricRunItemJobOperator, own_parameters(FabricRunItemJobOperator))
    rows = [
        "| Class | text | lists of text | other templated values |",
        "| --- | --- | --- | --- |",
    ]
    for task in tasks():
        kinds = _by_kind(task, own_parameters(task))
        if issubclass(task, FabricRunItemJobOperator) and task is not FabricRunItemJobOperator:
            kinds = {kind: _folded(names, shared[kind]) for kind, names in kinds.items()}
        rows.append(f"| `{task.__name__}` | " + " | ".join(" ".join(kinds[kind]) for kind in TEMPLATED) + " |")
    return "\n".join(rows) + "\n"


def _folded(names: list[str], shared: list[str]) -> list[str]:
    """Return names with ``…`` in the place of the shared ones, if all of them are there."""
    common = [name for name in shared if name not in SAID_BY_THE_CLASS]
    if not common or not set(common) <= set(names):
        return names
    return [*(name for name in names if name not in common), "…"]


def _by_kind(task: type[Any], parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for name in parameters:
        kinds[kind_of(task, name)].append(f"`{name}`")
    return kinds
