"""Small files that the processes of one user on one host share: private, bounded, and never needed.

Each task of Airflow is a process of its own, so what one has learned is lost to the next unless it lies on disk. Only
what is no secret is kept here, and whoever reads it checks it. Whatever is wrong with the directory or with a file
(another user's, a link, open to others, damaged, too large), it counts as empty: one debug line says so, and the
caller does without.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.json_text import parse_json

log = logging.getLogger(__name__)

NAME = "airflow-provider-fabric"
"""Of our directory in the user's cache directory, or in the one that the connection names."""

MAX_BYTES = 4 * 2**20
"""Of one file; that is about 50,000 names."""

MAX_FILES = 512
"""Files of the directory; beyond that the oldest are deleted."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_said: set[str] = set()


class UnsafeError(OSError):
    """A file or a directory is not private to this user."""


class PrivateDirectory:
    """A directory of JSON files that this user alone can read and write.

    :param base: the directory in which it lies, and is made when the first file is written.
    """

    def __init__(self, base: str) -> None:
        self.path = os.path.join(base, NAME)

    def read(self, name: str) -> dict[str, Any]:
        """Return a file's content; an empty one if there is none that can be trusted to be ours."""
        try:
            with self._opened() as directory:
                content = parse_json(_read(name, directory))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _say_once(f"{self.path}: {name}", error)
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Replace a file, at once or not at all; what cannot be written is not kept."""
        temporary = f".{name}.{secrets.token_hex(8)}"
        try:
            text = json.dumps(content, separators=(",", ":")).encode()
            if len(text) > MAX_BYTES:
                raise UnsafeError(f"{len(text)} bytes are too many")
            with self._opened(make=True) as directory:
                try:
                    _write(temporary, text, directory)
                    os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
                except OSError:
                    with suppress(OSError):
                        os.unlink(temporary, dir_fd=directory)
                    raise
                _prune(directory)
        except (OSError, ValueError) as error:
            _say_once(f"{self.path}: {name}", error)

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(OSError), self._opened() as directory:
            os.unlink(name, dir_fd=directory)

    def open_lock(self, name: str) -> int:
        """Open the file whose lock stands for a name, made if need be, and return its descriptor.

        :raises OSError: there is none that can be trusted to be ours.
        """
        with self._opened(make=True) as directory:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(f"{name}.lock", flags, 0o600, dir_fd=directory)
        try:
            _require_private(os.fstat(descriptor), stat.S_ISREG)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[int]:
        """Open the directory, checked: what is done by its descriptor cannot be led elsewhere meanwhile."""
        if not hasattr(os, "geteuid") or os.open not in os.supports_dir_fd:
            raise UnsafeError("this system has no owners of files")
        if make:
            with suppress(FileExistsError):
                os.makedirs(self.path, mode=0o700)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _require_private(os.fstat(descriptor), stat.S_ISDIR)
            yield descriptor
        finally:
            os.close(descriptor)


def cache_directory(settings: FabricSettings) -> PrivateDirectory | None:
    """Return the directory that a connection's processes share; ``None`` if it is switched off or there is none."""
    if settings.local_cache is False:
        return None
    if isinstance(settings.local_cache, str):
        return PrivateDirectory(os.path.expanduser(settings.local_cache))
    base = os.environ.get("XDG_CACHE_HOME", "")  # https://specifications.freedesktop.org/basedir-spec
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return PrivateDirectory(base) if os.path.isabs(base) else None


def _read(name: str, directory: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        _require_private(status, stat.S_ISREG)
        if status.st_size > MAX_BYTES:
            raise UnsafeError(f"{status.st_size} bytes are too many")
        return file.read(MAX_BYTES)


def _write(name: str, text: bytes, directory: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "wb") as file:
        file.write(text)


def _require_private(status: os.stat_result, is_kind: Any) -> None:
    """Refuse what is not of the kind that is expected, not this user's, or open to others.

    :raises UnsafeError: it is.
    """
    if not is_kind(status.st_mode):
        raise UnsafeError("it is no file or directory of ours")
    if status.st_uid != os.geteuid():
        raise UnsafeError(f"it belongs to user {status.st_uid}")
    if status.st_mode & _OTHERS:
        raise UnsafeError(f"others may use it (mode {stat.S_IMODE(status.st_mode):o})")


def _prune(directory: int) -> None:
    """Delete the oldest files beyond what is kept."""
    names = os.listdir(directory)
    if len(names) <= MAX_FILES:
        return
    ages = []
    for name in names:
        with suppress(OSError):
            ages.append((os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime, name))
    for _, name in sorted(ages)[: len(names) - MAX_FILES * 3 // 4]:
        with suppress(OSError):
            os.unlink(name, dir_fd=directory)


def _say_once(what: str, error: Exception) -> None:
    if what not in _said and len(_said) < MAX_FILES:
        _said.add(what)
        log.debug("Not used as a local cache: %s (%s: %s)", what, type(error).__name__, error)
