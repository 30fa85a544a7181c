"""The documentation is short, in plain words and in short sentences.

How words are counted: on every page of the site, tables that are written from the code included. Nothing is left out
but code blocks, HTML comments, the addresses of links, and directives that bring docstrings in. A word is what stands
between spaces and has a letter or a digit.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devtools.docs.doc_parts import REPOSITORY, documents

MOST_WORDS = 17_000
MOST_WORDS_OF_A_SENTENCE = 30
"""On average over a page."""

PAGES = documents()
SITE = [path for path in PAGES if path.name != "README.md"]
FENCE = re.compile(r"^(?P<indent> *)```.*?^(?P=indent)```", re.M | re.S)
COMMENT = re.compile(r"<!--.*?-->", re.S)
LINK = re.compile(r"\]\([^)]*\)")
DIRECTIVE = re.compile(r"^:::.*(?:\n    .*)*", re.M)
NO_END = re.compile(r"\b(?:e\.g|i\.e|etc|vs|Nr)\.")

OLD_WORDS = re.compile(
    r"""\b(?:
        (?:a|each|one|share|shared|allows?|between|more|first|next|last)\s+looks?\b(?![\ -](?:up|around))
      | looks?\ at\ (?:the|its|a|each)\ (?:same\ )?(?:run|item|list)s?
      | troubles? | stumbl\w* | mend(?:s|ed|ing)? | told | blanks? | seen?\ off | see\ off
      | (?:at\ the|this|that|a)\ moment
      | seed\ articles? | theatres? | chaos\ cells? | cells?\ as\ expected | (?:the|a)\ life\ of
      | trigger's\ life | poetry | Watchers? | stage\ fright
    )\b""",
    re.X | re.I,
)
"""What the code and its documentation used to call a poll, an error, a fix, a timestamp and so on."""


def prose(path: Path) -> str:
    """Return a page without code, comments and addresses."""
    text = COMMENT.sub("", FENCE.sub("", path.read_text(encoding="utf-8")))
    return LINK.sub("]", DIRECTIVE.sub("", text))


def words(text: str) -> list[str]:
    return [word for word in text.split() if re.search(r"\w", word)]


def sentences(text: str) -> list[str]:
    """Return the sentences of paragraphs and list entries; tables and headings are none."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith(("|", "#", "!!!", "???", "![")):
            blocks.append([])
            continue
        if re.match(r"(?:[*-]|\d+\.) ", bare):
            blocks.append([])
        blocks[-1].append(bare)
    found: list[str] = []
    for block in blocks:
        found += re.split(r"(?<=[.!?])[*_)\"]*\s+(?=[A-Z`*_\[(\"0-9])", NO_END.sub("eg", " ".join(block)))
    return [sentence for sentence in found if len(words(sentence)) > 1]


def test_there_are_no_more_words_than_a_reader_has_time_for() -> None:
    counted = {path.relative_to(REPOSITORY).as_posix(): len(words(prose(path))) for path in SITE}
    longest = sorted(counted.items(), key=lambda entry: -entry[1])[:8]
    assert sum(counted.values()) <= MOST_WORDS, f"{sum(counted.values())} words; the longest pages: {longest}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_sentences_are_short(path: Path) -> None:
    found = sentences(prose(path))
    if found:
        average = sum(len(words(sentence)) for sentence in found) / len(found)
        assert average <= MOST_WORDS_OF_A_SENTENCE, max(found, key=len)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_page_has_words_of_the_old_vocabulary(path: Path) -> None:
    found = [text[max(0, m.start() - 30) : m.end() + 30] for text in [prose(path)] for m in OLD_WORDS.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["one look at its list", "share looks", "looks at the same run", "Trouble while polling", "be told of a run"],
)
def test_old_words_are_found(text: str) -> None:
    assert OLD_WORDS.search(text)


@pytest.mark.parametrize("text", ["look it up", "look around", "a table cell", "the next stage", "looks for its run"])
def test_plain_words_are_not(text: str) -> None:
    assert not OLD_WORDS.search(text)


def test_words_and_sentences_are_counted_as_the_head_says(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Two words\n\nOne *more* [link](https://example.com/a b) | -- 3.\nIt ends here.\n<!-- not this -->\n"
        "```python\nnor = this\n```\n* An entry\n  of a list. `Code` counts.\n"
    )
    assert words(prose(page)) == [
        *("Two", "words", "One", "*more*", "[link]", "3.", "It", "ends", "here."),
        *("An", "entry", "of", "a", "list.", "`Code`", "counts."),
    ]
    assert [len(words(sentence)) for sentence in sentences(prose(page))] == [4, 3, 5, 2]
