"""A lock between processes: who holds it does the work that the others need once."""

from __future__ import annotations

import os
from contextlib import suppress

from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory

try:
    import fcntl
except ImportError:  # no locks on this system: everybody works alone
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """A lock by a name. It never blocks, and ends with the process that holds it.

    :param directory: where its file lies.
    :param name: of the file, without its ending.
    """

    def __init__(self, directory: PrivateDirectory, name: str) -> None:
        self._directory = directory
        self._name = name
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Try to take the lock. Where there can be no lock, nobody waits for one: it counts as taken."""
        if fcntl is None:
            return True
        try:
            if self._descriptor is None:
                self._descriptor = self._directory.open_lock(self._name)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            self.release()
        return True

    def release(self) -> None:
        """Let go of the lock, if it is held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # said, not left to close(): a forked child has the descriptor, too
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)
