"""What other tasks claim."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.compat_tasks import Published
from airflow_provider_fabric.lifecycle import siblings
from airflow_provider_fabric.lifecycle.item_users import ItemUsers
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

RUN_ID = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize("dag_id", ["dag", "another"])
@pytest.mark.parametrize(("key", "value"), [(siblings.CLAIM_KEY, RUN_ID), (siblings.CANDIDATES_KEY, [])])
def test_a_task_of_another_dag_with_the_same_names_speaks_for_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, dag_id: str, key: str, value: Any
) -> None:
    """Airflow 2 tells what tasks of every DAG published; daily DAGs share their run ids, and often their task ids."""
    published = [Published((dag_id, "monday", "run", 1), value)]
    monkeypatch.setattr(siblings, "states_of_tasks", lambda *_: {("dag", "monday", "run", 1): "running"})
    monkeypatch.setattr(siblings, "published_by", lambda _, asked, __: published if asked == key else [])
    operator = FabricRunPipelineOperator(task_id="run", workspace="w", pipeline="p")
    context = {"ti": SimpleNamespace(dag_id="dag", run_id="monday", task_id="run", map_index=0)}
    users = ItemUsers("item", context["ti"])
    claims = siblings.Siblings(context, operator, users, died=False).claims()
    assert (claims.unresolved == "") == (dag_id == "dag")
    assert claims.claimed == ({RUN_ID} if key == siblings.CLAIM_KEY else set())
