"""The bare durable work of `benchmarks.bare_loop` on PostgreSQL, by hand and without a broker: one transaction per 500, one statement a
table with `unnest`, on one connection that prepares its statements.

What a message is, what is decided and what is stored are the same, row for row.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from benchmarks.bare_loop import BATCH, check, decided, decode, encode, identity_of, key_of, outcome

SCHEMA: Final = """
CREATE TABLE inbox (id bytea PRIMARY KEY);
CREATE TABLE state (key text PRIMARY KEY, version bigint NOT NULL, body bytea NOT NULL);
CREATE TABLE posting (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry bytea NOT NULL, account text NOT NULL, minor bigint NOT NULL,
    currency text NOT NULL
);
CREATE INDEX posting_account ON posting (account);
CREATE TABLE outbox (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL, key text NOT NULL, body bytea NOT NULL);
"""
_SEEN: Final = "INSERT INTO inbox SELECT unnest(%b::bytea[]) ON CONFLICT DO NOTHING RETURNING id"
_READ: Final = "SELECT key, version, body FROM state WHERE key = ANY(%s)"
_KEEP: Final = (
    "INSERT INTO state SELECT * FROM unnest(%s::text[], %s::bigint[], %b::bytea[])"
    " ON CONFLICT (key) DO UPDATE SET version = excluded.version, body = excluded.body"
)
_POST: Final = (
    "INSERT INTO posting (entry, account, minor, currency) SELECT * FROM unnest(%b::bytea[], %s::text[], %s::bigint[], %s::text[])"
)
_TELL: Final = "INSERT INTO outbox (id, key, body) SELECT * FROM unnest(%b::bytea[], %s::text[], %b::bytea[])"

Connection = psycopg.Connection[tuple[Any, ...]]


def batch(db: Connection, events: Sequence[bytes]) -> None:
    """All of these in the transaction that is open."""
    read = [(identity_of(event), key_of(event["data"]), event) for event in map(decode, events)]
    fresh = {row[0] for row in db.execute(_SEEN, ([identity for identity, _, _ in read],), binary=True)}
    stored = db.execute(_READ, (list({key for _, key, _ in read}),), binary=True)
    states: dict[str, tuple[int, bytes]] = {row[0]: row[1:] for row in stored}
    postings: list[tuple[bytes, str, int, str]] = []
    outcomes: list[tuple[bytes, str, bytes]] = []
    for identity, key, event in read:
        if identity not in fresh:
            continue
        fresh.remove(identity)  # the second of two in one batch
        version, body = states.get(key, (0, b"{}"))
        stay, name, debit, credit, minor = decided(decode(body), event["type"], event["data"])
        outcomes.append((identity, key, outcome(stay, name, identity, minor)))
        states[key] = version + 1, encode(stay)
        postings.append((identity, debit, minor, stay["currency"]))
        postings.append((identity, credit, -minor, stay["currency"]))
    if not outcomes:
        return
    db.execute(_KEEP, columns([(key, *row) for key, row in states.items()]))
    db.execute(_POST, columns(postings))
    db.execute(_TELL, columns(outcomes))


def columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows as one list for each column."""
    return [list(column) for column in zip(*rows, strict=True)]


def run(address: str, events: Sequence[bytes]) -> float:
    """Messages a second, all events once in an empty database, from the first transaction to the last commit; then counted and added
    up."""
    with psycopg.connect(address, autocommit=True) as db:
        db.execute(SCHEMA)
        durable(db)
        begun = time.perf_counter()
        for first in range(0, len(events), BATCH):
            with db.transaction():
                batch(db, events[first : first + BATCH])
        seconds = time.perf_counter() - begun
        check(db, len(events) // 4)
    return len(events) / seconds


def durable(db: Connection) -> None:
    """What the connection really runs under, read back. Raises AssertionError for a commit that does not wait for the disk."""
    found = {name: db.execute(f"SHOW {name}".encode()).fetchone() for name in ("synchronous_commit", "fsync", "full_page_writes")}
    assert set(found.values()) == {("on",)}, found
