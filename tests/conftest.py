"""What all tests share: an Airflow without a home of its own, and without pauses that only a scheduler needs."""

from __future__ import annotations

import os

os.environ.setdefault("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")  # see compat.settling_seconds
