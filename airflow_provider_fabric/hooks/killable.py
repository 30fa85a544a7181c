"""The hook of a task that may be killed: from then on it sends nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_fabric.api.http.steps import stepped
from airflow_provider_fabric.hooks.fabric import FabricHook

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep

T = TypeVar("T")


class KillableHook(FabricHook):
    """A hook whose flows end before their next step once the task is killed.

    :param fabric_conn_id: id of the connection.
    :param sleep: pauses, and raises if the task is killed before or meanwhile.
    """

    def __init__(self, fabric_conn_id: str, sleep: Callable[[float], None]) -> None:
        super().__init__(fabric_conn_id, sleep=sleep)

    def run(self, flow: Flow[T]) -> T:
        """Run any flow, step by step, unless the task is killed.

        :raises FabricJobCancelled: it was.
        """

        def before(_: Request | Sleep) -> None:
            self._sleep(0.0)

        return super().run(stepped(flow, before))
