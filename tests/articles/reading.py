"""The code blocks of an article, in order, and what each of them is.

The articles are read from the folder that ``FABRIC_ARTICLES_DIR`` names. They are Markdown with a few slips: a fence
that is never closed, JSON without a comma, angle brackets behind a backslash, an address outside of any block. What a
block is follows from its content, because the words around it differ from article to article.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

FENCE = "```"
ADDRESS = re.compile(r"\b(GET|POST|PATCH|DELETE)\s+\[?(https://api\.fabric\.microsoft\.com(?:<[^>`]*>|[^\s`\]<])+)")
STATUS = re.compile(r"(\d{3}) (OK|Accepted)\b")
INLINE = re.compile(FENCE + r"([^`]+?)" + FENCE)


class Kind(Enum):
    """What a code block is."""

    TOKEN = "what to type for a token"
    REQUEST = "an address, perhaps with headers and payload"
    HEADERS = "headers of the request"
    CONTENT = "a part of a definition, before it is encoded"
    PAYLOAD = "payload of the request"
    ANSWER = "an answer, or a header of one"


@dataclass(frozen=True)
class Block:
    """One code block.

    :param line: line of the article, from 1.
    :param text: its content.
    :param closed: whether its fence is closed.
    """

    article: str
    line: int
    text: str
    closed: bool = True


@dataclass
class Step:
    """One request, and the answers that are printed for it.

    :param answers: (status, headers, body) of each.
    :param blocks: those it is made of, with what each is.
    """

    article: str
    line: int
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    payload: str = ""
    content: str = ""
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    blocks: list[tuple[Block, Kind]] = field(default_factory=list)

    @property
    def operation(self) -> str:
        """Method and path, such as ``POST /workspaces/{}/items +definition``: the same for each article."""
        path = re.sub(r"[{<][^}>]*[}>]", "{}", self.url.removeprefix("https://api.fabric.microsoft.com/v1"))
        more = " +definition" if self.method == "POST" and path.endswith(("/items", "/copyJobs")) and (
            '"definition"' in self.payload
        ) else ""  # fmt: skip
        return f"{self.method} {path}{more}"

    @property
    def key(self) -> str:
        """Article and operation, for the name of a test."""
        return f"{self.article}: {self.operation}"


def articles() -> dict[str, str]:
    """Return the text of each article by its name; empty without the folder."""
    folder = os.environ.get("FABRIC_ARTICLES_DIR", "")
    return {p.stem: p.read_text(encoding="utf-8") for p in sorted(Path(folder).glob("*.md"))} if folder else {}


def blocks_of(article: str, text: str) -> list[Block | str]:
    """Return an article's code blocks, and between them the lines that stand in none."""
    found: list[Block | str] = []
    inside: list[str] | None = None
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        mark = line.strip()
        if inside is None:
            inline = INLINE.findall(line)
            found += [Block(article, number, content) for content in inline] or [line]
            if not inline and mark.startswith(FENCE):
                found.pop()
                inside, start = [], number
        elif mark == FENCE:
            found.append(Block(article, start, "\n".join(inside)))
            inside = None
        elif mark.startswith(FENCE):  # another begins, so this one was never closed
            found.append(Block(article, start, "\n".join(inside), closed=False))
            inside, start = [], number
        else:
            inside.append(line)
    assert inside is None, f"{article} ends inside a code block"
    return found


@cache
def steps() -> list[Step]:
    """Return what the articles have a reader do, in order."""
    return [step for article, text in articles().items() for step in _steps(article, text)]


def _steps(article: str, text: str) -> list[Step]:
    made: list[Step] = []
    waiting: list[tuple[Block, Kind]] = []
    content = ""
    for entry in blocks_of(article, text):
        body = entry.text if isinstance(entry, Block) else entry
        line = entry.line if isinstance(entry, Block) else 0
        kind = _kind(body, made[-1] if made else None, is_block=isinstance(entry, Block))
        if kind is None:
            continue
        if kind is Kind.CONTENT:
            content = body
        elif kind is Kind.TOKEN:
            made.append(Step(article, line))
        elif kind is Kind.REQUEST:
            made.append(_request(article, line, body, content, waiting))
            waiting, content = [], ""
        elif kind is Kind.HEADERS:
            made[-1].headers = json.loads(body)
        elif kind is Kind.PAYLOAD:
            made[-1].payload = body
        else:
            _add_answer(made[-1], body)
        if isinstance(entry, Block):
            (waiting if kind is Kind.CONTENT else made[-1].blocks).append((entry, kind))
    return made


def _kind(body: str, step: Step | None, *, is_block: bool) -> Kind | None:
    if ADDRESS.search(body) and (is_block or "URI" in body):
        return Kind.REQUEST
    if STATUS.match(body.strip()):
        return Kind.ANSWER
    if not is_block:
        return None
    if body.strip() == "powerBIAccessToken":
        return Kind.TOKEN
    if '"editingSessionMashup"' in body:
        return Kind.CONTENT
    assert step is not None
    if '"Authorization"' in body:
        return Kind.HEADERS
    takes_payload = step.method in ("POST", "PATCH") and not step.url.endswith(("/getDefinition", "/cancel"))
    is_payload = takes_payload and not step.payload and not step.answers and body.lstrip().startswith("{")
    return Kind.PAYLOAD if is_payload and not _is_bare_run(step) else Kind.ANSWER


def _is_bare_run(step: Step) -> bool:
    return "jobType=Execute" in step.url


def _request(article: str, line: int, body: str, content: str, waiting: list[tuple[Block, Kind]]) -> Step:
    """Read an address, and with it what stands in the same block."""
    match = ADDRESS.search(body)
    assert match is not None
    step = Step(article, line, match[1], match[2], content=content, blocks=list(waiting))
    _, _, rest = body.partition("Headers:")
    if rest:
        headers, _, payload = rest.partition("Payload:")
        step.headers, step.payload = json.loads(plain(headers)), payload.strip()
    return step


def _add_answer(step: Step, body: str) -> None:
    """Add an answer; headers that are printed one by one belong to one answer."""
    named = dict(re.findall(r"^(Location|Retry-After): (.*?)$", body, re.MULTILINE))
    if not named and body.strip().startswith("https://"):
        named = {"Location": body}
    if not named and body.strip().isdigit():
        named = {"Retry-After": body}
    if named and step.answers and step.answers[-1][1]:
        step.answers[-1][1].update(named)
        return
    status = STATUS.match(body.strip())
    if named:
        step.answers.append((202, named, ""))
    elif status:
        content = body.strip()[status.end() :].strip()
        step.answers.append((int(status[1]), {}, content or body.strip()))
    else:
        created = step.method == "POST" and step.url.endswith(("/items", "/copyJobs"))
        step.answers.append((201 if created else 200, {}, body))


def plain(text: str) -> str:
    r"""Return text without Markdown's escapes of angle brackets, which stand in code blocks too: ``\<`` for ``<``."""
    return text.replace("\\<", "<").replace("\\>", ">")


def loads(text: str) -> Any:
    """Read JSON as it is printed: escapes of angle brackets, a comma that is missing, quotes of another language."""
    text = re.sub(r"[\u202f\xa0]", " ", plain(text)).strip()
    text = re.sub(r'(")(\s*\n\s*")(?=payloadType")', r"\1,\2", text)
    try:
        return json.JSONDecoder().raw_decode(text)[0]  # a fence that is not closed has more behind it
    except ValueError:
        return json.loads(text.replace("'", '"'))
