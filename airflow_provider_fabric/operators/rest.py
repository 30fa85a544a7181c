"""Call any operation of the Fabric REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.compat import BaseOperator, default_deferrable
from airflow_provider_fabric.operators.calls import MakesCalls

if TYPE_CHECKING:
    from airflow_provider_fabric.api.rest_call import RestCall
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.lifecycle.single_call import SingleCall


class FabricRestOperator(MakesCalls, BaseOperator):
    """Call any operation of the Fabric REST API, for what has no operator of its own.

    https://learn.microsoft.com/rest/api/fabric/articles/. Host, token, retries and throttling are those of every other
    operator; a long-running operation is followed to its end, by default in the triggerer.

    A POST whose answer was lost may have been carried out. With ``replay_safe=False`` it is not sent again, the task
    fails, and Airflow does not retry it: look in Fabric, then clear the task. The same holds when an operation that it
    started does not end in time, or can no longer be followed, and when the worker died while it sent the request. The
    attempt after a worker that died later goes on waiting for the operation. A cleared task sends the request again.

    What starts a job is refused: :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator` runs any job.

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
    :param accept: media type that is asked for (templated).
    :param replay_safe: whether the request may be sent again after an answer was lost. A POST must say it; PATCH is
        not repeated by default, everything else is.
    :param pages: read all pages of a list, and return its entries.
    :param acceptance_is_enough: succeed when the request is accepted (202), although the answer names no operation that
        tells its end. By default the task fails then: whether the work was done is not known.
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
        "accept",
        "fabric_conn_id",
    )
    template_fields_renderers = {"query": "json", "json": "json"}
    text_arguments: Sequence[str] = ("method", "path", "content_type", "accept", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("workspace", "item", "item_type")
    flag_arguments: Sequence[str] = ("replay_safe", "pages", "acceptance_is_enough", "deferrable")
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
        accept: str = "application/json",
        replay_safe: bool | None = None,
        pages: bool = False,
        acceptance_is_enough: bool = False,
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
        self.accept = accept
        self.replay_safe = replay_safe
        self.pages = pages
        self.acceptance_is_enough = acceptance_is_enough
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.timeout = timeout
        self.response_filter = response_filter
        self.fabric_conn_id = fabric_conn_id
        self.prepare_arguments()
        if response_filter is not None and not callable(response_filter):
            from airflow_provider_fabric.exceptions import FabricInputError

            raise FabricInputError(
                f"response_filter must be a function that takes the answer, got {type(response_filter).__name__}."
            )

    def execute(self, context: Context) -> Any:
        """Send the request, and follow the operation that it starts, if any."""
        self.resolve_arguments()
        from airflow_provider_fabric.lifecycle.options import positive_seconds

        deadline = time.time() + positive_seconds(self.timeout, "timeout")
        with self._recorded(context) as single:
            return self._request(single, deadline)

    def _request(self, single: SingleCall, deadline: float) -> Any:
        """Send the request, and wait for the operation that it starts, if any."""
        call = self._call()
        id_, first_poll_after, content = self._started(call, single, deadline)
        if id_ is None:
            return self._handed_on(single, content)
        self._note_going_on(f"Operation {id_}")
        self.log.info("%s goes on as operation %s.", call.action, id_)
        if self.deferrable:
            from airflow_provider_fabric.triggers.job import FabricOperationTrigger

            trigger = FabricOperationTrigger(self.fabric_conn_id, id_, deadline, with_result=False)
            self.defer(trigger=trigger, method_name="execute_complete")
        from airflow_provider_fabric.api.operations import await_operation

        wait = await_operation(id_, action=call.action, first_poll_after=first_poll_after, deadline=deadline)
        with self._once(single):
            operation = self.hook.run(wait)
        return self._result_of(single, id_, has_result=operation.has_result)

    def _started(self, call: RestCall, single: SingleCall, deadline: float) -> tuple[str | None, float, Any]:
        """Send the request, unless an earlier attempt has; return the operation, its first poll, and the answer."""
        from airflow_provider_fabric.api.items.confirmed_names import known_names
        from airflow_provider_fabric.api.rest import send_prepared
        from airflow_provider_fabric.lifecycle.single_call import call_of

        asked = self.hook.run(call.prepare(lambda: known_names(self.hook.get_conn())))
        sent = call_of(
            call.action,
            connection=self.fabric_conn_id,
            method=asked.method,
            path=asked.path,
            query=asked.params,
            body=[asked.json, asked.content, asked.content_type if asked.content is not None else None],
        )
        earlier = single.earlier(sent)
        if earlier is not None and not earlier.cleared:
            return earlier.operation_id, 0.0, None
        if earlier is not None:
            self._let_end(earlier.operation_id, deadline)
        accepted = single.send(self.hook.run, send_prepared(call, asked), sent)
        if accepted.operation_id is not None:
            single.answered(accepted.operation_id)
        return accepted.operation_id, accepted.first_poll_after, accepted.content

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer.

        :raises FabricOperationError: the operation failed, or did not end in time.
        """
        self.resolve_arguments()
        from airflow_provider_fabric.triggers.job import operation_error

        with self._recorded(context) as single:
            if not event["succeeded"]:
                with self._once(single):
                    raise operation_error(event)
            if "operation_id" not in event:  # deferred by an older version, whose event has the result
                return self._handed_on(single, event["result"])
            return self._result_of(single, event["operation_id"], has_result=event["has_result"])

    def _call(self) -> RestCall:
        from dataclasses import fields

        from airflow_provider_fabric.api.rest_call import RestCall

        return RestCall(**{field.name: getattr(self, field.name) for field in fields(RestCall)})

    def _recorded(self, context: Context) -> AbstractContextManager[SingleCall]:
        from airflow_provider_fabric.api.http.retry import Replay

        return self._single_call(context, enabled=self._call().replay is not Replay.SAFE)

    def _result_of(self, single: SingleCall, operation_id: str, *, has_result: bool) -> Any:
        """Return what becomes the XCom, of an operation that has succeeded."""
        from airflow_provider_fabric.api.rest import read_result

        with self._once(single):
            content = self.hook.run(read_result(operation_id, self.accept)) if has_result else None
        return self._handed_on(single, content)

    def _handed_on(self, single: SingleCall, content: Any) -> Any:
        """Return what becomes the XCom, and record that the call has been dealt with."""
        from airflow_provider_fabric.compat import AirflowSkipException

        try:
            with self._once(single):
                result = self._result(content)
        except AirflowSkipException:  # the filter's: that ends the task, too
            single.delivered()
            raise
        single.delivered()
        return result

    @contextmanager
    def _once(self, single: SingleCall) -> Iterator[None]:
        """Deal with what was sent: unless its operation failed, another attempt of the task must not send it again.

        An attempt that is killed records nothing: the next one goes on waiting.
        """
        from airflow_provider_fabric.compat import AirflowFailException, AirflowSkipException
        from airflow_provider_fabric.exceptions import FabricJobCancelled, FabricOperationError

        try:
            with single.following():
                yield
        except (FabricJobCancelled, AirflowSkipException, AirflowFailException):
            raise
        except Exception as error:
            failed = isinstance(error, FabricOperationError) and not error.goes_on
            if failed or not single.enabled:
                raise
            raise single.for_good(str(error) or type(error).__name__) from error

    def _result(self, content: Any) -> Any:
        """Return what becomes the XCom, of an answer."""
        if self.response_filter is not None:
            return self.response_filter(content)
        if isinstance(content, bytes):
            from airflow_provider_fabric.exceptions import FabricProtocolError

            raise FabricProtocolError(
                f"{self.method} {self.path} answered {len(content)} bytes that are neither JSON nor text. Give a "
                "response_filter that makes a value for XCom of them."
            )
        return content
