"""The catalogue's topics on the broker that all tests share: made anew for a test, and read to their end."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from engine.transport.kafka.topology import provision, topic_ids
from tests.services.amqp_tools import wait_until
from topics.catalogue import INTAKE, TOPICS

STRANGE = "chaos"  # a header of records that a test wrote past the doors


def made_anew(bootstrap: str) -> None:
    """Every topic of the catalogue, empty, with one replica."""
    gone(bootstrap)
    provision(bootstrap, TOPICS, replication=1, min_insync=1)


def gone(bootstrap: str) -> None:
    """No topic of the catalogue."""
    names = [topic.name for topic in TOPICS]
    there = topic_ids(bootstrap, names)
    if there:
        asyncio.run(_delete(bootstrap, list(there)))
        wait_until(lambda: not topic_ids(bootstrap, names), "the topics are gone", 60)


async def _delete(bootstrap: str, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


def outcomes(bootstrap: str) -> list[tuple[str, str, tuple[str, str], bytes]]:
    """Topic, id, key (tenant and key) and body of everything that was published, of each partition in order."""
    return asyncio.run(_outcomes(bootstrap))


def strange(bootstrap: str) -> int:
    """Records of the intake that a test wrote there past the doors."""
    places = [TopicPartition(INTAKE.name, number) for number in range(INTAKE.partitions)]
    records = asyncio.run(_everything(bootstrap, places))
    return sum(any(name == STRANGE for name, _ in record.headers) for record in records)


async def _outcomes(bootstrap: str) -> list[tuple[str, str, tuple[str, str], bytes]]:
    places = [TopicPartition(one.name, number) for one in TOPICS if one.gives for number in range(one.partitions)]
    return [_read(record) for record in await _everything(bootstrap, places)]


async def _everything(bootstrap: str, places: list[TopicPartition]) -> list[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(places)
        wanted = [place for place in places if ends[place]]
        consumer.assign(wanted)
        for place in wanted:
            consumer.seek(place, 0)
        found: list[Any] = []
        while any([await consumer.position(place) < ends[place] for place in wanted]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()


def _read(record: Any) -> tuple[str, str, tuple[str, str], bytes]:
    worn = {name: value.decode() for name, value in record.headers}
    return record.topic, worn["ce_id"], (worn["ce_tenant"], record.key.decode()), record.value
