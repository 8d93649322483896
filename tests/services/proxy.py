"""A way to a server that can be cut: a TCP proxy on the loopback, whose clients see what a network does to them.

It knows no protocol and changes no byte. It does not drop single packets, and does not slow anything down.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PIECE: Final = 64 * 1024
ESTABLISHED: Final = "01"  # in /proc/net/tcp
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: who closes sends a reset


class Proxy:
    """Listens on `port` of 127.0.0.1 and leads to `target` (a port as well, 0: nowhere yet). Thread-safe.

    `cut`: every connection is reset, and so is each new one. `silence`: connections live, nothing passes, new ones hear nothing.
    `heal`: everything passes again, what was held back first.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._passing = threading.Event()
        self._passing.set()
        self._is_cut = self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut(self) -> None:
        """From now on nothing leads there."""
        with self._lock:
            self._is_cut = True
        self._reset()

    def clients(self) -> int:
        """How many connections to it their owners still hold for whole: a reset takes a moment to reach them."""
        rows = (line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:])
        return sum(there.endswith(f":{self.port:04X}") and state == ESTABLISHED for _, _, there, state, *_ in rows)

    def silence(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._passing.clear()

    def heal(self) -> None:
        """As before."""
        with self._lock:
            self._is_cut = False
        self._passing.set()

    def close(self) -> None:
        """Nothing of it is left."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._passing.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                continue
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._passing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            _drop(client)
            return
        server.settimeout(None)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
            late = self._is_cut
        if late:
            self._end(pair)
            return
        back = threading.Thread(target=self._carry, args=(server, client), name="proxied back", daemon=True)
        back.start()
        self._carry(client, server)
        back.join()
        self._end(pair)

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        """Until one side ends: then the other is told."""
        try:
            while piece := here.recv(PIECE):
                self._passing.wait()
                there.sendall(piece)
            self._passing.wait()
            there.shutdown(socket.SHUT_WR)
        except OSError:  # reset by either, or cut by us: both are to know
            _wake(here)
            _wake(there)

    def _reset(self) -> None:
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for one in pair:
            _wake(one)
            _drop(one)


def _wake(one: socket.socket) -> None:
    """Whoever waits for its bytes goes on."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RD)


def _drop(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    one.close()
