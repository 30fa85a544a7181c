"""Write ``constraints/airflow-<version>.txt``: one file per Airflow version, for every Python it supports here.

::

    python -m devtools.release.constraints 3.3.2 --python python3.10 --python python3.13

Each interpreter resolves the project with all its extras and the tools of the tests, beside that Airflow, without
installing anything (``pip install --dry-run --report``). With ``--keep`` what the file pins already stays as it is, so
that a new dependency moves nothing else. What all interpreters agree on is written plainly; where they
differ, the lines carry a ``python_version`` marker. The files name no host: pip finds packages where it is configured.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = "airflow-provider-fabric"
BESIDE = ("psycopg2-binary", "asyncpg", "apache-airflow-providers-celery", "celery<5.7", "redis")
"""Not dependencies of ours, but pinned too: the reliability tests run Airflow on PostgreSQL and on Celery.

Celery 5.7 lost a name that the executor's module imports (apache-airflow-providers-celery 3.13.1).
"""

TOO_NEW = {"3.1.8": ("sqlalchemy<2.1",)}
"""What a version of Airflow allows, but was made before: 3.1's models warn when SQLAlchemy 2.1 configures them."""

Pins = dict[str, str]


def normalise(name: str) -> str:
    """Return the name as package indexes compare it (https://peps.python.org/pep-0503/#normalized-names)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolve(python: str, airflow: str, requirements: Sequence[str], kept: Path | None = None) -> tuple[str, Pins]:
    """Return (``X.Y`` of the interpreter, the versions pip would install).

    :param kept: a constraints file whose pins stay.
    """
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as directory:
        # A fresh environment: the answer must not depend on what the interpreter happens to carry.
        subprocess.run([python, "-m", "venv", directory], check=True)
        report = Path(directory, "report.json")
        inside = str(Path(directory, "bin", "python"))
        subprocess.run([inside, "-m", "pip", "install", "--quiet", "--upgrade", "pip"], check=True)
        command = [inside, "-m", "pip", "install", "--quiet", "--dry-run", "--report", str(report)]
        command += ["--constraint", str(kept)] if kept is not None else []
        subprocess.run([*command, f"apache-airflow=={airflow}", *requirements], check=True, cwd=REPOSITORY)
        installs = json.loads(report.read_text())["install"]
    pins = {normalise(entry["metadata"]["name"]): entry["metadata"]["version"] for entry in installs}
    pins.pop(PROJECT, None)
    return version, pins


def merge(by_python: Mapping[str, Pins]) -> list[str]:
    """Return the lines that say for every interpreter what it resolved, and no more.

    >>> merge({"3.10": {"a": "1", "b": "1"}, "3.11": {"a": "1", "b": "2"}})
    ['a==1', "b==1 ; python_version == '3.10'", "b==2 ; python_version == '3.11'"]
    """
    lines: list[str] = []
    for name in sorted({name for pins in by_python.values() for name in pins}):
        pythons: dict[str, list[str]] = {}
        for python, pins in by_python.items():
            if name in pins:
                pythons.setdefault(pins[name], []).append(python)
        if len(pythons) == 1:
            lines.append(f"{name}=={next(iter(pythons))}")
            continue
        for version, where in pythons.items():
            marker = " or ".join(f"python_version == '{python}'" for python in where)
            lines.append(f"{name}=={version} ; {marker}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Resolve for every interpreter given, at once, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("airflow", help="Airflow version, as 3.3.2")
    parser.add_argument("--python", action="append", help="an interpreter; repeat it (default: this one)")
    parser.add_argument("--requirement", action="append", help="instead of the project with all its extras")
    parser.add_argument("--keep", action="store_true", help="move nothing that the file pins already")
    arguments = parser.parse_args(argv)
    requirements = [
        *(arguments.requirement or [".[emulator,dev]"]),
        *BESIDE,
        *TOO_NEW.get(arguments.airflow, ()),
    ]
    pythons = arguments.python or [sys.executable]
    target = REPOSITORY / "constraints" / f"airflow-{arguments.airflow}.txt"
    kept = target if arguments.keep else None
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda python: resolve(python, arguments.airflow, requirements, kept), pythons))
    by_python = dict(sorted(answers, key=lambda answer: [int(part) for part in answer[0].split(".")]))
    target.parent.mkdir(exist_ok=True)
    header = [
        f"# Apache Airflow {arguments.airflow} on Python {', '.join(by_python)}. By devtools.release.constraints.",
        f"# python -m devtools.release.constraints {arguments.airflow} --python python3.X ...",
    ]
    target.write_text("\n".join([*header, *merge(by_python)]) + "\n")
    print(f"{target.relative_to(REPOSITORY)}: {', '.join(f'{p} {len(pins)}' for p, pins in by_python.items())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
