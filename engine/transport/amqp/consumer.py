"""From queues into the intake: many deliveries, one durable append, one acknowledgement, in that order.

Errors are not swallowed here. A lost link, a closed channel, a consumer that the broker ended or forgot: everything unacknowledged
is forgotten, a new connection is made, the broker delivers again. The store away: what is held stays unacknowledged and is offered
again.
Anything else ends `run` with the exception, for the process to exit and be restarted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from engine.transport.amqp import metrics
from engine.transport.amqp.cloudevents import arrival
from engine.transport.amqp.link import LINK_ERRORS, close_link, drop_link, open_link, place
from engine.transport.amqp.topology import Partitions
from engine.transport.contract import Arrival, Intake
from schemas.errors import Retryable

log = structlog.get_logger(__name__)

SLICE_S: Final = 0.2  # longest wait in one read: how soon `stop` and heartbeats are seen to
QUIET_S: Final = 0.002  # nothing for this long: what has come is a batch
BATCH_BYTES: Final = 8 * 1024 * 1024  # bodies held at once; beyond it is appended before more is read
FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 5.0


class AmqpSource(msgspec.Struct, frozen=True, kw_only=True):
    """A queue to read, the door's name for people (default `amqp:<queue>`), the tenants it may speak for (empty: all), and whether
    operators' words may come this way.

    `partitions`: it is one of so many, each with a single active consumer; 0: it is whole. `readers`: a queue without messages that all
    who read these partitions consume from, so that they can be counted.
    """

    queue: str
    door: str = ""
    tenants: frozenset[str] = frozenset()
    operators: bool = False
    partitions: int = 0
    readers: str = ""


def parts_of(whole: AmqpSource, partitions: Partitions) -> list[AmqpSource]:
    """The queues of partitions as this source."""
    return [
        msgspec.structs.replace(whole, queue=queue, partitions=partitions.count, readers=partitions.readers)
        for queue in partitions.queues()
    ]


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """`prefetch` and `batch` in messages; the partitions of a door share the prefetch. `pause_s`: the store was away. `watch_s`: how
    often we ask if the broker knows us, and who else reads our partitions."""

    prefetch: int = 500
    batch: int = 500
    batch_wait_s: float = 0.02
    heartbeat_s: float = 20.0
    pause_s: float = 1.0
    watch_s: float = 15.0


class ConsumerGone(ConnectionError):
    """The connection lives and nobody reads the queue: the broker has ended or forgotten our consumer."""


class _Held(NamedTuple):
    """A delivery that is not appended yet."""

    channel: Any
    tag: int
    arrival: Arrival


class AmqpConsumer:
    """Feeds `intake` from `sources` over one connection. `run` blocks, in a thread of the caller's; `stop` may come from any."""

    def __init__(self, url: str, sources: Sequence[AmqpSource], intake: Intake, tuning: Tuning | None = None) -> None:
        self._url = url
        self._sources = tuple(sources)
        self._intake = intake
        self._tuning = tuning or Tuning()
        self._stopping = threading.Event()
        self._link: Any = None
        self._channels: dict[str, Any] = {}  # by queue
        self._held: list[_Held] = []
        self._held_bytes = 0
        self._busy: set[str] = set()  # queues that brought something since we last asked
        self._redelivered: dict[str, list[int]] = {}
        self.connected = threading.Event()

    def run(self) -> None:
        """Until `stop`. Reconnects for ever, at rising intervals; raises what the intake raises, but for Retryable."""
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            opened = time.monotonic()
            try:
                self._open()
                self._consume()
            except LINK_ERRORS as error:
                if time.monotonic() - opened > LONGEST_BACKOFF_S:
                    backoff_s = FIRST_BACKOFF_S
                metrics.RECONNECTS.labels("consumer").inc()
                log.warning("amqp consumer lost its broker", broker=place(self._url), error=str(error), again_in_s=backoff_s)
                self._forget()
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
            finally:
                self._forget()

    def stop(self) -> None:
        """Asks `run` to finish what it holds and return, within a second if the store answers."""
        self._stopping.set()

    def _open(self) -> None:
        self._link = open_link(self._url, heartbeat_s=self._tuning.heartbeat_s)
        for readers in {source.readers for source in self._sources if source.readers}:
            self._channels[readers] = self._link.channel()
            self._channels[readers].basic_consume(readers, callback=lambda _: None, no_ack=True)
        for source in self._sources:
            self._subscribe(source)
        self.connected.set()
        log.info("amqp consumer connected", broker=place(self._url), queues=[source.queue for source in self._sources])

    def _subscribe(self, source: AmqpSource) -> None:
        channel = self._link.channel()
        channel.basic_qos(0, max(1, self._tuning.prefetch // max(1, source.partitions)), False)
        channel.basic_consume(source.queue, callback=self._taker(source, channel))
        self._channels[source.queue] = channel

    def _taker(self, source: AmqpSource, channel: Any) -> Any:
        door = source.door or f"amqp:{source.queue}"

        def take(message: Any) -> None:
            body = bytes(message.body or b"")  # py-amqp gives an empty body as text
            taken, count = arrival(message.properties, body, door=door, tenants=source.tenants, operator=source.operators)
            self._held.append(_Held(channel, message.delivery_tag, taken))
            self._held_bytes += len(body)
            self._busy.add(source.queue)
            if count:
                self._redelivered.setdefault(door, []).append(count)

        return take

    def _consume(self) -> None:
        asked = time.monotonic()
        while not self._stopping.is_set():
            self._gather()
            self._flush()
            if time.monotonic() - asked > self._tuning.watch_s:
                self._watch()
                asked = time.monotonic()
        for source in self._sources:
            if not source.partitions:  # of a partition another would have what follows before what we hold is appended
                channel = self._channels[source.queue]
                for tag in list(channel.callbacks):
                    channel.basic_cancel(tag)
        self._flush()
        close_link(self._link)

    def _gather(self) -> None:
        """Reads until a batch is full, `batch_wait_s` is over, or nothing more comes."""
        self._read(SLICE_S)
        until = time.monotonic() + self._tuning.batch_wait_s
        while self._held and not self._full() and time.monotonic() < until:
            if not self._read(QUIET_S):
                return

    def _full(self) -> bool:
        return len(self._held) >= self._tuning.batch or self._held_bytes >= BATCH_BYTES

    def _read(self, timeout_s: float) -> bool:
        """One event of the broker's, if one comes in time. Heartbeats go out here, whatever comes in."""
        self._link.heartbeat_tick(rate=2)
        try:
            self._link.drain_events(timeout=timeout_s)
        except TimeoutError:
            return False
        return True

    def _flush(self) -> None:
        """One append, then one acknowledgement for all of it. Nothing is acknowledged that was not appended."""
        while self._held:
            self._alarm()
            batch = self._held[: self._tuning.batch]
            try:
                receipts = self._intake.append([one.arrival for one in batch])
            except Retryable as error:
                metrics.STORE_AWAY.inc()
                log.warning("the store is away, nothing is acknowledged", held=len(self._held), error=error.message)
                if not self._pause():
                    return
                continue
            if len(receipts) != len(batch):
                raise RuntimeError(
                    f"{len(receipts)} receipts for {len(batch)} arrivals: a defect of the intake, nothing is acknowledged"
                )
            for channel, tag in {one.channel: one.tag for one in batch}.items():  # the last of each
                channel.basic_ack(tag, multiple=True)
            del self._held[: len(batch)]
            self._held_bytes -= sum(len(one.arrival.body) for one in batch)
            for one, receipt in zip(batch, receipts, strict=True):
                metrics.ARRIVED.labels(one.arrival.door, receipt.taken).inc()

    def _pause(self) -> bool:
        """Waits for the store while the connection is kept alive; no more comes in than was prefetched. False: we are to stop."""
        until = time.monotonic() + self._tuning.pause_s
        while time.monotonic() < until and not self._stopping.is_set():
            if self._held_bytes < BATCH_BYTES:
                self._read(min(SLICE_S, self._tuning.pause_s))
            else:
                self._link.send_heartbeat()
                self._stopping.wait(min(SLICE_S, self._tuning.pause_s))
        return not self._stopping.is_set()

    def _alarm(self) -> None:
        """What was delivered before cost someone a connection or a process: once is a restart, often is a message that kills."""
        for door, counts in self._redelivered.items():
            metrics.REDELIVERED.labels(door).inc(len(counts))
            log.warning("amqp messages came again", door=door, messages=len(counts), most_deliveries=max(counts))
        self._redelivered.clear()

    def _watch(self) -> None:
        """Raises ConsumerGone when a queue has no consumer although we think that we are one. Gives up partitions that are more than
        our share: the broker serves whoever came first, and would go on to serve nobody else."""
        consumers: dict[str, int] = {}
        for queue, channel in self._channels.items():
            consumers[queue] = channel.queue_declare(queue, passive=True).consumer_count
            if not consumers[queue]:
                raise ConsumerGone(f"queue {queue} has no consumer any more")
        for source in surplus(self._sources, self._busy, consumers):
            log.info("amqp partition given up", queue=source.queue, readers=consumers[source.readers])
            self._give_up(source)
        self._busy.clear()

    def _give_up(self, source: AmqpSource) -> None:
        """To the end of the line. With its channel all that we did not acknowledge goes back in its order to whoever is next; to cancel
        would bring them what follows it first."""
        channel = self._channels.pop(source.queue)
        channel.close()
        self._held = [one for one in self._held if one.channel is not channel]
        self._held_bytes = sum(len(one.arrival.body) for one in self._held)
        self._subscribe(source)

    def _forget(self) -> None:
        """Ends the connection as it is; what was not acknowledged is the broker's again."""
        self.connected.clear()
        self._held.clear()
        self._held_bytes = 0
        self._busy.clear()
        self._redelivered.clear()
        self._channels.clear()
        link, self._link = self._link, None
        if link is not None:
            drop_link(link)


def surplus(sources: Sequence[AmqpSource], busy: Collection[str], consumers: Mapping[str, int]) -> list[AmqpSource]:
    """Busy partitions beyond a fair share. `consumers`: of each queue; those of partitions that stand by are counted nowhere but in the
    queue of readers."""
    ours: dict[str, list[AmqpSource]] = {}
    for source in sources:
        if source.partitions and source.queue in busy:
            ours.setdefault(source.readers, []).append(source)
    return [one for readers, held in ours.items() for one in held[-(-held[0].partitions // consumers[readers]) :]]
