"""Definitions full of braces, and outputs of tasks in them: deployed by a scheduler, or by ``dag.test()``."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Any

from airflow_provider_fabric.compat import BaseOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

BRACES = '{{"Old", "New"}} {% if %} {# x #} #"a" %s 🎉\r\n\ufeff'


class Give(BaseOperator):
    """Gives what it is asked to."""

    def __init__(self, *, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context: Any) -> Any:
        """Return the value."""
        return self.value


def definitions(native: bool) -> DAG:
    """Return the DAG, its templates rendered to text or natively."""
    with DAG(
        f"definitions_{'native' if native else 'text'}",
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        render_template_as_native_obj=native,
        default_args={"workspace": "Emulator workspace"},
    ) as dag:
        suffix = " native" if native else ""
        text = Give(task_id="give_text", value=BRACES)
        name = Give(task_id="give_name", value="@value@")
        parts = Give(task_id="give_parts", value={"notebook-content.py": BRACES})
        FabricUpsertItemDefinitionOperator(
            task_id="nested",
            item_type="Dataflow",
            display_name=f"Nested{suffix}",
            definition={
                "mashup.pq": text.output,
                "queryMetadata.json": {"queries": [{"name": name.output, "at": "{{ ds }}"}]},
            },
            replace={"@value@": name.output, "ds": "{{ '1.50' }}"},
        )
        FabricUpsertItemDefinitionOperator(
            task_id="whole", item_type="Notebook", display_name=f"Whole{suffix}", definition=parts.output
        )
        FabricUpsertItemDefinitionOperator.partial(task_id="mapped", item_type="Notebook").expand_kwargs(
            [
                {"display_name": f"Mapped {n}{suffix}", "definition": {"notebook-content.py": f"{BRACES}{n}"}}
                for n in (1, 2)
            ]
        )
        FabricUpsertItemDefinitionOperator.partial(
            task_id="partial", item_type="Notebook", definition={"notebook-content.py": text.output}
        ).expand(display_name=[f"Partial {n}{suffix}" for n in (1, 2)])
    return dag


in_text, natively = definitions(native=False), definitions(native=True)

if __name__ == "__main__":
    for tested in (in_text, natively):
        run = tested.test()
        if str(getattr(run.state, "value", run.state)) != "success":
            sys.exit(f"{tested.dag_id}: {run.state}")
