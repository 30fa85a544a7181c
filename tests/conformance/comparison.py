"""Exchanges held to Microsoft's files, and counted."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.figures import FIGURES
from tests.conformance.gaps import as_documented
from tests.conformance.recorder import Exchange
from tests.conformance.specs import Specs


def problems(specs: Specs, exchanges: Iterable[Exchange], *, answers_only: bool = False) -> list[str]:
    """Return what is not as documented.

    A request that was refused need not be valid; its refusal is an answer as any other.

    :param answers_only: the requests are not ours.
    """
    found = []
    for exchange in exchanges:
        compared = as_documented(specs, exchange)
        if compared is None:
            continue
        texts = specs.check(*compared)
        if answers_only or exchange.status >= 400:
            texts = [text for text in texts if text.startswith("answer")]
        FIGURES.compared(*compared, texts)
        found += [f"{exchange.method} {exchange.path}: {text}" for text in texts]
    return found
