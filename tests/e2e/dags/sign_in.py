"""A pipeline run for every way to sign in, one that fails, and one whose secret is wrong."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

AUTH_TYPES = (
    "client_secret",
    "client_certificate",
    "workload_identity",
    "managed_identity",
    "refresh_token",
    "access_token",
    "wrong",
)

with DAG("sign_in", schedule=None, catchup=False):
    for auth_type in AUTH_TYPES:
        FabricRunPipelineOperator(
            task_id=auth_type,
            fabric_conn_id=f"fabric_{auth_type}",
            workspace="Emulator workspace",
            pipeline="Signs in",
            deferrable=True,
            check_interval=1,
        )
