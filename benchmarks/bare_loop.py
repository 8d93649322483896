"""The bare durable work, written by hand: what any program that keeps such accounts on SQLite has to do at least.

Decode JSON, an inbox row on conflict, read and update one state row, two postings, one outbox row; one transaction per 500.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measured import Measured, pragmas, size_of

BATCH = 500
_SCHEMA = """
CREATE TABLE inbox (id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, version INTEGER NOT NULL, balance INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE posting (seq INTEGER PRIMARY KEY, entry INTEGER NOT NULL, account TEXT NOT NULL, minor INTEGER NOT NULL) STRICT;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, key TEXT NOT NULL, body BLOB NOT NULL) STRICT;
"""
_AMOUNTS = {"booking.confirmed": 20500, "payment.received": -20500, "cancellation.request": 6000, "cancellation.confirm": -6000}


def run(path: Path, events: Sequence[bytes]) -> Measured:
    """All events once, timed from the first transaction to the last commit; then counted."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(_SCHEMA)
    decode = msgspec.json.Decoder(dict).decode
    begun = time.perf_counter()
    for first in range(0, len(events), BATCH):
        db.execute("BEGIN IMMEDIATE")
        for body in events[first : first + BATCH]:
            event = decode(body)
            data = event["data"]
            key = data.get("folio") or data["references"][0]["value"]
            fresh = db.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING", (event["id"], first)).rowcount
            if not fresh:
                continue
            minor = _AMOUNTS[event["type"][9:-3]]
            row = db.execute("SELECT version, balance FROM state WHERE key = ?", (key,)).fetchone() or (0, 0)
            db.execute(
                "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, balance = excluded.balance",
                (key, row[0] + 1, row[1] + minor),
            )
            db.execute("INSERT INTO posting VALUES (NULL, ?, ?, ?)", (first, key, minor))
            db.execute("INSERT INTO posting VALUES (NULL, ?, 'contra', ?)", (first, -minor))
            db.execute("INSERT INTO outbox VALUES (NULL, ?, ?)", (key, b'{"balance":%d}' % (row[1] + minor)))
        db.execute("COMMIT")
    seconds = time.perf_counter() - begun
    counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("inbox", "outbox", "posting")}
    sums = db.execute("SELECT sum(minor) FROM posting").fetchone()[0]
    balances = db.execute("SELECT sum(balance) FROM state").fetchone()[0]
    assert counts == {"inbox": len(events), "outbox": len(events), "posting": 2 * len(events)}, counts
    assert sums == 0, sums
    assert balances == 0, balances
    told = pragmas(db)
    rows = sum(counts.values()) + db.execute("SELECT count(*) FROM state").fetchone()[0]
    db.close()
    return Measured(inputs=len(events), seconds=seconds, rows=rows, bytes_=size_of(path), pragmas=told)
