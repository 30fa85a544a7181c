"""What users may rely on: listed, frozen, and described."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from devtools.docs.public_api import NOT_PROMISED, SNAPSHOT, lines, members, public_names

NAMES = dict(public_names())
DESIGNED = {  # the names that users and checks rely on
    "hooks.fabric.FabricHook",
    "operators.dataflow.FabricRunDataflowRefreshOperator",
    "operators.dataflow.FabricPublishDataflowOperator",
    "operators.pipeline.FabricRunPipelineOperator",
    "operators.copy_job.FabricRunCopyJobOperator",
    "operators.copy_job.FabricResetCopyJobOperator",
    "operators.item.FabricUpsertItemDefinitionOperator",
    "operators.item.FabricDeleteItemOperator",
    "operators.job.FabricRunItemJobOperator",
    "sensors.job.FabricJobInstanceSensor",
    "sensors.job.FabricItemJobSensor",
    "triggers.job.FabricJobInstanceTrigger",
    "triggers.job.FabricOperationTrigger",
    "links.FabricRunLink",
    "exceptions.FabricError",
    "emulator.FabricEmulator",
}


def test_the_names_that_were_fixed_are_there() -> None:
    assert {f"airflow_provider_fabric.{name}" for name in DESIGNED} <= set(NAMES)


def test_the_public_api_is_the_one_that_was_promised() -> None:
    """Removing a line breaks somebody's DAG; see docs/releases.md. Then: python -m devtools.docs.public_api --write."""
    promised = [line for line in SNAPSHOT.read_text().splitlines() if not line.startswith("#")]
    now = list(lines())
    hint = "; if that is meant: python -m devtools.docs.public_api --write, and a line in CHANGELOG.md"
    assert [line for line in promised if line not in now] == [], f"gone or changed{hint}"
    assert now == promised, f"new{hint}"


@pytest.mark.parametrize("name", NAMES)
def test_everything_public_has_a_docstring(name: str) -> None:
    thing = NAMES[name]
    without = [] if (inspect.getdoc(thing) if not inspect.isclass(thing) else thing.__doc__) else [name]
    if inspect.isclass(thing):
        without += [member for member, attribute in members(thing) if not _documentation(thing, member, attribute)]
    assert without == []


@pytest.mark.parametrize("name", [name for name, thing in NAMES.items() if inspect.isclass(thing)])
def test_every_parameter_of_a_constructor_is_described(name: str) -> None:
    kind = NAMES[name]
    if "__init__" not in vars(kind):
        return
    parameters = inspect.signature(kind.__init__).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} - set(NOT_PROMISED)
    described = {word for base in kind.__mro__ for word in re.findall(r":param (\w+):", base.__doc__ or "")}
    if name.endswith(".ControlError") or issubclass(kind, Exception):
        named.discard("message")
    assert named - described == set()


def _documentation(kind: type, name: str, attribute: Any) -> str | None:
    function = attribute.fget if isinstance(attribute, property) else getattr(attribute, "__func__", attribute)
    if function.__doc__:
        return str(function.__doc__)
    return next((doc for base in kind.__mro__[1:] if (doc := getattr(vars(base).get(name), "__doc__", None))), None)
