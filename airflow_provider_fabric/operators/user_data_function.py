"""Call a function of a user data functions item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
from airflow_provider_fabric.operators.item import ItemOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.lifecycle.single_call import SingleCall


class FabricInvokeUserDataFunctionOperator(ItemOperator):
    """Call a function of a user data functions item, and return what it returns.

    https://learn.microsoft.com/fabric/data-engineering/user-data-functions/tutorial-invoke-from-python-app. The call
    is answered when the function ends: set the connection's ``timeout_seconds`` above what it takes. It is never
    repeated once it may have reached the function: if its answer was lost, or the worker died meanwhile, the task fails
    for good, ``retries`` or not, because nothing can tell whether the function ran. A cleared task calls it again.

    :param workspace: GUID or display name of the workspace (templated).
    :param user_data_function: GUID or display name of the item (templated).
    :param function: name of the function (templated).
    :param parameters: the function's arguments by name (templated).
    :param replay_safe: calling the function twice does no harm: after a lost answer it is called again, at once and by
        the task's ``retries``.
    :param fabric_conn_id: id of the connection (templated).
    :returns: the function's output.
    """

    template_fields: Sequence[str] = ("workspace", "user_data_function", "function", "parameters", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "user_data_function", "function", "fabric_conn_id")
    flag_arguments: Sequence[str] = ("replay_safe",)
    template_fields_renderers = {"parameters": "json"}

    def __init__(
        self,
        *,
        workspace: str,
        user_data_function: str,
        function: str,
        parameters: Mapping[str, Any] | None = None,
        replay_safe: bool = False,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.user_data_function = user_data_function
        self.function = function
        self.parameters = parameters
        self.replay_safe = replay_safe
        self.prepare_arguments()

    def execute(self, context: Context) -> Any:
        """Call the function."""
        from airflow_provider_fabric.api.user_data_functions import function_arguments

        self.resolve_arguments()
        arguments = function_arguments(self.parameters)  # refused before anything is sent
        with self._single_call(context, enabled=not self.replay_safe) as single:
            return self._called(single, arguments)

    def _called(self, single: SingleCall, arguments: dict[str, Any]) -> Any:
        """Call the function, unless an earlier attempt has."""
        from airflow_provider_fabric.api.user_data_functions import invoke_user_data_function
        from airflow_provider_fabric.lifecycle.single_call import call_of

        workspace_id = self.hook.resolve_workspace(self.workspace)
        item_id = self.hook.resolve_item(workspace_id, self.user_data_function, "UserDataFunction")
        action = f"function {self.function!r} of item {item_id}"
        call = call_of(action, connection=self.fabric_conn_id, workspace=workspace_id, arguments=arguments)
        single.earlier(call)  # raises if it was called already, or may have been
        flow = invoke_user_data_function(
            workspace_id, item_id, self.function, self.parameters, replay_safe=self.replay_safe
        )
        answer = single.send(self.hook.run, flow, call)
        invocation = one_line(str(answer.get("invocationId")), MAX_CODE)
        self.log.info("Function %r of %s succeeded, invocation %s.", self.function, item_id, invocation)
        single.delivered()
        return answer.get("output")
