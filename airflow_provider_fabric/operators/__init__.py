"""Airflow operators, each importable from here: ``from airflow_provider_fabric.operators import FabricRestOperator``.

A module is loaded when the first name of it is asked for, so a DAG file pays for the operators that it names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_fabric.operators.capacity import (
        FabricResumeCapacityOperator,
        FabricSuspendCapacityOperator,
    )
    from airflow_provider_fabric.operators.copy_job import (
        FabricResetCopyJobOperator,
        FabricRunCopyJobOperator,
    )
    from airflow_provider_fabric.operators.dataflow import (
        FabricPublishDataflowOperator,
        FabricRunDataflowRefreshOperator,
    )
    from airflow_provider_fabric.operators.dbt import FabricRunDbtJobOperator
    from airflow_provider_fabric.operators.deploy import FabricDeployFolderOperator
    from airflow_provider_fabric.operators.item import (
        FabricDeleteItemOperator,
        FabricUpsertItemDefinitionOperator,
    )
    from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
    from airflow_provider_fabric.operators.lakehouse import (
        FabricRefreshMaterializedLakeViewsOperator,
        FabricRefreshSqlEndpointOperator,
        FabricRunTableMaintenanceOperator,
    )
    from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
    from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
    from airflow_provider_fabric.operators.rest import FabricRestOperator
    from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
    from airflow_provider_fabric.operators.spark_job import FabricRunSparkJobOperator
    from airflow_provider_fabric.operators.user_data_function import FabricInvokeUserDataFunctionOperator

__all__ = [
    "FabricDeleteItemOperator",
    "FabricDeployFolderOperator",
    "FabricInvokeUserDataFunctionOperator",
    "FabricPublishDataflowOperator",
    "FabricRefreshMaterializedLakeViewsOperator",
    "FabricRefreshSemanticModelOperator",
    "FabricRefreshSqlEndpointOperator",
    "FabricResetCopyJobOperator",
    "FabricRestOperator",
    "FabricResumeCapacityOperator",
    "FabricRunCopyJobOperator",
    "FabricRunDataflowRefreshOperator",
    "FabricRunDbtJobOperator",
    "FabricRunItemJobOperator",
    "FabricRunNotebookOperator",
    "FabricRunPipelineOperator",
    "FabricRunSparkJobOperator",
    "FabricRunTableMaintenanceOperator",
    "FabricSuspendCapacityOperator",
    "FabricUpsertItemDefinitionOperator",
]

_MODULES = {
    "FabricDeleteItemOperator": "item",
    "FabricDeployFolderOperator": "deploy",
    "FabricInvokeUserDataFunctionOperator": "user_data_function",
    "FabricPublishDataflowOperator": "dataflow",
    "FabricRefreshMaterializedLakeViewsOperator": "lakehouse",
    "FabricRefreshSemanticModelOperator": "semantic_model",
    "FabricRefreshSqlEndpointOperator": "lakehouse",
    "FabricResetCopyJobOperator": "copy_job",
    "FabricRestOperator": "rest",
    "FabricResumeCapacityOperator": "capacity",
    "FabricRunCopyJobOperator": "copy_job",
    "FabricRunDataflowRefreshOperator": "dataflow",
    "FabricRunDbtJobOperator": "dbt",
    "FabricRunItemJobOperator": "job",
    "FabricRunNotebookOperator": "notebook",
    "FabricRunPipelineOperator": "pipeline",
    "FabricRunSparkJobOperator": "spark_job",
    "FabricRunTableMaintenanceOperator": "lakehouse",
    "FabricSuspendCapacityOperator": "capacity",
    "FabricUpsertItemDefinitionOperator": "item",
}
"""Name → the module that holds it."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
