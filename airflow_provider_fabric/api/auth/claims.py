"""What an access token says of itself. Read, never verified: that is the service's part."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a JSON web token; nothing if it is not one.

    :param token: a token; Entra's are JSON web tokens, though its documentation promises that to the service only.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        content = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def expiry_of(token: str) -> float | None:
    """Return when a token expires, in epoch seconds; ``None`` if it does not say."""
    expiry = claims_of(token).get("exp")
    return float(expiry) if isinstance(expiry, int | float) and not isinstance(expiry, bool) else None


def audience_of(token: str) -> str | None:
    """Return what a token is for, as it says itself; ``None`` if it does not say."""
    audience = claims_of(token).get("aud")
    return audience if isinstance(audience, str) and audience else None
