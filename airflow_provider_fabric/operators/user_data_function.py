"""Call a function of a user data functions item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.operators.item import ItemOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context


class FabricInvokeUserDataFunctionOperator(ItemOperator):
    """Call a function of a user data functions item, and return what it returns.

    https://learn.microsoft.com/fabric/data-engineering/user-data-functions/tutorial-invoke-from-python-app. The call
    is answered when the function ends: set the connection's ``timeout_seconds`` above what it takes. It is never
    repeated once it may have reached the function.

    :param workspace: GUID or display name of the workspace (templated).
    :param user_data_function: GUID or display name of the item (templated).
    :param function: name of the function (templated).
    :param parameters: the function's arguments by name (templated).
    :param fabric_conn_id: id of the connection (templated).
    :returns: the function's output.
    """

    template_fields: Sequence[str] = ("workspace", "user_data_function", "function", "parameters", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "user_data_function", "function", "fabric_conn_id")
    template_fields_renderers = {"parameters": "json"}

    def __init__(
        self,
        *,
        workspace: str,
        user_data_function: str,
        function: str,
        parameters: Mapping[str, Any] | None = None,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.user_data_function = user_data_function
        self.function = function
        self.parameters = parameters
        self.prepare_arguments()

    def execute(self, context: Context) -> Any:
        """Call the function."""
        self.resolve_arguments()
        workspace_id = self.hook.resolve_workspace(self.workspace)
        item_id = self.hook.resolve_item(workspace_id, self.user_data_function, "UserDataFunction")
        answer = self.hook.invoke_user_data_function(workspace_id, item_id, self.function, self.parameters)
        self.log.info("Function %r of %s succeeded, invocation %s.", self.function, item_id, answer.get("invocationId"))
        return answer.get("output")
