"""What to do about an error code."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.remedies import REMEDIES, remedy_for


@pytest.mark.parametrize(("code", "remedy"), REMEDIES.items())
def test_a_remedy_is_a_sentence_and_is_found_by_its_code(code: str, remedy: str) -> None:
    assert remedy[0].isupper()
    assert remedy.endswith(".")
    assert "\n" not in remedy
    assert remedy_for(code) == remedy
    assert remedy_for(code, 403) == remedy


@pytest.mark.parametrize("code", [None, "", "NotACode"])
def test_without_a_known_code_the_status_decides(code: str | None) -> None:
    assert remedy_for(code) is None
    assert remedy_for(code, 404) is None
    for status, word in ((403, "role"), (429, "quota"), (430, "capacity")):
        assert word in (remedy_for(code, status) or "")


def test_codes_are_matched_as_they_are_and_never_by_part() -> None:
    assert remedy_for("insufficientprivileges") is None
    assert remedy_for("InsufficientPrivilegesOfSomeKind") is None
