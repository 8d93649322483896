"""Hands due requests to threads: one bounded pool a merchant, at the merchant's own pace; what cannot go on now is left alone.

The store's leases and marks decide what may be sent; nothing here can make a request go out twice. Its threads end with the
process: a call that is under way when it stops is in doubt, and is asked about after the next start.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Final

import structlog
from prometheus_client import Gauge

from engine.hub import Hub
from engine.pacing import Paced
from engine.store.contract import StoreAway
from engine.store.effects import Effect, PaymentAsk

TICK_S: Final = 1.0
HOLD_S: Final = 15.0  # what could not go on is tried again after this, or when its payment has moved
_BATCH: Final = 100
_OTHERS: Final = 2  # threads for merchants that are not configured

log = structlog.get_logger(__name__)
busy = Gauge("foliohub_provider_calls_running", "Requests that threads carry at this moment", ("merchant",))

Item = Effect | PaymentAsk


class Pool:
    """So many threads for one merchant; they are started when they are needed and never outlive the process."""

    def __init__(self, merchant: str, size: int, work: Work) -> None:
        self.merchant, self.size = merchant, size
        self._work = work
        self._jobs: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def give(self, item: Item, running: int) -> None:
        """Carry this one next; `running` others are under way."""
        if running >= len(self._threads) and len(self._threads) < self.size:
            name = f"provider-{self.merchant}-{len(self._threads)}"
            thread = threading.Thread(target=self._carry, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(item)

    def stop(self) -> None:
        """Let every thread end after what it carries."""
        for _ in self._threads:
            self._jobs.put(None)

    def _carry(self) -> None:
        while (item := self._jobs.get()) is not None:
            self._work.carry(item)


class Work:
    """What is under way and what is held back, for the dispatcher and its threads. Thread-safe."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._running: dict[tuple[str, ...], str] = {}  # item: merchant
        self._held: dict[tuple[str, ...], tuple[float, Item]] = {}
        self.wake = threading.Event()
        self.idle = threading.Event()
        self.idle.set()

    def running(self, merchant: str) -> int:
        """Items of a merchant that are under way."""
        with self._lock:
            return sum(one == merchant for one in self._running.values())

    def held(self) -> int:
        with self._lock:
            return len(self._held) + len(self._running)

    def take(self, item: Item) -> bool:
        """Whether it may be carried now: it is not under way, and has moved since it was last tried, or waited long enough."""
        name = _name(item)
        with self._lock:
            until, last = self._held.get(name, (0.0, None))
            if name in self._running or (last == item and time.monotonic() < until):
                return False
            self._running[name] = item.merchant
            self.idle.clear()
        busy.labels(item.merchant).inc()
        return True

    def carry(self, item: Item) -> None:
        """One step of one item, in a merchant's thread. Whatever happens to it, the thread goes on."""
        try:
            self._hub.effects.work(item)
        except StoreAway as away:
            log.warning("store_away", during="effects", reason=away.message)
        except Exception:
            log.exception("effect_failed", merchant=item.merchant, reference=item.reference, effect=getattr(item, "id", ""))
        finally:
            self._done(item)
            self._hub.wake.set()

    def _done(self, item: Item) -> None:
        name = _name(item)
        busy.labels(item.merchant).dec()
        with self._lock:
            now = time.monotonic()
            self._running.pop(name, None)
            for other, (until, held) in list(self._held.items()):  # its payment has moved, or their time is over
                if until <= now or (held.merchant, held.reference) == (item.merchant, item.reference):
                    del self._held[other]
            self._held[name] = (now + HOLD_S, item)
            if not self._running:
                self.idle.set()
        self.wake.set()


class Dispatcher:
    """Runs in one thread until `stop`; `run` never raises for what a provider or an item does."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.work = Work(hub)
        self._pools: dict[str, Pool] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        away = False
        while not self._stopping.is_set():
            self.work.wake.clear()
            try:
                given, wait_s = self._round()
                away = False
            except StoreAway as error:
                if not away:
                    log.warning("store_away", during="effects", reason=error.message)
                away, given, wait_s = True, 0, TICK_S
            if not given:
                self.work.wake.wait(wait_s)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopping.set()
        self.work.wake.set()
        for pool in list(self._pools.values()):
            pool.stop()

    def finished(self, timeout_s: float) -> bool:
        """Whether everything that was under way has ended in time."""
        return self.work.idle.wait(max(0.0, timeout_s))

    def _round(self) -> tuple[int, float]:
        """Hand out what may go; how many, and after how many seconds to look again."""
        wait_s, closed = TICK_S, []
        for merchant, pool in self._pools.items():
            pause_s = _pause(self._hub, merchant)
            if pause_s > 0 or self.work.running(merchant) >= pool.size:
                closed.append(merchant)
                wait_s = min(wait_s, pause_s or wait_s)
        given = 0
        for item in self._hub.effects.due(_BATCH + self.work.held(), closed):
            if self._stopping.is_set():
                break
            pool = self._pool(item.merchant)
            running = self.work.running(item.merchant)
            if running >= pool.size or _pause(self._hub, item.merchant) > 0 or not self.work.take(item):
                continue
            pool.give(item, running)
            given += 1
        due = self._hub.effects.next_due()
        if due is not None and due > (now := self._hub.clock.now()):
            wait_s = min(wait_s, (due - now) / 1_000_000)
        return given, max(wait_s, 0.005)

    def _pool(self, merchant: str) -> Pool:
        if merchant not in self._pools:
            connector = self._hub.effects.connector(merchant)
            size = connector.concurrency if isinstance(connector, Paced) else _OTHERS
            self._pools[merchant] = Pool(merchant, size, self.work)
        return self._pools[merchant]


def _pause(hub: Hub, merchant: str) -> float:
    connector = hub.effects.connector(merchant)
    return connector.pace.ready_in() if isinstance(connector, Paced) else 0.0


def _name(item: Item) -> tuple[str, ...]:
    return (item.id,) if isinstance(item, Effect) else (item.merchant, item.reference)
