"""Host names of addresses and of the header ``Host``, and which of them mean this machine."""

from __future__ import annotations

import ipaddress


def host_name(host: str) -> str:
    """Return the name in a ``Host`` header, without port and brackets, in lower case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def is_loopback(name: str) -> bool:
    """Say whether a name or an address means this machine for everybody who uses it.

    Names other than ``localhost`` do not count, whatever they resolve to: a web page can make its own name resolve to
    127.0.0.1.
    """
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
