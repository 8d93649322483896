"""The threads of a live hub: lanes, requests to providers, mail, brokers, housekeeping. What they do stands elsewhere.

One process does all of it, or of several each what its roles say (`engine.roles`): then lanes are given to it, and what only one of
them may do is done by whoever has the lease.

A store that is away is waited for. Anything else that is unexpected ends the serving: `failed` is set, and the process is to exit
with an error and be restarted, since a hub that limps is worse than one that is down.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import structlog

from engine import readiness
from engine.carrying import carriers
from engine.dispatch import Dispatcher
from engine.housekeeping import Housekeeping
from engine.hub import Hub
from engine.jobs import Jobs
from engine.relay import Asked, OfAll, OfLanes, Relay, broker_url, partitions, sources, topology, wanted
from engine.role import EVERY, Role
from engine.store.contract import News, StoreAway
from engine.transport.amqp.consumer import AmqpConsumer, Tuning
from engine.transport.amqp.publisher import AmqpPublisher
from engine.transport.amqp.topology import check_partitions, provision
from schemas.errors import Retryable

if TYPE_CHECKING:
    from engine.roles import Member

TICK_S: Final = 1.0
STOP_S: Final = 2.2
HERE_S: Final = 3.0
_STARTED: Final = 0.5  # pause before the broker is tried again, first; then twice as long, at most ten seconds

log = structlog.get_logger(__name__)


class Serving:
    """Threads around one hub. `start` once, `stop` once; `failed` is set when they cannot go on, `failure` says why."""

    def __init__(self, hub: Hub, environ: Mapping[str, str] = os.environ, member: Member | None = None) -> None:
        """`member`: this process is one of several."""
        self.hub, self._member = hub, member
        self._roles = member.roles if member is not None else EVERY
        self._owning = member.own(self._crashed) if member is not None and Role.WORKER in self._roles else None
        self.failed = threading.Event()
        self.ended = threading.Event()
        self.failure: BaseException | None = None
        self.store_away = False
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._jobs = Jobs(member, self._stopping, self._start)
        self._started = False
        self._dispatcher = Dispatcher(hub)
        self._carriers = carriers(hub) if Role.EFFECTS in self._roles else []
        self._housekeeping = Housekeeping(hub)
        self._url = broker_url(hub.configuration, environ)
        self._relay: Relay | None = None
        self._publisher: AmqpPublisher | None = None
        self._consumer: AmqpConsumer | None = None
        self._outcomes: Relay | None = None
        if member is not None and member.producer is not None and Role.WORKER in self._roles:
            self._outcomes = Relay(
                OfLanes(hub.reading, lambda: list(hub.lanes.claim.epochs)), member.producer, watch=hub.watch, broker="kafka"
            )
        if self._url:
            self._make_broker()

    def _make_broker(self) -> None:
        amqp = self.hub.configuration.amqp
        if Role.SCHEDULER in self._roles:
            self._publisher = AmqpPublisher(self._url, amqp.exchange, confirm_timeout_s=amqp.confirm_timeout_s)
            reading, kafka = self.hub.reading, self.hub.configuration.kafka.bootstrap
            outbox = Asked(reading) if kafka else OfAll(reading)
            self._relay = Relay(outbox, self._publisher, wanted(self.hub.configuration), watch=self.hub.watch)
        if Role.GATEWAY not in self._roles:
            return
        self._consumer = AmqpConsumer(self._url, sources(self.hub.configuration), self.hub.intake, Tuning(prefetch=amqp.prefetch))

    # -- for who runs it -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Every thread; returns at once."""
        self._started = True
        if self._member is not None:
            self.hub.on_news.append(self._heard)
            self.hub.listen()
            self._start("member", self._here)
        if Role.WORKER in self._roles:
            self._start("lanes", self._run_lanes)
        if self._owning is not None:
            self._owning.start()
        if self._outcomes is not None:
            self._start("outcomes", self._outcomes.run)
        if Role.EFFECTS in self._roles:
            self._start("effects", self._dispatcher.run)
        for number, carrier in enumerate(self._carriers):
            self._start(f"mail {number}", carrier.run)
        if Role.SCHEDULER in self._roles:
            self._start("housekeeping", self._jobs.alone("housekeeping", self._housekeeping.run))
        if self._relay is not None or self._consumer is not None:
            self._start("broker", self._provision)

    def finish(self) -> None:
        """Begin nothing new at providers and with mail; what is under way there goes on."""
        self._dispatcher.stop()
        for carrier in self._carriers:
            carrier.stop()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End all threads. What is under way is finished within the time; a provider's call that is longer is asked about later."""
        until = time.monotonic() + timeout_s
        if self._owning is not None:  # while lanes still run: what is under way is finished, then others have them
            self._owning.stop()
        self._stopping.set()
        self._housekeeping.stop()
        self.finish()
        for part in (self._consumer, self._relay, self._outcomes):
            if part is not None:
                part.stop()
        self.hub.wake.set()
        if Role.EFFECTS in self._roles and not self._dispatcher.finished(until - 0.1 - time.monotonic()):
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
        if not self._started:
            found["lanes"] = "not started"
        if self.store_away:
            found["store"] = "cannot be written"
        if self._member is not None:
            found |= {f"lane {lane}": why for lane, why in self._member.owner.lost_at.items()}
        if self.failure is not None:
            found["serving"] = f"{type(self.failure).__name__}: see the log"
        return found

    def unready(self) -> dict[str, str]:
        """What keeps a process of several from doing what its roles say, by part. Asks the store and the brokers, for a bounded time."""
        return {} if self._member is None else readiness.asked(self._member, lambda: sum(self.lag().values()))

    def lag(self) -> Mapping[int, int]:
        """Messages of the log that wait, by lane that is ours. Raises StoreAway."""
        transport = self._member.transport if self._member is not None else None
        if transport is not None:
            return transport.lag()
        ours, behind = self.hub.lanes.claim.epochs, self.hub.reading.log_behind()
        return {lane: behind.get(lane, 0) for lane in ours}

    def rates(self) -> Mapping[tuple[str, str], int]:
        """Messages and outcomes by name of the last whole minute, where Faust counts them."""
        transport = self._member.transport if self._member is not None else None
        return transport.rates() if transport is not None else {}

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
                self._tell_decided()
            else:
                self._wait_for_more(wait_s)

    def _tell_decided(self) -> None:
        self._wake_effects()
        for relay in (self._relay, self._outcomes):
            if relay is not None:
                relay.wake.set()
        transport = self._member.transport if self._member is not None else None
        if transport is not None:
            for lane, position in list(self.hub.lanes.positions.items()):
                transport.committed(lane, position)

    def _wake_effects(self) -> None:
        self._dispatcher.wake()
        for carrier in self._carriers:
            carrier.wake.set()

    def _wait_for_more(self, wait_s: float) -> None:
        if self._member is not None and self._member.producer is not None:
            self._member.mailboxes.wait(wait_s)  # news of the store wakes it as well
        else:
            self.hub.wake.wait(wait_s)

    def _until_due(self) -> float:
        """Seconds until a timer is due, one tick at most: commands beside the hub write to the store without a word."""
        due = self.hub.reading.next_timer()
        return TICK_S if due is None else min(TICK_S, max(0.005, (due - self.hub.clock.now()) / 1_000_000))

    def _heard(self, news: News) -> None:
        """What another process has stored: something for our lanes, or decisions, whose requests and outcomes may be ours to carry."""
        if news.waiting and self._member is not None:
            self._member.mailboxes.wake()
        if news.decided != frozenset():
            if Role.EFFECTS in self._roles:
                self._wake_effects()
            for relay in (self._relay, self._outcomes):
                if relay is not None:
                    relay.wake.set()

    def _here(self) -> None:
        """Whoever looks sees that this process lives; what is its own is free when it stops."""
        assert self._member is not None
        while not self._stopping.is_set():
            with contextlib.suppress(StoreAway):
                self._member.leases.here(self._member.name)
            self._stopping.wait(HERE_S)
        with contextlib.suppress(StoreAway):
            self._member.leases.leave(self._member.name)

    def _crashed(self, failure: BaseException) -> None:
        """What deals lanes out has ended."""
        if not self._stopping.is_set():
            log.critical("serving_failed", thread="lane transport", exc_info=failure)
            self.failure = self.failure or failure
            self.failed.set()
            self.ended.set()

    def _provision(self) -> None:
        """The broker's queues as the configuration wants them, then reading and publishing; an absent broker is waited for.

        Raises HubError when they are there otherwise, or partitions are not there, which only a command makes.
        """
        pause_s = _STARTED
        while not self._stopping.is_set():
            try:
                provision(self._url, topology(self.hub.configuration))
                if self._consumer is not None:
                    check_partitions(self._url, partitions(self.hub.configuration))
                break
            except Retryable as away:
                log.warning("broker_away", reason=away.message, again_in_s=pause_s)
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, 10.0)
        if self._relay is not None and not self._stopping.is_set():
            self._start("relay", self._jobs.alone("amqp relay", self._relay.run))
        if self._consumer is not None and not self._stopping.is_set():
            self._consumer.run()
        else:
            self._stopping.wait()
