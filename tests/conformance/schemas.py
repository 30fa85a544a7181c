"""From the schemas of Microsoft's Swagger 2 files to JSON Schema 2020-12, twice: for requests and for answers.

Each definition ``X`` is written in two forms. ``X`` itself is open, for the ``allOf`` of what extends it. ``X:value``
is what a value has to fit: nothing but documented properties (a typing error in an optional property would go unseen
otherwise), and by its discriminator the right one of the extensions, wherever they are defined.

=============================  ====================================================================================
Swagger                        here
=============================  ====================================================================================
``$ref`` with siblings         the siblings do not count, but a property's ``readOnly`` does
``discriminator``              ``if``/``then`` for each extension with that ``x-ms-discriminator-value``
``enum`` that may grow         (``modelAsString``) any word in an answer; only a documented one in a request
``readOnly``                   not a property of requests
``x-nullable``                 ``null`` is allowed too
optional property              may be ``null`` in an answer, as ``failureReason`` is in the documented examples
object without properties      any value: the documented parameters of jobs are numbers and texts
=============================  ====================================================================================
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
PLAIN = (
    "type",
    "required",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "format",
)
SHAPED = frozenset({"properties", "allOf", "additionalProperties", "discriminator"})
VALUE = ":value"


@dataclass(frozen=True)
class Name:
    """A definition's place: its file, relative to the root, and its name."""

    file: str
    name: str

    @classmethod
    def of(cls, reference: str, file: str) -> Name:
        """Return where a ``$ref`` of a file points to."""
        target, _, pointer = reference.partition("#/definitions/")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target)) if target else file
        return cls(path.lower(), pointer)  # one file says ../Common/

    @property
    def reference(self) -> str:
        """The absolute ``$ref``."""
        return f"https://specs.invalid/{self.file}#/definitions/{self.name}"


class Translator:
    """Writes all definitions anew for one direction.

    :param documents: parsed files by path relative to the root, in lower case.
    :param request: whether for requests; for answers otherwise.
    """

    def __init__(self, documents: Mapping[str, Schema], *, request: bool) -> None:
        self._documents = documents
        self._request = request
        self._extensions: dict[Name, list[Name]] = {}
        for name, definition in self._definitions():
            for part in definition.get("allOf", ()):
                if "$ref" in part:
                    self._extensions.setdefault(Name.of(part["$ref"], name.file), []).append(name)

    def _definitions(self) -> Iterator[tuple[Name, Schema]]:
        for file, document in self._documents.items():
            for name, definition in document.get("definitions", {}).items():
                yield Name(file, name), definition

    def resources(self) -> Iterator[tuple[str, Schema]]:
        """Yield each file's address and its definitions."""
        written: dict[str, Schema] = {file: {} for file in self._documents}
        for name, definition in self._definitions():
            written[name.file][name.name] = self.write(definition, name.file, base=True)
            written[name.file][name.name + VALUE] = self._value(name, definition)
        for file, definitions in written.items():
            yield f"https://specs.invalid/{file}", {"definitions": definitions}

    def write(self, schema: Schema, file: str, *, base: bool = False) -> Schema:
        """Return a schema of a file in our dialect.

        :param base: it is extended by others, so it must stay open.
        """
        if "$ref" in schema:
            reference = Name.of(schema["$ref"], file).reference
            return {"$ref": reference if base else reference + VALUE}
        if schema.get("type") == "file" or (schema.get("type") == "object" and not schema.keys() & SHAPED):
            return {}
        written = {key: schema[key] for key in PLAIN if key in schema}
        if "pattern" in written:  # .NET has a class for letters that Python lacks; \w has them too
            written["pattern"] = written["pattern"].replace(r"\p{L}", "")
        if "enum" in schema and (self._request or not schema.get("x-ms-enum", {}).get("modelAsString")):
            written["enum"] = schema["enum"]
        if isinstance(schema.get("items"), dict):
            written["items"] = self.write(schema["items"], file)
        if isinstance(schema.get("additionalProperties"), dict):
            written["additionalProperties"] = self.write(schema["additionalProperties"], file)
        if "properties" in schema:
            self._write_properties(written, schema["properties"], file, closed=not base)
        if "allOf" in schema:
            written["allOf"] = [self.write(part, file, base=True) for part in schema["allOf"]]
        if schema.get("x-nullable") and "type" in written:
            written["type"] = [written["type"], "null"]
        return written

    def _write_properties(self, written: Schema, properties: Schema, file: str, *, closed: bool) -> None:
        sent = {key: value for key, value in properties.items() if not (self._request and value.get("readOnly"))}
        required = [key for key in written.get("required", ()) if key in sent or key not in properties]
        written["required"] = required
        written["properties"] = {
            key: self.write(value, file) if self._request or key in required else self._or_null(value, file)
            for key, value in sent.items()
        }
        if closed and "additionalProperties" not in written:
            written["unevaluatedProperties"] = False

    def _or_null(self, schema: Schema, file: str) -> Schema:
        return {"if": {"type": "null"}, "else": self.write(schema, file)}

    def _value(self, name: Name, definition: Schema) -> Schema:
        value: Schema = {"allOf": [{"$ref": name.reference}, *self._by_discriminator(name, definition)]}
        if self._has_properties(name):
            value["unevaluatedProperties"] = False
        return value

    def _by_discriminator(self, name: Name, definition: Schema) -> Iterator[Schema]:
        key = definition.get("discriminator")
        if key is None:
            return
        for extension in self._below(name):
            word = self._find(extension).get("x-ms-discriminator-value", extension.name)
            yield {
                "if": {"properties": {key: {"const": word}}, "required": [key]},
                "then": {"$ref": extension.reference},
            }

    def _below(self, name: Name) -> Iterator[Name]:
        for extension in self._extensions.get(name, ()):
            yield extension
            yield from self._below(extension)

    def _find(self, name: Name) -> Schema:
        found: Schema = self._documents[name.file]["definitions"][name.name]
        return found

    def _has_properties(self, name: Name) -> bool:
        definition = self._find(name)
        if definition.get("properties"):
            return "additionalProperties" not in definition
        parts = [part["$ref"] for part in definition.get("allOf", ()) if "$ref" in part]
        return any(self._has_properties(Name.of(part, name.file)) for part in parts)
