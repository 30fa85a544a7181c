"""``python -m airflow_provider_fabric doctor|login|emulator``: the commands of this package by one name."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {"doctor": "doctor", "login": "login", "emulator": "emulator.__main__"}


def main() -> int:
    """Run the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        print(f"usage: python -m airflow_provider_fabric {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    del sys.argv[1]
    return int(import_module(f"airflow_provider_fabric.{COMMANDS[name]}").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
