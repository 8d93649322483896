"""Lanes by leases of the store and plain assignment: no consumer group, no Faust.

It keeps the same contract as the Faust transport, so that what Faust brings can be measured (benchmarks/lane_transports.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from engine.lid import calm
from engine.store.contract import Tended
from engine.transport.kafka.access import OPEN, Access
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import Claims, LaneOwner
from engine.transport.kafka.reading import FETCH_WAIT_MS, FULL_S, METADATA_MS, POLL_S, PREFETCH_BACKOFF_S, LaneReader
from schemas.errors import Retryable

log = structlog.get_logger(__name__)

REVOKE_S: Final = 4.0


class Leases(Protocol):
    """Rows of the store, one a lane, by the database's clock. Methods raise Retryable when the store is away."""

    def tend(self, member: str) -> Tended:
        """Says that this member lives, prolongs its leases, takes free and expired ones up to its share."""

    def release(self, member: str, lanes: Collection[int]) -> None: ...

    def leave(self, member: str) -> None:
        """Releases everything and forgets the member."""


class AssigningTransport:
    """A `LaneTransport`. `every_s`: between two looks at the leases, a fraction of their time. `crashed` is told what ends it."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        mailboxes: Mailboxes,
        owner: LaneOwner,
        leases: Leases,
        *,
        member: str,
        every_s: float = 1.0,
        access: Access = OPEN,
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._bootstrap, self._topic, self._mailboxes, self._access = bootstrap, topic, mailboxes, access
        self._leases, self._member, self._every_s, self._crashed = leases, member, every_s, crashed
        self._reader = LaneReader(topic, mailboxes, owner.lost)
        self._owner = owner
        self._held: frozenset[int] = frozenset()
        self._asked: frozenset[int] = frozenset()  # those that the owner was asked to claim last
        self._thread = threading.Thread(target=self._serve, name="kafka-lanes", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self.committed = self._reader.committed
        self.lanes = self._reader.lanes
        self.connected = self._reader.connected
        self.lag = self._reader.lag
        self.unread = self._reader.unread
        calm("aiokafka")

    def start(self) -> None:
        """See `LaneTransport`."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """See `LaneTransport`."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            log.exception("lane transport ended")
            self._crashed(error)

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._claims = Claims(self._owner, revoke_s=REVOKE_S)
        self._ready.set()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # seen as a gap, and then as what it is
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
            request_timeout_ms=20_000,
            **self._access.client(),
        )
        self._reader.consumer = consumer
        work: list[asyncio.Task[Any]] = []
        try:
            await consumer.start()
            consumer._fetcher._prefetch_backoff = PREFETCH_BACKOFF_S
            work = [asyncio.create_task(one) for one in (self._tending(), self._fetching(), self._reader.watching())]
            ended, _ = await asyncio.wait([*work, asyncio.create_task(self._stopping.wait())], return_when="FIRST_COMPLETED")
            for task in ended:
                task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            ours = self._held | self._asked
            self._reader.close(ours)
            await self._claims.give_up(ours)
            with contextlib.suppress(Retryable):
                await asyncio.to_thread(self._leases.leave, self._member)
            await consumer.stop()

    async def _tending(self) -> None:
        while True:
            try:
                held, surplus = await asyncio.to_thread(self._leases.tend, self._member)
                await self._give(self._held - held | surplus & self._held)
                if surplus:
                    await asyncio.to_thread(self._leases.release, self._member, surplus)
                await self._take(held - surplus)
            except Retryable as away:  # our leases run out meanwhile, and the fence holds
                log.warning("leases cannot be tended", error=away.message)
            await asyncio.sleep(self._every_s)

    async def _give(self, lanes: frozenset[int]) -> None:
        if lanes:
            self._reader.close(lanes)
            self._assign(self._held - lanes)
            await self._claims.give_up(lanes)

    async def _take(self, lanes: frozenset[int]) -> None:
        new = lanes - self._held
        if new:
            self._asked = new

            async def open_(positions: Mapping[int, int]) -> None:
                self._assign(lanes)
                await self._reader.open(positions)

            await self._claims.claim(new, self._reader.identify, open_)

    def _assign(self, lanes: frozenset[int]) -> None:
        self._held = lanes
        self._reader.consumer.assign([TopicPartition(self._topic, lane) for lane in lanes])
        self._reader.replace()

    async def _fetching(self) -> None:
        while True:
            wanted = self._reader.wanted()
            if not wanted:
                await asyncio.sleep(FULL_S)
                continue
            patience_s = POLL_S if len(wanted) == len(self._reader.lanes()) else FULL_S
            records = await self._reader.consumer.getmany(*wanted, timeout_ms=int(patience_s * 1000))
            await self._reader.deliver(records)
            if records:
                self._mailboxes.wake()
