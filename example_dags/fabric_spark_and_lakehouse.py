"""Run a Spark job definition, then look after the lakehouse it wrote to.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.

On a real tenant, give the Spark job an ``abfss`` path of your own main file, and name a table that exists.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.lakehouse import (
    FabricRefreshMaterializedLakeViewsOperator,
    FabricRunTableMaintenanceOperator,
)
from airflow_provider_fabric.operators.spark_job import FabricRunSparkJobOperator

with DAG(
    dag_id="fabric_spark_and_lakehouse",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={
        "workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}",
        "deferrable": True,
        "check_interval": 2,
    },
) as dag:
    deploy_lakehouse = FabricUpsertItemDefinitionOperator(
        task_id="deploy_lakehouse",
        item_type="Lakehouse",
        display_name="Sales",
        definition={"lakehouse.metadata.json": {"defaultSchema": "dbo"}},
    )
    deploy_spark_job = FabricUpsertItemDefinitionOperator(
        task_id="deploy_spark_job",
        item_type="SparkJobDefinition",
        display_name="Load sales",
        definition={"SparkJobDefinitionV1.json": {"executableFile": "main.py", "language": "Python"}},
    )
    run_spark_job = FabricRunSparkJobOperator(
        task_id="run_spark_job",
        spark_job="Load sales",
        command_line_arguments=["--day", "{{ dag_run.run_after | default(logical_date) | ds }}"],
    )
    maintain_table = FabricRunTableMaintenanceOperator(
        task_id="maintain_table",
        lakehouse="Sales",
        table="orders",
        schema="dbo",
        v_order=True,
        z_order_by=["customer_id"],
        vacuum_retention=timedelta(days=7),
    )
    refresh_views = FabricRefreshMaterializedLakeViewsOperator(task_id="refresh_views", lakehouse="Sales")

    [deploy_lakehouse, deploy_spark_job] >> run_spark_job >> maintain_table >> refresh_views
