"""``fabric-emulator``: the emulator as a command."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.emulator.errors import ServiceError

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.server import FabricEmulator

DESCRIPTION = """\
An emulator of Microsoft Fabric and Entra sign-in on one https port.

It prints the path of its CA bundle and an Airflow connection, ready to paste; lines that begin with
"ca_bundle: " and "connection: " are meant for scripts. With --data-dir the certificate authority, the ids and the
client secret are kept there (ca.pem, connection.json), so connections stay valid over restarts. Workspaces, items and
jobs live in memory only: a restart begins with the seeded workspace."""

OPTIONS = {
    "--retry-after": ("retry_after_seconds", float, "Retry-After of 202 answers, in service seconds"),
    "--job-seconds": ("job_seconds", float, "how long a job runs, in service seconds"),
    "--lro-seconds": ("lro_seconds", float, "how long an operation runs, in service seconds"),
    "--time-scale": ("time_scale", float, "divisor of all service durations, e.g. 10"),
    "--page-size": ("page_size", int, "entries of a page"),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        "fabric-emulator", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8443, help="0 picks a free port (default: %(default)s)")
    parser.add_argument("--data-dir", help="where certificates and ids are kept (default: a temporary directory)")
    parser.add_argument("--config", default="{}", help="settings as JSON, as POST /_emulator/config takes them")
    parser.add_argument(
        "--control",
        action="store_true",
        default=None,
        help="control endpoints also beyond loopback addresses; calls need the control_token that is printed then",
    )
    for flag, (name, kind, text) in OPTIONS.items():
        parser.add_argument(flag, dest=name, type=kind, help=text)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    :returns: 0 after Ctrl-C or SIGTERM, 2 when it could not start.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        from airflow_provider_fabric.emulator.server import FabricEmulator
    except ImportError as problem:
        return _complain(f"{problem}. Install the extra: pip install 'airflow-provider-fabric[emulator]'")
    try:
        settings = _settings(options)
        emulator = FabricEmulator(options.host, options.port, options.data_dir, control=options.control, **settings)
        emulator.start()
    except (ValueError, TypeError) as problem:
        return _complain(f"the settings cannot be read: {problem}")
    except ServiceError as problem:
        return _complain(str(problem.more_details[0]["message"]))
    except (OSError, OverflowError) as problem:
        return _complain(f"cannot listen on {options.host}:{options.port}: {problem}")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    _announce(emulator)
    stopped.wait()
    emulator.stop()
    return 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    settings = json.loads(options.config)
    if not isinstance(settings, dict):
        raise ValueError("--config must be a JSON object")
    for name, _, _ in OPTIONS.values():
        if getattr(options, name) is not None:
            settings[name] = getattr(options, name)
    return settings


def _announce(emulator: FabricEmulator) -> None:
    lines = (
        f"url: {emulator.url}",
        f"ca_bundle: {emulator.ca_bundle}",
        *([f"control_token: {emulator.control_token}"] if emulator.control_token else []),
        f"workspace: Emulator workspace ({emulator.workspace_id})",
        f"connection: {emulator.connection_json}",
        f"export AIRFLOW_CONN_FABRIC_DEFAULT='{emulator.connection_json}'",
        "Press Ctrl-C to stop.",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _complain(text: str) -> int:
    sys.stderr.write(f"fabric-emulator: {text}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
