"""The deadline of a call as a watch: one thread of the process shuts down the sockets of calls whose time is over."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import threading
import time
from typing import Final

from connectors.psp.contract import Deadline

_STOPPED: Final = 100  # so many watches of calls that are over may stay


class Watch:
    """The deadline of one call; shuts its socket down when it strikes. `wrote` is set before the first byte leaves."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.strikes_s = time.monotonic() + deadline.left_s()  # the machine's clock, which is the one that wakes threads
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.struck = False
        self.stopped = False
        self.wrote = False

    def start(self) -> None:
        WATCHES.add(self)

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            if self._socket is not None:
                self._socket.close()
                self._socket = None
        WATCHES.one_less()

    def left_s(self) -> float:
        """Seconds until the deadline; raises TimeoutError when none are left."""
        left_s = self._deadline.left_s()
        if left_s <= 0 or self.struck:
            raise TimeoutError("deadline")
        return left_s

    def over(self) -> bool:
        """Whether the deadline is over."""
        return self.struck or self._deadline.left_s() <= 0

    def writing(self) -> None:
        """Right before bytes of the request leave; raises TimeoutError when it is too late for them."""
        with self._lock:
            self.left_s()
            self.wrote = True

    def guard(self, connected: socket.socket) -> None:
        """Take the socket under watch: a second handle on it, because TLS empties the first."""
        with self._lock:
            if not self.struck:
                self._socket = connected.dup()
                return
        connected.close()
        raise TimeoutError("deadline")

    def strike(self) -> None:
        """The deadline is over."""
        with self._lock:
            self.struck = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


class _Watches:
    """All watches of the process, and the one thread that strikes those whose deadline is over. One that was stopped strikes nothing;
    those are taken out together, once they are the most."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Watch]] = []
        self._stopped = 0  # since they were last taken out
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._changed:
            first = not self._waiting or watch.strikes_s < self._waiting[0][0]
            heapq.heappush(self._waiting, (watch.strikes_s, next(self._numbers), watch))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ogone-deadlines", daemon=True)
                self._thread.start()
            elif first:
                self._changed.notify()

    def one_less(self) -> None:
        """A watch was stopped."""
        with self._changed:
            self._stopped += 1
            if self._stopped > max(_STOPPED, len(self._waiting) // 2):
                self._waiting = [one for one in self._waiting if not one[2].stopped]
                heapq.heapify(self._waiting)
                self._stopped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or (left_s := self._waiting[0][0] - time.monotonic()) > 0:
                    self._changed.wait(left_s if self._waiting else None)
                watch = heapq.heappop(self._waiting)[2]
            watch.strike()


WATCHES = _Watches()
