"""One HTTP exchange with one absolute deadline over connecting, writing and reading. No retries, no redirects, no reuse.

A watch shuts the socket down at the deadline, so that neither a server that drips bytes nor one that never reads can stretch
a call. Two failures are told apart: `NotConnected` (no byte of the request was written) and `Silent` (anything after that).
The deadline is an instant that the caller has fixed, and it is looked at right before each write: who was paused on the way here, for
however long, writes nothing. What cannot be looked at is the one system call that writes: a process that is stopped between the look
and it, and goes on after the deadline before its watch does, writes that piece; and what was written in time may travel for a while.
The system's resolver keeps its own time-outs; an address that resolves too late is `NotConnected`.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Protocol

import certifi
import msgspec
import urllib3
from urllib3.util import parse_url

from connectors.psp.contract import Deadline
from connectors.psp.ogone.watch import Watch

_CHUNK = 16 * 1024


class NotConnected(Exception):
    """The connection was never made, or too late: nothing was written."""

    code = "not_connected"


class Lapsed(NotConnected):
    """The deadline was over before the first byte."""

    code = "deadline"


class Silent(Exception):
    """Something may have been written, and no whole answer came back."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer: at most `cap` bytes were read of the body (`cut`: there was more)."""

    status: int
    content_type: str
    body: bytes
    cut: bool = False


class Wire(Protocol):
    """How a form is posted and its answer read. Raises NotConnected or Silent, nothing else for what the world does."""

    def post(self, url: str, form: bytes, *, deadline: Deadline, cap: int) -> Answered: ...


_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "text/xml, application/xml",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "foliohub",
}


class HttpWire:
    """The real one, by urllib3: each call with a connection of its own. `authorities`: the file of those that a certificate is checked
    against, in place of the public ones."""

    def __init__(self, authorities: str = "") -> None:
        self._context = ssl.create_default_context(cafile=authorities or certifi.where())
        self._own = threading.local()

    def post(self, url: str, form: bytes, *, deadline: Deadline, cap: int) -> Answered:
        watch = Watch(deadline)
        watch.start()
        _CALL.watch = watch
        pools = self._pools()
        try:
            response = pools.connection_from_url(url).urlopen(
                "POST", parse_url(url).request_uri, form, _HEADERS,
                retries=False, redirect=False, timeout=watch.left_s(), preload_content=False, decode_content=False,
            )  # fmt: skip
            with contextlib.closing(response):
                body, cut = _read(response, cap, watch)
            return Answered(
                status=response.status,
                content_type=response.headers.get("Content-Type", "")[:200],
                body=body,
                cut=cut,
            )
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, UnicodeError) as error:
            over = watch.over()
            reason = "deadline" if over else type(error).__name__
            if watch.wrote:
                raise Silent(reason) from None
            raise (Lapsed if over else NotConnected)(reason) from None
        finally:
            pools.clear()  # its connection, which a provider may leave open
            watch.stop()

    def _pools(self) -> urllib3.PoolManager:
        """This thread's own, whose connections are watched; nothing of one call is left in it for the next."""
        pools: urllib3.PoolManager | None = getattr(self._own, "pools", None)
        if pools is None:
            pools = self._own.pools = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=self._context)
            pools.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return pools


def _read(response: urllib3.BaseHTTPResponse, cap: int, watch: Watch) -> tuple[bytes, bool]:
    """The body up to `cap` bytes, undecoded. A body that ends before its announced length, or in an encoding, is no answer."""
    if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise OSError("answer is compressed although it was asked not to be")
    pieces: list[bytes] = []
    size = 0
    while size <= cap:
        watch.left_s()
        piece = response.read(_CHUNK, decode_content=False)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    # The watch ends a drip by closing the socket: without an announced length that would look like a whole body.
    watch.left_s()
    body = b"".join(pieces)
    return body[:cap], len(body) > cap


class _Call(threading.local):
    """The watch of the call that a thread makes."""

    watch: Watch


_CALL = _Call()


class _WatchedMixin:
    """A connection that comes under the watch as soon as it stands and notes when it begins to write."""

    sock: Any
    connect: Callable[[], None]

    def _new_conn(self) -> socket.socket:
        connected = _connect(getattr(self, "_dns_host", None) or self.host, self.port or 0, _CALL.watch)  # type: ignore[attr-defined]  # both belong to urllib3's connection
        try:
            _CALL.watch.guard(connected)
        except TimeoutError:
            connected.close()
            raise
        return connected

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _CALL.watch.writing()
        super().send(data)  # type: ignore[misc]  # http.client's, behind the mixin


class _Http(_WatchedMixin, urllib3.connection.HTTPConnection):
    pass


class _Https(_WatchedMixin, urllib3.connection.HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


def _connect(host: str, port: int, watch: Watch) -> socket.socket:
    """A TCP connection to the first address that answers; all of them share what is left of the deadline."""
    last: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host.strip("[]"), port, 0, socket.SOCK_STREAM):
        attempt = socket.socket(family, kind, protocol)
        try:
            attempt.settimeout(watch.left_s())
            attempt.connect(address)
            attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            attempt.close()
            last = error
        else:
            return attempt
    raise last or OSError(f"{host} has no address")
