"""Text that came from outside, made fit for a log line, an exception and an XCom: one line, bounded, without a token.

A service, a proxy or a library may hand anything back: line breaks and terminal escapes that fake other log lines, a
megabyte of HTML, the request's own ``Authorization`` header.
"""

from __future__ import annotations

import re

MAX_MESSAGE = 2000
"""Characters of a message in an exception, an event or an XCom."""
MAX_CODE = 200
"""Characters of a code or an id."""

REDACTED = "***"
_SECRETS = re.compile(
    r"""(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}   # a header's value
      | \beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,4}           # a JSON web token, or what is left of one
      | \beyJ[A-Za-z0-9_-]{40,}""",
    re.IGNORECASE | re.VERBOSE,
)
_MUCH = 200_000
"""Characters that are read at most: what is shown is far shorter."""


def one_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return a text as one line: spaces for line breaks, escapes for control characters, no token, bounded.

    :param text: what came from outside.
    :param limit: characters at most; what is too long loses its middle, so that beginning and end stay.
    """
    if len(text) > _MUCH:
        text = f"{text[: _MUCH // 2]} … {text[-_MUCH // 2 :]}"
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return shorten(redact_tokens(text), limit)


def redact_tokens(text: str) -> str:
    """Return a text without what looks like a bearer token."""
    return _SECRETS.sub(lambda match: (match["scheme"] or "") + REDACTED, text)


def shorten(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` characters; one that is longer loses its middle."""
    if len(text) <= limit:
        return text
    if limit < 40:
        return f"{text[: max(0, limit - 1)]}…"
    mark = f" … {len(text) - limit} characters left out … "
    kept = limit - len(mark)
    head = kept * 2 // 3
    return f"{text[:head]}{mark}{text[len(text) - (kept - head) :]}"


def _shown(character: str) -> str:
    """Return a character, or its escape: controls, marks that turn the direction of text, halves of characters."""
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
