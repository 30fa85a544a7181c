"""Fabric capacities as Azure resources: which there are, and how resuming and suspending take their time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.state.ids import new_id, read_guid

CAPACITY_ID = "00000000-0000-4000-8000-000000000001"
"""Id, for Fabric, of the capacity that every workspace is on unless it was seeded with another."""

CAPACITY_NAME = "emulatorcapacity"
SUBSCRIPTION_ID = "00000000-0000-4000-8000-000000000002"
RESOURCE_GROUP = "emulator"

ACTIVE, PAUSED = "Active", "Paused"
ON_THE_WAY = {ACTIVE: "Resuming", PAUSED: "Pausing"}
_NAME = re.compile(r"[a-z][a-z0-9]{2,62}")


@dataclass
class Capacity:
    """One capacity.

    :param id: GUID for Fabric.
    :param state: the state that it has, or changes to.
    :param settles_at: epoch seconds from which it has that state.
    """

    id: str
    number: int
    name: str
    subscription_id: str
    resource_group: str
    state: str = ACTIVE
    settles_at: float = 0.0

    @property
    def resource_id(self) -> str:
        """Azure's id of the resource."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.Fabric/capacities/{self.name}"

    def state_at(self, now: float) -> str:
        """Return the state that Azure shows."""
        return self.state if now >= self.settles_at else ON_THE_WAY.get(self.state, "Updating")

    def change(self, state: str, now: float, takes: float) -> None:
        """Begin to resume or to suspend.

        :raises ServiceError: 400, unless it has the other state now; Azure says no more than that it is not ready.
        """
        if self.state_at(now) != (PAUSED if state == ACTIVE else ACTIVE):
            raise ServiceError(400, "BadRequest", "Service is not ready to be updated", is_retriable=False)
        self.state, self.settles_at = state, now + takes

    def to_wire(self, now: float) -> dict[str, Any]:
        """Return the OpenAPI ``Capacity`` of Fabric."""
        state = "Active" if self.state_at(now) == ACTIVE else "Inactive"
        return {"id": self.id, "displayName": self.name, "sku": "F2", "region": "East US", "state": state}

    def to_arm(self, now: float) -> dict[str, Any]:
        """Return Azure's form."""
        return {
            "properties": {
                "provisioningState": "Succeeded",
                "state": self.state_at(now),
                "administration": {"members": ["user@emulator.example"]},
            },
            "id": self.resource_id,
            "name": self.name,
            "type": "Microsoft.Fabric/capacities",
            "location": "East US",
            "sku": {"name": "F2", "tier": "Fabric"},
            "tags": {},
        }


class CapacityStore:
    """All capacities of the tenant; the first is the one of the seeded workspace."""

    def __init__(self) -> None:
        self._all: list[Capacity] = []
        self.add(CAPACITY_NAME, capacity_id=CAPACITY_ID)

    def add(
        self,
        name: str,
        *,
        capacity_id: str | None = None,
        subscription_id: str = SUBSCRIPTION_ID,
        resource_group: str = RESOURCE_GROUP,
        state: str = ACTIVE,
    ) -> Capacity:
        """Add a capacity.

        :raises ServiceError: 400 for a name or a state that Azure does not know.
        """
        if _NAME.fullmatch(name) is None:
            raise invalid_input(f"'{name}' is no name of a capacity: lower-case letters and digits, at least three")
        made = Capacity(
            read_guid(capacity_id or new_id(), "id"),
            len(self._all) + 1,
            name,
            read_guid(subscription_id, "subscriptionId"),
            resource_group,
            state,
        )
        self._all.append(made)
        return made

    def all(self) -> list[Capacity]:
        """Return every capacity."""
        return list(self._all)

    def get(self, capacity_id: str) -> Capacity | None:
        """Return a capacity by Fabric's id."""
        return next((entry for entry in self._all if entry.id == capacity_id), None)

    def find(self, subscription_id: str, resource_group: str, name: str) -> Capacity | None:
        """Return a capacity by its place in Azure, which ignores case."""
        wanted = (subscription_id.lower(), resource_group.lower(), name.lower())
        places = ((c, (c.subscription_id, c.resource_group.lower(), c.name)) for c in self._all)
        return next((capacity for capacity, place in places if place == wanted), None)
