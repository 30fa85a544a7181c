"""What an access token says of itself. Read, never verified: that is the service's part."""

from __future__ import annotations

import base64
import re
from typing import Any

from airflow_provider_fabric.api.json_text import parse_json

_SHAPE = re.compile(r"[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}")
_LONGEST = 32_768
_END_OF_TIME = 2.0**37
"""Epoch seconds, in the year 6325: what is later is no time."""


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a JSON web token; nothing if it is not one.

    :param token: a token; Entra's are JSON web tokens, though its documentation promises that to the service only.
    """
    parts = token.split(".")
    return _object_in(parts[1]) if len(parts) == 3 else {}


def is_json_web_token(text: str) -> bool:
    """Whether a text is shaped like a signed JSON web token: header with an ``alg``, claims, signature."""
    if len(text) > _LONGEST or _SHAPE.fullmatch(text) is None:
        return False
    header, claims, _ = text.split(".")
    return isinstance(_object_in(header).get("alg"), str) and bool(_object_in(claims))


def _object_in(part: str) -> dict[str, Any]:
    """Return the JSON object that a part of a token holds; nothing if it holds none."""
    try:
        content = parse_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:  # binascii.Error is one
        return {}
    return content if isinstance(content, dict) else {}


def expiry_of(token: str) -> float | None:
    """Return when a token expires, in epoch seconds; ``None`` if it does not say."""
    expiry = claims_of(token).get("exp")
    if not isinstance(expiry, int | float) or isinstance(expiry, bool):
        return None
    return float(expiry) if 0 <= expiry < _END_OF_TIME else None


def audience_of(token: str) -> str | None:
    """Return what a token is for, as it says itself; ``None`` if it does not say."""
    audience = claims_of(token).get("aud")
    return audience if isinstance(audience, str) and audience else None
