"""What the other tests take for granted: a server that is killed comes back at its address with all that it had confirmed."""

from __future__ import annotations

import asyncio
import select
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient

from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running


def test_a_committed_row_survives_a_kill(postgresql: PostgreSQL, postgres_url: str) -> None:
    """What was not committed does not, and the backend that held it is gone with its server."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE stay (id text)")
        connection.execute("INSERT INTO stay VALUES ('committed')")
        connection.commit()
        connection.execute("INSERT INTO stay VALUES ('under way')")
        postgresql.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT id FROM stay").fetchall() == [("committed",)]


def test_a_frozen_database_answers_when_it_thaws(postgresql: PostgreSQL, postgres_url: str) -> None:
    """Its connections are frozen with it, and live."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        postgresql.freeze()
        try:
            connection.pgconn.send_query(b"SELECT 1")
            connection.pgconn.flush()
            assert not answered(connection, timeout_s=0.5)
        finally:
            postgresql.thaw()
        assert answered(connection, timeout_s=30)
        connection.close()


def test_an_acknowledged_message_survives_a_kill(kafka: Kafka) -> None:
    """And the topic that it lies in is served again as soon as the broker says that it is there."""
    asyncio.run(send(kafka.bootstrap, "survival", b"acknowledged"))

    kafka.restart()

    assert asyncio.run(first(kafka.bootstrap, "survival")) == b"acknowledged"


def test_clients_are_sent_to_the_advertised_address(tmp_path: Path) -> None:
    """A proxy can stand there; the broker itself does without, or it would not have started."""
    with running(Kafka(tmp_path, advertised="proxy.invalid:9092")) as broker:
        assert asyncio.run(told(broker.bootstrap)) == ("proxy.invalid", 9092)


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def first(bootstrap: str, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return (await asyncio.wait_for(consumer.getone(), timeout=30)).value


async def told(bootstrap: str) -> tuple[str, int]:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        (broker,) = client.cluster.brokers()
        return broker.host, broker.port
    finally:
        await client.close()


def answered(connection: psycopg.Connection[tuple[object, ...]], timeout_s: float) -> bool:
    """Whether anything came back on the connection's socket in time."""
    readable, _, _ = select.select([connection.fileno()], [], [], timeout_s)
    return bool(readable)
