"""Send Microsoft's host names to an emulator, for one process: Python imports this file when it starts.

Put this directory on ``PYTHONPATH`` and the emulator's port into ``FABRIC_EMULATOR_PORT``. Only the resolution of names
changes; TLS is verified as ever, against the emulator's certificate authority, whose certificate carries these names.
"""

from __future__ import annotations

import os
import socket

SUFFIXES = ("fabric.microsoft.com", "powerbi.com", "login.microsoftonline.com", "login.microsoft.com")
PORT = int(os.environ["FABRIC_EMULATOR_PORT"])
_getaddrinfo = socket.getaddrinfo


def _redirect(host, port, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    if name and any(name == suffix or name.endswith("." + suffix) for suffix in SUFFIXES):
        return _getaddrinfo("127.0.0.1", PORT, *args, **kwargs)
    if name in (None, "localhost", "127.0.0.1", "::1"):
        return _getaddrinfo(host, port, *args, **kwargs)
    raise socket.gaierror(socket.EAI_NONAME, f"{name} is not a name that this test redirects")


socket.getaddrinfo = _redirect
