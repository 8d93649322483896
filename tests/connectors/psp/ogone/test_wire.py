"""One call, one deadline: servers that stretch, flood, redirect or speak TLS and then say little."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.psp.contract import Deadline
from connectors.psp.ogone.watch import WATCHES, Watch
from connectors.psp.ogone.wire import Answered, HttpWire, Lapsed, NotConnected, Silent

DEADLINE_S = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
Play = Callable[[socket.socket], None]


@contextmanager
def served(play: Play, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that plays one part with each connection; its port, and what the requests began with."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        done = threading.Event()

        def one(plain: socket.socket) -> None:
            try:
                with context.wrap_socket(plain, server_side=True) if context else plain as connection:
                    request = b""
                    while not request.endswith(b"A=1") and (piece := connection.recv(65536)):
                        request += piece
                    seen.append(request)
                    play(connection)
            except OSError:
                pass  # the client went away, which is what most of these tests are about

        def serve() -> None:
            while not done.is_set():
                try:
                    plain, _ = listener.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=one, args=(plain,), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], seen
        finally:
            done.set()
            thread.join()


def post(port: int, scheme: str = "http", cap: int = 1000, authorities: str = "") -> Answered:
    return HttpWire(authorities).post(f"{scheme}://127.0.0.1:{port}/x.asp", b"A=1", deadline=Deadline.within(DEADLINE_S), cap=cap)


def drip(start: bytes) -> Play:
    def play(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    return play


def say(data: bytes) -> Play:
    return lambda connection: connection.sendall(data)


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(drip(b""), id="status line"),
        pytest.param(drip(HEAD + b"X-Header: "), id="headers"),
        pytest.param(drip(HEAD + b"Content-Length: 900\r\n\r\n"), id="body with a length"),
        pytest.param(drip(HEAD + b"Connection: close\r\n\r\n"), id="body to the end of the connection"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"), id="chunk"),
        pytest.param(lambda connection: time.sleep(5), id="nothing"),
    ],
)
def test_nothing_stretches_the_deadline(play: Play) -> None:
    """A byte now and then keeps no call alive, and what came so far is not taken for an answer."""
    with served(play) as (port, seen):
        started = time.monotonic()
        with pytest.raises(Silent):
            post(port)

    assert DEADLINE_S - 0.1 < time.monotonic() - started < DEADLINE_S + 0.5
    assert len(seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="closed"),
        pytest.param(b"rubbish\r\n\r\n", id="no HTTP"),
        pytest.param(HEAD + b"Content-Length: 50\r\n\r\nhalf", id="half a body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal", id="half a chunk"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", id="compressed unasked"),
        pytest.param(HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", id="endless header"),
    ],
)
def test_broken_answers_are_silence(answer: bytes) -> None:
    """Once the request was written, nothing but a whole answer counts, and it is written once."""
    with served(say(answer)) as (port, seen):
        with pytest.raises(Silent):
            post(port)
        time.sleep(0.1)

    assert len(seen) == 1


def test_whole_answer() -> None:
    """What a plain answer looks like, and what was asked."""
    with served(say(HEAD + b"Content-Length: 5\r\n\r\nhello")) as (port, seen):
        got = post(port)

    assert got == Answered(status=200, content_type="text/xml", body=b"hello")
    assert seen[0].startswith(b"POST /x.asp HTTP/1.1\r\n")
    assert seen[0].endswith(b"\r\n\r\nA=1")


def test_every_call_has_a_connection_and_a_deadline_of_its_own() -> None:
    """One wire, one thread: a server that keeps connections open is met anew, and one that falls silent later is cut off in time."""
    parts = iter([say(HEAD + b"Content-Length: 2\r\n\r\nok"), say(HEAD + b"Content-Length: 2\r\n\r\nok"), drip(HEAD + b"X: ")])

    def play(connection: socket.socket) -> None:
        next(parts)(connection)
        connection.recv(65536)  # open until the other side closes it

    wire = HttpWire()
    with served(play) as (port, seen):
        url = f"http://127.0.0.1:{port}/x.asp"
        assert [wire.post(url, b"A=1", deadline=Deadline.within(5), cap=10).body for _ in range(2)] == [b"ok", b"ok"]
        begun = time.monotonic()
        with pytest.raises(Silent):
            wire.post(url, b"A=1", deadline=Deadline.within(DEADLINE_S), cap=10)
        assert time.monotonic() - begun < DEADLINE_S + 0.5

    assert len(seen) == 3


def test_calls_that_are_over_are_not_kept_until_their_deadline() -> None:
    """Hundreds of calls a second, each with half a minute: only those under way are watched, and one of these is still cut off."""
    running = Watch(Deadline.within(DEADLINE_S))
    running.start()
    for _ in range(1_000):
        one = Watch(Deadline.within(30))
        one.start()
        one.stop()
    assert len(WATCHES) < 500

    time.sleep(DEADLINE_S + 0.3)
    assert running.struck
    assert not one.struck


def test_floods_are_cut() -> None:
    """Memory is bounded by the cap, whatever is announced."""
    with served(say(HEAD + b"Connection: close\r\n\r\n" + b"a" * 3_000_000)) as (port, _):
        got = post(port, cap=1000)

    assert (got.cut, len(got.body)) == (True, 1000)


def test_redirects_are_not_followed() -> None:
    """Keys and amounts do not travel to another address."""
    with served(say(HEAD)) as (elsewhere, there):
        location = f"Location: http://127.0.0.1:{elsewhere}/\r\nContent-Length: 0\r\n\r\n".encode()
        with served(say(b"HTTP/1.1 307 Moved\r\n" + location)) as (port, _):
            assert post(port).status == 307

    assert there == []


def test_closed_port_was_never_connected() -> None:
    """Nothing was written."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(NotConnected):
        post(port)


def test_name_that_does_not_exist() -> None:
    """Nothing was written."""
    with pytest.raises(NotConnected):
        HttpWire().post("http://nowhere.invalid/x.asp", b"A=1", deadline=Deadline.within(5), cap=10)


def test_connection_that_never_completes() -> None:
    """A full queue: connecting counts against the same deadline, and nothing was written."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for filler in waiting:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        started = time.monotonic()
        with pytest.raises(NotConnected):
            post(listener.getsockname()[1])
        for filler in waiting:
            filler.close()

    assert time.monotonic() - started < DEADLINE_S + 0.5


def test_nothing_is_begun_after_the_deadline() -> None:
    """Whoever comes to the wire too late, however long before the end was fixed, does not even connect."""
    over = Deadline.within(0.1)
    time.sleep(0.15)
    with served(say(HEAD)) as (port, seen), pytest.raises(Lapsed):
        HttpWire().post(f"http://127.0.0.1:{port}/x.asp", b"A=1", deadline=over, cap=10)

    assert seen == []


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        pytest.param(0, Lapsed, id="before all"),
        pytest.param(1, Lapsed, id="before the address"),
        pytest.param(2, Lapsed, id="before the connection"),
        pytest.param(3, Lapsed, id="connected"),
        pytest.param(4, Silent, id="head written"),
    ],
)
def test_nothing_is_written_after_the_deadline(looks: int, told: type[Exception]) -> None:
    """However far it came: the process was stopped and goes on, and its watch has not struck yet."""
    left = iter([DEADLINE_S] * looks)
    paused = Deadline(0.0, lambda: -next(left, 0.0))
    with served(say(HEAD + b"Content-Length: 2\r\n\r\nok")) as (port, seen):
        with pytest.raises(told):
            HttpWire().post(f"http://127.0.0.1:{port}/x.asp", b"A=1", deadline=paused, cap=10)
        time.sleep(0.1)

    assert next(left, None) is None
    assert [request[:4] for request in seen if request] == ([b"POST"] if told is Silent else [])
    assert not any(request.endswith(b"A=1") for request in seen)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(own.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_tls(certificate: Path) -> None:
    """The watch stands behind TLS too: a whole answer passes, a drip does not stretch the call."""
    with served(say(HEAD + b"Content-Length: 2\r\n\r\nok"), server_context(certificate)) as (port, _):
        assert post(port, "https", authorities=str(certificate)).body == b"ok"
    with served(drip(HEAD + b"Connection: close\r\n\r\n"), server_context(certificate)) as (port, _):
        started = time.monotonic()
        with pytest.raises(Silent):
            post(port, "https", authorities=str(certificate))

    assert time.monotonic() - started < DEADLINE_S + 0.5


def test_unknown_certificate_gets_nothing(certificate: Path) -> None:
    """No byte of the request is written to a server that cannot prove who it is."""
    with served(say(HEAD), server_context(certificate)) as (port, seen), pytest.raises(NotConnected):
        post(port, "https")

    assert seen == []


def test_handshake_that_never_ends() -> None:
    """TLS that is never answered: the deadline holds, and nothing was written."""
    with served(lambda connection: time.sleep(5)) as (port, _):
        started = time.monotonic()
        with pytest.raises(NotConnected):
            post(port, "https")

    assert DEADLINE_S - 0.1 < time.monotonic() - started < DEADLINE_S + 0.5
