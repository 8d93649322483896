"""What a team would write in place of the hub: a FastStream consumer on a quorum queue of RabbitMQ, psycopg, one transaction a message.

The durable work is that of `benchmarks.bare_loop`, row for row; a message is acknowledged after its commit, one after the other, since a
stay's messages follow each other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from benchmarks.bare_loop import check, decided, decode, encode, identity_of, key_of, outcome
from benchmarks.peers.postgres_loop import SCHEMA, durable

PREFETCH: Final = 100
_PUBLISH: Final = 200  # messages whose confirmations are waited for at once
_QUEUE: Final = RabbitQueue("stays", durable=True, queue_type=QueueType.QUORUM)
_PATIENCE_S: Final = 300.0
_SEEN: Final = "INSERT INTO inbox VALUES (%s) ON CONFLICT DO NOTHING RETURNING id"
_READ: Final = "SELECT version, body FROM state WHERE key = %s FOR UPDATE"
_KEEP: Final = (
    "INSERT INTO state VALUES (%s, %s, %s) ON CONFLICT (key) DO UPDATE SET version = excluded.version, body = excluded.body"
)
_POST: Final = "INSERT INTO posting (entry, account, minor, currency) VALUES (%s, %s, %s, %s), (%s, %s, %s, %s)"
_TELL: Final = "INSERT INTO outbox (id, key, body) VALUES (%s, %s, %s)"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


async def one(db: Connection, event: dict[str, Any]) -> None:
    """One message in a transaction of its own."""
    identity, key = identity_of(event), key_of(event["data"])
    async with db.transaction():
        if not await (await db.execute(_SEEN, (identity,))).fetchone():
            return
        row = await (await db.execute(_READ, (key,))).fetchone()
        stay, name, debit, credit, minor = decided(decode(row[1]) if row else {}, event["type"], event["data"])
        told = outcome(stay, name, identity, minor)
        await db.execute(_KEEP, (key, row[0] + 1 if row else 1, encode(stay)))
        await db.execute(_POST, (identity, debit, minor, stay["currency"], identity, credit, -minor, stay["currency"]))
        await db.execute(_TELL, (identity, key, told))


def run(broker: str, address: str, events: Sequence[bytes]) -> float:
    """Messages a second, all events once in an empty database and a new queue, from the first taken to the last commit; then counted
    and added up."""
    with psycopg.connect(address, autocommit=True) as db:
        db.execute(SCHEMA)
        durable(db)
        seconds = asyncio.run(_consumed(broker, address, events))
        check(db, len(events) // 4)
    return len(events) / seconds


async def _consumed(url: str, address: str, events: Sequence[bytes]) -> float:
    await _published(url, events)
    broker = RabbitBroker(url, default_channel=Channel(prefetch_count=PREFETCH), logger=None, log_level=logging.ERROR)
    begun, taken, done, turn = (
        0.0,
        0,
        asyncio.Event(),
        asyncio.Lock(),
    )  # which is fair: FastStream calls for all of a prefetch at once
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as db:

        @broker.subscriber(_QUEUE, ack_policy=AckPolicy.NACK_ON_ERROR)
        async def take(event: dict[str, Any]) -> None:
            nonlocal begun, taken
            begun = begun or time.perf_counter()
            async with turn:
                await one(db, event)
            taken += 1
            if taken == len(events):
                done.set()

        async with broker:
            await broker.start()
            await asyncio.wait_for(done.wait(), _PATIENCE_S)
            return time.perf_counter() - begun


async def _published(url: str, events: Sequence[bytes]) -> None:
    """Everything lies in the queue, confirmed, before anybody takes it."""
    async with RabbitBroker(url, logger=None) as broker:
        queue = await broker.declare_queue(_QUEUE)
        await queue.purge()
        for first in range(0, len(events), _PUBLISH):
            some = events[first : first + _PUBLISH]
            await asyncio.gather(*(broker.publish(event, _QUEUE, content_type="application/json", persist=True) for event in some))
