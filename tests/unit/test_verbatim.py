"""Mappings that Airflow must not render: what it sees of them while it parses a DAG."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.verbatim import Verbatim, definition_argument, protect, rendered_texts


class Plain:
    """Shows itself with its address in memory."""


def test_it_is_the_mapping_that_was_given() -> None:
    given = {"a": "{{ ds }}", "b": b"x"}
    wrapped = Verbatim(given)
    assert dict(wrapped) == given
    assert wrapped == given
    assert wrapped.resolve({}) == given
    assert dict(copy.deepcopy(wrapped)) == dict(pickle.loads(pickle.dumps(wrapped))) == given


def test_its_text_is_the_same_at_every_parsing() -> None:
    """Otherwise every parsing would be a new version of the DAG."""
    text = str(Verbatim({"a": {"b": Plain()}}))
    assert text == str(Verbatim({"a": {"b": Plain()}}))
    assert "0x" not in text
    assert str(Verbatim({("a",): 1})) == "<('a',)>"  # type: ignore[dict-item]


def test_its_repr_shows_no_contents() -> None:
    assert "s3cret" not in repr(Verbatim({"a": "s3cret"}))


def test_the_operators_definition_is_equal_to_what_was_given() -> None:
    given = {"notebook-content.py": "{{ x }}"}
    operator = FabricUpsertItemDefinitionOperator(
        task_id="t", workspace="w", item_type="Notebook", display_name="d", definition=given
    )
    assert operator.definition == given


@pytest.mark.parametrize("value", [5, 20240105])
def test_digits_are_a_path(value: int) -> None:
    assert definition_argument(value) == str(value)


@pytest.mark.parametrize("value", [True, "{'a': 1}", ' {"a": 1}'])
def test_what_a_template_made_of_a_mapping_is_refused(value: Any) -> None:
    with pytest.raises(FabricInputError, match="definition"):
        definition_argument(value)


@pytest.mark.parametrize("value", ["a/{{ ds }}", None, 5])
def test_only_mappings_and_paths_are_protected(value: Any) -> None:
    assert protect(value) is value


@pytest.mark.parametrize(("given", "rendered"), [(None, {"a": "b"}), ({"a": "{{ x }}"}, None), ("{{ x }}", {"a": 1})])
def test_only_mappings_are_rendered_as_texts(given: Any, rendered: Any) -> None:
    assert rendered_texts(given, rendered, {}) is rendered


def test_values_of_mapped_arguments_are_not_rendered() -> None:
    """Airflow gives back the very object if it rendered nothing."""
    given = {"a": "{{ x }}"}
    assert rendered_texts(given, given, {}) is given
