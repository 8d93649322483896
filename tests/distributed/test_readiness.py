"""/ready tells the truth, by role: a process that cannot do what it is for says 503, and why, until it can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import requests

from benchmarks.messages import ids
from tests.distributed.platform import Platform
from tests.distributed.topics import made_anew
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL

READY_LAG = 5


def problems(platform: Platform, name: str) -> dict[str, str]:
    """What a process says that it lacks; its status fits."""
    answer = requests.get(f"{platform.urls[name]}/ready", timeout=10)
    found: dict[str, str] = answer.json()["problems"]
    assert answer.status_code == (503 if found else 200), answer.text
    return found


def metric(platform: Platform, name: str, wanted: str) -> float:
    """One line of /metrics; -1 where there is none."""
    for line in requests.get(f"{platform.urls[name]}/metrics", timeout=10).text.splitlines():
        if line.startswith(f"{wanted} "):
            return float(line.rpartition(" ")[2])
    return -1.0


@contextmanager
def held(platform: Platform, statement: str) -> Iterator[None]:
    """Somebody else has what this statement locks."""
    with psycopg.connect(platform.beside, options="-c search_path=foliohub") as connection:
        connection.execute(statement.encode())
        yield
        connection.rollback()


def test_on_kafka(tmp_path: Path, forker: Forker, postgres_store: str, kafka: Kafka, postgresql: PostgreSQL) -> None:
    """Lanes that are given and not claimed; a lag that grows; Kafka away, which concerns doors and workers; the store away, which
    concerns everybody."""
    made_anew(kafka.bootstrap)
    with Platform(tmp_path / "platform", forker, postgres_store, kafka.bootstrap) as platform:
        with (tmp_path / "platform/config/hub.toml").open("a") as settings:
            settings.write(f"\n[hub]\nready_lag = {READY_LAG}\n")
        for role in ("gateway", "effects"):
            platform.start(role, role)
        platform.ready()
        with held(platform, "SELECT 1 FROM lane FOR UPDATE"):
            platform.start("worker", "worker")
            wait_until(lambda: serves(platform, "worker"), "it listens")
            assert "lanes" in problems(platform, "worker")
        platform.ready(["worker"])

        with held(platform, "SELECT 1 FROM lane FOR UPDATE"):
            platform.send("gateway", platform.story(ids(4 * READY_LAG, seed=3), 0))
            wait_until(lambda: "lag" in problems(platform, "worker"), "it says how far behind it is")
            said = problems(platform, "worker")["lag"]
            assert said.endswith(f"more than [hub] ready_lag ({READY_LAG})")
            assert sum(metric(platform, "worker", f'foliohub_lane_lag{{lane="{lane}"}}') for lane in range(32)) == 4 * READY_LAG
        platform.ready(["worker"])
        wait_until(lambda: metric(platform, "worker", "foliohub_outcomes_unpublished") == 0, "outcomes are published")
        assert metric(platform, "worker", "foliohub_outbox_age_seconds") == 0
        assert metric(platform, "worker", "foliohub_chunk_seconds_count") > 0

        kafka.kill()
        try:
            for name in ("gateway", "worker"):
                wait_until(lambda name=name: "kafka" in problems(platform, name), f"{name} says so")
            assert kafka.bootstrap in problems(platform, "gateway")["kafka"]
            assert problems(platform, "effects") == {}
        finally:
            kafka.start()
        platform.ready()

        postgresql.kill()
        try:
            for name in ("gateway", "worker", "effects"):
                wait_until(lambda name=name: "store" in problems(platform, name), f"{name} says so")
                assert metric(platform, name, "foliohub_store_away") == 1
        finally:
            postgresql.start()
        platform.ready()
        assert metric(platform, "effects", "foliohub_store_away") == 0
        assert platform.ended() == []


def test_on_one_database(tmp_path: Path, forker: Forker, postgres_store: str) -> None:
    """Without lanes while some have no owner a worker is not ready; when all are others' it is, and takes over when it must."""
    with Platform(tmp_path / "platform", forker, postgres_store) as platform:
        with held(platform, "SELECT pg_advisory_xact_lock(hashtext('foliohub lanes'))"):
            platform.start("worker", "worker")
            wait_until(lambda: serves(platform, "worker"), "it listens")
            assert set(problems(platform, "worker")) == {"lanes"}
        platform.ready()

        with psycopg.connect(platform.beside, options="-c search_path=foliohub", autocommit=True) as connection:
            platform.stop("worker")
            connection.execute(
                "INSERT INTO lease SELECT 'lane:' || lane, 'another', clock_timestamp() + interval '1 hour' FROM lane"
            )
            platform.start("worker", "spare")
            platform.ready(["spare"])
            assert metric(platform, "spare", "foliohub_lanes_owned") == 0
            connection.execute("DELETE FROM lease WHERE owner = 'another'")
        wait_until(lambda: metric(platform, "spare", "foliohub_lanes_owned") == 32, "it has taken over")
        assert problems(platform, "spare") == {}


def serves(platform: Platform, name: str) -> bool:
    """Whether it answers at all."""
    try:
        return requests.get(f"{platform.urls[name]}/health", timeout=2).ok
    except requests.RequestException:
        return False
