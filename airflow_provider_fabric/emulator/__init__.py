"""An emulator of Microsoft Fabric's REST API and of Entra's sign-in, for tests and for DAGs on a laptop.

It can be used in three ways: :class:`FabricEmulator` as a library, ``fabric-emulator`` as a command, and
:class:`EmulatorControl` over HTTP. It imports nothing else of this package, so that client and emulator cannot share a
mistake. The library and the command need the extra ``emulator``; the control client needs the standard library only,
hence the imports on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.control.client import ControlError, EmulatorControl
    from airflow_provider_fabric.emulator.server import FabricEmulator

__all__ = ["ControlError", "EmulatorControl", "FabricEmulator"]


def __getattr__(name: str) -> Any:
    if name == "FabricEmulator":
        from airflow_provider_fabric.emulator.server import FabricEmulator

        return FabricEmulator
    if name in ("ControlError", "EmulatorControl"):
        from airflow_provider_fabric.emulator.control import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
