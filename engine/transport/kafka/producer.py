"""Appends to the intake and publishes outcomes: one idempotent producer a process, in a loop of its own.

It is kept through an outage. It sends again what was not confirmed under the same numbers, so that nothing is doubled or passed
by what came later; a second producer beside it would race it. What waits in it is bounded: a batch a partition. Only an error that
it cannot repeat makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from engine.store.rows import Arrived
from engine.transport.contract import Outgoing
from engine.transport.kafka import metrics
from engine.transport.kafka.access import OPEN, Access
from engine.transport.kafka.loop import LoopThread, calm
from engine.transport.kafka.records import Headers, outgoing_headers, partition_of, record_of, size_of
from engine.transport.kafka.topology import MAX_MESSAGE, OVERHEAD, PROVISION, away
from schemas.errors import Rejected, Retryable
from topics.catalogue import INTAKE, TOPICS

log = structlog.get_logger(__name__)

DEADLINE_S: Final = 15.0  # one append or publication, connecting included
BATCH_BYTES: Final = 64 * 1024
STOP_S: Final = 5.0
PARTITIONS: Final[Mapping[str, int]] = {topic.name: topic.partitions for topic in TOPICS}


class _Letter(NamedTuple):
    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


class KafkaProducer:
    """Thread-safe; connects when it is first needed. `append` for the intake, `publish` is a `Publisher`.

    `partitions`: how many each topic has, as in the catalogue. `linger_ms`: how long a batch waits for company. `deadline_s` is for
    one call as a whole.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        intake: str = INTAKE.name,
        partitions: Mapping[str, int] = PARTITIONS,
        linger_ms: int = 0,
        deadline_s: float = DEADLINE_S,
        access: Access = OPEN,
    ) -> None:
        self._bootstrap, self._intake, self._partitions, self._access = bootstrap, intake, partitions, access
        self._linger_ms, self._deadline_s = linger_ms, deadline_s
        self._loop = LoopThread("kafka-producer")
        self._making = asyncio.Lock()
        self._producer: Any = None
        self.refused = 0
        calm("aiokafka")

    def append(self, rows: Sequence[Arrived]) -> None:
        """Durable when it returns: every replica in sync has them. Rows of a lane keep their order.

        Raises Rejected (`too_large`) for a row that no topic takes, and then nothing was sent; Retryable when it is not confirmed
        in time: whether it was written is not known then, the sender repeats and the identity drops what is there twice.
        """
        letters = []
        for row in rows:
            record = record_of(row)
            if record.size > MAX_MESSAGE:
                raise Rejected(
                    f"message {row.id!r} has {record.size} bytes, the limit is {MAX_MESSAGE}",
                    code="too_large", field="data", value=record.size,
                )  # fmt: skip
            letters.append(_Letter(self._intake, record.lane, record.key, record.value, record.headers))
        sent, error = self._loop.run(self._send(letters))
        if error is not None or not all(sent):
            metrics.AWAY.inc()
            raise self._away(error)
        metrics.APPENDED.inc(len(rows))

    def publish(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Rows that the brokers confirmed, in the order given: of each partition those before the first that they did not.

        What is too large is left out and counted in `refused`. Raises Retryable when nothing was confirmed in time, KeyError for a
        topic that is not in `partitions`.
        """
        letters, rows = [], []
        for message in messages:
            headers = outgoing_headers(message)
            if size_of(message, headers) > MAX_MESSAGE:
                self._refuse(message)
                continue
            partition = partition_of(message, self._partitions[message.topic])
            letters.append(_Letter(message.topic, partition, message.key.encode(), message.body, headers))
            rows.append(message.row)
        if not letters:
            return []
        sent, error = self._loop.run(self._send(letters))
        confirmed, broken = [], set()
        for row, letter, well in zip(rows, letters, sent, strict=True):
            place = (letter.topic, letter.partition)
            if not well:
                broken.add(place)
            elif place not in broken:
                confirmed.append(row)
                metrics.PUBLISHED.labels(letter.topic).inc()
        if broken:
            metrics.AWAY.inc()
            if not confirmed:
                raise self._away(error)
        return confirmed

    def close(self) -> None:
        """Ends the producer; what was not confirmed may be written or not."""
        self._loop.run(self._drop())
        self._loop.stop()

    def _refuse(self, message: Outgoing) -> None:
        self.refused += 1
        metrics.REFUSED.labels(message.topic).inc()
        log.error("kafka cannot carry a message", row=message.row, topic=message.topic, limit=MAX_MESSAGE)

    def _away(self, error: BaseException | None) -> Retryable:
        if isinstance(error, UnknownTopicOrPartitionError):
            return Retryable(f"a topic is missing at {self._bootstrap}: {PROVISION}", code="topic_missing", field="bootstrap")
        return away(self._bootstrap, error or TimeoutError(f"not confirmed within {self._deadline_s} s"))

    async def _send(self, letters: Sequence[_Letter]) -> tuple[list[bool], BaseException | None]:
        """Which were confirmed, and what stopped the others (None: nothing or the deadline)."""
        futures: list[asyncio.Future[Any]] = []
        error: BaseException | None = None
        try:
            async with asyncio.timeout(self._deadline_s):
                producer = await self._ready()
                for topic, partition, key, value, headers in letters:
                    futures.append(await producer.send(topic, value, key=key, partition=partition, headers=headers))
                await asyncio.gather(*futures)
        except TimeoutError:
            log.warning("kafka does not confirm", broker=self._bootstrap, letters=len(letters))
        except (KafkaError, AssertionError) as wrong:  # aiokafka asserts that it knows the partition
            log.warning("kafka producer failed", broker=self._bootstrap, error=repr(wrong)[:200])
            error = wrong
            await asyncio.wait(futures, timeout=0) if futures else None
            await self._drop()
        sent = [one.done() and not one.cancelled() and one.exception() is None for one in futures]
        return [*sent, *[False] * (len(letters) - len(sent))], error

    async def _ready(self) -> Any:
        async with self._making:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=self._linger_ms,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=MAX_MESSAGE + OVERHEAD,
                    request_timeout_ms=int(self._deadline_s * 800),  # a missing topic is told before the deadline
                    metadata_max_age_ms=60_000,
                    **self._access.client(),
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.client.close()
                    producer._closed = True
                    raise
                metrics.PRODUCERS.inc()
                self._producer = producer
            return self._producer

    async def _drop(self) -> None:
        """Ends the producer for good: nothing that it still holds is sent after what its successor sends."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await producer.stop()
        except (TimeoutError, KafkaError) as error:
            log.warning("kafka producer did not end well", error=repr(error)[:200])
            producer._sender.sender_task.cancel()
            await producer.client.close()
