"""Why the service refused something, or a run failed: one value, whatever envelope it came in.

The documented envelope is ``ErrorResponse {errorCode, message, moreDetails[], requestId, isRetriable}``
(https://learn.microsoft.com/rest/api/fabric/articles/using-fabric-apis#errors). Others come as well: OData's
``{"error": {"code", "message", "details", "innererror"}}``, Power BI's ``pbi.error``, keys in PascalCase, a list of
errors, texts in place of objects, and JSON as text in the place of any text. All are read alike: the first code and
message found from the outside inwards are the main ones, all others become ``more_details``. Where there was text,
there is text: what is not recognised is shown as it came, shortened. Every text is one line of bounded length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.api.json_text import parse_json
from airflow_provider_fabric.api.plain_text import MAX_CODE, MAX_MESSAGE, one_line

MAX_DETAILS = 20
SHOWN_DETAILS = 3
MAX_DETAIL_MESSAGE = 500
"""Characters of the message of a further detail."""

_DEEPEST = 8
_LONGEST_JSON_TEXT = 1_000_000
_CODE = ("errorcode", "code")
_MESSAGE = ("message", "errormessage", "errordescription", "detail", "description", "title", "value")
_INNER = (
    "error",
    "pbierror",
    "moredetails",
    "details",
    "errors",
    "errordetails",
    "innererror",
    "innerexception",
    "serviceexceptionjson",
    "refreshattempts",
    "failurereason",
)
_UNDERLYING = "underlyingerrormessage"
"""Part of the code of the one detail of a ``pbi.error`` that people can use."""
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class ErrorDetail:
    """An error from the body of a refusal, a job's ``failureReason`` or an operation's ``error``.

    :param error_code: stable code.
    :param message: text for people; never matched on.
    :param request_id: what Microsoft's support asks for.
    :param is_retriable: whether the service calls it retriable; ``None`` if it did not say.
    :param more_details: further ``{"errorCode", "message"}`` entries.
    """

    error_code: str | None = None
    message: str | None = None
    request_id: str | None = None
    is_retriable: bool | None = None
    more_details: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_wire(cls, content: object) -> ErrorDetail | None:
        """Read an error of any shape, or nothing."""
        found = list(_read(content, 0))
        if not found:
            return None
        main, *rest = found
        details: list[dict[str, Any]] = []
        for entry in rest:
            detail = entry.as_detail()
            if detail and detail not in details and detail != main.as_detail():
                details.append(detail)
        details.sort(key=lambda detail: _UNDERLYING not in str(detail.get("errorCode")).lower())
        return cls(main.code, main.message, main.request_id, main.retriable, details[:MAX_DETAILS])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, in the documented envelope, for XCom."""
        pairs = {
            "errorCode": self.error_code,
            "message": self.message,
            "requestId": self.request_id,
            "isRetriable": self.is_retriable,
            "moreDetails": self.more_details or None,
        }
        return {key: value for key, value in pairs.items() if value is not None}

    def __str__(self) -> str:
        """Return code, message, first details and request id, as one line."""
        message = (self.message or "").strip().rstrip(".")
        text = ": ".join(part for part in (self.error_code, message) if part) or "no reason given"
        details = [
            ": ".join(str(part) for part in (d.get("errorCode"), d.get("message")) if part)
            for d in self.more_details[:SHOWN_DETAILS]
        ]
        if any(details):
            text += f" [{'; '.join(d for d in details if d)}]"
        return f"{text} (request {self.request_id})" if self.request_id else text


def plain_body(body: bytes) -> str:
    """Return the text of a body that is no JSON, such as a gateway's page: without tags, as one bounded line."""
    text = body[:20_000].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        text = _TAG.sub(" ", text)
    return one_line(text, MAX_DETAIL_MESSAGE)


@dataclass
class _Entry:
    """One error, as it is found."""

    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    retriable: bool | None = None

    def as_detail(self) -> dict[str, Any]:
        pairs = {"errorCode": self.code, "message": self.message and one_line(self.message, MAX_DETAIL_MESSAGE)}
        return {key: value for key, value in pairs.items() if value}

    def take(self, inner: _Entry) -> bool:
        """Fill what is missing from an inner error. Return whether nothing of it is left over."""
        left_over = bool((inner.code and self.code and inner.code != self.code) or (inner.message and self.message))
        same_message = inner.message == self.message
        if left_over and not (same_message and inner.code in (None, self.code)):
            return False
        self.code, self.message = self.code or inner.code, self.message or inner.message
        self.request_id = self.request_id or inner.request_id
        self.retriable = inner.retriable if self.retriable is None else self.retriable
        return True


def _read(content: object, depth: int) -> Iterator[_Entry]:
    """Yield the errors in a value, the main one first."""
    if content is None or content == "" or content == {} or content == []:
        return
    if depth > _DEEPEST:
        yield _Entry(message=_raw(content))
    elif isinstance(content, str):
        yield from _read_text(content, depth)
    elif isinstance(content, Mapping):
        yield from _read_mapping(content, depth)
    elif isinstance(content, list):
        for element in content[: MAX_DETAILS + 1]:
            yield from _read(element, depth + 1)
    else:
        yield _Entry(message=_raw(content))


def _read_text(text: str, depth: int) -> Iterator[_Entry]:
    inner = _json_in(text)
    found = list(_read(inner, depth + 1)) if inner is not None else []
    if found:
        yield from found
    elif line := one_line(text):
        yield _Entry(message=line)


def _json_in(text: str) -> object:
    """Return the object or list that a text holds as JSON, or ``None``."""
    stripped = text.strip()
    if not stripped.startswith(("{", "[", '"{', '"[')) or len(stripped) > _LONGEST_JSON_TEXT:
        return None
    try:
        content: object = parse_json(stripped)
    except ValueError:
        return None
    return content


def _read_mapping(content: Mapping[Any, Any], depth: int) -> Iterator[_Entry]:
    named = {re.sub("[^a-z]", "", str(key).lower()): value for key, value in reversed(list(content.items()))}
    main = _Entry(
        code=_first_text(named, _CODE),
        request_id=_scalar(named.get("requestid"), MAX_CODE),
        retriable=named["isretriable"] if isinstance(named.get("isretriable"), bool) else None,
    )
    rest = [entry for entry in _inner_errors(named, depth) if not main.take(entry)]
    if main.code or main.message:
        yield main
    elif not rest and any(value not in (None, "", [], {}) for value in content.values()):
        yield _Entry(None, _raw(content), main.request_id, main.retriable)
    yield from rest


def _inner_errors(named: Mapping[str, Any], depth: int) -> Iterator[_Entry]:
    """Yield the errors in the values of an object: its messages, then what is nested in it."""
    for key in (*_MESSAGE, *_INNER):
        value = named.get(key)
        if key in _MESSAGE and isinstance(value, bool | int | float):
            value = str(value)
        if isinstance(value, str | Mapping | list):
            yield from _read(value, depth + 1)


def _first_text(named: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _scalar(named.get(key), MAX_CODE))), None)


def _scalar(value: object, limit: int) -> str | None:
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    return one_line(str(value), limit) or None


def _raw(content: object) -> str:
    try:
        return one_line(json.dumps(content, default=str), MAX_MESSAGE)
    except (ValueError, RecursionError):
        return one_line(str(type(content).__name__))
