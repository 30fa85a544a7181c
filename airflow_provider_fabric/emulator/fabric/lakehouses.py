"""Tables of a lakehouse over HTTP (lakehouse file: ``Tables_*``): listing them, and loading one from a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.pages import cut, next_page, read_cursor
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.world import World

_TABLE = re.compile(r"(?=[0-9]*[a-zA-Z_])[a-zA-Z0-9_]{1,256}")
_PATH = re.compile(r"Files(/\w([ \w.-]*[\w.-])*)*")


@dataclass(frozen=True)
class _Table:
    number: int
    name: str


def list_tables(world: World, request: ApiRequest) -> Response:
    """``GET …/lakehouses/{itemId}/tables``: pages whose entries are ``data``, not ``value``."""
    item = item_of(world, request)
    tables = [_Table(number, table["name"]) for number, table in enumerate(item.tables, 1)]
    size = min(int(request.query.get("maxResults", "100")), world.config.page_size)
    page, more = cut(tables, size, read_cursor(request))
    body = {"data": [_to_wire(item, table.name) for table in page]}
    return json_response({**body, **next_page(request, page[-1].number if more else None)})


def _to_wire(item: Item, name: str) -> dict[str, str]:
    root = f"abfss://{item.workspace_id}@onelake.dfs.fabric.microsoft.com/{item.id}"
    return {"type": "Managed", "name": name, "location": f"{root}/Tables/{name}", "format": "Delta"}


def load_table(world: World, request: ApiRequest) -> Response:
    """``POST …/lakehouses/{itemId}/tables/{tableName}/load``: an operation, which fails if there is no such file."""
    item, name = item_of(world, request), request.params["tableName"]
    if _TABLE.fullmatch(name) is None:
        raise invalid_input(f"'{name}' is no name of a table")
    body = _checked(request.json_object())
    path = body["relativePath"]
    files = world.files.of_item(item.id)
    found = path in files if body["pathType"] == "File" else any(file.startswith(f"{path}/") for file in files)
    if not found:
        error = ServiceError(404, "PathNotFound", f"The path '{path}' was not found", is_retriable=False)
        return accepted_response(world, request, error=error)
    if all(table["name"] != name for table in item.tables):
        item.tables.append({"name": name})
    return accepted_response(world, request)


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    path, format_ = body.get("relativePath"), body.get("formatOptions", {"format": "Csv"})
    if not isinstance(path, str) or _PATH.fullmatch(path) is None:
        raise invalid_input("relativePath must be a path below Files")
    if body.get("pathType") not in ("File", "Folder"):
        raise invalid_input("pathType must be File or Folder")
    if body.get("mode", "Overwrite") not in ("Overwrite", "Append"):
        raise invalid_input("mode must be Overwrite or Append")
    if not isinstance(format_, dict) or format_.get("format") not in ("Csv", "Parquet"):
        raise invalid_input("formatOptions.format must be Csv or Parquet")
    return body
