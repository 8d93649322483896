"""Whoever connects and does not ask, or never ends asking, is let go; whoever asks is served meanwhile."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from config.loader import load
from console.gateway.server import Gateway
from engine.hub import Hub

HEAD_S = 0.5


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    hub = Hub(load(None, {}), ":memory:", {})
    with Gateway(hub, host="127.0.0.1", port=0, head_s=HEAD_S) as made:
        yield made
    hub.close()


def seconds_open(gateway: Gateway, first: bytes, trickle: bytes) -> float:
    """How long the hub keeps a connection on which a byte comes now and then; ten seconds at most."""
    begun_s = time.monotonic()
    with socket.create_connection((gateway.host, gateway.port)) as connection, suppress(ConnectionError):
        connection.sendall(first)
        connection.settimeout(0.05)
        while time.monotonic() - begun_s < 10:
            with suppress(TimeoutError):
                if not connection.recv(4096):
                    break
            connection.sendall(trickle)
    return time.monotonic() - begun_s


@pytest.mark.parametrize(
    ("first", "trickle"),
    [
        pytest.param(b"", b"", id="silence"),
        pytest.param(b"POST /messages HTTP/1.1\r\nHost: x\r\nX-A: ", b"a", id="a head without end"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"a", id="a second head without end"),
        pytest.param(b"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", b"a", id="on and on after the answer"),
    ],
)
def test_what_never_ends_is_ended(gateway: Gateway, first: bytes, trickle: bytes) -> None:
    """In the time of one head, not of each of its bytes."""
    assert HEAD_S * 0.9 < seconds_open(gateway, first, trickle) < 8


def test_a_request_that_takes_longer_is_answered(gateway: Gateway) -> None:
    """The time is that of the head: requests one after the other on one connection, and slow bodies, have theirs."""
    body = b"PAYID=1&SHASIGN=00"
    with socket.create_connection((gateway.host, gateway.port)) as connection:
        connection.settimeout(5)
        connection.sendall(b"POST /psp/ogone/azur HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        for n, byte in enumerate(body):
            time.sleep(HEAD_S * 1.5 / len(body) + 0.01 * (n == 0))
            connection.sendall(bytes([byte]))
        answer = connection.recv(4096)

    with urllib.request.urlopen(f"{gateway.address}/health") as alive:
        assert alive.status == 200
    assert answer.startswith(b"HTTP/1.1 403")


def test_an_answer_is_not_held_back(gateway: Gateway) -> None:
    """On a connection that is kept, a body does not wait until its head was acknowledged, which takes 40 ms each time."""
    waits = []
    with closing(http.client.HTTPConnection(gateway.host, gateway.port, timeout=5)) as connection:
        for _ in range(40):
            begun_s = time.perf_counter()
            connection.request("GET", "/health")
            connection.getresponse().read()
            waits.append(time.perf_counter() - begun_s)

    assert sorted(waits)[len(waits) // 4] < 0.03
