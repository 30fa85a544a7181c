"""The router: finds the route of a method and a path, in time that does not grow with the number of routes.

Routes form a tree over path segments. A literal segment wins over a parameter, and literals ignore case, as the
service's do (its pages on Learn write both ``dataPipelines`` and ``datapipelines``). Segments are split before they are
percent-decoded, so an encoded slash stays inside its parameter.
``{*name}`` at the end of a template takes the rest of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.responses import Response

from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.state.world import World

Handler = Callable[[World, ApiRequest], Response]


@dataclass(frozen=True)
class Route:
    """One operation of the service.

    :param template: path with ``{parameters}``; the name under which the request log counts.
    :param bucket: quota bucket, or ``token``/``control``/``powerbi``, which have no quota.
    :param audiences: accepted ``aud`` claims; empty for routes without a bearer token.
    :param item_type: the type a typed collection stands for.
    """

    method: str
    template: str
    handler: Handler
    bucket: str = "platform"
    audiences: tuple[str, ...] = ()
    item_type: str | None = None

    @property
    def name(self) -> str:
        """``METHOD /template``."""
        return f"{self.method} {self.template}"


@dataclass
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    rest: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """What a path led to: its route, or only the methods it would have taken."""

    route: Route | None
    params: dict[str, str]
    allowed: tuple[str, ...] = ()


class Router:
    """The tree of all routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.template.strip("/").split("/"):
            if segment.startswith("{*"):
                node.rest = node.rest or _Node()
                node = node.rest
            elif segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment.lower(), _Node())
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.name}")
        node.routes[route.method] = route

    def match(self, method: str, raw_path: str) -> Match:
        """Find the route of a percent-encoded path."""
        path = raw_path.removesuffix("/") if raw_path.startswith("/v1/") else raw_path  # as the service: /environments/
        segments = path.removeprefix("/").split("/")
        allowed: set[str] = set()
        found = self._descend(self._root, segments, 0, method, allowed)
        if found is None:
            return Match(None, {}, tuple(sorted(allowed)))
        return Match(found, _parameters(found.template, segments))

    def _descend(self, node: _Node, segments: list[str], depth: int, method: str, allowed: set[str]) -> Route | None:
        if depth == len(segments):
            allowed.update(node.routes)
            return node.routes.get(method)
        segment = segments[depth]
        literal = node.literals.get(segment) or node.literals.get(segment.lower())
        if literal is not None:
            found = self._descend(literal, segments, depth + 1, method, allowed)
            if found is not None:
                return found
        if node.parameter is not None and segment:
            return self._descend(node.parameter, segments, depth + 1, method, allowed)
        if node.rest is not None:
            allowed.update(node.rest.routes)
            return node.rest.routes.get(method)
        return None


def _parameters(template: str, segments: list[str]) -> dict[str, str]:
    names = template.strip("/").split("/")
    if names[-1].startswith("{*"):
        rest = "/".join(segments[len(names) - 1 :])
        names, segments = [*names[:-1], f"{{{names[-1][2:-1]}}}"], [*segments[: len(names) - 1], rest]
    return {name[1:-1]: unquote(segment) for name, segment in zip(names, segments, strict=True) if name.startswith("{")}
