"""The threads of a live embedded hub: lanes, requests to providers, broker, housekeeping. What they do stands elsewhere.

A store that is away is waited for. Anything else that is unexpected ends the serving: `failed` is set, and the process is to exit
with an error and be restarted, since a hub that limps is worse than one that is down.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from engine.dispatch import Dispatcher
from engine.housekeeping import Housekeeping
from engine.hub import Hub
from engine.relay import Relay, broker_url, topology
from engine.store.contract import StoreAway
from engine.transport.amqp.consumer import AmqpConsumer, AmqpSource, Tuning
from engine.transport.amqp.publisher import AmqpPublisher
from engine.transport.amqp.topology import provision
from schemas.errors import Retryable

TICK_S: Final = 1.0
STOP_S: Final = 2.2
_STARTED: Final = 0.5  # pause before the broker is tried again, first; then twice as long, at most ten seconds

log = structlog.get_logger(__name__)


class Serving:
    """Threads around one hub. `start` once, `stop` once; `failed` is set when they cannot go on, `failure` says why."""

    def __init__(self, hub: Hub, environ: Mapping[str, str] = os.environ) -> None:
        self.hub = hub
        self.failed = threading.Event()
        self.ended = threading.Event()
        self.failure: BaseException | None = None
        self.store_away = False
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._dispatcher = Dispatcher(hub)
        self._housekeeping = Housekeeping(hub)
        self._url = broker_url(hub.configuration, environ)
        self._relay: Relay | None = None
        self._publisher: AmqpPublisher | None = None
        self._consumer: AmqpConsumer | None = None
        if self._url:
            self._make_broker()

    def _make_broker(self) -> None:
        amqp = self.hub.configuration.amqp
        self._publisher = AmqpPublisher(self._url, amqp.exchange, confirm_timeout_s=amqp.confirm_timeout_s)
        self._relay = Relay(self.hub, self._publisher)
        sources = [AmqpSource(queue=one.queue, tenants=frozenset(one.tenants), operators=one.operators) for one in amqp.intake]
        self._consumer = AmqpConsumer(self._url, sources, self.hub.intake, Tuning(prefetch=amqp.prefetch))

    # -- for who runs it -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Every thread; returns at once."""
        self._start("lanes", self._run_lanes)
        self._start("effects", self._dispatcher.run)
        self._start("housekeeping", self._housekeeping.run)
        if self._relay is not None and self._consumer is not None:
            self._start("broker", self._provision)

    def finish(self) -> None:
        """Begin nothing new at providers; what is under way there goes on."""
        self._dispatcher.stop()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End all threads. What is under way is finished within the time; a provider's call that is longer is asked about later."""
        until = time.monotonic() + timeout_s
        self._stopping.set()
        self._housekeeping.stop()
        self._dispatcher.stop()
        for part in (self._consumer, self._relay):
            if part is not None:
                part.stop()
        self.hub.wake.set()
        if not self._dispatcher.finished(until - 0.1 - time.monotonic()):
            log.warning("calls_under_way", meaning="they are asked about after the next start")
        for thread in self._threads:
            thread.join(max(0.05, until - time.monotonic()))
        if self._publisher is not None:
            self._publisher.close()
        self.ended.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until it failed or was stopped; False when the time is over first."""
        return self.ended.wait(timeout_s)

    def problems(self) -> dict[str, str]:
        """What keeps the hub from being ready, by part; empty when all is well."""
        found = {thread.name: "has ended" for thread in self._threads if not thread.is_alive()}
        if not self._threads:
            found["lanes"] = "not started"
        if self.store_away:
            found["store"] = "cannot be written"
        if self.failure is not None:
            found["serving"] = f"{type(self.failure).__name__}: see the log"
        return found

    def broker_connected(self) -> bool | None:
        """Whether the broker is there; None when there is none."""
        return None if self._consumer is None else self._consumer.connected.is_set()

    # -- threads ---------------------------------------------------------------------------------------------------------------

    def _start(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(run,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as failure:
            if self._stopping.is_set():
                log.warning("ended_while_stopping", reason=str(failure))
                return
            log.critical("serving_failed", thread=threading.current_thread().name, exc_info=failure)
            self.failure = self.failure or failure
            self.failed.set()
            self.ended.set()

    def _run_lanes(self) -> None:
        while not self._stopping.is_set():
            self.hub.wake.clear()
            try:
                ran = self.hub.run_lanes()
                if not ran.decided:
                    if self.hub.unshredded:  # a reader was in the way of destroying what is left of a key
                        self.hub.shred()
                    wait_s = self._until_due()
            except StoreAway as away:
                if not self.store_away:
                    log.error("store_away", during="lanes", reason=away.message)
                self.store_away = True
                self._stopping.wait(TICK_S)
                continue
            if self.store_away:
                log.info("store_back")
                self.store_away = False
            if ran.decided:
                self._dispatcher.wake()
                if self._relay is not None:
                    self._relay.wake.set()
            else:
                self.hub.wake.wait(wait_s)

    def _until_due(self) -> float:
        """Seconds until a timer is due, one tick at most: commands beside the hub write to the store without a word."""
        due = self.hub.reading.next_timer()
        return TICK_S if due is None else min(TICK_S, max(0.005, (due - self.hub.clock.now()) / 1_000_000))

    def _provision(self) -> None:
        """The broker's queues as the configuration wants them, then reading and publishing; an absent broker is waited for."""
        pause_s = _STARTED
        while not self._stopping.is_set():
            try:
                provision(self._url, topology(self.hub.configuration))
                break
            except Retryable as away:
                log.warning("broker_away", reason=away.message, again_in_s=pause_s)
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, 10.0)
        if self._stopping.is_set() or self._relay is None or self._consumer is None:
            return
        self._start("relay", self._relay.run)
        self._consumer.run()
