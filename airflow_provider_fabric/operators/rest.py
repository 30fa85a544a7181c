"""Call any operation of the Fabric REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.arguments import TaskArguments
from airflow_provider_fabric.compat import BaseOperator, default_deferrable

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook


class FabricRestOperator(TaskArguments, BaseOperator):
    """Call any operation of the Fabric REST API, for what has no operator of its own.

    https://learn.microsoft.com/rest/api/fabric/articles/. Host, token, retries and throttling are those of every other
    operator; a long-running operation is followed to its end, by default in the triggerer.

    A POST whose answer was lost may have been carried out. With ``replay_safe=False`` it is not sent again, the task
    fails, and Airflow does not retry it: look in Fabric, then clear the task.

    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH``, ``DELETE`` or ``HEAD`` (templated).
    :param path: below the API's root, such as ``/workspaces/{workspace}/git/updateFromGit``; ``{workspace}`` and
        ``{item}`` become ids (templated).
    :param workspace: GUID or display name, for ``{workspace}`` (templated).
    :param item: GUID or display name, for ``{item}`` (templated).
    :param item_type: kind of item, if the name alone is not enough (templated).
    :param query: query parameters (templated).
    :param json: body (templated).
    :param data: body as it is, bytes or text, instead of ``json`` (templated).
    :param content_type: of ``data`` (templated).
    :param replay_safe: whether the request may be sent again after an answer was lost. A POST must say it; PATCH is
        not repeated by default, everything else is.
    :param pages: read all pages of a list, and return its entries.
    :param deferrable: wait for a long-running operation in the triggerer; default ``[operators] default_deferrable``.
    :param timeout: seconds to wait for a long-running operation at most.
    :param response_filter: called with the answer, returns what becomes the XCom; needed for binary answers.
    :param fabric_conn_id: id of the connection (templated).
    :returns: JSON as Python values, text as text; the result of a long-running operation; ``None`` if there is none.
    """

    template_fields: Sequence[str] = (
        "method",
        "path",
        "workspace",
        "item",
        "item_type",
        "query",
        "json",
        "data",
        "content_type",
        "fabric_conn_id",
    )
    template_fields_renderers = {"query": "json", "json": "json"}
    text_arguments: Sequence[str] = ("method", "path", "content_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("workspace", "item", "item_type")
    flag_arguments: Sequence[str] = ("replay_safe", "pages", "deferrable")
    ui_color = "#dff3ef"

    def __init__(
        self,
        *,
        method: str,
        path: str,
        workspace: str | None = None,
        item: str | None = None,
        item_type: str | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | str | None = None,
        content_type: str = "application/octet-stream",
        replay_safe: bool | None = None,
        pages: bool = False,
        deferrable: bool | None = None,
        timeout: float = 3600.0,
        response_filter: Callable[[Any], Any] | None = None,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.path = path
        self.workspace = workspace
        self.item = item
        self.item_type = item_type
        self.query = query
        self.json = json
        self.data = data
        self.content_type = content_type
        self.replay_safe = replay_safe
        self.pages = pages
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.timeout = timeout
        self.response_filter = response_filter
        self.fabric_conn_id = fabric_conn_id
        self.prepare_arguments()

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id)

    def execute(self, context: Context) -> Any:
        """Send the request, and follow the operation that it starts, if any."""
        self.resolve_arguments()
        from airflow_provider_fabric.api.operations import wait_for_operation
        from airflow_provider_fabric.api.rest import send_request
        from airflow_provider_fabric.compat import AirflowFailException
        from airflow_provider_fabric.exceptions import FabricAmbiguousError
        from airflow_provider_fabric.lifecycle.options import positive_seconds

        deadline = time.time() + positive_seconds(self.timeout, "timeout")
        try:
            content, operation_id, pause = self.hook.run(
                send_request(
                    self.method,
                    self.path,
                    workspace=self.workspace,
                    item=self.item,
                    item_type=self.item_type,
                    query=self.query,
                    json=self.json,
                    data=self.data,
                    content_type=self.content_type,
                    replay_safe=self.replay_safe,
                    pages=self.pages,
                )
            )
        except FabricAmbiguousError as error:
            raise AirflowFailException(f"{error} Not retried: look in Fabric, then clear this task.") from error
        if operation_id is None:
            return self._result(content)
        self.log.info("%s %s goes on as operation %s.", self.method, self.path, operation_id)
        if self.deferrable:
            from airflow_provider_fabric.triggers.job import FabricOperationTrigger

            trigger = FabricOperationTrigger(self.fabric_conn_id, operation_id, deadline)
            self.defer(trigger=trigger, method_name="execute_complete")
        action = f"{self.method} {self.path}"
        flow = wait_for_operation(operation_id, action=action, first_poll_after=pause, deadline=deadline)
        return self._result(self.hook.run(flow))

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer.

        :raises FabricOperationError: the operation failed, or did not end in time.
        """
        from airflow_provider_fabric.exceptions import FabricOperationError

        if not event["succeeded"]:
            raise FabricOperationError(event["message"])
        return self._result(event["result"])

    def _result(self, content: Any) -> Any:
        """Return what becomes the XCom."""
        if self.response_filter is not None:
            return self.response_filter(content)
        if isinstance(content, bytes):
            from airflow_provider_fabric.exceptions import FabricProtocolError

            raise FabricProtocolError(
                f"{self.method} {self.path} answered {len(content)} bytes that are neither JSON nor text. Give a "
                "response_filter that makes a value for XCom of them."
            )
        return content
