"""From queues into the intake: many deliveries, one durable append, one acknowledgement, in that order.

Errors are not swallowed here. A lost link, a closed channel, a consumer that the broker ended or forgot: everything unacknowledged
is forgotten, a new connection is made, the broker delivers again. The store away: what is held stays unacknowledged and is offered
again.
Anything else ends `run` with the exception, for the process to exit and be restarted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog

from engine.transport.amqp import metrics
from engine.transport.amqp.cloudevents import arrival
from engine.transport.amqp.link import LINK_ERRORS, close_link, drop_link, open_link, place
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
    operators' words may come this way."""

    queue: str
    door: str = ""
    tenants: frozenset[str] = frozenset()
    operators: bool = False


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """`prefetch` and `batch` in messages. `pause_s`: the store was away. `watch_s`: how often we ask if the broker knows us."""

    prefetch: int = 500
    batch: int = 500
    batch_wait_s: float = 0.02
    heartbeat_s: float = 20.0
    pause_s: float = 1.0
    watch_s: float = 15.0


class ConsumerGone(ConnectionError):
    """The connection lives and nobody reads the queue: the broker has ended or forgotten our consumer."""


class AmqpConsumer:
    """Feeds `intake` from `sources` over one connection. `run` blocks, in a thread of the caller's; `stop` may come from any."""

    def __init__(self, url: str, sources: Sequence[AmqpSource], intake: Intake, tuning: Tuning | None = None) -> None:
        self._url = url
        self._sources = tuple(sources)
        self._intake = intake
        self._tuning = tuning or Tuning()
        self._stopping = threading.Event()
        self._link: Any = None
        self._channel: Any = None
        self._held: list[tuple[int, Arrival]] = []  # delivery tag and arrival, not yet appended
        self._held_bytes = 0
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
        self._channel = self._link.channel()
        self._channel.basic_qos(0, self._tuning.prefetch, False)
        for source in self._sources:
            self._channel.basic_consume(source.queue, callback=self._taker(source))
        self.connected.set()
        log.info("amqp consumer connected", broker=place(self._url), queues=[source.queue for source in self._sources])

    def _taker(self, source: AmqpSource) -> Any:
        door = source.door or f"amqp:{source.queue}"

        def take(message: Any) -> None:
            body = bytes(message.body or b"")  # py-amqp gives an empty body as text
            taken, count = arrival(message.properties, body, door=door, tenants=source.tenants, operator=source.operators)
            self._held.append((message.delivery_tag, taken))
            self._held_bytes += len(body)
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
        for source_tag in list(self._channel.callbacks):
            self._channel.basic_cancel(source_tag)
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
                receipts = self._intake.append([taken for _, taken in batch])
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
            self._channel.basic_ack(batch[-1][0], multiple=True)
            del self._held[: len(batch)]
            self._held_bytes -= sum(len(taken.body) for _, taken in batch)
            for (_, taken), receipt in zip(batch, receipts, strict=True):
                metrics.ARRIVED.labels(taken.door, receipt.taken).inc()

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
        """Raises ConsumerGone when a queue has no consumer although we think that we are one."""
        for source in self._sources:
            if not self._channel.queue_declare(source.queue, passive=True).consumer_count:
                raise ConsumerGone(f"queue {source.queue} has no consumer any more")

    def _forget(self) -> None:
        """Ends the connection as it is; what was not acknowledged is the broker's again."""
        self.connected.clear()
        self._held.clear()
        self._held_bytes = 0
        self._redelivered.clear()
        link, self._link, self._channel = self._link, None, None
        if link is not None:
            drop_link(link)
