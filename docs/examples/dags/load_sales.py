from airflow import DAG

from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

WAIT = {"name": "Wait", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 3}}
PIPELINE = {"pipeline-content.json": {"properties": {"activities": [WAIT]}}}

with DAG(dag_id="load_sales", schedule=None, default_args={"workspace": "Emulator workspace"}) as dag:
    deploy = FabricUpsertItemDefinitionOperator(
        task_id="deploy", item_type="DataPipeline", display_name="Load sales", definition=PIPELINE
    )
    run = FabricRunPipelineOperator(task_id="run", pipeline="Load sales", deferrable=True, check_interval=5)
    deploy >> run
