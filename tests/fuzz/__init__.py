"""Random hostile answers for every flow, every parser and both drivers. A case is its seed and its number."""

from __future__ import annotations

import os
import random

CASES = int(os.environ.get("FABRIC_FUZZ_CASES", "10000"))
"""Cases of the whole suite; ``make fuzz`` runs a million."""
SEED = os.environ.get("FABRIC_FUZZ_SEED", "fabric")
SHARDS = 20
"""Parts that run side by side."""


def case(kind: str, number: int) -> random.Random:
    """Return the randomness of one case: the same every time."""
    return random.Random(f"{SEED} {kind} {number}")


def numbers(shard: int, total: int) -> range:
    """Return the numbers of a shard's cases."""
    return range(shard, total, SHARDS)
