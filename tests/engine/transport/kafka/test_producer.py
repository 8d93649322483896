"""The producer against a real Kafka: durable when it returns, in order, bounded in size and in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from engine.lid import calm
from engine.transport.contract import Outgoing
from engine.transport.kafka.producer import KafkaProducer
from engine.transport.kafka.records import partition_of
from engine.transport.kafka.topology import MAX_MESSAGE
from schemas.errors import Rejected, Retryable
from tests.services.kafka import Kafka
from tests.services.lane_workers import LANES, administer, arrived, lay

OUT = "producer.out"


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    lay(kafka.bootstrap, request.node.name)
    return str(request.node.name)


@pytest.fixture
def producer(kafka: Kafka, topic: str) -> Iterator[KafkaProducer]:
    lay(kafka.bootstrap, OUT)
    made = KafkaProducer(kafka.bootstrap, intake=topic, partitions={topic: LANES, OUT: LANES, "producer.none": LANES}, deadline_s=3)
    yield made
    made.close()


def outgoing(row: int, *, topic: str = OUT, body: bytes = b"{}") -> Outgoing:
    return Outgoing(row=row, topic=topic, key=f"B-{row % 13}", attributes={"id": f"o-{row}", "tenant": "azur"}, body=body)


def log_of(kafka: Kafka, topic: str) -> dict[int, list[Any]]:
    """Everything in a topic, by partition."""

    async def ask(_: Any) -> dict[int, list[Any]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        places = [TopicPartition(topic, lane) for lane in range(LANES)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: dict[int, list[Any]] = {lane: [] for lane in range(LANES)}
        while any(len(found[at.partition]) < end for at, end in ends.items()):
            for at, records in (await consumer.getmany(timeout_ms=500)).items():
                found[at.partition] += records
        await consumer.stop()
        return found

    log: dict[int, list[Any]] = administer(kafka.bootstrap, ask)
    return log


def test_appended_is_there(kafka: Kafka, topic: str, producer: KafkaProducer) -> None:
    """Each row in its lane, in order, whatever the size, up to the limit; above it nothing at all of the call."""
    producer.append([arrived(number) for number in range(2_000)])
    producer.append([arrived(2_000, b"x" * 900_000)])
    producer.append([arrived(2_001, b"x" * (MAX_MESSAGE - 1_000))])
    with pytest.raises(Rejected) as refused:
        producer.append([arrived(2_002), arrived(2_003, b"x" * MAX_MESSAGE)])
    assert refused.value.code == "too_large"
    assert str(MAX_MESSAGE) in refused.value.message

    for lane, records in log_of(kafka, topic).items():
        numbers = [number for number in range(2_002) if arrived(number).lane == lane]
        assert [dict(record.headers)["ce_id"].decode() for record in records] == [f"m-{number}" for number in numbers]


def test_published_is_confirmed(kafka: Kafka, producer: KafkaProducer) -> None:
    """The rows in order, each in the partition of its key; one that is too large is left out and counted."""
    messages = [outgoing(row) for row in range(500)]
    large = outgoing(500, body=b"x" * MAX_MESSAGE)

    assert producer.publish([*messages[:250], large, *messages[250:]]) == list(range(500))
    assert producer.refused == 1
    assert producer.publish([]) == []

    for lane, records in log_of(kafka, OUT).items():
        rows = [message.row for message in messages if partition_of(message, LANES) == lane]
        assert [dict(record.headers)["ce_id"].decode() for record in records][-len(rows) :] == [f"o-{row}" for row in rows]


def test_a_missing_topic_is_named(producer: KafkaProducer) -> None:
    """For later, with what to do; what goes elsewhere is not held up afterwards."""
    with pytest.raises(Retryable) as missing:
        producer.publish([outgoing(1, topic="producer.none")])
    assert missing.value.code == "topic_missing"
    assert "foliohub topics provision" in missing.value.message
    assert producer.publish([outgoing(2)]) == [2]


def test_a_frozen_broker(kafka: Kafka, topic: str, producer: KafkaProducer) -> None:
    """Each call ends at its deadline, and when the broker goes on the same call goes through. Nothing is doubled but what was called
    twice, and nothing is passed by what came later."""
    rows = [arrived(number) for number in range(200)]
    producer.append(rows[:50])
    kafka.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(Retryable) as silent:
            producer.append(rows[50:100])
        assert 2 < time.monotonic() - began < 10
        assert silent.value.code == "broker_away"
    finally:
        kafka.thaw()
    for begin in (50, 100):
        producer.append(rows[begin : begin + 100])

    log = log_of(kafka, topic)
    for lane, records in log.items():
        numbers = [int(dict(record.headers)["ce_id"][2:]) for record in records]
        assert list(dict.fromkeys(numbers)) == [number for number in range(200) if arrived(number).lane == lane]
    assert 250 <= sum(len(records) for records in log.values()) <= 300


def test_nobody_there() -> None:
    """At once, not at the deadline."""
    producer = KafkaProducer("127.0.0.1:1", deadline_s=60)
    began = time.monotonic()
    with pytest.raises(Retryable):
        producer.append([arrived(1)])
    assert time.monotonic() - began < 5
    producer.close()


def test_an_outage_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """One line of a kind, another kind beside it; a second lid changes nothing."""
    loud = logging.getLogger("loudlibrary.sender")
    calm("loudlibrary")
    calm("loudlibrary")
    with caplog.at_level(logging.WARNING):
        for attempt in range(100):
            loud.warning("cannot connect to %s", attempt)
        loud.error("another thing")

    assert [record.getMessage() for record in caplog.records] == ["cannot connect to 0", "another thing"]
    assert len(loud.filters) == 1
