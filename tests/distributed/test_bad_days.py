"""Bad input and bad days on real servers, as processes: each is told by name, nothing is half done, nothing is lost when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from benchmarks.messages import ids, message
from engine.address import lane_of
from engine.store.rows import Arrived, Key
from engine.transport.kafka.faust_parts import LaneAssignor
from engine.transport.kafka.loop import LoopThread
from engine.transport.kafka.records import record_of
from engine.transport.kafka.topology import provision
from schemas.envelope import message_bytes
from tests.distributed.checks import published, wrongs
from tests.distributed.platform import Platform
from tests.distributed.topics import gone, made_anew
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running
from topics.catalogue import INTAKE, TOPICS

LARGE = 900_000


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    with Forker() as one:
        yield one


@pytest.fixture
def intake(kafka: Kafka) -> None:
    """The catalogue's topics, empty."""
    made_anew(kafka.bootstrap)


def decided(platform: Platform, name: str, count: int, timeout_s: float = 60) -> None:
    """Until so many messages of this name are."""
    sql = "SELECT count(*) FROM decision WHERE name = %s AND result = 'decided'"
    wait_until(lambda: platform.count(sql, name) == count, f"{count} {name} are decided", timeout_s)


def ended(platform: Platform, role: str) -> tuple[int, str]:
    """A process that cannot start: its status, and what it said."""
    name = platform.start(role)
    return platform.gone(name, 40), platform.log(name)


def write(bootstrap: str, records: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]]) -> None:
    """Past the doors, onto the intake: lane, key, value, headers."""

    async def work() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=4_000_000) as producer:
            for lane, key, value, headers in records:
                await producer.send_and_wait(INTAKE.name, value, key=key, partition=lane, headers=headers)

    asyncio.run(work())


def row(stay: str, body: bytes, **instead: Any) -> Arrived:
    """The intake row of a booking, as a door makes it."""
    key, id_ = Key("azur", "folio", f"B-{stay}"), f"0-{stay}"
    at = time.time_ns() // 1000
    return Arrived(
        lane_of(key, INTAKE.partitions), message_bytes("azur", "pms.thais", id_), b"\7" * 16, "azur", "pms.thais", id_,
        "booking.confirmed", key.kind, key.key, at, at, id_, "", "test", "", body,
    )._replace(**instead)  # fmt: skip


def data_of(event: bytes, **more: Any) -> bytes:
    return json.dumps({**json.loads(event)["data"], **more}).encode()


def test_bad_input(tmp_path: Path, forker: Forker, postgres_store: str, kafka: Kafka, intake: None) -> None:
    """NUL in a text, 900 KB, no envelope, a foreign schema, at the gateway and past it: dead letters that name the field or the place, the
    large ones are decided, and the hub goes on."""
    small, large, written = ids(10, seed=21), ids(1, seed=22)[0], ids(1, seed=23)[0]
    with Platform(tmp_path / "platform", forker, postgres_store, kafka.bootstrap) as platform:
        gateway, _ = platform.start("gateway"), platform.start("worker")
        platform.ready()
        event = json.loads(platform.story(small[:1], 0)[0])
        guest = {"person": "p-1", "name": "Ca\x00mille"}
        bad = [
            {**event, "id": "n-1", "data": {**event["data"], "language": "f\x00"}},
            {**event, "id": "n-2", "data": {**event["data"], "guest": guest}},
            {**event, "id": "n-3", "correlationid": "c\x00"},
        ]
        told = platform.send(gateway, [json.dumps(one).encode() for one in bad])
        assert [one["field"] for one in told] == ["language", "guest.name", "correlationid"]
        assert all(one["dead_letter"] for one in told)
        assert "Ca" not in json.dumps(told)

        big = json.loads(platform.story([large], 0)[0])
        pitch = {**big["data"]["lines"][0], "price": 1, "accommodation": "é" * 30}
        big["data"]["lines"] += [{**pitch, "line": f"more-{number}"} for number in range(498)]
        big["data"]["beside"] = "x" * (LARGE - len(json.dumps(big)))
        assert platform.send(gateway, [json.dumps(big).encode()])[0]["taken"] == "accepted"

        past = record_of(row(written, data_of(message(0, written, date.today()), beside="x" * LARGE)))
        good = list(past.headers)
        write(
            kafka.bootstrap,
            [
                (past.lane, past.key, past.value, good),
                (past.lane, past.key, past.value, []),
                (3, None, b"\xff\x00", [("ce_id", b"a\x00b")]),
                (past.lane, past.key, past.value, [*good, ("traceparent", b"\x00")]),
                (past.lane, past.key, past.value, [(name, b"9" if name == "foliohub-schema" else value) for name, value in good]),
                (past.lane, past.key, b'{"language": "\\u0000"}', [(n, b"m-9" if n == "ce_id" else v) for n, v in good]),
                (5, b"k", b"y" * LARGE, []),
            ],
        )
        platform.send(gateway, platform.story(small, 0))
        decided(platform, "booking.confirmed", len(small) + 2)
        wait_until(lambda: platform.count("SELECT count(*) FROM dead_letter") == 3 + 6, "everything else is kept")

        reasons = [
            one["reason"] for one in platform.rows("SELECT reason FROM dead_letter WHERE why = 'undecodable' ORDER BY reason")
        ]
        for said in ("language has a NUL", "guest.name has a NUL", "correlationid has a NUL", "no envelope: ce_id", "traceparent has a NUL",
                     "foreign schema '9'"):  # fmt: skip
            assert any(said in one for one in reasons), (said, reasons)
        assert platform.ended() == []
        assert published(platform) == []


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
                status, said = ended(elsewhere, role)
                assert status == 2, said
                assert f"cluster_changed: [kafka] bootstrap = {other.bootstrap} is Kafka cluster" in said
        with Platform(tmp_path / "alone", forker, postgres_store) as alone:
            assert "log_changed" in ended(alone, "gateway")[1]
        platform.send(gateway, platform.story(stays, 0))
        decided(platform, "booking.confirmed", len(stays))
        assert platform.ended() == []

        for name in (gateway, worker):
            platform.stop(name)
        gone(kafka.bootstrap)
        assert "foliohub topics provision" in ended(platform, "worker")[1]
        provision(kafka.bootstrap, TOPICS, replication=1, min_insync=1)
        assert "log_changed" in ended(platform, "gateway")[1]


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
        decided(platform, "booking.confirmed", 20)

        with plain_consumer(kafka.bootstrap, platform.name, LaneAssignor):
            wait_until(lambda: 0 < owned(platform, worker) < INTAKE.partitions, "the worker tells how many are left to it")
            platform.send(gateway, platform.story(stays[20:], 0))
            time.sleep(2)
            assert platform.count("SELECT count(*) FROM decision WHERE name = 'booking.confirmed'") < len(stays)
        decided(platform, "booking.confirmed", len(stays))

        platform.stop(worker)
        with plain_consumer(kafka.bootstrap, platform.name):
            status, said = ended(platform, "worker")
            assert status == 4
            assert f"[kafka] group = {platform.name}" in said
        worker = platform.start("worker")
        platform.send(gateway, platform.story(stays, 0))
        platform.ready()
        assert published(platform) == []
        assert platform.count("SELECT count(*) FROM dead_letter") == 0


@contextmanager
def small_disk(server: PostgreSQL) -> Iterator[tuple[str, Path]]:
    """A database on a disk of its own, of 48 MB: its address, and where the disk is."""
    place = Path(tempfile.mkdtemp(prefix="foliohub-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700,uid=postgres,gid=postgres", "none", str(place)], check=True)
    try:
        (place / "data").mkdir()
        shutil.chown(place / "data", "postgres", "postgres")
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place / 'data'}'".encode())
            connection.execute("CREATE DATABASE small TEMPLATE template0 TABLESPACE small")
            try:
                yield f"{server.url.rpartition('/')[0]}/small", place
            finally:
                connection.execute("DROP DATABASE small WITH (FORCE)")
                connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk(tmp_path: Path, forker: Forker, postgresql: PostgreSQL) -> None:
    """The gateway answers 503, nobody ends; when there is room they go on, and everything was done once or not at all."""
    stays = ids(60, seed=51)
    with small_disk(postgresql) as (url, place), Platform(tmp_path / "platform", forker, url) as platform:
        platform.paid(stays)
        gateway = platform.start("gateway")
        for role in ("worker", "effects"):
            platform.start(role)
        platform.ready()
        platform.send(gateway, platform.story(stays[:5], 0))
        decided(platform, "booking.confirmed", 5)
        filler = place / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as full:
            while True:
                full.write(bytes(4096))
        refused = 0
        for stay in stays[5:]:
            for _ in range(3):
                with contextlib.suppress(requests.HTTPError):
                    platform.send(gateway, [heavy(stay)])
                    break
                refused += 1
            if refused > 6:
                break
        assert refused > 6, "there was room for everything"
        answer = requests.post(
            f"{platform.urls[gateway]}/messages", data=heavy(stays[-1]), timeout=30,
            headers={"Content-Type": "application/cloudevents+json", "Authorization": f"Bearer {platform.key}"},
        )  # fmt: skip
        assert answer.status_code == 503
        assert "No space left" in answer.text or "store" in answer.text
        assert platform.ended() == []

        filler.unlink()
        for stay in stays:
            platform.send(gateway, [heavy(stay)] if stay not in stays[:5] else platform.story([stay], 0))
        decided(platform, "booking.confirmed", len(stays))
        for step, name in ((1, "payment.received"), (2, ""), (3, "")):
            platform.send(gateway, platform.story(stays, step))
            if name:
                decided(platform, name, len(stays))
        platform.quiet(len(stays))
        assert wrongs(platform, stays, 4 * len(stays)) == []
        assert platform.ended() == []


def heavy(stay: str) -> bytes:
    """A stay's booking that takes room: four hundred wishes that cost nothing, none of which can be packed."""
    event = json.loads(message(0, stay, date.today()))
    luck, line = random.Random(stay), event["data"]["lines"][1]
    wishes = [{**line, "line": f"w-{number}", "price": 0, "accommodation": luck.randbytes(30).hex()} for number in range(400)]
    return json.dumps({**event, "data": {**event["data"], "lines": [*event["data"]["lines"], *wishes]}}).encode()


def test_a_clock_that_is_set_back(tmp_path: Path, postgres_store: str, kafka: Kafka, intake: None) -> None:
    """By an hour, under some processes and between the lives of others: lanes, leases and epochs hold, what is due comes, nothing is
    decided or paid twice."""
    stays = ids(40, seed=61)
    clock = tmp_path / "clock"
    clock.write_text("3600")
    with Forker(clock=clock) as ahead, Platform(tmp_path / "platform", ahead, postgres_store, kafka.bootstrap) as platform:
        platform.paid(stays)
        gateway, worker, _, _ = (platform.start(role) for role in ("gateway", "worker", "effects", "scheduler"))
        platform.ready()
        platform.send(gateway, platform.story(stays, 0))
        decided(platform, "booking.confirmed", len(stays))
        platform.send(gateway, platform.story(stays, 1))
        decided(platform, "payment.received", len(stays))
        for step in (2, 3):
            platform.send(gateway, platform.story(stays[:20], step))
        platform.quiet(20)

        clock.write_text("0")
        platform.send(gateway, platform.story(stays[20:30], 2))
        platform.send(gateway, platform.story(stays[20:30], 3))
        platform.quiet(30)
        platform.kill(worker)
        platform.stop(gateway)
        gateway, _ = platform.start("gateway"), platform.start("worker")
        platform.ready()
        for step in (2, 3):
            platform.send(gateway, platform.story(stays[30:], step))
        for step in range(4):  # everything again, an hour earlier
            platform.send(gateway, platform.story(stays, step))
        platform.quiet(len(stays))

        assert wrongs(platform, stays, 4 * len(stays)) == []
        assert published(platform) == []
        assert platform.ended() == []


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
