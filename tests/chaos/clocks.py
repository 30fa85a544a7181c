"""Workers whose clocks are wrong: a library that Airflow's processes preload, and which a task's process sets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


def build(folder: Path) -> Path | None:
    """Return the library, ``None`` if there is no C compiler.

    :param folder: where to put it.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)], check=True)
    return library


def environment(library: Path | None) -> dict[str, str]:
    """Return what lets a process set its own clock, by the variable ``CHAOS_CLOCK`` of its environment."""
    return {} if library is None else {"LD_PRELOAD": str(library)}
