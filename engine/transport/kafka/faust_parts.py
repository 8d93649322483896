"""Faust's consumer with our own hands in it: what is overridden, and nothing else.

Faust gives membership, rebalancing and life cycle. Records leave its path in the consumer's thread, straight from the fetch into
mailboxes; through Faust's streams go at most four wake-up tokens a lane. Its acknowledgements acknowledge nothing. All private names
that this relies on are held by tests/engine/transport/kafka/test_private_names.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from engine.transport.kafka.ownership import Claims
from engine.transport.kafka.reading import FETCH_WAIT_MS, FULL_S, POLL_S, PREFETCH_BACKOFF_S, LaneReader

log = structlog.get_logger(__name__)

TOKENS: Final = 4  # wake-ups of a lane on their way through Faust
MEMBER_S: Final = 1.0
COMMIT_S: Final = 2.0  # a report to Kafka may take so long; nobody misses it


class Lanes:
    """What the parts share: the reader, the owner's calls, and the tokens on their way by lane."""

    def __init__(self, topic: str, reader: LaneReader, claims: Claims, crashed: Callable[[BaseException], None]) -> None:
        self.topic, self.reader, self.claims, self.crashed = topic, reader, claims, crashed
        self.tokens: dict[int, int] = {}
        self.asked: frozenset[int] = frozenset()  # lanes that the owner was asked to claim since
        self.settled = False  # lanes are dealt out, and what is ours is claimed
        self.dealt = 0  # how often lanes were taken from us: a claim from before is none any more
        self.claiming: set[asyncio.Task[None]] = set()

    def of(self, places: Iterable[TP]) -> frozenset[int]:
        """Lanes among partitions."""
        return frozenset(place.partition for place in places if place.topic == self.topic)

    def token_out(self, lane: int) -> bool:
        """Whether one more may go out."""
        if self.tokens.get(lane, 0) >= TOKENS:
            return False
        self.tokens[lane] = self.tokens.get(lane, 0) + 1
        return True

    def token_back(self, lane: int) -> None:
        self.tokens[lane] = max(0, self.tokens.get(lane, 0) - 1)


class LaneAssignor(RoundRobinPartitionAssignor):  # type: ignore[misc]  # aiokafka comes without types
    """Each member its share, under a name that nobody else has: who looks into the intake under the workers' group name is turned away
    by Kafka, and takes no lane from them. Releases that run side by side agree on it."""

    name = "foliohub-lanes"


async def _membership(consumer: Any) -> None:
    """Looks again and again whether Kafka has turned us away for good: then nobody who waits for lanes is told. Raises KafkaError."""
    while True:
        await asyncio.sleep(MEMBER_S)
        if consumer._coordinator is not None:
            consumer._coordinator.check_errors()


class LaneThread(driver.AIOKafkaConsumerThread):
    """The thread that aiokafka's consumer runs in."""

    lanes: Lanes
    _watching: Sequence[asyncio.Task[None]] = ()

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust says 1.5 s; read when the consumer starts, as this is
        consumer._partition_assignment_strategy = (LaneAssignor,)
        return consumer

    async def on_start(self) -> None:
        """The consumer is made and started here."""
        await super().on_start()
        consumer: Any = self._ensure_consumer()
        consumer._fetcher._prefetch_backoff = PREFETCH_BACKOFF_S
        self.lanes.reader.consumer = consumer
        self._watching = [asyncio.create_task(self._watch(one)) for one in (self.lanes.reader.watching(), _membership(consumer))]

    async def _watch(self, watching: Coroutine[Any, Any, None]) -> None:
        try:
            await watching
        except Exception as error:
            self.lanes.crashed(error)

    async def on_thread_stop(self) -> None:
        """The consumer leaves its group here."""
        for one in self._watching:
            one.cancel()
        await super().on_thread_stop()

    async def _fetch_records(
        self, consumer: Any, active_partitions: set[TP], timeout: float | None = None, max_records: int | None = None
    ) -> Any:
        """Straight into the mailboxes. A lane that is full or not open is not asked for."""
        reader = self.lanes.reader
        wanted: Any = reader.wanted() & active_partitions
        if not wanted:
            await asyncio.sleep(FULL_S)
            return {}
        patience_s = min(timeout or POLL_S, POLL_S if len(wanted) == len(active_partitions) else FULL_S)
        records = await super()._fetch_records(consumer, wanted, patience_s, max_records)
        await reader.deliver(records)
        return records

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """For lag monitors. A failure is nobody's loss: Faust would crash."""
        try:
            async with asyncio.timeout(COMMIT_S):
                await self._ensure_consumer().commit(
                    {driver.ensure_aiokafka_TP(at): OffsetAndMetadata(offset, "") for at, offset in offsets.items()}
                )
        except (KafkaError, TimeoutError) as error:
            log.info("offsets not reported to kafka", error=repr(error)[:200])
            return False
        return True


class LaneConsumer(driver.Consumer):
    """Runs in the application's loop."""

    lanes: Lanes
    _thread: LaneThread

    def _new_consumer_thread(self) -> LaneThread:
        self.lanes = self.transport.lanes  # type: ignore[attr-defined]
        thread = LaneThread(self, loop=self.loop, beacon=self.beacon)
        thread.lanes = self.lanes
        return thread

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Before the others are told: nothing more comes, what runs may finish."""
        lanes = self.lanes.of(revoked)
        self.lanes.dealt += 1
        self.lanes.settled = False
        self.lanes.reader.close(lanes)
        if lanes:
            await self.lanes.claims.give_up(lanes)
        await super().on_partitions_revoked(revoked)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Faust calls this after every assignment: the claim. Committed offsets are not read.

        The claim is a task of its own, which goes on when Faust's patience with it ends.
        """
        lanes = self.lanes.asked = self.lanes.of(self.assignment())
        claiming = asyncio.create_task(self._claim(lanes, self.lanes.dealt))
        self.lanes.claiming.add(claiming)
        claiming.add_done_callback(self.lanes.claiming.discard)
        await asyncio.shield(claiming)
        return {TP(self.lanes.topic, lane): offset for lane, offset in self.lanes.reader.commits().items()}

    async def _claim(self, lanes: frozenset[int], dealt: int) -> None:
        reader = self.lanes.reader

        def still() -> bool:
            return self.lanes.dealt == dealt

        async def identify() -> str:
            found: str = await self._thread.call_thread(reader.identify)
            return found

        async def open_(positions: Mapping[int, int]) -> None:
            self.lanes.tokens.clear()
            await self._thread.call_thread(reader.open, positions, still)

        try:
            if lanes:
                await self.lanes.claims.claim(lanes, identify, open_, still)
            self.lanes.settled = still()
        except Exception as error:
            self.lanes.crashed(error)
            raise

    async def getmany(self, timeout: float) -> AsyncIterator[Any]:
        """Tokens for lanes that got records; a record itself never comes this way."""
        records, _ = await self._wait_next_records(timeout)
        if not records or self.should_stop or not self.flow_active:
            return
        for at, found in records.items():
            if self.lanes.token_out(at.partition):
                yield TP(at.topic, at.partition), self._token(TP(at.topic, at.partition), found[-1])

    def _token(self, at: TP, last: Any) -> ConsumerMessage:
        return ConsumerMessage(
            at.topic, at.partition, last.offset, last.timestamp / 1000, last.timestamp_type, [], b"", b"", None, 0, 0, at,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    def ack(self, message: Any) -> bool:
        """A token came through; it is remembered nowhere."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Any:  # noqa: ARG002  # Faust's signature
        """Lanes with something to report."""
        return [TP(self.lanes.topic, lane) for lane in self.lanes.reader.lanes()]

    def _new_offset(self, tp: TP) -> int | None:
        """What the store has committed."""
        return self.lanes.reader.commits().get(tp.partition)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Tokens are full of gaps."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own search for stalls, which knows nothing of mailboxes."""


class LaneFaustTransport(driver.Transport):
    """Registered with the application in the place of Faust's own."""

    Consumer = LaneConsumer
    lanes: Lanes
