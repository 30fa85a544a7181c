"""What the execution of a run needs of the operator that it belongs to: arguments, and what each kind of item adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_provider_fabric.api.models import JobInstance
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.lifecycle.errors import Explanation
    from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome


class JobOperator(Protocol):
    """An operator that runs a job; see :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`."""

    fabric_conn_id: str
    workspace: str
    job_type: str
    item_type: str | None
    item_field: str
    wait_for_termination: bool
    deferrable: bool
    check_interval: float
    timeout: float | None
    execution_timeout: Any
    cancel_on_kill: bool
    cancel_on_timeout: bool
    if_running: str
    on_deduped: str
    durable: bool
    on_unclear_submit: str
    ended: tuple[FabricRun, Outcome] | None
    published_run_url: str | None
    outlets: Any

    @property
    def log(self) -> Any: ...

    @property
    def hook(self) -> FabricHook: ...

    @property
    def item_name(self) -> str: ...

    def defer(self, *, trigger: Any, method_name: str, kwargs: dict[str, Any]) -> Any: ...

    def build_body(self) -> Mapping[str, Any] | None: ...

    def check_parameters(self, workspace_id: str, item_id: str) -> None: ...

    def explain_failure(self, run: FabricRun, outcome: Outcome) -> Explanation | None: ...

    def on_poll(self, run: FabricRun, instance: JobInstance, changed: bool) -> None: ...

    def on_wait_end(self, run: FabricRun, outcome: Outcome) -> None: ...

    def build_result(self, context: Context, run: FabricRun, outcome: Outcome) -> dict[str, Any]: ...

    def count_rows(self, run: FabricRun, outcome: Outcome) -> dict[str, int] | None: ...
