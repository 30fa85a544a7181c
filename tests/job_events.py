"""An eventstream in the emulator that carries the job events of pipelines."""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.api.eventstreams import build_definition, get_endpoint, get_topology
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook


class StreamOfPipelines:
    """Pipelines, and the eventstream that a connection reads to hear of their runs.

    :param emulator: where they are made.
    :param hook: makes them.
    :param names: of the pipelines.
    """

    def __init__(self, emulator: FabricEmulator, hook: FabricHook, *names: str) -> None:
        self.emulator = emulator
        self.workspace = emulator.workspace_id
        self.items = [hook.create_item(self.workspace, name, "DataPipeline").id for name in names]
        keys = [(self.workspace, item) for item in self.items]
        made = hook.upsert_item_definition(self.workspace, "Eventstream", "events", build_definition(keys))
        self.stream = made["item_id"]
        topology = hook.run(get_topology(self.workspace, self.stream))
        assert topology.carried == frozenset(keys)
        assert topology.is_running
        assert topology.endpoint is not None
        host, hub, group = hook.run(get_endpoint(self.workspace, self.stream, topology.endpoint))
        self.extra = {
            "events_hub": f"{host}/{hub}",
            "events_consumer_group": group,
            "events_stream": f"{self.workspace}/{self.stream}",
        }

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Return a connection that reads the stream.

        :param changes: of its extra.
        """
        connection: dict[str, Any] = self.emulator.connection
        connection["extra"] |= {**self.extra, **changes}
        return connection
