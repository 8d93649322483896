"""Appends to the intake and publishes outcomes: one idempotent producer a process, librdkafka's, which sends in threads of its own.

It is kept through an outage. It sends again what was not confirmed under the same numbers; what is given up at the deadline raises its
epoch, so that nothing which was on its way is written behind what came later. What waits in it is bounded, in bytes and in time. Only
an error that it calls fatal makes a new one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from engine.lid import calm
from engine.store.rows import Arrived
from engine.transport.contract import Outgoing
from engine.transport.kafka import metrics
from engine.transport.kafka.access import OPEN, Access
from engine.transport.kafka.records import Headers, outgoing_headers, partition_of, record_of, size_of
from engine.transport.kafka.topology import MAX_MESSAGE, OVERHEAD, PROVISION, away
from schemas.errors import Rejected, Retryable
from topics.catalogue import INTAKE, TOPICS

log = structlog.get_logger(__name__)

DEADLINE_S: Final = 15.0  # one append or publication, connecting included
DOWN_S: Final = 1.0  # the same while no broker answers at all
STOP_S: Final = 5.0
HELD_KB: Final = 64 * 1024  # bodies that wait in the producer
PARTITIONS: Final[Mapping[str, int]] = {topic.name: topic.partitions for topic in TOPICS}
_POLL_S: Final = 0.1
_ROOM_S: Final = 0.01  # how long room is waited for, each time
_MISSING: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})


class _Letter(NamedTuple):
    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


class _Call:
    """The letters of one call: which were confirmed, what stopped the others, and when all have an answer. `down` is cleared by a
    broker that answers."""

    def __init__(self, letters: int, down: threading.Event) -> None:
        self._down = down
        self.sent = [False] * letters
        self.error: KafkaError | None = None
        self.all = threading.Event()
        self._answers, self._handed = 0, -1

    def told(self, number: int) -> Callable[[KafkaError | None, Any], None]:
        """Whom the producer tells of one letter."""

        def tell(error: KafkaError | None, _: Any) -> None:
            if error is None:
                self.sent[number] = True
                if self._down.is_set():
                    self._down.clear()
            else:
                self.error = error
            self._answers += 1
            self._look()

        return tell

    def handed(self, letters: int) -> None:
        """So many were handed over, and no more will be."""
        self._handed = letters
        self._look()

    def _look(self) -> None:
        if self._answers == self._handed:
            self.all.set()


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
        self._bootstrap, self._intake, self._partitions = bootstrap, intake, partitions
        self._deadline_s = deadline_s
        self._settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "allow.auto.create.topics": False,
            "enable.idempotence": True,  # and with it every replica in sync
            "linger.ms": linger_ms,
            "message.max.bytes": MAX_MESSAGE + OVERHEAD,
            "message.timeout.ms": int(deadline_s * 1000),
            "topic.metadata.propagation.max.ms": int(deadline_s * 500),  # a missing topic is told before the deadline
            "queue.buffering.max.kbytes": HELD_KB,
            "reconnect.backoff.max.ms": int(DOWN_S * 1000),
            "error_cb": self._wrong,
            **access.librdkafka(),
        }
        self.refused = 0
        self._down = threading.Event()  # no broker answers
        self._dead = threading.Event()  # an error that this producer does not get over
        self._closing = threading.Event()
        self._making = threading.Lock()
        self._producer: Producer | None = None
        self._deliveries = threading.Thread(target=self._serve, name="kafka-deliveries", daemon=True)
        calm("librdkafka")

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
        call = self._send(letters)
        if not all(call.sent):
            metrics.AWAY.inc()
            raise self._away(call.error)
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
        call = self._send(letters)
        confirmed, broken = [], set()
        for row, letter, well in zip(rows, letters, list(call.sent), strict=True):
            place = (letter.topic, letter.partition)
            if not well:
                broken.add(place)
            elif place not in broken:
                confirmed.append(row)
                metrics.PUBLISHED.labels(letter.topic).inc()
        if broken:
            metrics.AWAY.inc()
            if not confirmed:
                raise self._away(call.error)
        return confirmed

    def probe(self, patience_s: float) -> None:
        """Raises Retryable when the brokers do not answer within this time, or have no intake topic."""
        try:
            there = self._ready().list_topics(self._intake, patience_s).topics[self._intake]
        except KafkaException as error:
            raise self._away(error.args[0]) from None
        if there.error is not None:
            raise self._away(there.error)

    def close(self) -> None:
        """Ends the producer; what was not confirmed may be written or not."""
        with self._making:
            if self._producer is not None:
                self._producer.flush(0 if self._down.is_set() else STOP_S)
            self._closing.set()
        if self._deliveries.is_alive():
            self._deliveries.join()
        self._producer = None

    def _refuse(self, message: Outgoing) -> None:
        self.refused += 1
        metrics.REFUSED.labels(message.topic).inc()
        log.error("kafka cannot carry a message", row=message.row, topic=message.topic, limit=MAX_MESSAGE)

    def _away(self, error: KafkaError | None) -> Retryable:
        if error is not None and error.code() in _MISSING:
            return Retryable(f"a topic is missing at {self._bootstrap}: {PROVISION}", code="topic_missing", field="bootstrap")
        return away(self._bootstrap, KafkaException(error) if error else TimeoutError(f"not confirmed within {self._deadline_s} s"))

    # -- what librdkafka does --------------------------------------------------------------------------------------------------

    def _send(self, letters: Sequence[_Letter]) -> _Call:
        """Hands them over in order and waits until each was confirmed or has failed, the deadline at most."""
        call = _Call(len(letters), self._down)
        until = time.monotonic() + self._deadline_s
        call.handed(self._hand_over(letters, call, until))
        began = time.monotonic()
        while not call.all.wait(min(_POLL_S, max(0.0, until - time.monotonic()))):
            now = time.monotonic()
            if now >= until or (self._down.is_set() and now - began >= DOWN_S):
                break
        if not all(call.sent):
            log.warning("kafka does not confirm", broker=self._bootstrap, letters=len(letters), error=str(call.error or "too late"))
        return call

    def _hand_over(self, letters: Sequence[_Letter], call: _Call, until: float) -> int:
        """How many were: all, unless there is no room for them in time."""
        producer = self._ready()
        for number, letter in enumerate(letters):
            while True:
                try:
                    producer.produce(
                        letter.topic, letter.value, letter.key, letter.partition, call.told(number), headers=[*letter.headers]
                    )
                    break
                except BufferError:  # its queue is full
                    if time.monotonic() >= until:
                        return number
                    time.sleep(_ROOM_S)
                except KafkaException as refused:
                    call.error = refused.args[0]
                    return number
        return len(letters)

    def _ready(self) -> Producer:
        with self._making:
            if self._closing.is_set():
                raise away(self._bootstrap, ConnectionError("this producer is closed"))
            if self._dead.is_set() and self._producer is not None:  # it sends nothing any more
                self._producer.purge()
                self._producer = None
            if self._producer is None:
                self._dead.clear()
                self._producer = Producer(self._settings, logger=logging.getLogger("librdkafka"))
                metrics.PRODUCERS.inc()
                if not self._deliveries.is_alive():
                    self._deliveries.start()
            return self._producer

    def _serve(self) -> None:
        """Tells callers what became of their letters."""
        while not self._closing.is_set():
            producer = self._producer
            if producer is None:
                self._closing.wait(_ROOM_S)
            else:
                producer.poll(_POLL_S)

    def _wrong(self, error: KafkaError) -> None:
        """What concerns no letter alone. Called while it is polled."""
        if error.fatal():
            log.error("kafka producer failed", broker=self._bootstrap, error=str(error))
            self._dead.set()
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._down.set()
