"""The token of a workload identity: a file that Kubernetes, or whoever issues it, writes anew from time to time."""

from __future__ import annotations

from airflow_provider_fabric.api.auth.claims import is_json_web_token

MAX_CHARACTERS = 65536
"""Characters that are read."""


class FederatedTokenError(ValueError):
    """What is wrong with the file, as the end of a sentence that begins with the field's name."""


def load_federated_token(path: str) -> str:
    """Return the token in a file. Only what is shaped like a JSON web token is ever sent to a login host.

    :param path: of the file.
    :raises FederatedTokenError: it cannot be read, or holds something else; the text shows nothing of it.
    """
    try:
        with open(path, encoding="ascii") as file:
            token = file.read(MAX_CHARACTERS).strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise FederatedTokenError(f"names a file that cannot be read: {path!r} ({why})") from None
    if not token:
        raise FederatedTokenError(f"names an empty file: {path!r}")
    if not is_json_web_token(token):
        raise FederatedTokenError(f"names a file that holds no JSON web token: {path!r}")
    return token
