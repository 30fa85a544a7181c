"""A headless Chromium, driven over the W3C WebDriver protocol: what a person sees and clicks, and pictures of it.

Debian's packages ``chromium`` and ``chromium-driver`` are all it needs; chromedriver is an HTTP server, and these are
the ten commands of https://www.w3.org/TR/webdriver2/ that the project uses.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from devtools.airflow.processes import LOOPBACK, free_port

PROGRAMS = ("chromium", "chromedriver")
MISSING = "no chromium and chromedriver here; Debian and Ubuntu: apt-get install chromium chromium-driver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
START_SECONDS = 60.0
COMMAND_SECONDS = 120.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference, fixed by the standard."""


class BrowserError(RuntimeError):
    """A command that the browser refused."""


def is_installed() -> bool:
    """Say whether there is a browser to drive."""
    return all(shutil.which(program) for program in PROGRAMS)


class Browser:
    """A browser with one window and a profile of its own, for the length of a ``with`` block.

    :param size: width and height of the page, in pixels.
    :param dark: whether pages are asked for their dark colours.
    :raises BrowserError: when it is not installed, or does not start.
    """

    def __init__(self, size: tuple[int, int] = (1280, 800), *, dark: bool = False) -> None:
        self._size = size
        self._flags = [*FLAGS, *(["--force-dark-mode"] if dark else [])]
        self._profile = Path(tempfile.mkdtemp(prefix="chromium-"))
        self._driver: subprocess.Popen[bytes] | None = None
        self._root = ""
        self._http = requests.Session()
        self._http.trust_env = False  # loopback; no proxy of the environment

    def __enter__(self) -> Browser:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        if not is_installed():
            raise BrowserError(MISSING)
        port = free_port()
        self._driver = subprocess.Popen(
            [str(shutil.which("chromedriver")), f"--port={port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._root = f"http://{LOOPBACK}:{port}"
        wait_until(self._driver_answers, START_SECONDS, "chromedriver answers")
        options = {"binary": shutil.which("chromium"), "args": [*self._flags, f"--user-data-dir={self._profile}"]}
        # The emulator's certificate authority is a throw-away one: this browser, and nothing else, takes any.
        wanted = {
            "acceptInsecureCerts": True,
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self._command("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._root += f"/session/{session['sessionId']}"
        self.resize(*self._size)

    def _driver_answers(self) -> bool:
        try:
            return bool(self._http.get(f"{self._root}/status", timeout=5).json()["value"]["ready"])
        except requests.RequestException:
            return False

    def close(self) -> None:
        """End the browser and its driver, and remove the profile."""
        if "/session/" in self._root:
            with contextlib.suppress(BrowserError, requests.RequestException):
                self._command("DELETE", "")
        if self._driver is not None:
            self._driver.terminate()
            self._driver.wait(10)
        self._http.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def resize(self, width: int, height: int) -> None:
        """Give the page a size: to the window's, its frame is added."""
        frame = self.run("return [outerWidth - innerWidth, outerHeight - innerHeight]")
        self._command("POST", "/window/rect", {"width": width + frame[0], "height": height + frame[1]})

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._command("POST", "/url", {"url": address})

    @property
    def address(self) -> str:
        """Where the window is now."""
        return str(self._command("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script's body in the page and return what it returns."""
        return self._command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str = "body") -> str:
        """Return the text that is seen in the first element of a CSS selector; empty when there is none."""
        seen = "const node = document.querySelector(arguments[0]); return node?.checkVisibility() ? node.innerText : ''"
        return str(self.run(seen, selector))

    def click(self, xpath: str, timeout: float = 60.0) -> None:
        """Click an element as a mouse does, once it is there."""
        self._on_element(xpath, "/click", {}, timeout)

    def type(self, xpath: str, text: str, timeout: float = 60.0) -> None:
        """Type into an element, once it is there."""
        self._on_element(xpath, "/value", {"text": text}, timeout)

    def _on_element(self, xpath: str, action: str, body: dict[str, Any], timeout: float) -> None:
        def done() -> bool:
            try:
                found = self._command("POST", "/element", {"using": "xpath", "value": xpath})
                self._command("POST", f"/element/{found[ELEMENT]}{action}", body)
            except BrowserError:
                return False
            return True

        wait_until(done, timeout, f"{action} on {xpath}")

    def press(self, key: str) -> None:
        """Press a key where the focus is; special ones have code points of their own in the standard."""
        strokes = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._command("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def console(self) -> list[dict[str, Any]]:
        """Return what has been written to the console since the last call (chromedriver's own command)."""
        return list(self._command("POST", "/se/log", {"type": "browser"}))

    def wait_for(self, text: str, timeout: float = 60.0, selector: str = "body") -> None:
        """Wait until a text is seen."""
        wait_until(lambda: text in self.text(selector), timeout, f"{text!r} seen in {selector} of {self.address}")

    def use_newest_window(self, timeout: float = 60.0) -> None:
        """Go on in the window that a link has opened."""
        wait_until(lambda: len(self._windows()) > 1, timeout, "a second window")
        self._command("POST", "/window", {"handle": self._windows()[-1]})

    def _windows(self) -> list[str]:
        return list(self._command("GET", "/window/handles"))

    def screenshot(self, file: Path, selector: str | None = None) -> Path:
        """Write a picture as PNG, of the window's contents or of the element of a CSS selector."""
        element = None
        if selector is not None:
            element = self._command("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        picture = self._command("GET", "/screenshot" if element is None else f"/element/{element}/screenshot")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(picture))
        return file

    def _command(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, self._root + path, json=body, timeout=COMMAND_SECONDS)
        value = answer.json()["value"]
        if not answer.ok:
            raise BrowserError(f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}")
        return value


def wait_until(predicate: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait until the predicate holds.

    :raises TimeoutError: naming what was waited for.
    """
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.2)
