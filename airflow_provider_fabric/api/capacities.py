"""Fabric capacities, and finding one by id or name: by Azure Resource Manager (ARM).

https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities. Fabric's own API lists capacities but cannot
pause them; ARM can (see :mod:`.capacity_states`), and knows them by subscription, resource group and name. For both,
the name is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qs

from airflow_provider_fabric.api.http.flow import Flow, Request, Service, quote_segment
from airflow_provider_fabric.api.http.headers import split_link
from airflow_provider_fabric.api.http.pages import MAX_PAGES, list_all
from airflow_provider_fabric.api.http.retry import ONCE, PATIENT, Replay, RetryBudget, send
from airflow_provider_fabric.api.models import is_guid, require_guid
from airflow_provider_fabric.api.plain_text import one_line
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricInputError,
    FabricNameError,
    FabricNotFoundError,
    FabricProtocolError,
)

CAPACITY_VERSION = "2023-11-01"
SUBSCRIPTION_VERSION = "2022-12-01"

MAX_NAMED = 8
"""Capacities that a message names of those that are visible."""

ACTIVE, PAUSED = "Active", "Paused"
_OFF = frozenset({"Paused", "Suspended"})
_RESOURCE_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Fabric/capacities/([^/]+)/?", re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_GROUP = re.compile(r"[\w().-]{1,90}")


@dataclass(frozen=True)
class Capacity:
    """A capacity, as ARM shows it.

    :param resource_id: ``/subscriptions/…/resourceGroups/…/providers/Microsoft.Fabric/capacities/…``.
    :param name: its name.
    :param state: ``Active``, ``Paused``, or what it is changing to: ``Resuming``, ``Pausing``, …
    :param sku: size, such as ``F2``.
    """

    resource_id: str
    name: str
    state: str
    sku: str = ""

    def is_in(self, state: str) -> bool:
        """Whether it has a state; Azure writes ``Paused`` and ``Suspended`` for the same."""
        return self.state in (_OFF if state == PAUSED else {state})

    @classmethod
    def from_wire(cls, content: Mapping[str, Any]) -> Capacity:
        """Read ARM's form.

        :raises FabricProtocolError: it has no id, or no state.
        """
        properties, sku = content.get("properties"), content.get("sku")
        state = properties.get("state") if isinstance(properties, dict) else None
        resource_id = content.get("id")
        if (
            not isinstance(resource_id, str)
            or _RESOURCE_ID.fullmatch(resource_id) is None
            or not isinstance(state, str)
        ):
            raise FabricProtocolError("Azure's capacity has no 'id' or no 'properties.state'.")
        name = str(content.get("name") or resource_id.rstrip("/").rsplit("/", 1)[-1])
        return cls(resource_id, name, state, str(sku.get("name") or "") if isinstance(sku, dict) else "")


def list_capacities() -> Flow[list[dict[str, Any]]]:
    """Return the capacities that Fabric shows the identity: ``id``, ``displayName``, ``sku``, ``region``, ``state``.

    https://learn.microsoft.com/rest/api/fabric/core/capacities/list-capacities
    """
    return (yield from list_all(Request("GET", "/v1/capacities", "list capacities")))


def get_capacity(
    capacity: str, *, subscription_id: str | None = None, resource_group: str | None = None
) -> Flow[Capacity]:
    """Return a capacity as ARM shows it; the parameters are those of :func:`resolve_capacity`.

    https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities/get
    """
    resource_id = yield from resolve_capacity(capacity, subscription_id=subscription_id, resource_group=resource_group)
    return (yield from find_capacity(resource_id))


def resolve_capacity(
    capacity: str, *, subscription_id: str | None = None, resource_group: str | None = None
) -> Flow[str]:
    """Return a capacity's resource id.

    :param capacity: resource id (returned with no call), Fabric's GUID, or name.
    :param subscription_id: GUID of its subscription; otherwise all that the identity can see are searched.
    :param resource_group: name of its resource group; together with ``subscription_id`` and a name, no call is made.
    :raises FabricNameError: no such capacity is visible, or several have the name.
    :raises FabricInputError: an argument is malformed, or contradicts the resource id.
    """
    text = _check(capacity, subscription_id, resource_group)
    match = _RESOURCE_ID.fullmatch(text)
    if match is not None:
        _agree(match, subscription_id, resource_group)
        return text.rstrip("/")
    name = (yield from _name_of(text)) if is_guid(text) else text
    if subscription_id is not None and resource_group is not None:
        group = f"/subscriptions/{subscription_id.lower()}/resourceGroups/{resource_group}"
        return f"{group}/providers/Microsoft.Fabric/capacities/{name}"
    subscriptions = [subscription_id.lower()] if subscription_id else (yield from _subscriptions())
    found: list[Capacity] = []
    for subscription in subscriptions:
        found += yield from _of_subscription(subscription)
    return _one(name, found, resource_group, subscriptions)


def _check(capacity: object, subscription_id: object, resource_group: object) -> str:
    if not isinstance(capacity, str) or not capacity.strip():
        raise FabricInputError(f"capacity must be a resource id, a GUID or a name, got {capacity!r}.")
    if subscription_id is not None:
        require_guid(subscription_id, "subscription_id")
    if resource_group is not None and (not isinstance(resource_group, str) or not _GROUP.fullmatch(resource_group)):
        raise FabricInputError(f"resource_group must be the name of an Azure resource group, got {resource_group!r}.")
    text = capacity.strip()
    if "/" in text:
        match = _RESOURCE_ID.fullmatch(text)
        if not match or not is_guid(match[1]) or not _GROUP.fullmatch(match[2]) or not _NAME.fullmatch(match[3]):
            raise FabricInputError(
                f"capacity: {text[:200]!r} is no resource id of a Fabric capacity: /subscriptions/<GUID>/"
                "resourceGroups/<name>/providers/Microsoft.Fabric/capacities/<name>."
            )
    elif not is_guid(text) and not _NAME.fullmatch(text):
        raise FabricInputError(
            f"capacity: {text[:200]!r} is neither a GUID nor a name that a capacity in Azure can have (3 to 63 letters "
            "and digits). A trial capacity cannot be paused."
        )
    return text


def _agree(match: re.Match[str], subscription_id: str | None, resource_group: str | None) -> None:
    for name, given, found in (
        ("subscription_id", subscription_id, match[1]),
        ("resource_group", resource_group, match[2]),
    ):
        if given is not None and given.casefold() != found.casefold():
            raise FabricInputError(
                f"{name} is {given!r}, but the resource id in capacity says {found!r}: leave one out."
            )


def _name_of(capacity_id: str) -> Flow[str]:
    """Return the name of the capacity that Fabric knows by a GUID."""
    listed = yield from list_capacities()
    names = [str(c.get("displayName")) for c in listed if str(c.get("id")).lower() == capacity_id.lower()]
    if not names:
        shown = _some(f"{c.get('displayName')} ({c.get('id')})" for c in listed)
        raise FabricNameError(
            f"No capacity has the id {capacity_id}, among the {len(listed)} that Fabric shows this identity{shown}. "
            "Make it an administrator or contributor of the capacity, or give the capacity's resource id."
        )
    if not _NAME.fullmatch(names[0]):
        raise FabricInputError(
            f"The capacity {capacity_id} is {names[0]!r}: a trial or Premium capacity cannot be paused."
        )
    return names[0]


def _subscriptions() -> Flow[list[str]]:
    entries = yield from _list_arm("/subscriptions", SUBSCRIPTION_VERSION, "list Azure subscriptions")
    return [str(e["subscriptionId"]).lower() for e in entries if is_guid(e.get("subscriptionId"))]


def _of_subscription(subscription: str, budget: RetryBudget = PATIENT) -> Flow[list[Capacity]]:
    path = f"/subscriptions/{quote_segment(subscription, 'subscription_id')}/providers/Microsoft.Fabric/capacities"
    action = f"list capacities of subscription {subscription}"
    return list(map(Capacity.from_wire, (yield from _list_arm(path, CAPACITY_VERSION, action, budget=budget))))


def _one(name: str, found: Sequence[Capacity], resource_group: str | None, subscriptions: Sequence[str]) -> str:
    same = [c for c in found if c.name.casefold() == name.casefold()]
    if resource_group is not None:
        group = f"/resourcegroups/{resource_group.casefold()}/"
        same = [c for c in same if group in c.resource_id.casefold()]
    if len(same) == 1:
        return same[0].resource_id
    if same:
        ids = ", ".join(c.resource_id for c in same)
        raise FabricNameError(
            f"{len(same)} capacities are named {name!r}: {ids}. Give the resource id of the one you mean."
        )
    hint = _near(name, found)
    where = f"in the {len(subscriptions)} Azure subscriptions that this identity can see"
    raise FabricNameError(
        f"No capacity is named {name!r} {where}. {hint}The identity needs a role on the capacity in Azure "
        "(Contributor), besides its roles in Fabric."
    )


def _near(name: str, found: Sequence[Capacity]) -> str:
    near = get_close_matches(name, sorted({c.name for c in found}), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(map(repr, near))}? " if near else ""


def _some(names: Iterable[str]) -> str:
    """Return the first names of many, to go on a sentence with."""
    found = sorted(one_line(name, 100) for name in names)
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return f": {', '.join(found[:MAX_NAMED])}{more}" if found else ""


def _list_arm(path: str, version: str, action: str, *, budget: RetryBudget = PATIENT) -> Flow[list[dict[str, Any]]]:
    """Return the entries of all pages. Of a page's ``nextLink`` only the token is used, at the configured host."""
    entries: list[dict[str, Any]] = []
    params, seen = {"api-version": version}, set[str]()
    while True:
        request = Request("GET", path, action, params=params, service=Service.ARM)
        answer = yield from send(request, replay=Replay.SAFE, budget=budget)
        content = answer.json_object()
        page = content.get("value")
        if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
            raise FabricProtocolError(f"Could not {action}: the answer has no list 'value'.")
        entries += page
        link = content.get("nextLink")
        if not link:
            return entries
        query = parse_qs(split_link(link).query)
        tokens = {name: values[0] for name, values in query.items() if name.casefold() == "$skiptoken"}
        token = next(iter(tokens.values()), "")
        if not token or token in seen or len(seen) >= MAX_PAGES:
            raise FabricProtocolError(f"Could not {action}: the pages do not end.")
        seen.add(token)
        params = {"api-version": version, **tokens}


def capacity_path(resource_id: str) -> str:
    """Return the path of a capacity below ARM's root."""
    return "/".join(quote_segment(part, "capacity") if part else "" for part in resource_id.split("/"))


def find_capacity(resource_id: str) -> Flow[Capacity]:
    """Return the capacity that a caller names by a resource id.

    :raises FabricNameError: there is none; it names those of the subscription.
    """
    try:
        return (yield from read_capacity(resource_id))
    except FabricNotFoundError as error:
        subscription, name = resource_id.split("/")[2], resource_id.rsplit("/", 1)[-1]
        try:
            found = yield from _of_subscription(subscription, ONCE)
        except FabricError:  # only the hint is lost
            found = []
        shown = _some(f"{c.name} (resource group {c.resource_id.split('/')[4]})" for c in found)
        raise FabricNameError(
            f"There is no capacity {resource_id}, or this identity cannot see it. {_near(name, found)}Visible in that "
            f"subscription are {len(found)} capacities{shown}."
        ) from error


def read_capacity(resource_id: str) -> Flow[Capacity]:
    """Return the capacity that has a resource id."""
    name = resource_id.rsplit("/", 1)[-1]
    request = Request(
        "GET",
        capacity_path(resource_id),
        f"read capacity {name!r}",
        params={"api-version": CAPACITY_VERSION},
        service=Service.ARM,
    )
    answer = yield from send(request, replay=Replay.SAFE)
    return Capacity.from_wire(answer.json_object())
