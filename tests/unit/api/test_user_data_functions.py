"""A function whose answer was lost is not called again, and every other answer is what it says."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.user_data_functions import invoke_user_data_function
from airflow_provider_fabric.compat import RetryPolicy
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricOperationError
from airflow_provider_fabric.retry_policies import fabric_retry_policy
from tests.flow_driver import HTML, ITEM, LOST, TRUNCATED, UNSENT, WORKSPACE, Answer, Talk, drive, ok, refusal

DONE = {"functionName": "f", "invocationId": "i", "status": "Succeeded", "output": 3, "errors": []}


def call(answers: list[Answer], **options: Any) -> Talk[dict[str, Any]]:
    return drive(invoke_user_data_function(WORKSPACE, ITEM, "f", {"a": 1}, **options), answers)


UNCLEAR = [LOST, refusal(500), refusal(503), refusal(408), HTML, TRUNCATED, ok(), ok([]), ok(7), ok({"output": 3})]
UNCLEAR += [ok({**DONE, "status": status}) for status in ("Timeout", "ResponseTooLarge", "Running", None, 7, {})]


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_unclear_answer_says_that_it_may_have_run_and_must_not_be_repeated(answer: Answer) -> None:
    talk = call([answer])
    assert isinstance(talk.error, FabricAmbiguousError)
    assert talk.error.must_not_repeat
    assert "may have run" in str(talk.error)
    assert talk.posts == 1
    if RetryPolicy is not None:
        assert fabric_retry_policy().evaluate(talk.error, 1, 3).action.value == "fail"


def test_it_is_called_again_where_the_dag_allows_it() -> None:
    assert call([LOST, refusal(503), ok(DONE)], replay_safe=True).result()["output"] == 3
    talk = call([HTML], replay_safe=True)
    assert isinstance(talk.error, FabricAmbiguousError)
    assert not talk.error.must_not_repeat


def test_what_was_surely_not_accepted_is_sent_again() -> None:
    assert call([UNSENT, refusal(429), refusal(430), ok(DONE)]).result()["output"] == 3


@pytest.mark.parametrize("status", ["Failed", "BadRequest", "failed"])
@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ([{"name": "UserThrownError", "message": "No such name."}], "UserThrownError: No such name"),
        ([{"name": "A", "message": "x"}, {"name": "B", "message": "y"}], "A: x [B: y]"),
        (["a text"], "a text"),
        ("a text", "a text"),
        ({"message": "a text"}, "a text"),
        (7, "7"),
        (None, "no reason given"),
    ],
)
def test_a_function_that_failed_says_why(status: str, errors: Any, text: str) -> None:
    talk = call([ok({**DONE, "status": status, "errors": errors})])
    assert isinstance(talk.error, FabricOperationError)
    assert f"{status}: {text} (invocation i)" in str(talk.error)
