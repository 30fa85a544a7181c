"""Which words mean the same job."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.api.jobs.job_types import PUBLISH_DATAFLOW, RUN_JOB_TYPES, same_job_type


@pytest.mark.parametrize(
    "word", ["Execute", "Refresh", "Pipeline", "CopyJob", "RunNotebook", "sparkjob", "DefaultJob", "execute"]
)
def test_words_for_a_run(word: str) -> None:
    assert all(same_job_type(word, run) for run in RUN_JOB_TYPES.values())
    assert not same_job_type(word, PUBLISH_DATAFLOW)


def test_words_for_a_publish() -> None:
    assert same_job_type("Publish", PUBLISH_DATAFLOW)


def test_other_words_mean_themselves() -> None:
    assert same_job_type("TableMaintenance", "tablemaintenance")
    assert not same_job_type("TableMaintenance", "RefreshMaterializedLakeViews")
    assert not same_job_type("TableMaintenance", "Execute")
