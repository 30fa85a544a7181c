"""What the suite has compared, for the lines it prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conformance.recorder import Exchange
    from tests.conformance.specs import Operation


@dataclass
class Figures:
    """Counts of one test session."""

    exchanges: int = 0
    flawed: set[str] = field(default_factory=set)
    operations: set[str] = field(default_factory=set)
    table_routes: dict[str, bool] = field(default_factory=dict)
    examples_parsed: dict[str, bool] = field(default_factory=dict)
    examples_accepted: dict[str, bool] = field(default_factory=dict)
    client_commands: dict[str, int] = field(default_factory=dict)

    def compared(self, operation: Operation, exchange: Exchange, problems: list[str]) -> None:
        """Count an exchange."""
        self.exchanges += 1
        self.operations.add(operation.name)
        if problems:
            self.flawed.add(operation.name)

    def to_state(self) -> dict[str, Any]:
        """Return plain values, for another process."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}

    def add(self, state: Mapping[str, Any]) -> None:
        """Take in another process's :meth:`to_state`."""
        for name, value in state.items():
            known = getattr(self, name)
            if isinstance(known, int):
                setattr(self, name, known + value)
            elif isinstance(known, set):
                known.update(value)
            else:  # what one process has not looked at, another may have
                known.update({key: max(number, known.get(key, number)) for key, number in value.items()})

    def lines(self) -> list[str]:
        """Return what to print."""
        return [line for line in self._lines() if " 0/0" not in line and not line.endswith(" 0")]

    def _lines(self) -> list[str]:
        clients = ", ".join(f"{client}: {count}" for client, count in self.client_commands.items())
        return [
            f"routes of the coverage table, requests and answers as documented: {_of(self.table_routes)}",
            f"documented operations met, with nothing undocumented: "
            f"{len(self.operations - self.flawed)}/{len(self.operations)} in {self.exchanges} exchanges",
            f"documented examples that our flows build and read: {_of(self.examples_parsed)}",
            f"documented requests, at once and with 202, that the emulator accepts: {_of(self.examples_accepted)}",
            f"commands of Microsoft's clients that succeeded: {clients or 0}",
        ]


def _of(results: dict[str, bool]) -> str:
    return f"{sum(results.values())}/{len(results)}"


FIGURES = Figures()
