"""A definition as the caller wants it sent: read, values put in, schedules kept or left out, and checked."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from airflow_provider_fabric.api.items.definitions import Definition, ItemDefinition, checked_definition, read_parts
from airflow_provider_fabric.api.items.formats import PLATFORM, SCHEDULES, has_definition
from airflow_provider_fabric.api.items.replacements import replace_texts
from airflow_provider_fabric.exceptions import FabricInputError

log = logging.getLogger(__name__)

SCHEDULE_CHOICES = ("deploy", "leave")


def prepare_definition(
    definition: Definition | ItemDefinition,
    item_type: str,
    *,
    format: str | None = None,
    replace: Mapping[str, str] | None = None,
    replace_missing: str = "fail",
    schedules: str = "deploy",
) -> ItemDefinition:
    """Read a definition and make it what is to be sent. Nothing is sent here.

    :param definition: see :func:`~airflow_provider_fabric.api.items.definitions.load_definition`; or one that was
        prepared already.
    :param item_type: kind of item.
    :param format: ``format`` of the definition; ``None`` names the one that the kind and its parts need.
    :param replace: ``{text: value}``: put values into the text parts, literally.
    :param replace_missing: ``fail`` or ``ignore``, for texts to replace that are nowhere.
    :param schedules: ``deploy`` the part ``.schedules``, or ``leave`` the service's schedules alone.
    :raises FabricInputError: an argument or a part is malformed.
    """
    if schedules not in SCHEDULE_CHOICES:
        raise FabricInputError(f"schedules must be 'deploy' or 'leave', got {schedules!r}.")
    if isinstance(definition, ItemDefinition):
        parts, given = dict(definition.parts), definition.format
    else:
        parts, given = read_parts(definition, item_type)
    if schedules == "leave" and parts.pop(SCHEDULES, None) is not None:
        log.info("schedules='leave': the part %r is not deployed.", SCHEDULES)
    parts = replace_texts(parts, {} if replace is None else replace, missing=replace_missing)
    prepared = checked_definition(parts, item_type, format or given)
    others = sorted(set(parts) - {PLATFORM})
    if others and not has_definition(item_type):
        log.warning(
            "Items of type %s have no definition: only .platform is used, not %s.",
            item_type,
            ", ".join(map(repr, others)),
        )
    return prepared
