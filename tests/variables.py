"""Airflow's variables, for tests that have no Airflow around them."""

from __future__ import annotations

import json
from typing import Any


class Variables:
    """Airflow's variables, as a task of any Airflow reads and writes them."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, *, deserialize_json: bool, default: Any = None, default_var: Any = None) -> Any:
        """Return a value."""
        return json.loads(self.values[key]) if key in self.values else default or default_var

    def set(self, key: str, value: Any, description: str, serialize_json: bool) -> None:
        """Write a value."""
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """Delete a value."""
        del self.values[key]
