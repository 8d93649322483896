"""Bad days on real servers, as processes: nothing is half done, and nothing is lost when it is over."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
import requests

from benchmarks.messages import ids, message
from tests.distributed.checks import published, wrongs
from tests.distributed.platform import Platform
from tests.kills.forker import Forker
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL


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
        platform.decided("booking.confirmed", 5)
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
        platform.decided("booking.confirmed", len(stays))
        for step, name in ((1, "payment.received"), (2, ""), (3, "")):
            platform.send(gateway, platform.story(stays, step))
            if name:
                platform.decided(name, len(stays))
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
        platform.decided("booking.confirmed", len(stays))
        platform.send(gateway, platform.story(stays, 1))
        platform.decided("payment.received", len(stays))
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
