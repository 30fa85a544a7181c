"""Airflow triggers, each importable from here: ``from airflow_provider_fabric.triggers import FabricJobEventTrigger``.

A module is loaded when the first name of it is asked for, so a DAG file pays for the triggers that it names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_fabric.triggers.capacity import (
        FabricCapacityTrigger,
    )
    from airflow_provider_fabric.triggers.events import FabricJobEventTrigger
    from airflow_provider_fabric.triggers.item_job import FabricItemJobTrigger
    from airflow_provider_fabric.triggers.job import (
        FabricJobInstanceTrigger,
        FabricOperationTrigger,
    )
    from airflow_provider_fabric.triggers.onelake import (
        FabricOneLakeFileTrigger,
    )
    from airflow_provider_fabric.triggers.semantic_model import FabricSemanticModelRefreshTrigger

__all__ = [
    "FabricCapacityTrigger",
    "FabricItemJobTrigger",
    "FabricJobEventTrigger",
    "FabricJobInstanceTrigger",
    "FabricOneLakeFileTrigger",
    "FabricOperationTrigger",
    "FabricSemanticModelRefreshTrigger",
]

_MODULES = {
    "FabricCapacityTrigger": "capacity",
    "FabricItemJobTrigger": "item_job",
    "FabricJobEventTrigger": "events",
    "FabricJobInstanceTrigger": "job",
    "FabricOneLakeFileTrigger": "onelake",
    "FabricOperationTrigger": "job",
    "FabricSemanticModelRefreshTrigger": "semantic_model",
}
"""Name → the module that holds it."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
