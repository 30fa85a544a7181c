"""Where msal looks for the identity of a virtual machine, in tests."""

from __future__ import annotations

from importlib.metadata import version

import pytest


def redirect_metadata(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let msal ask for a virtual machine's managed identity at an address of ours.

    msal before 1.32 knows only the machine's fixed address (169.254.169.254), which no test may call.
    """
    if tuple(map(int, version("msal").split(".")[:2])) < (1, 32):
        pytest.skip("this msal asks the fixed address of a virtual machine")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", address)
