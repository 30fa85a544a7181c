"""What Microsoft's four articles on Data Factory's APIs have a reader do, and what of ours does it, as data.

docs/articles.md shows it. Tests look every named test up, and compare the operations with those that the articles print
(they are read from ``FABRIC_ARTICLES_DIR``; nothing of their text is kept here).

- https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities (P)
- https://learn.microsoft.com/fabric/data-factory/copy-job-rest-api-capabilities (C)
- https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis (D), and its edition of 2024 (d)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_REQUESTS = "tests/contract/test_articles_requests.py::"
_ANSWERS = "tests/contract/test_articles_answers.py::"
_SUBMITS = "tests/contract/test_submit_answers.py::"
_USE_CASES = "tests/contract/operators/test_use_cases.py::"
_EXECUTION_DATA = "tests/contract/operators/test_execution_data.py::"
_DATAFLOW_LISTS = "tests/contract/operators/test_dataflow_lists.py::"
_FAILURES = "tests/contract/operators/test_failures.py::"
_JOB = "tests/contract/test_job_execution.py::"
_PASTED = "tests/unit/api/test_pasted.py::"
_FORMS = "tests/unit/api/test_dataflow_forms.py::"

BOTH_WAYS = (
    f"{_REQUESTS}test_a_printed_request_is_accepted",
    f"{_ANSWERS}test_an_answer_with_values_gives_the_right_result",
)


@dataclass(frozen=True)
class Operation:
    """One operation.

    :param name: method and path, placeholders as ``{}``; ``+definition`` for a create with one.
    :param articles: letters of the articles that print it.
    :param ours: what of ours does it.
    :param tests: ``path::function`` of the tests that show it.
    """

    name: str
    articles: str
    ours: str
    tests: tuple[str, ...] = BOTH_WAYS


@dataclass(frozen=True)
class Statement:
    """Anything else that an article says: a header, a payload, an answer, a limitation, a use case.

    :param kind: which of these.
    :param articles: letters of the articles that say it.
    :param what: what they say, in our words.
    :param ours: what we make of it.
    :param tests: ``path::function`` of the tests that show it.
    """

    kind: str
    articles: str
    what: str
    ours: str
    tests: tuple[str, ...]


_UPSERT = "`FabricUpsertItemDefinitionOperator`"
_JOBS = "/workspaces/{}/items/{}/jobs/instances"
_TYPED = "/workspaces/{}/copyJobs"

OPERATIONS = (
    Operation("POST /workspaces/{}/items", "PDd", "`FabricHook.create_item`"),
    Operation("POST /workspaces/{}/items +definition", "PDd", f"{_UPSERT}, `FabricHook.create_item`"),
    Operation("GET /workspaces/{}/items/{}", "PDd", "`FabricHook.get_item`"),
    Operation("POST /workspaces/{}/items/{}/getDefinition", "PDd", "`FabricHook.get_item_definition`"),
    Operation("PATCH /workspaces/{}/items/{}", "PDd", f"{_UPSERT} (`description=`), `FabricHook.update_item`"),
    Operation("POST /workspaces/{}/items/{}/updateDefinition", "PDd", f"{_UPSERT}, `update_item_definition`"),
    Operation("DELETE /workspaces/{}/items/{}", "PDd", "`FabricDeleteItemOperator`"),
    Operation(
        f"POST {_JOBS}?jobType=Refresh", "PDd", "`FabricRunPipelineOperator`, `FabricRunDataflowRefreshOperator`"
    ),
    Operation(f"POST {_JOBS}?jobType=Publish", "D", "`FabricPublishDataflowOperator`"),
    Operation(f"POST {_JOBS}?jobType=Execute", "C", "`FabricRunCopyJobOperator`"),
    Operation(f"GET {_JOBS}/{{}}", "PDd", "every job operator and `FabricJobInstanceSensor`; `get_item_job_instance`"),
    Operation(f"POST {_JOBS}/{{}}/cancel", "PDd", "`cancel_on_kill`, `cancel_on_timeout`; `cancel_item_job_instance`"),
    Operation(
        "POST /workspaces/{}/datapipelines/pipelineruns/{}/queryactivityruns",
        "P",
        "`FabricRunPipelineOperator` on a failure; `FabricHook.query_activity_runs`",
        (*BOTH_WAYS, "tests/contract/test_activity_runs.py::test_times_in_any_form_are_the_same_times"),
    ),
    Operation(f"POST {_TYPED}", "C", "`FabricHook.create_item(typed=True)`"),
    Operation(f"POST {_TYPED} +definition", "C", f"{_UPSERT}, `create_item(typed=True)`"),
    Operation(f"GET {_TYPED}", "C", "`FabricHook.list_items(typed=True)`"),
    Operation(f"GET {_TYPED}/{{}}", "C", "`FabricHook.get_item(typed=True)`"),
    Operation(f"POST {_TYPED}/{{}}/getDefinition", "C", "`get_item_definition(typed=True)`"),
    Operation(f"PATCH {_TYPED}/{{}}", "C", "`FabricHook.update_item(typed=True)`"),
    Operation(f"POST {_TYPED}/{{}}/updateDefinition", "C", f"{_UPSERT}, `update_item_definition(typed=True)`"),
    Operation(f"DELETE {_TYPED}/{{}}", "C", "`FabricDeleteItemOperator`, `delete_item(typed=True)`"),
    Operation(f"GET {_TYPED}/{{}}/jobs/instances/{{}}", "C", "`get_item_job_instance(typed=True)`"),
    Operation(f"POST {_TYPED}/{{}}/jobs/instances/{{}}/cancel", "C", "`cancel_item_job_instance(typed=True)`"),
)

STATEMENTS = (
    Statement(
        "sign-in",
        "PCDd",
        "a token from the browser's console",
        "`auth_type` `access_token`, for trials; quotes and `Bearer` around it do not matter",
        (f"{_REQUESTS}test_the_consoles_token_signs_in", f"{_PASTED}test_a_pasted_token_is_understood"),
    ),
    Statement(
        "sign-in",
        "PCDd",
        "a token by MSAL, for two delegated scopes",
        "every other `auth_type`; the scopes' bare names are completed",
        (f"{_PASTED}test_bare_scopes_are_completed",),
    ),
    Statement(
        "sign-in",
        "PCDd",
        "API keys as a way to sign in",
        "Fabric has none; the connection's page says so",
        ("tests/unit/test_articles_page.py::test_the_connections_page_says_what_the_articles_leave_open",),
    ),
    Statement(
        "header",
        "PDd",
        "`Authorization` without the word Bearer",
        "always sent with it; the emulator refuses one without, as the service does",
        (f"{_REQUESTS}test_a_printed_request_is_accepted",),
    ),
    Statement("header", "C", "`Authorization: Bearer`", "sent so", BOTH_WAYS),
    Statement("header", "PCDd", "`Content-Type: application/json` with a payload", "sent so", BOTH_WAYS),
    Statement(
        "header",
        "PCDd",
        "`Location` and `Retry-After` of a cancel; two articles print a space behind the address",
        "read, spaces and all, by both HTTP drivers",
        (f"{_SUBMITS}test_a_location_with_a_trailing_blank_names_the_run", BOTH_WAYS[1]),
    ),
    Statement(
        "payload",
        "P",
        'the type `"pipeline"`',
        "`DataPipeline`; the emulator takes both",
        (f"{_REQUESTS}test_a_printed_request_is_accepted",),
    ),
    Statement(
        "payload",
        "PDd",
        "names with spaces around them",
        "one name, with and without",
        ("tests/contract/operators/test_definitions.py::test_names_with_spaces_around_them_are_one_name",),
    ),
    Statement(
        "payload",
        "PCDd",
        "a definition as a list of parts in base64",
        "a folder, or a mapping of paths to contents; the list of parts is understood too",
        ("tests/contract/operators/test_definitions.py::test_the_rest_apis_form_is_no_file_called_parts",),
    ),
    Statement(
        "payload",
        "Dd",
        "a dataflow as one `dataflow-content.json`",
        "deployed so; better as `mashup.pq` and `queryMetadata.json`, which is what comes back",
        (f"{_FORMS}test_the_same_mashup_in_the_other_form_is_no_change",),
    ),
    Statement(
        "payload",
        "PDd",
        "`executionData` with a name and an owner",
        "`execution_data=`, rendered and never dropped",
        (
            f"{_EXECUTION_DATA}test_the_articles_owner_fields_with_their_job_type",
            f"{_EXECUTION_DATA}test_it_is_sent_rendered_beside_the_rest",
        ),
    ),
    Statement(
        "payload",
        "P",
        "filters, orders and two times of a query for activity runs",
        "`filters`, `order_by`, `after`, `before`: text or datetimes of any zone",
        ("tests/unit/api/test_activity_runs.py::test_times_are_sent_in_utc_with_every_digit", BOTH_WAYS[1]),
    ),
    Statement(
        "answer",
        "PCDd",
        "`200 OK` to a change or a deletion",
        "done, also if those words are the body",
        (BOTH_WAYS[1], "tests/unit/api/test_operations.py::test_what_is_answered_now_is_taken_now"),
    ),
    Statement(
        "answer",
        "D",
        "`202` with a list that names the run",
        "its `jobInstanceId` is the run's id where no header names one",
        (f"{_SUBMITS}test_a_body_names_the_run", BOTH_WAYS[1]),
    ),
    Statement(
        "answer",
        "PCd",
        "`202 Accepted` and nothing else",
        "the run is looked for, and never started twice",
        (
            BOTH_WAYS[1],
            "tests/unit/api/test_submit.py::test_after_an_unclear_answer_and_no_new_run_it_is_not_sent_again",
        ),
    ),
    Statement(
        "answer",
        "PCDd",
        "ids, times and contents left open",
        "a result or a clear error, never a crash",
        (f"{_ANSWERS}test_an_answer_to_the_letter_gives_a_result_or_a_clear_error",),
    ),
    Statement(
        "answer",
        "D",
        "a dataflow's definition as `mashup.pq` and `queryMetadata.json`",
        "compared by meaning with what was deployed",
        (BOTH_WAYS[1], f"{_FORMS}test_the_same_mashup_in_the_other_form_is_no_change"),
    ),
    Statement(
        "answer",
        "P",
        "activity runs as a bare list",
        "read, and as pages",
        (BOTH_WAYS[1], "tests/unit/api/test_activity_runs.py::test_activity_runs_in_either_shape"),
    ),
    Statement(
        "limitation",
        "PDd",
        "no service principals",
        "true of dataflow jobs today; the error says whom to sign in as",
        (f"{_FAILURES}test_a_service_principal_that_may_not_refresh_a_dataflow",),
    ),
    Statement(
        "limitation",
        "PDd",
        "runs can be started and do not succeed",
        "a run that fails is a red task, and says why",
        (f"{_JOB}test_a_run_that_fails_says_why",),
    ),
    Statement(
        "limitation",
        "Dd",
        "a list filtered by the type Dataflow is wrong",
        "without a match in it, the whole list is read and filtered here",
        (
            f"{_DATAFLOW_LISTS}test_an_upsert_updates_it_instead_of_failing",
            f"{_DATAFLOW_LISTS}test_a_name_and_a_sensor_find_it",
        ),
    ),
    Statement(
        "limitation",
        "Dd",
        "only dataflows with CI/CD are there",
        "a 404 says so",
        (f"{_FAILURES}test_every_remedy_when_the_submit_is_refused",),
    ),
    Statement(
        "limitation",
        "PC",
        "the workspace must be on a capacity",
        "the error says so",
        (f"{_FAILURES}test_every_remedy_when_the_submit_is_refused",),
    ),
    Statement(
        "limitation",
        "P",
        "a definition or a creation payload, not both",
        "refused before anything is sent",
        ("tests/unit/api/test_items.py::test_what_cannot_be_created_is_refused_before_anything_is_sent",),
    ),
    Statement(
        "limitation",
        "PCDd",
        "rate limits",
        "one budget of calls for all waits of a triggerer",
        ("tests/contract/test_many_runs.py::test_many_triggers_fit_the_quota_with_one_token_and_few_connections",),
    ),
    Statement(
        "lifecycle",
        "D",
        "define, then publish, then refresh",
        'an upsert, then `FabricPublishDataflowOperator`; or `apply_changes="if_needed"`',
        (f"{_FAILURES}test_a_dataflow_that_was_never_published",),
    ),
    Statement(
        "use case",
        "PCDd",
        "automated deployment over stages",
        "[Deployment](use-cases/deployment.md)",
        ("tests/contract/test_hook_upsert.py::test_created_unchanged_updated",),
    ),
    Statement(
        "use case",
        "PDd",
        "monitoring and alerts",
        "[Monitoring](use-cases/monitoring.md)",
        (
            f"{_USE_CASES}test_monitoring_tells_the_failed_activities_and_the_link",
            f"{_USE_CASES}test_monitoring_knows_a_slow_run",
        ),
    ),
    Statement(
        "use case",
        "PCDd",
        "data of several sources",
        "[Data integration](use-cases/data-integration.md)",
        (f"{_USE_CASES}test_data_integration_copies_two_sources",),
    ),
    Statement(
        "use case",
        "PCDd",
        "error handling and retries",
        "[Error handling](use-cases/error-handling.md)",
        (
            f"{_USE_CASES}test_error_handling_branches_on_the_error_code",
            f"{_USE_CASES}test_error_handling_finds_the_code_where_the_operator_left_it",
        ),
    ),
    Statement(
        "use case",
        "PDd",
        "scheduling",
        "[Scheduling](use-cases/scheduling.md)",
        (f"{_USE_CASES}test_scheduling_makes_changes_and_switches_off",),
    ),
)

#: Older words → ours.
WORDS = (
    (
        "job type `Refresh` of a dataflow",
        "`Execute`: `FabricRunDataflowRefreshOperator`; `job_type=` for the older word",
    ),
    ("job type `Refresh` of a pipeline", "`Execute`: `FabricRunPipelineOperator`"),
    ("job type `Publish`", "`ApplyChanges`: `FabricPublishDataflowOperator`"),
    ("job type `CopyJob` (read back)", "the same as `Execute`"),
    ("`…/jobs/instances?jobType=`", '`…/jobs/{jobType}/instances`; `submit_form="query"` for the older address'),
    ('type `"pipeline"`', '`item_type="DataPipeline"`'),
    ("`artifactId`, `itemId`, `copyJobId`", "the item: `pipeline=`, `dataflow=`, `copy_job=`, `item=`, by name or id"),
    ("`jobInstanceId`, job id", "XCom `job_instance_id`"),
    ("`DataflowName`, `pipelineName`, `OwnerUserPrincipalName`, …", "`execution_data=`"),
    ("`dataflow-content.json`", "`mashup.pq` and `queryMetadata.json`"),
    ("bearer token, access token, `ClientId` variable", "the connection `fabric_default`"),
    ("`powerBIAccessToken`", "`auth_type` `access_token`"),
)


def named_tests() -> Iterator[str]:
    """Yield every test that the page names."""
    for row in (*OPERATIONS, *STATEMENTS):
        yield from row.tests


def operations_table() -> str:
    """Return a row for each operation."""
    rows = ["| Operation | Articles | Ours |", "| --- | --- | --- |"]
    rows += [f"| `{row.name}` | {row.articles} | {row.ours} |" for row in OPERATIONS]
    return "\n".join(rows) + "\n"


def words_table() -> str:
    """Return a row for each older word."""
    rows = ["| In the articles | Here |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| {theirs} | {ours} |" for theirs, ours in WORDS)]) + "\n"


def statements_table() -> str:
    """Return a row for each header, payload, answer, limitation and use case."""
    rows = ["| | Articles | They say | Here |", "| --- | --- | --- | --- |"]
    rows += [f"| {s.kind} | {s.articles} | {s.what} | {s.ours} |" for s in STATEMENTS]
    return "\n".join(rows) + "\n"
