"""What is measured on PostgreSQL is looked at as well: the loops take a message once, and a store that was made large is a true one."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from benchmarks import bare_loop, growth
from benchmarks.messages import ids, stream
from benchmarks.peers import faststream_peer, postgres_loop
from benchmarks.setting import Setting
from engine.store.opening import open_store
from engine.verify import verify
from tests.services.rabbitmq import RabbitMQ

STAYS = 20
EVENTS = list(stream(ids(STAYS, 1), lag=2))


def test_the_loop_takes_a_message_once(postgres_url: str) -> None:
    """One that comes again, in the same batch or later, changes nothing."""
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute(postgres_loop.SCHEMA)
        postgres_loop.batch(db, [*EVENTS, EVENTS[0]])
        postgres_loop.batch(db, EVENTS)
        bare_loop.check(db, STAYS)


def test_a_commit_that_does_not_wait_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, options="-c synchronous_commit=off") as db, pytest.raises(AssertionError):
        postgres_loop.durable(db)


def test_the_peer_does_the_same_work(postgres_url: str, rabbitmq: RabbitMQ) -> None:
    """To the row: it is checked as the loop is."""
    assert faststream_peer.run(rabbitmq.url, postgres_url, EVENTS) > 0


def test_a_store_made_large_verifies(tmp_path: Path, postgres_url: str) -> None:
    """On both engines: every row of a copy is what the hub would have written, however many go by one file."""
    setting = Setting(stored=240)
    one, copies = growth.day(tmp_path / "day.sqlite", setting)
    large = growth.filled(one, tmp_path / "large.sqlite", copies, setting)
    moved = growth.carried(one, postgres_url, copies, setting, at_once=3)
    assert (large.stays, moved.stays) == (60, 60)

    for address in (large.address, moved.address):
        store = open_store(address, writer=False)
        found = verify(store)
        store.close()
        assert (found.decisions, found.differences) == (6 * large.stays, ())
