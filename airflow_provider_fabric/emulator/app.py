"""The ASGI application: every request goes through fault, sign-in check, quota and handler, and into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from airflow_provider_fabric.emulator.amqp.endpoint import serve_websocket
from airflow_provider_fabric.emulator.arm.capacities import arm_error
from airflow_provider_fabric.emulator.control.access import ControlAccess
from airflow_provider_fabric.emulator.control.routes import BUCKET as CONTROL
from airflow_provider_fabric.emulator.control.routes import PREFIX, control_routes
from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id
from airflow_provider_fabric.emulator.fabric.power_bi import power_bi_error
from airflow_provider_fabric.emulator.http.connections import Connections
from airflow_provider_fabric.emulator.http.recording import record
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import error_response, fault_response
from airflow_provider_fabric.emulator.http.routing import Route, Router
from airflow_provider_fabric.emulator.onelake.blob_requests import blob_error
from airflow_provider_fabric.emulator.onelake.files import onelake_error
from airflow_provider_fabric.emulator.portal.pages import BUCKET as PORTAL
from airflow_provider_fabric.emulator.portal.pages import portal_routes
from airflow_provider_fabric.emulator.routes import all_routes
from airflow_provider_fabric.emulator.state.world import World

Sleep = Callable[[float], Awaitable[None]]
MAX_BODY = 32 * 1024 * 1024
ENVELOPES: Mapping[str, Callable[[ServiceError], Response]] = {
    "powerbi": power_bi_error,
    "arm": arm_error,
    "onelake": onelake_error,
    "onelake_blob": blob_error,
}
"""Bucket of a route → how its service writes errors; all others write Fabric's."""


class EmulatorApp:
    """The emulator as an ASGI application.

    :param world: the state it serves.
    :param control: who may use the control endpoints; ``None`` leaves them and the portal out.
    :param sleep: how injected delays wait.
    """

    def __init__(
        self,
        world: World,
        connections: Connections | None = None,
        *,
        control: ControlAccess | None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.world = world
        self.connections = connections or Connections()
        self._control = control
        self._sleep = sleep
        self._router = Router((*all_routes(), *control_routes(self.connections), *portal_routes()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await serve_websocket(self.world, scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request, route = await self._read(scope, receive)
        if _is_control(request, route) or (route is not None and route.bucket == PORTAL):
            await self._control_response(request, route)(scope, receive, send)
            return
        self.connections.use(scope.get("client"))
        response = await self._serve(request, route)
        record(self.world.log, request, route, response)
        if response is None:
            await self._drop(scope, receive)
            return
        response.headers.setdefault("Date", formatdate(self.world.clock(), usegmt=True))
        await response(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> tuple[ApiRequest, Route | None]:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"localhost").decode("latin-1")
        client = scope.get("client")
        request = ApiRequest(
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            base_url=f"{scope['scheme']}://{host}",
            now=self.world.clock(),
            client_port=client[1] if client else None,
        )
        if b"content-length" in headers or b"transfer-encoding" in headers:
            request.body = await _read_body(receive)
        match = self._router.match(request.method, (scope.get("raw_path") or request.path.encode()).decode("latin-1"))
        request.params = match.params
        request.item_type = match.route.item_type if match.route else None
        return request, match.route

    async def _serve(self, request: ApiRequest, route: Route | None) -> Response | None:
        """Return the response, ``None`` to cut the connection."""
        for_token = route is not None and route.bucket == "token"
        if for_token and self.world.config.token_delay_seconds:
            await self._sleep(self.world.config.token_delay_seconds)
        fault = self.world.faults.take(request.method, request.path)
        if fault is None:
            return self._response(request, route)
        processed = self._response(request, route) if fault.phase == "after" else None
        if fault.delay_seconds:
            await self._sleep(fault.delay_seconds)
        if fault.action == "delay":
            return processed or self._response(request, route)
        return None if fault.action == "drop" else fault_response(fault, for_token=for_token)

    def _response(self, request: ApiRequest, route: Route | None) -> Response:
        """Check who calls and how often, and let the handler answer."""
        try:
            if route is None:
                raise self._no_route(request)
            self._check_caller(request, route)
            response = route.handler(self.world, request)
        except ServiceError as error:
            envelope = ENVELOPES.get(route.bucket, error_response) if route is not None else error_response
            return envelope(error)
        if "requestid" not in response.headers:
            response.headers["requestid"] = new_request_id()
        return response

    def _check_caller(self, request: ApiRequest, route: Route) -> None:
        if not route.audiences:
            return
        token = request.bearer_token()
        caller = self.world.tokens.check(token, route.audiences, self.world.identities, request.now)
        request.identity, request.authorized = caller, True
        self.world.quota.take(self.world.config, route.bucket, caller.client_id, request.now)

    def _no_route(self, request: ApiRequest) -> ServiceError:
        allowed = self._router.match(request.method, request.path).allowed
        if allowed:
            headers = {"Allow": ", ".join(allowed)}
            text = f"{request.path} does not take {request.method}"
            return ServiceError(405, "MethodNotAllowed", text, headers=headers)
        return ServiceError(404, "EntityNotFound", f"The endpoint {request.method} {request.path} does not exist")

    def _control_response(self, request: ApiRequest, route: Route | None) -> Response:
        """Return the response of a control endpoint or of the portal; both are missing unless control is on."""
        try:
            if self._control is not None and _is_control(request, route):
                self._control.check(request)
            if route is None or self._control is None:
                raise self._no_route(request)
            return route.handler(self.world, request)
        except ServiceError as error:
            return error_response(error)
        except (TypeError, ValueError, AttributeError, KeyError) as problem:
            text = f"The control call cannot be read: {problem!r}"
            return error_response(ServiceError(400, "InvalidInput", text))

    async def _drop(self, scope: Scope, receive: Receive) -> None:
        if not self.connections.cut(scope.get("client")):
            raise ConnectionAbortedError("an injected fault cuts the connection")
        while (await receive())["type"] != "http.disconnect":
            pass


def _is_control(request: ApiRequest, route: Route | None) -> bool:
    """Say whether a request is for the control endpoints, in whatever case it writes them: routes ignore it."""
    return (route is not None and route.bucket == CONTROL) or request.path.lower().startswith(PREFIX)


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)
