"""Where the link of a run leads."""

from __future__ import annotations

from airflow_provider_fabric.links import MICROSOFT_API_HOST, PORTAL, run_url


def test_the_runs_of_a_private_link_are_shown_in_the_portal() -> None:
    private = "https://0a1b2c.z0a.w.api.fabric.microsoft.com"
    assert run_url(private, "w", "i", "CopyJob", "j") == run_url(MICROSOFT_API_HOST, "w", "i", "CopyJob", "j")


def test_another_host_has_a_portal_of_its_own() -> None:
    assert not run_url("https://api.fabric.microsoft.com.example", "w", "i", "CopyJob").startswith(PORTAL)
