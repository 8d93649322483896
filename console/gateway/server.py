"""The HTTP server of one process: uvicorn in a thread, on an address that is known before it starts."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

import structlog
import uvicorn

from console.gateway.app import create_app
from console.gateway.desk import Desk
from console.gateway.patience import HEAD_S, patient
from engine.hub import Hub
from engine.serving import Serving
from schemas.errors import HubError

_BACKLOG: Final = 512
_CONNECTIONS: Final = 2000
_START_S: Final = 10.0
_GRACE_S: Final = 1  # for requests that are under way when it stops

log = structlog.get_logger(__name__)


class Gateway:
    """Binds at once, so that a taken port is an error before anything else starts; `start`, then `stop` or `with`."""

    def __init__(
        self,
        hub: Hub,
        serving: Serving | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        head_s: float = HEAD_S,
    ) -> None:
        http = hub.configuration.http
        self._socket = _bind(host or http.host, http.port if port is None else port)
        self.host, self.port = self._socket.getsockname()[:2]
        try:
            app = create_app(hub, serving)
        except BaseException:
            self._socket.close()
            raise
        self._desk: Desk = app.state["desk"]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=patient(head_s),
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                proxy_headers=False,
                lifespan="on",
                ws="none",
                backlog=_BACKLOG,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=20,
                timeout_graceful_shutdown=_GRACE_S,
                h11_max_incomplete_event_size=80 * 1024,
            )
        )
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens: `http://127.0.0.1:8480`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> Self:
        """Serve; returns when requests are taken. Raises HubError `gateway_failed`."""
        if not _loopback(self.host):
            log.warning("gateway_open", address=self.address, meaning="not only this machine reaches it: put TLS before it")
        self._thread.start()
        until = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise HubError(f"the gateway at {self.address} does not start: see the log", code="gateway_failed")
            time.sleep(0.005)
        log.info("gateway_listens", address=self.address)
        return self

    def stop(self, timeout_s: float = 3.0) -> None:
        """Take no more, answer what is under way, free the port."""
        self._desk.close()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._socket.close()

    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception:
            log.critical("gateway_failed", address=self.address, exc_info=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises HubError `address_taken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # inherited by every connection: a body does not wait until its head was acknowledged
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        text = f"cannot listen on {host}:{port}: {error.strerror or error}: choose another port ([http] port, FOLIOHUB_HTTP_PORT)"
        raise HubError(text, code="address_taken", field="port", value=port) from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
