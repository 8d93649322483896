"""Bad input at the gateway and past it, on real servers, as processes: dead letters that say where and why, and the hub goes on."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.messages import ids, message
from engine.address import lane_of
from engine.store.rows import Arrived, Key
from engine.transport.kafka.records import record_of
from schemas.envelope import message_bytes
from tests.distributed.checks import published
from tests.distributed.platform import Platform
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from topics.catalogue import INTAKE

LARGE = 900_000


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
        platform.decided("booking.confirmed", len(small) + 2)
        wait_until(lambda: platform.count("SELECT count(*) FROM dead_letter") == 3 + 6, "everything else is kept")

        reasons = [
            one["reason"] for one in platform.rows("SELECT reason FROM dead_letter WHERE why = 'undecodable' ORDER BY reason")
        ]
        for said in ("language has a NUL", "guest.name has a NUL", "correlationid has a NUL", "no envelope: ce_id", "traceparent has a NUL",
                     "foreign schema '9'"):  # fmt: skip
            assert any(said in one for one in reasons), (said, reasons)
        assert platform.ended() == []
        assert published(platform) == []
