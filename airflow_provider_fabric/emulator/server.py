"""The emulator as a library: a TLS server in a thread of its own, for the length of a ``with`` block."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from airflow_provider_fabric.emulator.app import EmulatorApp
from airflow_provider_fabric.emulator.control.access import ControlAccess
from airflow_provider_fabric.emulator.control.client import EmulatorControl
from airflow_provider_fabric.emulator.http.certificates import DataDirectory
from airflow_provider_fabric.emulator.http.connections import Connections, protocol_class
from airflow_provider_fabric.emulator.http.hosts import is_loopback
from airflow_provider_fabric.emulator.state.config import Config
from airflow_provider_fabric.emulator.state.tokens import MANAGEMENT
from airflow_provider_fabric.emulator.state.world import World

log = logging.getLogger(__name__)
BEYOND_LOOPBACK = (
    "The emulator listens on %s, beyond this machine: whoever reaches its port can get access tokens for its "
    "workspaces. Put no real data and no real secrets into it."
)
START_SECONDS = 20.0
STOP_SECONDS = 3


def _websockets() -> Any:
    """Return uvicorn's WebSocket implementation, which eventstreams need; ``none`` if a library is missing or old."""
    try:
        from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    except ImportError:
        return "none"
    return WebSocketsSansIOProtocol


class _Server(uvicorn.Server):
    """uvicorn's server, which would wait for idle clients to hang up; ours hangs up itself."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._emulator_connections = connections

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and cut all connections."""
        self._emulator_connections.cut_all()
        await super().shutdown(sockets)


class FabricEmulator:
    """A Fabric tenant on this machine.

    .. code-block:: python

        with FabricEmulator(job_seconds=1) as emulator:
            os.environ["AIRFLOW_CONN_FABRIC_DEFAULT"] = emulator.connection_json

    :param host: address to listen on.
    :param port: 0 picks a free one.
    :param data_dir: where certificates and identities are kept; ``None`` is a directory that goes with the emulator.
    :param control: whether the control endpoints and the portal answer; ``None`` is only on loopback addresses. Beyond
        them, control calls need :attr:`control_token`.
    :param clock: epoch seconds.
    :param config: settings of :class:`~airflow_provider_fabric.emulator.state.config.Config`.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        data_dir: str | Path | None = None,
        *,
        control: bool | None = None,
        clock: Callable[[], float] = time.time,
        **config: Any,
    ) -> None:
        settings = Config().patched(config)
        self.host = host
        self.port = port
        self._own_directory = data_dir is None
        self._files = DataDirectory(
            Path(data_dir).absolute() if data_dir else Path(tempfile.mkdtemp(prefix="fabric-emulator-"))
        )
        self.world = World(self._files.tenant(), settings, self._files.signing_key(), clock)
        self.connections = Connections()
        self._is_local = is_loopback(host)
        has_control = self._is_local if control is None else control
        self.control_token = self._files.control_token() if has_control and not self._is_local else None
        access = ControlAccess(frozenset() if self._is_local else None, self.control_token) if has_control else None
        self.app = EmulatorApp(self.world, self.connections, control=access)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Root of the service, without ``/v1``."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104
        return f"https://[{host}]:{self.port}" if ":" in host else f"https://{host}:{self.port}"

    @property
    def ca_bundle(self) -> str:
        """Path of the CA bundle that clients have to trust."""
        return str(self._files.ca_bundle)

    @property
    def tenant_id(self) -> str:
        """Id of the tenant."""
        return self.world.tenant.tenant_id

    @property
    def client_id(self) -> str:
        """Id of the seeded application."""
        return self.world.tenant.client_id

    @property
    def client_secret(self) -> str:
        """Secret of the seeded application."""
        return self.world.tenant.client_secret

    @property
    def workspace_id(self) -> str:
        """Id of the seeded workspace, ``Emulator workspace``."""
        return self.world.tenant.workspace_id

    @property
    def user_id(self) -> str:
        """Object id of the seeded user, for delegated sign-in."""
        return self.world.tenant.user_id

    def issued_tokens(self) -> list[str]:
        """Return the access and refresh tokens issued so far: for tests that search for leaks."""
        return self.world.tokens.texts()

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection of the seeded application, as a dictionary."""
        return {
            "conn_type": "fabric",
            "login": self.client_id,
            "password": self.client_secret,
            "host": self.url,
            "extra": {
                "tenant_id": self.tenant_id,
                "auth_type": "client_secret",
                "authority": self.url,
                "verify": self.ca_bundle,
                "onelake_host": f"{self.url}/onelake/dfs",
                "arm_host": f"{self.url}/arm",
                "arm_scope": f"{MANAGEMENT}/.default",
            },
        }

    @property
    def connection_json(self) -> str:
        """The Airflow connection as JSON, as ``AIRFLOW_CONN_…`` takes it."""
        return json.dumps(self.connection)

    @property
    def control(self) -> EmulatorControl:
        """A client of the control endpoints."""
        return EmulatorControl(self.url, self.ca_bundle, token=self.control_token)

    def _bind(self) -> socket.socket:
        """Open the listening socket."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # asyncio turns Nagle's algorithm off only for sockets that name TCP; with it every answer takes 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(2048)
        except (OSError, OverflowError):
            listener.close()
            raise
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        return listener

    def _prepare(self) -> uvicorn.Server:
        """Write the certificates and build the server; the port must be known."""
        self._files.issue_server_certificate(self.host)
        self._files.write_connection(self.connection_json)
        return _Server(
            uvicorn.Config(
                self.app,
                http=protocol_class(self.connections),
                ws=_websockets(),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                backlog=2048,
                timeout_keep_alive=120,
                timeout_graceful_shutdown=STOP_SECONDS,
                ssl_certfile=str(self._files.server_pem),
                ssl_keyfile=str(self._files.server_pem),
            ),
            self.connections,
        )

    def start(self) -> FabricEmulator:
        """Begin to serve, in a thread.

        :raises OSError: when the port is taken.
        :raises RuntimeError: when the server does not come up.
        """
        try:
            listener = self._bind()
        except (OSError, OverflowError):
            self.stop()
            raise
        if not self._is_local:
            log.warning(BEYOND_LOOPBACK, self.host)
        self._server = self._prepare()
        self._thread = threading.Thread(
            target=self._serve, args=(self._server, listener), name="fabric-emulator", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the emulator did not start")
            time.sleep(0.005)
        return self

    @staticmethod
    def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
        asyncio.run(server.serve(sockets=[listener]))

    def stop(self) -> None:
        """Stop serving, and remove the data directory if it was ours."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(2 * STOP_SECONDS)
        self._server = self._thread = None
        if self._own_directory:
            shutil.rmtree(self._files.path, ignore_errors=True)

    def __enter__(self) -> FabricEmulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
