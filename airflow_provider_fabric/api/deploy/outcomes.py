"""What came of each item: the result of a deployment, also when it fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.exceptions import FabricDeployError

OUTCOMES = ("created", "updated", "unchanged", "moved", "deleted", "failed", "skipped")
MAX_ERROR = 1000
"""Characters of an error's text in the result, which travels through XCom."""

SHOWN_FAILURES = 5


@dataclass
class ItemOutcome:
    """What came of one item.

    :param item_type: kind.
    :param display_name: its name.
    :param folder: path of its folder in the workspace; empty for the root.
    :param item_id: GUID; ``None`` if it was not made.
    :param outcome: one of :data:`OUTCOMES`.
    :param error: why it failed or was skipped.
    """

    item_type: str
    display_name: str
    folder: str
    outcome: str
    item_id: str | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for XCom."""
        return {
            "item_type": self.item_type,
            "display_name": self.display_name,
            "item_id": self.item_id,
            "folder": self.folder,
            "outcome": self.outcome,
            "error": self.error[:MAX_ERROR] if self.error else None,
        }


def result_of(workspace_id: str, outcomes: list[ItemOutcome], *, dry_run: bool) -> dict[str, Any]:
    """Return the result of a deployment: plain values."""
    counts = Counter(outcome.outcome for outcome in outcomes)
    return {
        "workspace_id": workspace_id,
        "items": [outcome.to_dict() for outcome in outcomes],
        "counts": {name: counts[name] for name in OUTCOMES if counts[name]},
        "dry_run": dry_run,
    }


def failure_of(result: dict[str, Any], cause: BaseException | None) -> FabricDeployError:
    """Return the error of a deployment in which items failed."""
    failed = [item for item in result["items"] if item["outcome"] == "failed"]
    named = "; ".join(
        f"{item['item_type']} {item['display_name']!r}: {item['error']}" for item in failed[:SHOWN_FAILURES]
    )
    more = f"; and {len(failed) - SHOWN_FAILURES} others" if len(failed) > SHOWN_FAILURES else ""
    counts = ", ".join(f"{count} {name}" for name, count in result["counts"].items())
    error = FabricDeployError(
        f"{len(failed)} of {len(result['items'])} items failed ({counts}). {named}{more}. What was deployed stays; the "
        "next attempt goes on from there.",
        result=result,
    )
    error.__cause__ = cause
    return error
