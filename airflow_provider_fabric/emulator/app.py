"""The ASGI application: every request goes through fault, sign-in check, quota and handler, and into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from airflow_provider_fabric.emulator.control.routes import PREFIX, control_routes
from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id
from airflow_provider_fabric.emulator.fabric.power_bi import power_bi_error
from airflow_provider_fabric.emulator.http.connections import Connections
from airflow_provider_fabric.emulator.http.request import Call, error_answer
from airflow_provider_fabric.emulator.http.routing import Router
from airflow_provider_fabric.emulator.portal.pages import BUCKET as PORTAL
from airflow_provider_fabric.emulator.portal.pages import portal_routes
from airflow_provider_fabric.emulator.routes import all_routes
from airflow_provider_fabric.emulator.state.faults import Fault
from airflow_provider_fabric.emulator.state.tokens import bearer_token
from airflow_provider_fabric.emulator.state.world import World

Sleep = Callable[[float], Awaitable[None]]
MAX_BODY = 32 * 1024 * 1024


class EmulatorApp:
    """The emulator as an ASGI application.

    :param world: the state it serves.
    :param control: whether the control endpoints and the portal answer.
    :param sleep: how injected delays wait.
    """

    def __init__(
        self,
        world: World,
        connections: Connections | None = None,
        *,
        control: bool = True,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.world = world
        self.connections = connections or Connections()
        self._control = control
        self._sleep = sleep
        self._router = Router((*all_routes(), *control_routes(self.connections), *portal_routes()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        call = await self._read(scope, receive)
        if call.path.startswith(PREFIX) or (call.route is not None and call.route.bucket == PORTAL):
            await self._serve_control(call)(scope, receive, send)
            return
        self.connections.use(scope.get("client"))
        response = await self._serve(call)
        bucket = call.route.bucket if call.route else "unknown"
        if response is None:
            self.world.log.add(call, bucket, None, None)
            await self._drop(scope, receive)
            return
        self.world.log.add(call, bucket, response.status_code, response.headers.get("retry-after"))
        response.headers.setdefault("Date", formatdate(self.world.clock(), usegmt=True))
        await response(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Call:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"localhost").decode("latin-1")
        client = scope.get("client")
        call = Call(
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            base_url=f"{scope['scheme']}://{host}",
            now=self.world.clock(),
            client_port=client[1] if client else None,
        )
        if b"content-length" in headers or b"transfer-encoding" in headers:
            call.body = await _read_body(receive)
        match = self._router.match(call.method, (scope.get("raw_path") or call.path.encode()).decode("latin-1"))
        call.route, call.params = match.route, match.params
        return call

    async def _serve(self, call: Call) -> Response | None:
        """Return the answer, ``None`` to cut the connection."""
        if call.route is not None and call.route.bucket == "token" and self.world.config.token_delay_seconds:
            await self._sleep(self.world.config.token_delay_seconds)
        fault = self.world.faults.take(call.method, call.path)
        if fault is None:
            return self._answer(call)
        answer = self._answer(call) if fault.phase == "after" else None
        if fault.delay_seconds:
            await self._sleep(fault.delay_seconds)
        if fault.action == "delay":
            return answer or self._answer(call)
        return self._faulty_answer(call, fault)

    @staticmethod
    def _faulty_answer(call: Call, fault: Fault) -> Response | None:
        if fault.action == "drop":
            return None
        for_token = call.route is not None and call.route.bucket == "token"
        return fault.answer(for_token=for_token)

    def _answer(self, call: Call) -> Response:
        """Check who calls and how often, and let the handler answer."""
        try:
            self._check_caller(call)
            if call.route is None:
                raise self._no_route(call)
            response = call.route.handler(self.world, call)
        except ServiceError as error:
            if call.route is not None and call.route.bucket == "powerbi":
                return power_bi_error(error)
            return error_answer(error)
        if "requestid" not in response.headers:
            response.headers["requestid"] = new_request_id()
        return response

    def _check_caller(self, call: Call) -> None:
        route = call.route
        if route is None or not route.audiences:
            return
        token = bearer_token(call.header("authorization"))
        call.identity = self.world.tokens.check(token, route.audiences, self.world.identities, call.now)
        call.authorized = True
        self.world.quota.take(self.world.config, route.bucket, call.identity.client_id, call.now)

    def _no_route(self, call: Call) -> ServiceError:
        allowed = self._router.match(call.method, call.path).allowed
        if allowed:
            headers = {"Allow": ", ".join(allowed)}
            return ServiceError(405, "MethodNotAllowed", f"{call.path} does not take {call.method}", headers=headers)
        return ServiceError(404, "EndpointNotFound", f"The endpoint {call.method} {call.path} does not exist")

    def _serve_control(self, call: Call) -> Response:
        if not self._control:
            call.route = None
        try:
            if call.route is None:
                raise self._no_route(call)
            return call.route.handler(self.world, call)
        except ServiceError as error:
            return error_answer(error)
        except (TypeError, ValueError, AttributeError, KeyError) as problem:
            return error_answer(ServiceError(400, "InvalidInput", f"The control call cannot be read: {problem!r}"))

    async def _drop(self, scope: Scope, receive: Receive) -> None:
        if not self.connections.cut(scope.get("client")):
            raise ConnectionAbortedError("an injected fault cuts the connection")
        while (await receive())["type"] != "http.disconnect":
            pass


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
