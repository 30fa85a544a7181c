"""Microsoft's OpenAPI files: which operation an exchange belongs to, and what about it is not as documented."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.conformance.recorder import Exchange
from tests.conformance.schemas import Translator

VARIABLE = "FABRIC_SPECS_DIR"
METHODS = ("get", "post", "put", "patch", "delete")
ROOT = "/v1"
GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
MEASURED = {"GET /v1/operations/{operationId}": ("blobInfoId", "resultContentType")}
"""Properties of answers that the files lack, but tenants were seen to send, always as ``null`` (August 2026)."""

HEADER_TYPES = {"string": r".+", "integer": r"\d+"}

FORMATS = FormatChecker(formats=())
FORMATS.checks("uuid")(lambda value: not isinstance(value, str) or GUID.fullmatch(value) is not None)


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    """Take what the documented examples show: seven fractional digits, and no offset, are allowed."""
    if isinstance(value, str):
        datetime.strptime(re.sub(r"(\.\d{1,6})\d*", "", value).removesuffix("Z"), "%Y-%m-%dT%H:%M:%S")
    return True


@dataclass(frozen=True)
class Operation:
    """One operation of the files.

    :param template: path below the service's root, with its parameters in braces.
    :param file: where it is described, relative to the root of the files.
    :param content: what the file says.
    """

    method: str
    template: str
    file: str
    content: Mapping[str, Any] = field(repr=False, compare=False, hash=False)

    @property
    def name(self) -> str:
        """``METHOD /template``."""
        return f"{self.method} {self.template}"

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """The template as a pattern of paths; literals ignore case, as the service does."""
        parts = re.split(r"(\{\w+\})", self.template)
        text = "".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in parts)
        return re.compile(text, re.IGNORECASE)

    def parameters(self, place: str) -> dict[str, Mapping[str, Any]]:
        """Return the parameters that go into ``path``, ``query`` or ``body``, by name."""
        return {entry["name"]: entry for entry in self.content.get("parameters", ()) if entry.get("in") == place}


@dataclass(frozen=True)
class Example:
    """One documented conversation."""

    name: str
    operation: Operation
    parameters: Mapping[str, Any] = field(repr=False)
    responses: Mapping[str, Any] = field(repr=False)

    @property
    def body(self) -> Any:
        """The documented request body, ``None`` if there is none."""
        return next(
            (self.parameters[name] for name in self.operation.parameters("body") if name in self.parameters), None
        )

    @property
    def query(self) -> dict[str, str]:
        """The documented query parameters."""
        given = {name: self.parameters[name] for name in self.operation.parameters("query") if name in self.parameters}
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


class Specs:
    """All files below a directory.

    :param directory: where the repository of Microsoft's files lies.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._documents: dict[str, dict[str, Any]] = {}
        for path in sorted(directory.rglob("*.json")):
            if "examples" not in path.parts:
                self._documents[path.relative_to(directory).as_posix()] = json.loads(path.read_text("utf-8-sig"))
        self.operations = tuple(self._operations())
        self._directions = {}
        for request in (True, False):
            lower = {file.lower(): document for file, document in self._documents.items()}
            translator = Translator(lower, request=request)
            resources = [(uri, DRAFT202012.create_resource(content)) for uri, content in translator.resources()]
            self._directions[request] = (translator, Registry().with_resources(resources))

    def _operations(self) -> Iterator[Operation]:
        for file, document in self._documents.items():
            for path, methods in document.get("paths", {}).items():
                for method, content in methods.items():
                    if method in METHODS:
                        yield Operation(method.upper(), ROOT + path.partition("?")[0], file, content)

    def find(self, method: str, path: str) -> Operation | None:
        """Return the operation a path belongs to, the one with most literals in its template."""
        found = [o for o in self.operations if o.method == method and o.pattern.fullmatch(path)]
        return min(found, key=lambda o: o.template.count("{"), default=None)

    def examples(self, operation: Operation) -> Iterator[Example]:
        """Yield the operation's documented examples."""
        for entry in operation.content.get("x-ms-examples", {}).values():
            path = (self._directory / operation.file).parent / entry["$ref"]
            content = json.loads(path.read_text("utf-8-sig"))
            yield Example(path.stem, operation, content["parameters"], content["responses"])

    def check(self, operation: Operation, exchange: Exchange) -> list[str]:
        """Return what is not as documented about a request and its answer."""
        return [
            *(f"path: {text}" for text in self._check_path(operation, exchange)),
            *(f"query: {text}" for text in self._check_query(operation, exchange)),
            *(f"request: {text}" for text in self._check_request(operation, exchange)),
            *(f"answer {exchange.status}: {text}" for text in self._check_answer(operation, exchange)),
        ]

    def errors(self, schema: dict[str, Any], file: str, value: Any, *, request: bool) -> list[str]:
        """Return how a value differs from a schema of a file."""
        translator, registry = self._directions[request]
        validator = Draft202012Validator(
            translator.write(schema, file.lower()), registry=registry, format_checker=FORMATS
        )
        return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]

    def _check_path(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        match = operation.pattern.fullmatch(exchange.path)
        names = re.findall(r"\{(\w+)\}", operation.template)
        documented = operation.parameters("path")
        for name, value in zip(names, match.groups() if match else (), strict=True):
            schema = _simple(documented.get(name, {"type": "string"}))
            yield from self.errors(schema, operation.file, unquote(value), request=True)

    def _check_query(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        documented = operation.parameters("query")
        for name, values in parse_qs(exchange.query, keep_blank_values=True).items():
            if name not in documented:
                yield f"{name} is not documented"
            elif documented[name]["type"] == "boolean" and values[0].lower() not in ("true", "false"):
                yield f"{name} is no boolean: {values[0]}"
            elif documented[name]["type"] == "string":
                yield from self.errors(_simple(documented[name]), operation.file, values[0], request=True)

    def _check_request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        documented = next(iter(operation.parameters("body").values()), None)
        if documented is None:
            if exchange.request_body and "application/octet-stream" not in operation.content.get("consumes", ()):
                yield "a body is not documented"
        elif exchange.request_body:
            content = json.loads(exchange.request_body)
            yield from self.errors(documented["schema"], operation.file, content, request=True)
        elif documented.get("required"):
            yield "the body is missing"

    def _check_answer(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        responses = operation.content["responses"]
        documented = responses.get(str(exchange.status))
        if documented is None:
            if exchange.status < 400:
                yield f"only {', '.join(sorted(responses))} are documented"
                return
            documented = responses["default"]
        for name, header in documented.get("headers", {}).items():
            value = exchange.headers.get(name.lower())
            if value is None and exchange.status == 200:  # an operation that is over has fewer, in the examples too
                continue
            if value is None or not re.fullmatch(HEADER_TYPES[header["type"]], value):
                yield f"header {name} is {value!r}"
        schema = documented.get("schema")
        if schema is None:
            if exchange.body:
                yield f"a body is not documented: {exchange.body[:80]!r}"
        elif schema.get("type") == "file":
            if not exchange.body:
                yield "the file is missing"
        else:
            content = _without_measured(operation, json.loads(exchange.body))
            yield from self.errors(schema, operation.file, content, request=False)


def _without_measured(operation: Operation, content: Any) -> Any:
    measured = MEASURED.get(operation.name, ())
    if not isinstance(content, dict):
        return content
    return {key: value for key, value in content.items() if key not in measured or value is not None}


def _simple(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {key: parameter[key] for key in ("type", "format", "enum", "x-ms-enum") if key in parameter}


@functools.cache
def specs_or_none() -> Specs | None:
    """Return the files at ``$FABRIC_SPECS_DIR``, ``None`` if it is not set."""
    directory = os.environ.get(VARIABLE)
    return Specs(Path(directory)) if directory else None


def specs_or_skip(left_out: str) -> Specs:
    """Return the files, or skip the module that is being imported.

    :param left_out: what is not tested without them.
    """
    specs = specs_or_none()
    if specs is None:
        pytest.skip(f"{VARIABLE} does not name Microsoft's OpenAPI files: {left_out}", allow_module_level=True)
    return specs
