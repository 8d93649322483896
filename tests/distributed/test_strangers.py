"""Whoever does not belong here: processes on another cluster, and strangers in the workers' group. Told by name; nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from benchmarks.messages import ids
from engine.transport.kafka.faust_parts import LaneAssignor
from engine.transport.kafka.topology import provision
from tests.distributed.checks import published
from tests.distributed.platform import Platform
from tests.distributed.topics import gone
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.loop import LoopThread
from tests.services.processes import running
from topics.catalogue import INTAKE, TOPICS


def test_a_second_cluster(tmp_path: Path, forker: Forker, postgres_store: str, kafka: Kafka, intake: None) -> None:
    """Its processes refuse to start whatever they do, and name the setting; so they do when the topic was made anew, has gone, or the store
    is asked to be its own log. The first cluster's go on."""
    stays = ids(10, seed=31)
    (tmp_path / "second").mkdir()
    with (
        Platform(tmp_path / "platform", forker, postgres_store, kafka.bootstrap) as platform,
        running(Kafka(tmp_path / "second")) as other,
    ):
        gateway, worker = platform.start("gateway"), platform.start("worker")
        platform.ready()
        provision(other.bootstrap, TOPICS, replication=1, min_insync=1)
        with Platform(tmp_path / "elsewhere", forker, postgres_store, other.bootstrap) as elsewhere:
            for role in ("gateway", "worker", "effects"):
                status, said = elsewhere.refused(role)
                assert status == 2, said
                assert f"cluster_changed: [kafka] bootstrap = {other.bootstrap} is Kafka cluster" in said
        with Platform(tmp_path / "alone", forker, postgres_store) as alone:
            assert "log_changed" in alone.refused("gateway")[1]
        platform.send(gateway, platform.story(stays, 0))
        platform.decided("booking.confirmed", len(stays))
        assert platform.ended() == []

        for name in (gateway, worker):
            platform.stop(name)
        gone(kafka.bootstrap)
        assert "foliohub topics provision" in platform.refused("worker")[1]
        provision(kafka.bootstrap, TOPICS, replication=1, min_insync=1)
        assert "log_changed" in platform.refused("gateway")[1]


def test_strangers_in_the_group(tmp_path: Path, forker: Forker, postgres_store: str, kafka: Kafka, intake: None) -> None:
    """One of another kind is turned away by Kafka, or keeps the workers out until it goes, who say so. One of our kind gets lanes that
    stand still meanwhile: their number is what the alarm looks at. Nothing is lost when it goes."""
    stays = ids(60, seed=41)
    with Platform(tmp_path / "platform", forker, postgres_store, kafka.bootstrap) as platform:
        gateway = platform.start("gateway")
        worker = platform.start("worker")
        platform.ready()
        wait_until(lambda: owned(platform, worker) == INTAKE.partitions, "the worker has its lanes")
        with pytest.raises(KafkaError), plain_consumer(kafka.bootstrap, platform.name):
            pass
        platform.send(gateway, platform.story(stays[:20], 0))
        platform.decided("booking.confirmed", 20)

        with plain_consumer(kafka.bootstrap, platform.name, LaneAssignor):
            wait_until(lambda: 0 < owned(platform, worker) < INTAKE.partitions, "the worker tells how many are left to it")
            platform.send(gateway, platform.story(stays[20:], 0))
            time.sleep(2)
            assert platform.count("SELECT count(*) FROM decision WHERE name = 'booking.confirmed'") < len(stays)
        platform.decided("booking.confirmed", len(stays))

        platform.stop(worker)
        with plain_consumer(kafka.bootstrap, platform.name):
            status, said = platform.refused("worker")
            assert status == 4
            assert f"[kafka] group = {platform.name}" in said
        worker = platform.start("worker")
        platform.send(gateway, platform.story(stays, 0))
        platform.ready()
        assert published(platform) == []
        assert platform.count("SELECT count(*) FROM dead_letter") == 0


def owned(platform: Platform, worker: str) -> int:
    """How many lanes a worker says that it has."""
    told = requests.get(f"{platform.urls[worker]}/metrics", timeout=5).text
    return int(float(told.partition("\nfoliohub_lanes_owned ")[2].partition("\n")[0]))


@contextmanager
def plain_consumer(bootstrap: str, group: str, share: Any = RoundRobinPartitionAssignor) -> Iterator[None]:
    """Somebody who looks into the intake under the workers' name. Raises KafkaError when Kafka turns it away."""

    async def join(consumer: Any) -> None:
        await consumer.start()
        async with asyncio.timeout(20):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=200)

    async def made() -> Any:
        return AIOKafkaConsumer(
            INTAKE.name, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", session_timeout_ms=30_000,
            partition_assignment_strategy=(share,),
        )  # fmt: skip

    loop = LoopThread("stranger")
    consumer = loop.run(made())
    try:
        loop.run(join(consumer))
        yield
    finally:
        loop.run(consumer.stop())
        loop.stop()
