"""The simulator as an HTTP server: DirectLink's pages, a small JSON door for tests and demos, and signed callbacks going out.

It listens on loopback unless told otherwise. The JSON door (`/admin/...`) asks for no key: this is a sandbox.
"""

from __future__ import annotations

import json
import logging
import select
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests

from connectors.psp.ogone.form import MAX_TEXT
from connectors.psp.ogone.simulator import admin
from connectors.psp.ogone.simulator.accounts import SANDBOX, SimulatorAccount
from connectors.psp.ogone.simulator.answers import Played
from connectors.psp.ogone.simulator.books import Books, Callback
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Answering, Script, load

CALLBACK_TIMEOUT_S = 5.0
SILENCE_LIMIT_S = 300.0  # after which a silent connection is closed
DRIP_S = 0.1  # between two bytes
TICK_S = 0.05

_log = logging.getLogger("foliohub.simulator.ogone")


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Simulator:
    """A provider that is served. `script` is a file, a Script, or None for one that accepts everything; `callback_url` serves
    accounts that name none; `port` 0 takes a free one."""

    def __init__(
        self,
        script: Path | Script | None = None,
        books_path: Path | str = ":memory:",
        host: str = "127.0.0.1",
        port: int = 0,
        accounts: Sequence[SimulatorAccount] = (),
        callback_url: str = "",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        played = load(script) if isinstance(script, Path) else script or Script()
        known = (*accounts, *played.accounts) or (SANDBOX,)
        if callback_url:
            known = tuple(a if a.callback_url else msgspec.structs.replace(a, callback_url=callback_url) for a in known)
        self.clock = clock
        self._stopping = threading.Event()
        self._server = _Server((host, port), _Handler)
        try:
            self._books = Books(books_path)
        except BaseException:
            self._server.server_close()
            raise
        self.provider = Provider(self._books, msgspec.structs.replace(played, accounts=()), known)
        self._server.simulator = self
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(TICK_S,), name="ogone-simulator"),
            threading.Thread(target=self._tick, name="ogone-simulator-clock"),
            threading.Thread(target=self._callbacks, name="ogone-simulator-callbacks"),
        ]

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def base_url(self) -> str:
        """The test address for a merchant's account."""
        return f"{self.url}/ncol/test/"

    @property
    def url(self) -> str:
        """The server's root."""
        host, port = self.address
        return f"http://{host}:{port}"

    def start(self) -> Simulator:
        """Serves, in threads of its own; itself."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Ends serving; silent connections are closed, what was not sent stays in the books."""
        self._stopping.set()
        if self._threads[0].is_alive():
            self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._server.wait_idle(CALLBACK_TIMEOUT_S)
        self._books.close()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, seconds: float) -> bool:
        """Lets time pass; True if the simulator is stopping."""
        return self._stopping.wait(seconds)

    def _tick(self) -> None:
        while not self.wait(TICK_S):
            self.provider.advance(self.clock())

    def _callbacks(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self.wait(TICK_S):
                for callback in self.provider.due_callbacks(self.clock()):
                    if self._stopping.is_set():
                        return
                    self.provider.callback_tried(callback, _deliver(session, callback), self.clock())


def _deliver(session: requests.Session, callback: Callback) -> bool:
    """Whether the merchant said 2xx within the provider's patience."""
    try:
        if callback.method == "GET":
            joint = "&" if urlsplit(callback.url).query else "?"
            answer = session.get(
                callback.url + joint + callback.form.decode("ascii"),
                timeout=CALLBACK_TIMEOUT_S,
                allow_redirects=False,
            )
        else:
            answer = session.post(
                callback.url,
                data=callback.form,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                timeout=CALLBACK_TIMEOUT_S,
                allow_redirects=False,
            )
    except requests.RequestException as error:
        _log.info("callback %s not delivered: %s", callback.id, type(error).__name__)
        return False
    return 200 <= answer.status_code < 300


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    simulator: Simulator

    def __init__(self, *args: Any) -> None:
        self._idle = threading.Condition()
        self._busy = 0
        super().__init__(*args)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._busy += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_idle(self, timeout_s: float) -> None:
        """Until no request is under way, at most this long."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout_s)

    def handle_error(self, *_: Any) -> None:
        _log.debug("a connection ended early", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "ogone-simulator"
    sys_version = ""
    timeout = 30  # seconds for a request to come whole

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/admin/"):
            self._admin(parts.path, b"")
        else:
            self._page(parts.path, parts.query.encode("utf-8", "surrogateescape"))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_TEXT:
            self._whole(Played(body=b"<html>413</html>", http_status=413, content_type="text/html"))
            return
        data = self.rfile.read(int(length))
        path = urlsplit(self.path).path
        if path.startswith("/admin/"):
            self._admin(path, data)
        else:
            self._page(path, data)

    def _admin(self, path: str, data: bytes) -> None:
        simulator = self.server.simulator
        status, value = admin.serve(simulator.provider, self.command, path, data, simulator.clock())
        body = json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8")
        self._whole(Played(body=body, http_status=status, content_type="application/json"))

    def _page(self, path: str, data: bytes) -> None:
        simulator = self.server.simulator
        folder, _, page = path.rpartition("/")
        if folder != "/ncol/test" or not page.endswith(".asp"):
            self._whole(Played(body=b"<html>404</html>", http_status=404, content_type="text/html"))
            return
        played = simulator.provider.handle(page.removesuffix(".asp"), data, simulator.clock())
        if simulator.wait(played.after_s):
            return
        match played.answering:
            case Answering.SILENCE:
                self._hold()
            case Answering.RESET:
                pass
            case Answering.DRIP:
                self._drip(played)
            case Answering.CUT:
                self._send(played, played.body[: len(played.body) // 2])
            case _:
                self._whole(played)

    def _whole(self, played: Played) -> None:
        self._send(played, played.body)

    def _send(self, played: Played, sent: bytes) -> None:
        self.send_response(played.http_status)
        self.send_header("Content-Type", played.content_type)
        self.send_header("Content-Length", str(len(played.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = True

    def _hold(self) -> None:
        """Says nothing until whoever asked gives up, or the limit."""
        end_s = time.monotonic() + SILENCE_LIMIT_S
        while time.monotonic() < end_s and not self.server.simulator.wait(TICK_S):
            if select.select([self.connection], [], [], 0)[0]:
                return

    def _drip(self, played: Played) -> None:
        """Byte by byte, headers included, without an announced length."""
        whole = b"HTTP/1.0 200 OK\r\nContent-Type: " + played.content_type.encode("ascii") + b"\r\n\r\n" + played.body
        for place in range(len(whole)):
            self.wfile.write(whole[place : place + 1])
            self.wfile.flush()
            if self.server.simulator.wait(DRIP_S):
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: query strings carry passwords."""
