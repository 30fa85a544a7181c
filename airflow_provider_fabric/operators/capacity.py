"""Resume and suspend a Fabric capacity: it costs money whenever it is active."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.compat import BaseOperator, default_deferrable, settling_seconds
from airflow_provider_fabric.operators.calls import MakesCalls

if TYPE_CHECKING:
    from airflow_provider_fabric.api.capacities import Capacity
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.compat import Context


class _CapacityOperator(MakesCalls, BaseOperator):
    """What resuming and suspending share; see :class:`FabricResumeCapacityOperator`."""

    template_fields: Sequence[str] = ("capacity", "subscription_id", "resource_group", "fabric_conn_id")
    text_arguments: Sequence[str] = ("capacity", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("subscription_id", "resource_group")
    flag_arguments: Sequence[str] = ("deferrable",)
    ui_color = "#dff3ef"

    state = ""
    """The state that the capacity is to have."""

    def __init__(
        self,
        *,
        capacity: str,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        fabric_conn_id: str = "fabric_default",
        deferrable: bool | None = None,
        check_interval: float = 10.0,
        timeout: float = 900.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.capacity = capacity
        self.subscription_id = subscription_id
        self.resource_group = resource_group
        self.fabric_conn_id = fabric_conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.check_interval = check_interval
        self.timeout = timeout
        self.prepare_arguments()

    def _before_change(self, capacity: Capacity) -> Flow[None]:
        """Check, right before the change is asked for, whether it may be."""
        yield from ()

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for the change unless the capacity has the state already, and wait for it."""
        self.resolve_arguments()
        from airflow_provider_fabric.api.capacities import resolve_capacity
        from airflow_provider_fabric.api.capacity_states import change_state, wait_for_capacity
        from airflow_provider_fabric.lifecycle.options import positive_seconds

        deadline = time.time() + positive_seconds(self.timeout, "timeout")
        interval = positive_seconds(self.check_interval, "check_interval")
        self._check_options()
        run = self.hook.run
        resource_id = run(
            resolve_capacity(self.capacity, subscription_id=self.subscription_id, resource_group=self.resource_group)
        )
        asked = run(change_state(resource_id, self.state, before=self._before_change, deadline=deadline))
        self.log.info(
            "Capacity %s: %s.",
            resource_id,
            f"asked to become {self.state}" if asked else f"{self.state} already, or soon",
        )
        self._note_going_on(f"The change of capacity {resource_id} to {self.state}")
        if self.deferrable and asked:
            from airflow_provider_fabric.triggers.capacity import FabricCapacityTrigger

            not_before = time.time() + settling_seconds()
            trigger = FabricCapacityTrigger(
                self.fabric_conn_id, resource_id, self.state, interval, deadline, not_before
            )
            self.defer(trigger=trigger, method_name="execute_complete")
        settled = run(wait_for_capacity(resource_id, self.state, check_interval=interval, deadline=deadline))
        return self._result(settled.resource_id, settled.name, settled.state, changed=asked)

    def execute_complete(self, context: Context, event: Any) -> dict[str, Any]:
        """Take over from the triggerer.

        :raises FabricOperationError: the capacity did not get there.
        """
        from airflow_provider_fabric.exceptions import FabricOperationError

        if not event["succeeded"]:
            raise FabricOperationError(event["message"])
        capacity = event["capacity"]
        return self._result(capacity["resource_id"], capacity["name"], capacity["state"], changed=True)

    def _check_options(self) -> None:
        """Check what a subclass takes besides, before anything is sent."""

    @staticmethod
    def _result(resource_id: str, name: str, state: str, *, changed: bool) -> dict[str, Any]:
        return {"resource_id": resource_id, "name": name, "state": state, "changed": changed}


class FabricResumeCapacityOperator(_CapacityOperator):
    """Resume a capacity and wait until it is active. One that is active already is a success.

    https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities/resume. This is Azure Resource Manager: the
    identity needs a role on the capacity in Azure (Contributor), besides its roles in Fabric.

    :param capacity: its Azure resource id, its GUID in Fabric, or its name (templated).
    :param subscription_id: GUID of its Azure subscription; without it, and without a resource id, all subscriptions
        that the identity can see are searched for the name (templated).
    :param resource_group: name of its resource group (templated).
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :param check_interval: seconds between polls.
    :param timeout: seconds to wait for the state at most.
    :returns: ``{"resource_id", "name", "state", "changed"}``; ``changed`` is whether it was paused before.
    """

    state = "Active"


class FabricSuspendCapacityOperator(_CapacityOperator):
    """Suspend a capacity and wait until it is paused. One that is paused already is a success.

    https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities/suspend. Whatever runs on a capacity fails
    when it is suspended. So this operator refuses as long as a run is active in any workspace on it that the identity
    can see, whoever started it: one List for each item that can run. ``workspaces`` says which to check instead, and
    ``force=True`` checks nothing. A run that starts between the check and the suspension is not seen.

    Made for ``as_teardown(setups=resume)``: then it runs whatever became of the tasks before. With
    ``on_failure_fail_dagrun=True`` give the work a last task of its own beside it: Airflow judges a DAG run by its last
    tasks, and would call one green whose work failed and whose capacity was suspended.

    :param capacity: its Azure resource id, its GUID in Fabric, or its name (templated).
    :param subscription_id: GUID of its Azure subscription; without it, and without a resource id, all subscriptions
        that the identity can see are searched for the name (templated).
    :param resource_group: name of its resource group (templated).
    :param workspaces: GUIDs or display names of the workspaces whose runs must be over; ``None`` for all on the
        capacity (templated).
    :param force: suspend whatever runs.
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :param check_interval: seconds between polls.
    :param timeout: seconds to wait for the state at most.
    :returns: ``{"resource_id", "name", "state", "changed"}``; ``changed`` is whether it was active before.
    :raises FabricJobAlreadyRunning: runs are active.
    """

    template_fields: Sequence[str] = (*_CapacityOperator.template_fields, "workspaces")
    text_list_arguments: Sequence[str] = ("workspaces",)
    flag_arguments: Sequence[str] = (*_CapacityOperator.flag_arguments, "force")
    state = "Paused"

    def __init__(
        self,
        *,
        capacity: str,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        workspaces: Sequence[str] | None = None,
        force: bool = False,
        fabric_conn_id: str = "fabric_default",
        deferrable: bool | None = None,
        check_interval: float = 10.0,
        timeout: float = 900.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            capacity=capacity,
            subscription_id=subscription_id,
            resource_group=resource_group,
            fabric_conn_id=fabric_conn_id,
            deferrable=deferrable,
            check_interval=check_interval,
            timeout=timeout,
            **kwargs,
        )
        self.workspaces = workspaces
        self.force = force
        self.prepare_arguments()

    def _check_options(self) -> None:
        """Refuse a list of workspaces that names none."""
        from airflow_provider_fabric.exceptions import FabricInputError

        if self.workspaces is not None and (not isinstance(self.workspaces, list | tuple) or not self.workspaces):
            raise FabricInputError(
                f"workspaces must be a list of GUIDs or names, got {self.workspaces!r}. Leave it out to check all "
                "workspaces on the capacity, or say force=True to check none."
            )

    def _before_change(self, capacity: Capacity) -> Flow[None]:
        """Refuse while runs are active.

        :raises FabricJobAlreadyRunning: there are some; the message names up to five.
        """
        if self.force:
            return
        from airflow_provider_fabric.api.capacity_runs import list_active_runs, workspaces_on_capacity
        from airflow_provider_fabric.exceptions import FabricJobAlreadyRunning

        checked = self.workspaces
        if checked is None:
            checked = yield from workspaces_on_capacity(capacity.name)
        active = yield from list_active_runs(checked)
        if active:
            named = "; ".join(map(str, active[:5])) + ("; …" if len(active) > 5 else "")
            raise FabricJobAlreadyRunning(
                f"Capacity {capacity.name!r} was not suspended: {len(active)} runs on it are active and would fail: "
                f"{named}. Let them end and run this task again, give workspaces=[…] to check others, or force=True."
            )
        self.log.info("No run is active in %d workspaces.", len(checked))
