"""``make dist``: wheel and sdist, built twice from what is committed, equal byte by byte, and checked by twine.

Nothing outside the commit can leak into them: they are built from ``git archive``, with the commit's time as
``SOURCE_DATE_EPOCH``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def build(source: Path, target: Path, epoch: str) -> dict[str, str]:
    """Build both, without an index; return their SHA-256 by name."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "random"}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(target.iterdir())}


def export(revision: str, target: Path) -> str:
    """Unpack a commit, and return its time."""
    archive = target.with_suffix(".tar")
    subprocess.run(["git", "archive", "--output", str(archive), revision], cwd=REPOSITORY, check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(target)  # noqa: S202 - our own commit
    command = ["git", "show", "--no-patch", "--format=%ct", revision]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Build twice in different directories, compare, check, leave them in ``dist/``."""
    with tempfile.TemporaryDirectory() as directory:
        one, two = Path(directory, "one"), Path(directory, "elsewhere", "two")
        two.parent.mkdir()
        epochs = {export("HEAD", one), export("HEAD", two)}
        first = build(one, Path(directory, "dist-one"), *epochs)
        second = build(two, Path(directory, "dist-two"), *epochs)
        if first != second:
            print(f"make dist: the builds differ: {first} {second}", file=sys.stderr)
            return 1
        files = [str(file) for file in sorted(Path(directory, "dist-one").iterdir())]
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
        shutil.rmtree(REPOSITORY / "dist", ignore_errors=True)
        shutil.copytree(Path(directory, "dist-one"), REPOSITORY / "dist")
    for name, digest in first.items():
        print(f"{digest}  dist/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
