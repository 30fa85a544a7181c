"""Values for what the articles leave open: ids, tokens, owners, encoded contents."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.articles.reading import Step, loads, plain
from tests.flow_driver import ITEM, JOB, OTHER_JOB, WORKSPACE

CONTENTS: dict[str, Any] = {
    "pipeline-content.json": {"properties": {"activities": []}},
    "dataflow-content.json": {"editingSessionMashup": {"mashupDocument": "section Section1;\nshared Query = 1;"}},
    "copyjob-content.json": {"properties": {"jobMode": "Batch"}, "activities": []},
    "mashup.pq": "section Section1;\nshared Query = 1;",
    "queryMetadata.json": {"formatVersion": "202502"},
    ".platform": {"metadata": {"type": "Dataflow", "displayName": "It"}, "config": {"version": "2.0"}},
}
IDS = {"workspace": WORKSPACE, "item": ITEM, "job": JOB}
OWNER_ID = "11111111-2222-4333-8444-555555555555"

_OPEN = re.compile(r"<([^<>\"]*)[>?]|\{(\w+Id)\}")


def item_type(step: Step) -> str:
    """Return the kind of item that an article is about."""
    return next(kind for word, kind in TYPES.items() if word in step.article)


TYPES = {"pipeline": "DataPipeline", "copy-job": "CopyJob", "dataflow": "Dataflow"}


def fill(text: str, ids: Mapping[str, str] = IDS, token: str = "a-token") -> str:
    """Return text with a value for each placeholder in it."""

    def value(match: re.Match[str]) -> str:
        word = re.sub(r"[^a-z]", "", (match[1] or match[2]).lower().replace("your ", ""))
        for endings, filled in (
            (("token",), token),
            (("workspaceid", "worksapceid", "wsid"), ids["workspace"]),
            (("itemid", "artifactid", "copyjobid"), ids["item"]),
            (("jobinstanceid", "jobid"), ids["job"]),
            (("objectid", "rootactivityid"), OWNER_ID),
            (("emailcom", "domaincom"), "owner@example.com"),
        ):
            if word.endswith(endings):
                return filled
        return ids["job"] if word == "id" else match[0]

    text = re.sub(r"YYYY-MM-DDTHH:mm:ss\.x+", "2024-06-22T06:35:00.7812154", plain(text))
    return _OPEN.sub(value, text)


def filled_json(text: str, ids: Mapping[str, str] = IDS, kind: str = "Dataflow") -> Any:
    """Return JSON with values for ids and encoded contents.

    In the body of an accepted run, ``id`` and ``jobInstanceId`` are two ids: the second is the instance's.
    """
    content = json.loads(fill(json.dumps(loads(text)), ids))
    if isinstance(content, dict) and isinstance(content.get("definition"), dict):
        for part in content["definition"]["parts"]:
            if "<" in part["payload"] or part["path"] == ".platform":
                part["payload"] = encoded(part["path"], kind)
    if isinstance(content, list):
        for entry in content:
            if "jobInstanceId" in entry:
                entry["id"] = OTHER_JOB
    return content


def encoded(path: str, kind: str) -> str:
    """Return a valid part in base64."""
    content = CONTENTS[path]
    if path == ".platform":
        content = {**content, "metadata": {**content["metadata"], "type": kind}}
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.b64encode(text.encode()).decode()
