"""For mkdocstrings: reST roles in docstrings become Markdown, ``:class:`.FabricError``` becomes ```FabricError```."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":\w+:`(?:[^`<]*<)?[~.]?(?:[\w.]*\.)?(\w+)>?`")
BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:(?:    .*)?\n?)+)", re.MULTILINE)
RETURNS = re.compile(r"^:returns: (.*(?:\n +.*)*)\n?", re.MULTILINE)


class Roles(griffe.Extension):
    """Rewrites every docstring as it is found."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            text = to_markdown(obj.docstring.value)
            obj.docstring.value = returns_first(text) if obj.is_class else text


def to_markdown(text: str) -> str:
    """Return a docstring with its roles as code and its code blocks fenced."""
    text = BLOCK.sub(_fence, text)
    return ROLE.sub(r"`\1`", text)


def returns_first(text: str) -> str:
    """Return a class's docstring with its ``:returns:`` as a sentence before the parameters.

    That of an operator tells what ``execute`` returns, which is no part of the class's signature.
    """
    found = RETURNS.search(text)
    if found is None:
        return text
    text = text.replace(found[0], "")
    at = text.find(":param")
    sentence = f"Returns {' '.join(found[1].split())}\n\n"
    return f"{text[:at]}{sentence}{text[at:]}" if at >= 0 else f"{text}\n\n{sentence}"


def _fence(found: re.Match[str]) -> str:
    code = "\n".join(line[4:] for line in found[2].rstrip().splitlines())
    return f"```{found[1]}\n{code}\n```\n\n"
