"""``make test-all``: the suites on every supported Airflow and Python, and once on the oldest libraries we allow.

::

    python -m devtools.release.matrix                         every cell whose interpreter is here
    python -m devtools.release.matrix --cell 3.3.2/3.13       one cell; repeat it
    python -m devtools.release.matrix --write                 also write the table into docs/compatibility.md

The matrix takes hours, so what came of a cell is kept, and the table shows the last run of each.

A cell is an Airflow version and a Python version, read from the headers of ``constraints/``; the lowest cell is the
lowest Airflow on its lowest Python with the lowest versions that pyproject.toml allows. Each has an environment of its
own, ``.venv-<airflow>-<python>``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "build" / "matrix" / "results.json"
PAGE = REPOSITORY / "docs" / "compatibility.md"
MARKED = re.compile(r"(<!-- matrix -->\n).*?(<!-- end matrix -->)", re.DOTALL)
LOWEST = "lowest"
SUITES = ("tests/unit", "tests/contract")
END_TO_END = ("tests/e2e/test_example_dag.py", "tests/e2e/test_example_dags.py", "tests/e2e/test_lineage.py")
"""Under a real scheduler and triggerer, once for each Airflow."""
PROCESSES = "4"
"""Of the tests: they wait more than they compute."""
AIRFLOWS_OWN = ("flask-jwt-extended<4.7.2",)
"""What shares a library with us in Airflow 2, and has to step back with it: 4.7.3 needs a newer PyJWT than it says."""


@dataclass(frozen=True)
class Cell:
    """One environment.

    :param airflow: version of Airflow.
    :param python: ``X.Y``.
    :param lowest: with the lowest direct dependencies instead of the constraints.
    :param end_to_end: also the tests that need a real Airflow.
    """

    airflow: str
    python: str
    lowest: bool = False
    end_to_end: bool = False

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"{self.airflow}/{self.python}{'/lowest' if self.lowest else ''}"

    @property
    def folder(self) -> Path:
        """Its environment."""
        return REPOSITORY / f".venv-{self.airflow}-{self.python}{'-lowest' if self.lowest else ''}"


def commit() -> str:
    """Return what is checked out, in short."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()


@dataclass(frozen=True)
class Row:
    """What became of a cell."""

    cell: Cell
    result: str
    seconds: float
    day: str = field(default_factory=lambda: f"{datetime.now(timezone.utc):%Y-%m-%d}")
    commit: str = field(default_factory=commit)

    @property
    def good(self) -> bool:
        """Nothing failed."""
        return " failed" not in self.result and " error" not in self.result and " passed" in self.result


def cells() -> Iterator[Cell]:
    """Yield every cell: the end-to-end tests run on the newest Python of each Airflow."""
    lowest = None
    for file in sorted((REPOSITORY / "constraints").glob("airflow-*.txt"), key=lambda file: _version(file.stem[8:])):
        header = re.match(r"# Apache Airflow (\S+) on Python (.*?)\. ", file.read_text())
        assert header is not None, file  # noqa: S101 - devtools/release/constraints.py writes it
        pythons = header[2].split(", ")
        lowest = lowest or Cell(header[1], pythons[0], lowest=True)
        yield from (Cell(header[1], python, end_to_end=python == pythons[-1]) for python in pythons)
    if lowest is not None:
        yield lowest


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def interpreter(python: str) -> str | None:
    """Return an interpreter of that version: on the PATH, or among pyenv's."""
    candidates = [shutil.which(f"python{python}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += [str(path) for path in sorted(pyenv.glob(f"versions/{python}.*/bin/python"), reverse=True)]
    for candidate in filter(None, candidates):
        answer = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.startswith(f"Python {python}."):
            return candidate
    return None


def lowest_requirements() -> list[str]:
    """Return our own dependencies at the lowest versions that pyproject.toml allows."""
    project = _toml().loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["emulator"]]
    return [text.replace(">=", "==") for text in declared if not text.startswith("apache-airflow")]


def _toml() -> Any:
    """Return the reader of TOML: of Python 3.11, or the one that pytest brings before that."""
    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def prepare(cell: Cell, python: str) -> None:
    """Make or renew the environment of a cell."""
    install = [str(cell.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = ["sh", "devtools/environment.sh", python, cell.airflow, cell.folder.name]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    if cell.lowest:
        subprocess.run([*install, *lowest_requirements(), *AIRFLOWS_OWN], cwd=REPOSITORY, check=True)


def run(cell: Cell) -> Row:
    """Run the suites in a cell."""
    python = interpreter(cell.python)
    if python is None:
        return Row(cell, f"left out: no Python {cell.python} here", 0)
    start = time.monotonic()
    try:
        prepare(cell, python)
    except subprocess.CalledProcessError as error:
        return Row(cell, f"error: {error}", time.monotonic() - start)
    paths = [*SUITES, *(END_TO_END if cell.end_to_end else ())]
    log = REPOSITORY / "build" / "matrix" / f"{cell.folder.name.removeprefix('.venv-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    home = log.with_suffix(".home")
    with log.open("w") as out:
        subprocess.run(
            [
                str(cell.folder / "bin" / "python"),
                "-m",
                "pytest",
                "-q",
                "-n",
                PROCESSES,
                "-p",
                "no:cacheprovider",
                "--basetemp",  # of its own: pytest tidies its usual one up, whoever uses it still
                str(log.with_suffix(".tmp")),
                *paths,
            ],
            cwd=REPOSITORY,
            env=os.environ | {"AIRFLOW_HOME": str(home)},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    for left in (home, log.with_suffix(".tmp")):
        shutil.rmtree(left, ignore_errors=True)
    result = summary(log.read_text())
    return Row(cell, result if cell.end_to_end is False else f"{result}, end to end too", time.monotonic() - start)


def summary(printed: str) -> str:
    """Return what pytest says last, which Airflow's deprecations may follow."""
    said = re.findall(r"^=* ?(\d+ (?:passed|failed|error|skipped).*?) in [\d.]+s", printed, re.MULTILINE)
    return said[-1] if said else "error: pytest did not end"


def keep(row: Row) -> None:
    """Remember what came of a cell."""
    rows = {known.cell.name: known for known in [*kept(), row]}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(
        json.dumps({name: [row.result, row.seconds, row.day, row.commit] for name, row in rows.items()}, indent=1)
    )


def kept() -> list[Row]:
    """Return what came of each cell when it was run last, in order."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return [Row(cell, *known[cell.name]) for cell in cells() if cell.name in known]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown; Pythons of one Airflow with the same result share one."""
    lines = [
        "| Airflow | Python | Result | Day | Commit |",
        "| --- | --- | --- | --- | --- |",
    ]
    same: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        python = f"{row.cell.python}, the lowest libraries" if row.cell.lowest else row.cell.python
        same.setdefault((row.cell.airflow, row.result, row.day, row.commit), []).append(python)
    for (airflow, *others), pythons in same.items():
        lines.append(f"| {' | '.join([airflow, ', '.join(pythons), *others])} |")
    return "\n".join(lines)


def write(rows: Sequence[Row]) -> None:
    """Put the table into the documentation."""
    where = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores."
    PAGE.write_text(MARKED.sub(lambda found: f"{found[1]}{where}\n\n{table(rows)}\n{found[2]}", PAGE.read_text()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cells one after the other, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", action="append", help="airflow/python, as 3.3.2/3.13; repeat it (default: all)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/compatibility.md")
    arguments = parser.parse_args(argv)
    everything = {cell.name: cell for cell in cells()}
    unknown = set(arguments.cell or ()) - set(everything)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(everything)}")
    rows = []
    for name in arguments.cell or everything:
        rows.append(run(everything[name]))
        keep(rows[-1])
        print(f"{name}: {rows[-1].result} ({rows[-1].seconds / 60:.1f} min)", flush=True)
    print(f"\n{table(rows)}")
    if arguments.write:
        write(kept())
    ran = [row for row in rows if not row.result.startswith("left out")]
    return 0 if ran and all(row.good for row in ran) else 1


if __name__ == "__main__":
    sys.exit(main())
