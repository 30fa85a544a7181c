"""Refresh a semantic model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.operators.job import FabricRunItemJobOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobBackend


class FabricRefreshSemanticModelOperator(FabricRunItemJobOperator):
    """Refresh a semantic model and wait for it.

    https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group. This is Power BI's API: the
    identity needs its permissions (``Dataset.ReadWrite.All``) and a role in the workspace. A model has one refresh at
    a time; with ``if_running="attach"`` the task waits for one that is under way.

    :param workspace: GUID or display name of the workspace (templated).
    :param semantic_model: GUID or display name of the semantic model (templated).
    :param refresh_type: ``Automatic``, ``Full``, ``DataOnly``, ``Calculate``, ``ClearValues`` or ``Defragment``
        (templated).
    :param objects: tables and partitions to refresh, ``[{"table": …, "partition": …}]``; ``None`` for all (templated).
    :param options: further options of the request, such as ``commitMode`` or ``retryCount``; of a plain refresh,
        ``notifyOption`` (templated).
    :param enhanced: ``None`` for an enhanced refresh, and a plain one where the workspace is on shared (Pro) capacity,
        which knows no other; ``True`` or ``False`` for the one or the other. A plain refresh takes no ``objects``, no
        other type than ``Automatic`` and ``Full``, and cannot be cancelled; shared capacity allows eight a day.

    The other parameters, and the result, are those of
    :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`; the refresh's id is the
    ``job_instance_id``.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "semantic_model",
        "refresh_type",
        "objects",
        "options",
        "fabric_conn_id",
    )
    template_fields_renderers = {"objects": "json", "options": "json"}
    text_arguments: Sequence[str] = ("workspace", "semantic_model", "refresh_type", "fabric_conn_id")
    flag_arguments: Sequence[str] = (*FabricRunItemJobOperator.flag_arguments, "enhanced")
    item_field = "semantic_model"

    def __init__(
        self,
        *,
        workspace: str,
        semantic_model: str,
        refresh_type: str = "Automatic",
        objects: Sequence[Mapping[str, str]] | None = None,
        options: Mapping[str, Any] | None = None,
        enhanced: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=semantic_model,
            item_type="SemanticModel",
            job_type="Refresh",
            **kwargs,
        )
        self.semantic_model = semantic_model
        self.refresh_type = refresh_type
        self.objects = objects
        self.options = options
        self.enhanced = enhanced
        self.prepare_arguments()

    def build_body(self) -> Mapping[str, Any]:
        """Return the request's options."""
        from airflow_provider_fabric.api.jobs.values import parameter_value
        from airflow_provider_fabric.api.refresh_requests import check_refresh
        from airflow_provider_fabric.exceptions import FabricInputError

        for name in ("execution_data", "parameters"):
            if getattr(self, name):
                raise FabricInputError(
                    f"{name} cannot be sent: a refresh of a semantic model takes options instead. Leave {name} out, "
                    'and give options, such as options={"commitMode": "transactional"}.'
                )
        if self.submit_form != "auto":
            raise FabricInputError(
                "submit_form does not apply to a semantic model: its API has one address. Leave it out."
            )
        if self.options is not None and not isinstance(self.options, Mapping):
            raise FabricInputError(f"options must be a mapping of names to values, got {type(self.options).__name__}.")
        body: dict[str, Any] = {"type": self.refresh_type}
        if self.objects is not None:
            body["objects"] = parameter_value(_checked_objects(self.objects), "objects")
        for name, value in (self.options or {}).items():
            body[name] = parameter_value(value, f"options.{name}")
        check_refresh(body, self.enhanced)
        return body

    def _backend(self) -> JobBackend:
        """Return Power BI's API."""
        from airflow_provider_fabric.lifecycle.backend import SemanticModelBackend

        return SemanticModelBackend(self.enhanced)


def _checked_objects(objects: Any) -> Any:
    """Return which tables and partitions to refresh.

    :raises FabricInputError: they are no list of mappings, each with a table. An empty list would refresh everything.
    """
    from airflow_provider_fabric.exceptions import FabricInputError

    if not isinstance(objects, list | tuple) or not objects:
        shown = "an empty list" if isinstance(objects, list | tuple) else type(objects).__name__
        raise FabricInputError(
            f'objects must be a list such as [{{"table": "Sales"}}], got {shown}; None is all tables.'
        )
    for index, entry in enumerate(objects):
        if not isinstance(entry, Mapping) or not entry.get("table"):
            raise FabricInputError(
                f'objects[{index}] must be a mapping such as {{"table": "Sales"}} that names a table.'
            )
    return objects
