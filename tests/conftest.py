"""What all tests share: an Airflow without a home of its own or a scheduler's pauses, and how they run side by side.

``make test`` runs several processes (pytest-xdist), because most of the time the tests wait for real clocks. A file's
tests stay together; all tests of the one real Airflow do, and begin first, since they take longest.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

# Imported here, where Airflow's own warnings about itself fail no test.
from airflow_provider_fabric import compat_tasks
from airflow_provider_fabric.compat import BaseHook, BaseSensorOperator  # noqa: F401
from tests.conformance.figures import FIGURES
from tests.variables import Variables

os.environ.setdefault("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")  # see compat.settling_seconds


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache directory of this test's own: it remembers nothing of other tests."""
    home = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home


END_TO_END = "tests/e2e/"
OF_THEIR_OWN = ("tests/e2e/test_demo.py", "tests/e2e/test_wheel.py")
"""These share no Airflow with the others."""
EACH_ALONE = ("tests/contract/test_job_events.py",)
"""A test of these files waits for clocks for most of its time, and shares nothing with the next one."""


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    """Stand in for Airflow's variables in this process: there is no Airflow around most tests' tasks."""
    stand_in = Variables()
    monkeypatch.setattr(compat_tasks, "_variables", lambda: stand_in)
    return stand_in


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest begin first."""
    items.sort(key=lambda item: (_work(item.nodeid) != END_TO_END, not item.nodeid.startswith(END_TO_END)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Say which tests share a process."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        """A file at a time, as a rule; all files of the real Airflow as one."""

        def _split_scope(self, nodeid: str) -> str:
            return _work(nodeid)

    config.option.loadscopereorder = False
    return ByFile(config, log)


def _work(nodeid: str) -> str:
    """Return what a test belongs to."""
    file = nodeid.partition("::")[0]
    if file in EACH_ALONE:
        return nodeid
    return END_TO_END if file.startswith(END_TO_END) and file not in OF_THEIR_OWN else file


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand on what this process has compared."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = FIGURES.to_state()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a process of the tests has compared."""
    FIGURES.add(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was compared with what Microsoft publishes."""
    lines = FIGURES.lines()
    if lines:
        terminalreporter.section("conformance with what Microsoft publishes")
        for line in lines:
            terminalreporter.write_line(line)
