"""A task that stops between its run's end and its own, for somebody to kill it there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

HOLD_SECONDS = 600


class HoldAtEnd:
    """Stops the first try once its run is over: Airflow's ``post_execute``.

    :param sign: path of the file by which it says so.
    """

    def __init__(self, sign: str) -> None:
        self.sign = Path(sign)

    def __call__(self, context: Any, result: Any = None) -> None:
        """Say so, and wait."""
        if context["ti"].try_number == 1:
            self.sign.touch()
            time.sleep(HOLD_SECONDS)
