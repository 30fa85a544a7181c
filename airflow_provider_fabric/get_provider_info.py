"""The metadata that Airflow's providers manager reads: declarative, no Airflow, Flask or wtforms import."""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric import __version__
from airflow_provider_fabric.hooks.connection_form import conn_fields, ui_field_behaviour

INTEGRATION = "Microsoft Fabric"


_ASSET_URIS = [
    {
        "schemes": ["fabric"],
        "handler": "airflow_provider_fabric.assets.sanitize_uri",
        "factory": "airflow_provider_fabric.assets.create_asset",
        "to_openlineage_converter": "airflow_provider_fabric.assets.convert_asset_to_openlineage",
    }
]


def _modules(kind: str, *names: str) -> list[dict[str, Any]]:
    return [
        {
            "integration-name": INTEGRATION,
            "python-modules": [f"airflow_provider_fabric.{kind}.{name}" for name in names],
        }
    ]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-fabric",
        "name": INTEGRATION,
        "description": "Run, publish and deploy Microsoft Fabric Data Factory items: dataflows, pipelines, copy jobs.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://learn.microsoft.com/rest/api/fabric/articles/",
                "tags": ["azure"],
            }
        ],
        "hooks": _modules("hooks", "fabric"),
        "operators": _modules(
            "operators",
            "capacity",
            "copy_job",
            "dataflow",
            "dbt",
            "deploy",
            "item",
            "job",
            "lakehouse",
            "notebook",
            "pipeline",
            "rest",
            "semantic_model",
            "spark_job",
            "user_data_function",
        ),
        "sensors": _modules("sensors", "job", "onelake"),
        "triggers": _modules("triggers", "capacity", "events", "item_job", "job", "onelake", "semantic_model"),
        "extra-links": [
            f"airflow_provider_fabric.links.{name}"
            for name in ("FabricRunLink", "FabricSparkUiLink", "FabricSnapshotLink", "FabricDriverLogLink")
        ],
        "asset-uris": _ASSET_URIS,
        "dataset-uris": _ASSET_URIS,  # their name before Airflow 3.0
        "connection-types": [
            {
                "connection-type": "fabric",
                "hook-name": INTEGRATION,
                "hook-class-name": "airflow_provider_fabric.hooks.fabric.FabricHook",
                "conn-fields": conn_fields(),
                "ui-field-behaviour": ui_field_behaviour(),
            }
        ],
    }
