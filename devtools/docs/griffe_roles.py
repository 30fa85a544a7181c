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
            obj.docstring.value = text_first(text) if obj.is_class else text


def to_markdown(text: str) -> str:
    """Return a docstring with its roles as code and its code blocks fenced."""
    text = BLOCK.sub(_fence, text)
    return ROLE.sub(r"`\1`", text)


def text_first(text: str) -> str:
    """Return a docstring whose fields come last: what stands below them would be taken for a part of the last one.

    So does ``:returns:`` of a class: that of an operator tells what ``execute`` returns, not what its signature does.
    """
    if returns := RETURNS.search(text):
        text = f"{text.replace(returns[0], '')}\n\nReturns {' '.join(returns[1].split())}"
    paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph.strip()]
    return "\n\n".join(sorted(paragraphs, key=lambda paragraph: paragraph.lstrip().startswith(":")))


def _fence(found: re.Match[str]) -> str:
    code = "\n".join(line[4:] for line in found[2].rstrip().splitlines())
    return f"```{found[1]}\n{code}\n```\n\n"
