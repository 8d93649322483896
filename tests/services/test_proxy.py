"""The proxy that stands before servers: what it lets through, what it cuts, what it holds back."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.services.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one, contextlib.suppress(OSError):
            while heard := one.recv(1000):
                one.sendall(heard)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def _refused(proxy: Proxy) -> bool:
    """Whether a new connection hears nothing but its end."""
    try:
        with _client(proxy) as one:
            one.sendall(b"two")
            return one.recv(10) == b""
    except ConnectionError:
        return True


def test_cut_and_healed(echo: int) -> None:
    """A connection is reset where it stands, a new one at once; afterwards everything passes."""
    with Proxy(echo) as proxy, _client(proxy) as before:
        before.sendall(b"one")
        assert before.recv(10) == b"one"

        proxy.cut()
        with pytest.raises(ConnectionError):
            before.recv(10)
        assert _refused(proxy)
        proxy.heal()

        with _client(proxy) as after:
            after.sendall(b"three")
            assert after.recv(10) == b"three"


def test_silent_and_healed(echo: int) -> None:
    """Nothing is heard, nothing is lost."""
    with Proxy(echo) as proxy, _client(proxy) as one:
        one.sendall(b"one")
        assert one.recv(10) == b"one"

        proxy.silence()
        one.sendall(b"two")
        one.settimeout(0.2)
        with pytest.raises(TimeoutError):
            one.recv(10)
        proxy.heal()

        one.settimeout(5)
        assert one.recv(10) == b"two"
