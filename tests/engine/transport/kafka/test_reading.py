"""The reader of lanes on a real consumer: what is a gap, and what is records gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.reading import LaneReader
from schemas.errors import HubError
from tests.services.kafka import Kafka
from tests.services.lane_workers import delete_before, lay

Work = Callable[["Reading"], Awaitable[None]]


class Reading:
    """A consumer of lane 0 of a topic, with a reader on it and nothing that watches."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.bootstrap, self.topic = kafka.bootstrap, topic
        self.boxes, self.lost = Mailboxes(), list[tuple[int, int, int, int]]()
        self.reader = LaneReader(topic, self.boxes, lambda *what: self.lost.append(what), watch_s=0.1)

    def run(self, work: Work) -> None:
        async def all_of_it() -> None:
            self.consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=100)
            await self.consumer.start()
            self.consumer.assign([TopicPartition(self.topic, 0)])
            self.reader.consumer = self.consumer
            try:
                await work(self)
            finally:
                await self.consumer.stop()

        asyncio.run(all_of_it())

    async def append(self, count: int, *, transaction: bool = False) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=self.topic if transaction else None)
        await producer.start()
        if transaction:
            await producer.begin_transaction()
        for _ in range(count):
            await producer.send(self.topic, b"{}", partition=0)
        await producer.flush()
        if transaction:
            await producer.commit_transaction()
        await producer.stop()

    async def read(self, *, until: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not until():
                await self.reader.deliver(await self.consumer.getmany(timeout_ms=100))

    def offsets(self) -> list[int]:
        return [record.offset for record in self.boxes.take({0: 0}, 10_000)]


@pytest.fixture
def reading(kafka: Kafka, request: pytest.FixtureRequest) -> Reading:
    lay(kafka.bootstrap, request.node.name, 1)
    return Reading(kafka, request.node.name)


def test_what_is_in_a_mailbox_is_read(reading: Reading) -> None:
    """Time goes on for a lane whose last record nobody will ever commit."""

    async def work(reading: Reading) -> None:
        await reading.append(3)
        await reading.reader.open({0: 0})
        assert reading.reader.unread() == {0: 3}
        await reading.read(until=lambda: reading.boxes.held() == 3)
        assert reading.reader.unread() == {0: 0}
        assert reading.reader.lag() == {0: 3}

    reading.run(work)


def test_a_standstill_is_noticed(reading: Reading) -> None:
    """The broker answers, records lie there, and whoever should fetch them does not: that is told, and not waited for."""

    async def work(reading: Reading) -> None:
        await reading.append(3)
        await reading.reader.identify()
        await reading.reader.open({0: 0})
        with pytest.raises(HubError, match="3 records"):
            await asyncio.wait_for(reading.reader.watching(), 20)

    reading.run(work)


def test_a_transactions_end_is_no_standstill(reading: Reading) -> None:
    """It takes an offset that nobody ever gets."""

    async def work(reading: Reading) -> None:
        await reading.append(3, transaction=True)
        await reading.reader.identify()
        await reading.reader.open({0: 0})
        await reading.read(until=lambda: reading.boxes.held() == 3)
        fetching = asyncio.create_task(reading.read(until=lambda: False))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading.reader.watching(), 2)
        fetching.cancel()
        assert reading.lost == []

    reading.run(work)


def test_markers_are_legal(reading: Reading) -> None:
    """A transaction's end takes an offset and is no record: the lane goes on."""

    async def work(reading: Reading) -> None:
        await reading.append(3, transaction=True)
        await reading.reader.open({0: 0})
        await reading.read(until=lambda: len(reading.offsets()) == 3)
        await reading.consumer.getmany(timeout_ms=300)  # over the marker
        await reading.append(2)
        await reading.read(until=lambda: len(reading.offsets()) == 5)

    reading.run(work)
    assert reading.offsets() == [0, 1, 2, 4, 5]
    assert reading.lost == []


def test_records_gone_are_not(reading: Reading) -> None:
    """The consumer is put on what is left, as Kafka's clients do: nothing of it is delivered."""

    async def work(reading: Reading) -> None:
        await reading.append(5)
        await reading.reader.open({0: 0})
        await reading.read(until=lambda: len(reading.offsets()) == 5)
        await reading.append(20)
        await asyncio.to_thread(delete_before, reading.bootstrap, reading.topic, {0: 10})
        reading.consumer.seek(TopicPartition(reading.topic, 0), 5)  # what was fetched meanwhile is forgotten
        await reading.read(until=lambda: bool(reading.lost))

    reading.run(work)
    assert reading.lost == [(0, 5, 10, 25)]
    assert reading.boxes.lanes() == frozenset()


def test_a_lane_given_up_while_it_is_opened_stays_closed(reading: Reading) -> None:
    """The owner's answer came too late."""

    async def work(reading: Reading) -> None:
        await reading.append(5)
        assert await reading.reader.open({0: 0}, lambda: False) == {}
        await reading.reader.deliver(await reading.consumer.getmany(timeout_ms=500))

    reading.run(work)
    assert reading.boxes.lanes() == reading.reader.lanes() == frozenset()


def test_what_was_fetched_before_the_opening_is_not_delivered(reading: Reading) -> None:
    """The consumer holds records of another position: the lane begins at its own."""

    async def work(reading: Reading) -> None:
        await reading.append(50)
        await reading.consumer.getmany(timeout_ms=1_000, max_records=20)
        await reading.reader.open({0: 7})
        await reading.read(until=lambda: len(reading.offsets()) == 43)

    reading.run(work)
    assert reading.offsets() == list(range(7, 50))


def test_a_lane_is_not_opened_outside_its_log(reading: Reading) -> None:
    """Told at once, before anything is read; the first record that is left and the one that is still to come are within."""

    async def work(reading: Reading) -> None:
        await reading.append(25)
        await asyncio.to_thread(delete_before, reading.bootstrap, reading.topic, {0: 10})
        for outside in (9, 26):
            assert await reading.reader.open({0: outside}) == {}
        for within in (10, 25):
            assert await reading.reader.open({0: within}) == {0: within}

    reading.run(work)
    assert reading.lost == [(0, 9, 10, 25), (0, 26, 10, 25)]
