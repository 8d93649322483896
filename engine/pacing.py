"""A merchant's pace: how many calls a second, and rest after a row of calls without an answer. Nothing waits in here.

Every call is counted where it is made, on the wire: a history takes several. Who hands out work asks first when it may (`ready_in`).
A call is never held back once it was begun: its effect is marked by then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from prometheus_client import Gauge

from connectors.psp.contract import Can, Deadline, PaymentConnector
from connectors.psp.ogone.wire import Answered, Wire
from schemas.effect import EffectOrder, Reply, Result

resting = Gauge("foliohub_provider_resting", "1 while a merchant's account rests after calls without an answer", ("merchant",))


class Pace:
    """A token bucket of one second's calls, and a circuit breaker. Seconds are those of `clock_s`. Thread-safe."""

    def __init__(
        self, merchant: str, per_second: float, failures: int, rest_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._merchant, self._per_second, self._failures, self._rest_s = merchant, per_second, failures, rest_s
        self._most = max(1.0, per_second)
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._tokens = self._most
        self._at = clock_s()
        self._silent = 0
        self._rests_until = 0.0
        resting.labels(merchant).set(0)

    def ready_in(self) -> float:
        """Seconds until work may be handed out; 0: now."""
        with self._lock:
            now = self._fill()
            short = max(0.0, 1.0 - self._tokens) / self._per_second
            return max(short, self._rests_until - now, 0.0)

    def spend(self) -> None:
        """A call is made now. One too many is paid back by later ones."""
        with self._lock:
            self._fill()
            self._tokens -= 1.0

    def heard(self, answered: bool) -> None:
        """A call ended. After `failures` without an answer in a row the account rests; then one more silence is enough."""
        with self._lock:
            self._silent = 0 if answered else self._silent + 1
            rests = self._silent >= self._failures
            if rests:
                self._rests_until = self._clock_s() + self._rest_s
            resting.labels(self._merchant).set(int(rests))

    def _fill(self) -> float:
        now = self._clock_s()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return now


class PacedWire:
    """A wire whose exchanges are counted by a pace, each when it begins."""

    def __init__(self, wire: Wire, pace: Pace) -> None:
        self._wire, self._pace = wire, pace

    def post(self, url: str, form: bytes, *, deadline: Deadline, cap: int) -> Answered:
        self._pace.spend()
        return self._wire.post(url, form, deadline=deadline, cap=cap)


class Paced:
    """A connector with its pace, which hears what came of its calls; they are counted on its wire."""

    def __init__(self, connector: PaymentConnector, pace: Pace, concurrency: int) -> None:
        self._connector = connector
        self.name, self.merchant = connector.name, connector.merchant
        self.can: Can = connector.can
        self.pace = pace
        self.concurrency = concurrency

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        return self._heard(self._connector.send(order, deadline))

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        return self._heard(self._connector.query(reference, order, deadline))

    def _heard(self, reply: Reply) -> Reply:
        silent = reply.result is Result.NOT_SENT or reply.code in ("silence", "deadline", "not_connected")
        self.pace.heard(answered=not silent)
        return reply
