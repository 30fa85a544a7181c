"""What this provider does beside its neighbours, as data: docs/comparison.md shows it, a test looks every test up.

Read in the sources of the wheels of ``apache-airflow-providers-microsoft-fabric`` 0.1.1 (Microsoft's),
``apache-airflow-providers-microsoft-azure`` 15.2.1 and ``apache-airflow-providers-databricks`` 7.23.0 on 2026-11-26.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEADINGS = (
    "Feature",
    "This provider",
    "microsoft-fabric 0.1.1",
    "microsoft-azure 15.2.1",
    "databricks 7.23.0",
)
YES, NO = "yes", "no"
SHORT = {YES: "✓", NO: "✗", "n/a": ""}
"""How the page shows the commonest answers."""


@dataclass(frozen=True)
class Feature:
    """One row.

    :param name: what a user gets.
    :param ours: what this provider does.
    :param fabric: what Microsoft's Fabric provider does.
    :param adf: what the Azure Data Factory operators do.
    :param databricks: what the Databricks operators do.
    :param tests: ``path::function`` of the tests behind the second column.
    """

    name: str
    ours: str
    fabric: str
    adf: str
    databricks: str
    tests: tuple[str, ...]


_JOB = "tests/contract/test_job_execution.py::"
_ITEMS = "tests/contract/operators/test_other_items.py::"
_FAILURES = "tests/contract/operators/test_failures.py::"
_SENSORS = "tests/contract/operators/test_sensors.py::"
_SIGN_IN = "tests/contract/test_sign_in.py::"
_LINEAGE = "tests/e2e/test_lineage.py::"
_EVERY = "tests/unit/operators/test_every_operator.py::"

FEATURES = (
    Feature("Pipelines", YES, YES, "of Azure Data Factory and Synapse", "n/a", (f"{_JOB}test_a_run_that_completes",)),
    Feature(
        "Dataflows Gen2: refresh and publish",
        YES,
        NO,
        NO,
        "n/a",
        ("tests/e2e/test_example_dag.py::test_every_task_succeeds_at_its_first_try",),
    ),
    Feature(
        "Copy jobs: run and reset",
        YES,
        "run only",
        NO,
        "n/a",
        ("tests/contract/test_hook_operations.py::test_operation",),
    ),
    Feature(
        "Notebooks, Spark jobs, dbt jobs, materialized lake views",
        YES,
        YES,
        NO,
        "their own",
        (f"{_ITEMS}test_each_kind_of_job",),
    ),
    Feature("Lakehouse table maintenance", YES, NO, NO, "n/a", (f"{_ITEMS}test_each_kind_of_job",)),
    Feature("Semantic model refresh", YES, YES, YES, "n/a", (f"{_ITEMS}test_a_refresh_that_completes",)),
    Feature("User data functions", YES, YES, NO, "n/a", (f"{_ITEMS}test_a_function_returns_its_output",)),
    Feature("Any other job of any item", YES, NO, NO, "n/a", (f"{_JOB}test_any_item_by_its_job_type",)),
    Feature(
        "Deploy item definitions (create, replace, leave unchanged)",
        YES,
        NO,
        NO,
        "Git folders and workflows",
        ("tests/contract/test_hook_upsert.py::test_created_unchanged_updated",),
    ),
    Feature(
        "Workspaces and items by name",
        YES,
        "ids only",
        YES,
        "jobs, by name",
        ("tests/unit/api/test_names.py::test_the_one_of_that_name_is_found_on_any_page",),
    ),
    Feature(
        "Parameter names checked before the run",
        "on request",
        NO,
        NO,
        NO,
        ("tests/contract/operators/test_parameters.py::test_a_misspelt_parameter_starts_nothing",),
    ),
    Feature(
        "The answer to a submit is lost: one run, found again",
        YES,
        "submits again",
        "Azure SDK's retries",
        "idempotency token, if the DAG sets one",
        (f"{_JOB}test_an_unclear_answer_after_acceptance_starts_one_run",),
    ),
    Feature(
        "A retry reconnects to the run of the try before, synchronous",
        YES,
        NO,
        NO,
        "Airflow ≥ 3.3",
        (f"{_JOB}test_a_retry_reconnects_to_an_active_run",),
    ),
    Feature(
        "The same, deferrable",
        YES,
        NO,
        NO,
        NO,
        (f"{_JOB}test_a_retry_reconnects_to_an_active_run",),
    ),
    Feature(
        "What to do when a run is active already",
        "`if_running`",
        NO,
        NO,
        "cancel previous runs",
        (f"{_JOB}test_if_running", f"{_JOB}test_if_running_stops"),
    ),
    Feature(
        "A killed worker task cancels its run",
        YES,
        NO,
        YES,
        YES,
        (f"{_JOB}test_a_kill_cancels_the_run_once_and_ends_the_wait",),
    ),
    Feature(
        "A killed deferred task cancels its run",
        "Airflow ≥ 3.3",
        NO,
        NO,
        "Airflow ≥ 3.3",
        ("tests/e2e/test_chaos_subset.py::test_one_run_once",),
    ),
    Feature(
        "A timeout cancels the run and names it, deferred too",
        YES,
        NO,
        "in a worker, by `execution_timeout`",
        "the service's own `timeout_seconds`",
        (f"{_JOB}test_timeout_cancels_and_names_the_run",),
    ),
    Feature(
        "An error while polling never cancels a healthy run",
        YES,
        YES,
        "cancels it",
        YES,
        (f"{_JOB}test_an_error_while_waiting_does_not_end_the_wait",),
    ),
    Feature(
        "An unknown status is a running one",
        YES,
        NO,
        YES,
        NO,
        (f"{_JOB}test_an_unknown_status_is_still_running",),
    ),
    Feature(
        "Deferred runs share one poller, one client, one token",
        YES,
        NO,
        NO,
        NO,
        ("tests/unit/triggerer/test_shared.py::test_a_hundred_waits_look_the_connection_up_once_and_share_a_poller",),
    ),
    Feature(
        "Stays inside the service's quota",
        YES,
        NO,
        NO,
        NO,
        ("tests/unit/triggerer/test_poller.py::test_a_thousand_runs_of_fifty_items_fit_the_quota",),
    ),
    Feature(
        "Job events instead of polls",
        "experimental",
        NO,
        NO,
        NO,
        ("tests/contract/test_job_events.py::test_a_run_is_found_over_by_its_event",),
    ),
    Feature(
        "Failed activities, error code, request id and remedy in the exception",
        YES,
        NO,
        NO,
        "failed tasks with their errors",
        (f"{_FAILURES}test_a_failed_pipeline_names_its_failed_activity",),
    ),
    Feature(
        "Link to the run, also while deferred",
        YES,
        YES,
        YES,
        YES,
        (f"{_EVERY}test_a_run_has_a_link", "tests/e2e/test_example_dag.py::test_the_result_and_the_link_are_in_xcom"),
    ),
    Feature(
        "Sensor for a run that the DAG started",
        "poke, reschedule, deferrable",
        NO,
        YES,
        "for SQL statements",
        (f"{_SENSORS}test_an_instance_that_completes",),
    ),
    Feature(
        "Sensor for a run that a schedule or a person started",
        YES,
        NO,
        NO,
        NO,
        (f"{_SENSORS}test_a_run_that_the_schedule_starts_later",),
    ),
    Feature(
        "Client secret and access token",
        YES,
        YES,
        "secret",
        YES,
        (f"{_SIGN_IN}test_signed_in_the_api_answers",),
    ),
    Feature(
        "Certificate, workload identity, refresh token",
        YES,
        NO,
        "through azure-identity's default chain",
        "federation",
        (f"{_SIGN_IN}test_signed_in_the_api_answers", f"{_SIGN_IN}test_a_rotated_refresh_token_is_kept"),
    ),
    Feature("Managed identity", YES, NO, YES, YES, (f"{_SIGN_IN}test_signed_in_the_api_answers",)),
    Feature(
        "Sign-in never blocks the triggerer",
        YES,
        NO,
        YES,
        YES,
        ("tests/unit/api/test_tokens.py::test_many_tasks_make_one_fetch_and_the_loop_runs_on",),
    ),
    Feature(
        "Connection test that tells causes apart",
        YES,
        NO,
        "yes or no",
        "yes or no",
        (f"{_SIGN_IN}test_what_stands_in_the_way_is_told_apart",),
    ),
    Feature(
        "Declarative connection form (Airflow ≥ 3.2)",
        YES,
        NO,
        YES,
        NO,
        ("tests/unit/test_connection_form.py::test_the_declarative_form_is_what_airflow_32_and_newer_accept",),
    ),
    Feature(
        "Resume and suspend a capacity; not while runs are active",
        YES,
        NO,
        NO,
        "starts and stops SQL warehouses",
        (
            "tests/contract/operators/test_capacity.py::test_suspended_and_resumed",
            "tests/contract/operators/test_capacity.py::test_runs_are_not_suspended_under_somebody_s_feet",
        ),
    ),
    Feature(
        "Refresh a lakehouse's SQL endpoint; a table that failed fails the task",
        YES,
        NO,
        NO,
        "n/a",
        ("tests/contract/operators/test_sql_endpoint.py::test_a_table_that_failed_fails_the_task_by_name",),
    ),
    Feature(
        "Sensor for files in OneLake, by pattern, and until they stay unchanged",
        YES,
        NO,
        "in Blob Storage",
        "file arrival trigger of its own jobs",
        (
            "tests/contract/operators/test_onelake.py::test_paths_and_patterns",
            "tests/contract/operators/test_onelake.py::test_a_file_that_is_being_written_is_waited_for",
        ),
    ),
    Feature(
        "A notebook's exit value in XCom, JSON on request",
        YES,
        NO,
        "n/a",
        "of its own notebooks",
        (
            "tests/contract/operators/test_notebook.py::test_the_exit_value_is_returned_and_published",
            "tests/contract/operators/test_notebook.py::test_json_is_parsed_on_request",
        ),
    ),
    Feature(
        "Notebooks share a Spark session",
        "`session_tag`",
        "sent to a route that ignores it",
        "n/a",
        "job clusters",
        ("tests/contract/operators/test_notebook.py::test_the_body_of_the_own_api",),
    ),
    Feature(
        "Semantic models on shared capacity",
        "plain refresh",
        "plain refresh",
        NO,
        "n/a",
        ("tests/contract/operators/test_shared_capacity.py::test_the_plain_refresh_is_found_by_itself",),
    ),
    Feature(
        "Any REST call, operations followed",
        YES,
        NO,
        NO,
        NO,
        (
            "tests/contract/operators/test_rest_recipes.py::test_a_recipe",
            "tests/contract/operators/test_crash_steps.py::test_a_rest_call_whose_operation_takes_too_long",
        ),
    ),
    Feature(
        "A failure in between still suspends it",
        YES,
        NO,
        NO,
        NO,
        ("tests/e2e/test_full_day.py::test_a_failure_in_the_middle_still_suspends",),
    ),
    Feature("Resizes a capacity", NO, NO, NO, "n/a", ()),
    Feature("Runs SQL or DAX queries", NO, NO, NO, "SQL", ()),
    Feature(
        "Dynamic task mapping",
        YES,
        YES,
        YES,
        YES,
        (f"{_EVERY}test_maps_dynamically_over_what_must_be_given",),
    ),
    Feature(
        "A DAG that starts when a job has completed (assets)",
        "Airflow ≥ 3.0",
        NO,
        NO,
        NO,
        ("tests/contract/operators/test_events.py::test_a_run_that_completes_is_reported_once",),
    ),
    Feature(
        "Retry policy: permanent errors fail at once",
        "Airflow ≥ 3.3",
        NO,
        NO,
        NO,
        ("tests/unit/test_retry_policies.py::test_permanent_errors_fail_at_once",),
    ),
    Feature(
        "A run's outcome in one XCom, for callbacks",
        YES,
        NO,
        NO,
        "n/a",
        ("tests/contract/operators/test_fabric_run.py::test_a_run_that_failed",),
    ),
    Feature(
        "Asset events name the run and its rows",
        YES,
        NO,
        NO,
        "n/a",
        ("tests/contract/operators/test_fabric_run.py::test_the_event_of_an_asset_tells_of_the_run",),
    ),
    Feature(
        "OpenLineage inputs and outputs of jobs",
        YES,
        NO,
        NO,
        "of SQL and notebooks",
        (f"{_LINEAGE}test_the_last_event_names_what_was_read_and_written",),
    ),
    Feature(
        "Emulator, and pytest fixtures for your own DAGs",
        YES,
        NO,
        NO,
        NO,
        ("tests/docs/test_testing_page.py::test_the_example_test_passes",),
    ),
    Feature(
        "Runs on Airflow 2.10.5 and on every 3.x",
        YES,
        "no import on a bare 3.3",
        "Airflow ≥ 2.11, Python ≥ 3.11",
        "Airflow ≥ 2.11, Python ≥ 3.11",
        ("tests/e2e/test_wheel.py::test_every_module_imports_without_warnings",),
    ),
    Feature("Rerun only what failed in a run", NO, NO, "`start_from_failure`", "`repair_run`", ()),
    Feature("SQL: statements, results, a DB-API hook", NO, NO, NO, YES, ()),
    Feature("A task group that runs as one job of the service", NO, NO, NO, YES, ()),
    Feature("Secrets backend for connections that Fabric's own Airflow keeps", NO, YES, NO, "n/a", ()),
    Feature("Released by the Apache Software Foundation, and used for years", NO, NO, YES, YES, ()),
    Feature("Published on a package index", NO, YES, YES, YES, ()),
)


def table() -> str:
    """Return the features as a Markdown table."""
    return "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{' --- |' * len(HEADINGS)}"
    for feature in FEATURES:
        cells = (feature.ours, feature.fabric, feature.adf, feature.databricks)
        yield f"| {feature.name} | {' | '.join(SHORT.get(cell, cell) for cell in cells)} |"
