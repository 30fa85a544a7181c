"""The token in use is taken out of whatever a service or a proxy hands back, before anything reads it."""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from urllib.parse import quote

REDACTED = "***"
_ASCII_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_LEAST = 8
"""Characters of a token that is worth hiding; hiding a shorter one would damage texts."""


@lru_cache(maxsize=64)
def _forms(token: str) -> tuple[str, ...]:
    """Return how a token may be written: as it is, in a URL, in HTML, in JSON."""
    in_json = json.dumps(token)[1:-1]
    forms = (token, quote(token, safe=""), quote(token), html.escape(token), in_json, in_json.replace("/", "\\/"))
    return tuple(dict.fromkeys(forms)) if len(token) >= _LEAST else ()


def redact_text(text: str, token: str) -> str:
    """Return a text without the token."""
    for form in _forms(token):
        if form in text:
            text = text.replace(form, REDACTED)
    return text


def redact_body(body: bytes, token: str) -> bytes:
    """Return a body without the token, also where JSON writes its characters as ``\\u0065``."""
    if len(body) < _LEAST:
        return body
    for form in _forms(token):
        written = form.encode("utf-8", "replace")
        if written in body:
            body = body.replace(written, REDACTED.encode())
    if b"\\u00" in body and len(token) >= _LEAST:
        plain = _ASCII_ESCAPE.sub(_unescaped, body)
        if token.encode("utf-8", "replace") in plain:
            return redact_body(plain, token)
    return body


def _unescaped(match: re.Match[bytes]) -> bytes:
    character = bytes([int(match[1], 16)])
    return match[0] if character in b'"\\\x7f' else character
