"""An environment with Microsoft's own clients of Fabric, beside ours: what they pin may clash with what Airflow pins.

It lies in ``.venv-clients``, is made when it is first asked for (some 20 seconds) and made anew when
``constraints/microsoft-clients.txt`` or the interpreter change.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONSTRAINTS = REPOSITORY / "constraints" / "microsoft-clients.txt"
ENVIRONMENT = REPOSITORY / ".venv-clients"
CLIENTS = ("microsoft-fabric-api", "ms-fabric-cli", "fabric-cicd")


def environment() -> Path:
    """Return the directory of the programs, after making the environment if need be.

    :raises subprocess.CalledProcessError: pip could not install the clients; it has said why.
    """
    ENVIRONMENT.mkdir(exist_ok=True)
    with (ENVIRONMENT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = ENVIRONMENT / "made-for"
        wanted = f"{sys.version} {hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()}"
        if not stamp.exists() or stamp.read_text() != wanted:
            _make()
            stamp.write_text(wanted)
    return ENVIRONMENT / "made" / "bin"


def _make() -> None:
    made = ENVIRONMENT / "made"
    shutil.rmtree(made, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    inside = str(made / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", inside, "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--constraint", str(CONSTRAINTS), *CLIENTS], check=True)


if __name__ == "__main__":
    print(environment())
