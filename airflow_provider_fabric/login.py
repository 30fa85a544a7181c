"""``fabric-login``: sign in as a user in a browser, and print the Airflow connection that results.

Dataflows may take users only, so a connection needs a refresh token of one. The device-code flow gets it without a
redirect or a web server (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code). Nothing is stored.
The refresh token is printed once: in the form that ``--format`` names; the other two forms hold a placeholder for it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from airflow_provider_fabric.api.auth.sign_in import device_sign_in
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricError

PLACEHOLDER = "<refresh-token>"

SCOPE = FabricSettings(conn_id="").scope


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: command-line arguments; those of the process by default.
    :returns: exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        token = device_sign_in(settings, lambda prompt: print(prompt, file=sys.stderr, flush=True))
    except FabricError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Nothing was stored.", file=sys.stderr)
        return 130
    print(render(connection_of(settings), token, options.format, options.conn_id))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fabric-login",
        description="Sign in as a user and print an Airflow connection for Microsoft Fabric.",
        epilog="The refresh token is printed once, and stored nowhere. Whoever has it can act as you.",
    )
    parser.add_argument("--tenant-id", required=True, help="Entra tenant id or domain")
    parser.add_argument("--client-id", required=True, help="application id; the app must allow public client flows")
    parser.add_argument("--conn-id", default="fabric_default", help="id of the connection (default: %(default)s)")
    parser.add_argument("--format", choices=list(_FORMS), default="json", help="which form holds the refresh token")
    parser.add_argument("--host", help="API root, if not Microsoft's public one")
    parser.add_argument("--authority", help="login host, if not Microsoft's public one")
    parser.add_argument("--scope", help=f"default: {SCOPE}")
    parser.add_argument("--verify", help="path of a CA bundle")
    parser.add_argument("--proxies", help='JSON, such as {"https": "http://proxy.example:3128"}')
    return parser


def _settings(options: argparse.Namespace) -> FabricSettings:
    names = ("tenant_id", "authority", "scope", "verify", "proxies")
    extra = {name: getattr(options, name) for name in names if getattr(options, name)}
    return FabricSettings.from_connection(
        options.conn_id,
        login=options.client_id,
        password=PLACEHOLDER,
        host=options.host,
        extra={**extra, "auth_type": "refresh_token"},
    )


def connection_of(settings: FabricSettings) -> dict[str, Any]:
    """Return the connection in Airflow's JSON form, with a placeholder for the refresh token.

    :param settings: what was signed in with; what is as by default is left out.
    """
    usual = FabricSettings(conn_id="")
    extra: dict[str, Any] = {"tenant_id": settings.tenant_id, "auth_type": settings.auth_type.value}
    for name in ("authority", "scope", "verify"):
        if getattr(settings, name) != getattr(usual, name):
            extra[name] = getattr(settings, name)
    if settings.proxies:
        extra["proxies"] = dict(settings.proxies)
    host = {"host": settings.host} if settings.host != usual.host else {}
    return {"conn_type": "fabric", "login": settings.client_id, "password": PLACEHOLDER, **host, "extra": extra}


def render(connection: Mapping[str, Any], token: str, chosen: str, conn_id: str) -> str:
    """Return the connection in all forms; one of them holds the refresh token, the others a placeholder.

    :param connection: see :func:`connection_of`.
    :param token: the refresh token.
    :param chosen: the form that holds it.
    :param conn_id: id of the connection.
    """
    others = [name for name in _FORMS if name != chosen]
    parts = [f"{_TITLES[chosen]}\n{_FORMS[chosen]({**connection, 'password': token}, conn_id)}"]
    parts += [f"{_TITLES[name]} (put the refresh token in)\n{_FORMS[name](connection, conn_id)}" for name in others]
    return "\n\n".join(parts)


def _as_json(connection: Mapping[str, Any], conn_id: str) -> str:
    return json.dumps(connection)


def _as_uri(connection: Mapping[str, Any], conn_id: str) -> str:
    user = f"{quote(connection['login'], safe='')}:{quote(connection['password'], safe='')}"
    host = quote(connection.get("host", ""), safe="")
    return f"fabric://{user}@{host}/?{urlencode({'__extra__': json.dumps(connection['extra'])})}"


def _as_command(connection: Mapping[str, Any], conn_id: str) -> str:
    return shlex.join(["airflow", "connections", "add", conn_id, "--conn-json", json.dumps(connection)])


_FORMS: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    "json": _as_json,
    "uri": _as_uri,
    "command": _as_command,
}
_TITLES = {
    "json": "As JSON, for AIRFLOW_CONN_… or a secrets backend:",
    "uri": "As a URI:",
    "command": "As a command:",
}

if __name__ == "__main__":
    sys.exit(main())
