"""Live rates in a windowed table of Faust's, beside lanes on a real Kafka: counted, forgotten, and never written anywhere."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from engine.transport.kafka import rates
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import LaneTransport
from engine.transport.kafka.producer import KafkaProducer
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.lane_workers import LANES, Member, Positions, administer, arrived, lay

BOOKED, TOLD = ("message", "booking.confirmed"), ("outcome", "booking.accepted")


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    name = re.sub(r"\W+", "-", f"rates-{request.node.name}")
    lay(kafka.bootstrap, name)
    return name


def made(kafka: Kafka, topic: str) -> Member:
    def transport(mailboxes: Mailboxes, owner: Member) -> LaneTransport:
        return FaustTransport(kafka.bootstrap, topic, mailboxes, owner, group=topic, session_s=6, crashed=owner.crashes.append)

    return Member("a", Positions(), transport)


def test_counted_by_the_minute_and_never_written(kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last whole window is told, those before are gone; where Faust's own table would write, nothing lies."""
    changelog = f"{topic}-rates-changelog"
    lay(kafka.bootstrap, changelog)
    monkeypatch.setattr(rates, "WINDOW_S", 1.0)
    monkeypatch.setattr(rates, "KEPT_S", 3.0)
    seen: list[Mapping[rates.Kind, int]] = []
    producer = KafkaProducer(kafka.bootstrap, intake=topic, partitions={topic: LANES}, deadline_s=5)
    member = made(kafka, topic)
    with member:
        transport = member.transport
        assert isinstance(transport, FaustTransport)
        wait_until(lambda: len(transport.lanes()) == LANES, "lanes are ours")
        time.sleep(1 - time.time() % 1 + 0.05)  # a window begins
        for _ in range(10):
            transport.count({BOOKED: 7, TOLD: 5})
        producer.append([arrived(number) for number in range(100)])
        wait_until(lambda: seen.append(transport.rates()) or bool(seen[-1]), "a window is whole", 5)  # type: ignore[func-returns-value]
        assert seen[-1] == {BOOKED: 70, TOLD: 50}
        wait_until(lambda: transport.rates() == {}, "it is the last no more", 5)
        wait_until(lambda: member.positions.count() == 100, "lanes are read beside it")
        assert member.crashes == []
    producer.close()

    assert ends_of(kafka.bootstrap, changelog) == [0] * LANES


def ends_of(bootstrap: str, topic: str) -> list[int]:
    """The end of each partition."""

    async def ask(_: Any) -> list[int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await consumer.start()
        try:
            return list((await consumer.end_offsets([TopicPartition(topic, lane) for lane in range(LANES)])).values())
        finally:
            await consumer.stop()

    return list(administer(bootstrap, ask))


def test_whoever_counts_never_waits(kafka: Kafka, topic: str) -> None:
    """Before it is ready, more than anybody decides, and after its end."""
    with made(kafka, topic) as member:
        transport = member.transport
        assert isinstance(transport, FaustTransport)
        began = time.monotonic()
        for _ in range(20_000):
            transport.count({BOOKED: 1})
        took_s = time.monotonic() - began
        wait_until(lambda: len(transport.lanes()) == LANES, "lanes are ours all the same")
    transport.count({BOOKED: 1})

    assert took_s < 2
    assert member.crashes == []
