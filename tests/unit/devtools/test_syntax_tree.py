"""Reading code does not depend on what the garbage collector ends meanwhile."""

from __future__ import annotations

import ast
import gc
import traceback
from collections.abc import Iterator

import pytest

from devtools.syntax_tree import syntax_tree

SOURCE = "\n".join(f"x{number} = f({number} + g({number}))" for number in range(2000))


class EndsWithATraceback:
    """A circle, so only the collector ends it; then it formats a traceback, as the log of an error does."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            traceback.format_exc()


@pytest.fixture
def often_collected() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)


def test_a_traceback_that_is_formatted_while_a_tree_is_made(often_collected: None) -> None:
    for _ in range(30):
        EndsWithATraceback()
    assert ast.dump(syntax_tree(SOURCE)).count("Assign(") == 2000
    assert gc.isenabled()


def test_who_does_not_collect_still_does_not() -> None:
    gc.disable()
    try:
        syntax_tree("x = 1")
        assert not gc.isenabled()
    finally:
        gc.enable()
