"""Flags of the hook's methods: True or False, and nothing else that counts as one, such as the text ``"False"``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import Signature, signature
from typing import Any

from airflow_provider_fabric.exceptions import FabricInputError

KINDS: Mapping[str, tuple[type, ...]] = {"bool": (bool,), "bool | None": (bool, type(None))}
"""How a flow writes the type of a flag → what may be given."""


def check_flags(flow: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check the flags among the arguments of a flow, before anything is sent.

    :raises FabricInputError: one is neither True nor False.
    """
    declared, flags = _declared(flow)
    if not flags:
        return
    try:
        given = declared.bind(*args, **kwargs).arguments
    except TypeError:  # the call itself says it better
        return
    for name, value in given.items():
        if name in flags and not isinstance(value, flags[name]):
            raise FabricInputError(f"{name} must be True or False, got {value!r}.")


@cache
def _declared(flow: Callable[..., Any]) -> tuple[Signature, Mapping[str, tuple[type, ...]]]:
    declared = signature(flow)
    kinds = {name: KINDS.get(parameter.annotation) for name, parameter in declared.parameters.items()}
    return declared, {name: kind for name, kind in kinds.items() if kind is not None}
