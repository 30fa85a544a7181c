"""What OpenLineage's specification asks of a run event (https://openlineage.io/spec/2-0-2/OpenLineage.json).

``OPENLINEAGE_SPEC`` may name a copy of the published file, which is then used as well; no package carries it. The part
that concerns us is written down here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

URI = {"type": "string", "format": "uri", "pattern": "^https?://"}
UUID = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"}
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": URI, "_schemaURL": URI},
    },
}
DATASETS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": URI,
        "schemaURL": URI,
        "run": {"type": "object", "required": ["runId"], "properties": {"runId": UUID, "facets": FACETS}},
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
        },
        "inputs": DATASETS,
        "outputs": DATASETS,
    },
}


def check(event: Any) -> None:
    """Hold a run event to the specification.

    :raises jsonschema.ValidationError: naming what is wrong.
    """
    from jsonschema import FormatChecker, validate

    published = os.environ.get("OPENLINEAGE_SPEC")
    schemas = [RUN_EVENT, *([json.loads(Path(published).read_text())] if published else [])]
    for schema in schemas:
        validate(event, schema, format_checker=FormatChecker())
