"""Paged answers: ``{value, continuationToken, continuationUri}``; the last page has neither link nor token.

Source: ``PaginatedResponse`` in Microsoft's OpenAPI file ``common/definitions.json``. A token holds the number of the
last entry shown, so entries that appear or go between two pages neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import invalid_input
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response


class Numbered(Protocol):
    """Anything that has a place in the order of creation."""

    @property
    def number(self) -> int:
        """Place in the order of creation."""


T = TypeVar("T", bound=Numbered)


def read_cursor(request: ApiRequest) -> int | None:
    """Return the number that the request's ``continuationToken`` holds.

    :raises ServiceError: 400 for a token that we did not write.
    """
    token = request.query.get("continuationToken")
    if token is None:
        return None
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(",")
        if kind != "after":
            raise ValueError(kind)
        return int(number)
    except (ValueError, binascii.Error) as problem:
        raise invalid_input("The continuation token is not valid") from problem


def cut(entries: Iterable[T], size: int, after: int | None, *, newest_first: bool = False) -> tuple[list[T], bool]:
    """Return the entries of the page after ``after``, and whether more follow.

    :param entries: in the order of the answer.
    """
    page: list[T] = []
    for entry in entries:
        if after is not None and (entry.number >= after if newest_first else entry.number <= after):
            continue
        if len(page) == size:
            return page, True
        page.append(entry)
    return page, False


def page_response(request: ApiRequest, values: Sequence[Any], last_number: int | None) -> Response:
    """Answer with a page.

    :param last_number: number of the last entry when more follow, ``None`` on the last page.
    """
    return json_response({"value": values, **next_page(request, last_number)})


def next_page(request: ApiRequest, last_number: int | None) -> dict[str, str]:
    """Return what leads on from a page; nothing from the last."""
    if last_number is None:
        return {}
    token = base64.urlsafe_b64encode(f"after,{last_number}".encode()).decode()
    uri = request.url(request.path, {**request.query, "continuationToken": token})
    return {"continuationToken": token, "continuationUri": uri}


def paged_response(
    request: ApiRequest, entries: Iterable[T], size: int, to_wire: Any, *, newest_first: bool = False
) -> Response:
    """Answer with the page of ``entries`` that the request asks for."""
    page, more = cut(entries, size, read_cursor(request), newest_first=newest_first)
    return page_response(request, [to_wire(entry) for entry in page], page[-1].number if more else None)
