"""Tokens and scopes as people paste them: from a browser's console, a header, an API client, or Microsoft's articles.

https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#obtain-an-authorization-token has a token
copied from the Fabric portal's console, which prints it in quotes, and names scopes without their resource.
"""

from __future__ import annotations

import re

_QUOTES = "\"'`"
_PREFIX = re.compile(r"(?:authorization\s*:\s*)?bearer(?:\s+|$)", re.IGNORECASE)
_PERMISSION = re.compile(r"\.default|user_impersonation|[A-Za-z]\w*(?:\.\w+)+")
"""The name of a delegated permission, without its resource."""
_SCOPE_SEPARATORS = re.compile(r"[\s,;]+")


def bare_token(text: str) -> str:
    """Return a token without what was pasted around it: quotes, ``Bearer``, ``Authorization:``, a final comma."""
    while True:
        bare = _PREFIX.sub("", text.strip().rstrip(",;"), count=1).strip()
        if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in _QUOTES:
            bare = bare[1:-1]
        if bare == text:
            return bare
        text = bare


def full_scopes(text: str, default: str) -> list[str]:
    """Return scopes with the resource that each is of.

    :param text: scopes, separated by spaces or commas; a bare name such as ``Item.ReadWrite.All`` is one of the
        resource of ``default``.
    :param default: a full scope, such as ``https://api.fabric.microsoft.com/.default``.
    """
    resource = default.rsplit("/", 1)[0]
    names = [name.strip("_*`\"'") for name in _SCOPE_SEPARATORS.split(text)]
    return [f"{resource}/{name}" if _PERMISSION.fullmatch(name) else name for name in names if name]
