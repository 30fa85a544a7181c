"""Airflow sensors, each importable from here: ``from airflow_provider_fabric.sensors import FabricItemJobSensor``.

A module is loaded when the first name of it is asked for, so a DAG file pays for the sensors that it names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_fabric.sensors.job import (
        FabricItemJobSensor,
        FabricJobInstanceSensor,
    )
    from airflow_provider_fabric.sensors.onelake import (
        FabricOneLakeFileSensor,
    )

__all__ = [
    "FabricItemJobSensor",
    "FabricJobInstanceSensor",
    "FabricOneLakeFileSensor",
]

_MODULES = {
    "FabricItemJobSensor": "job",
    "FabricJobInstanceSensor": "job",
    "FabricOneLakeFileSensor": "onelake",
}
"""Name → the module that holds it."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
