"""The bare durable work, written by hand: what any program that keeps the accounts of stays on SQLite has to do at least.

For every message: decode its JSON; an inbox row under a hash of its identity, on conflict nothing; read the stay's one state row, a
JSON document; decide; write the document back; two postings that add up to nothing; one outcome with a JSON body. One transaction per
500, WAL, `synchronous=FULL`. There is no schema, no validation, no policy, no record of why, no provider and no second look at
anything. It is written in the two forms that come to mind, and whoever compares with it takes the faster one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measured import Measured, pragmas, rows_in, size_of, written
from benchmarks.messages import FEE, REFUND

BATCH = 500
SCHEMA = """
CREATE TABLE inbox (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE posting (
    seq INTEGER PRIMARY KEY, entry BLOB NOT NULL, account TEXT NOT NULL, minor INTEGER NOT NULL, currency TEXT NOT NULL
) STRICT;
CREATE INDEX posting_account ON posting (account);
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL) STRICT;
"""
_SEEN = "INSERT INTO inbox VALUES (?) ON CONFLICT DO NOTHING"
_READ = "SELECT version, body FROM state WHERE key = ?"
_POST = "INSERT INTO posting VALUES (NULL, ?, ?, ?, ?)"
_TELL = "INSERT INTO outbox VALUES (NULL, ?, ?, ?)"

decode = msgspec.json.Decoder(dict).decode
encode = msgspec.json.Encoder().encode
Form = Callable[[sqlite3.Connection, Sequence[bytes]], None]


def one_by_one(db: sqlite3.Connection, events: Sequence[bytes]) -> None:
    """Each row written as soon as it is known."""
    execute = db.execute
    for event in map(decode, events):
        identity = identity_of(event)
        if not execute(_SEEN, (identity,)).rowcount:
            continue
        key = key_of(event["data"])
        row = execute(_READ, (key,)).fetchone()
        stay, name, debit, credit, minor = decided(decode(row[1]) if row else {}, event["type"], event["data"])
        body = outcome(stay, name, identity, minor)
        if row:
            execute("UPDATE state SET version = ?, body = ? WHERE key = ?", (row[0] + 1, encode(stay), key))
        else:
            execute("INSERT INTO state VALUES (?, 1, ?)", (key, encode(stay)))
        execute(_POST, (identity, debit, minor, stay["currency"]))
        execute(_POST, (identity, credit, -minor, stay["currency"]))
        execute(_TELL, (identity, key, body))


def at_the_end(db: sqlite3.Connection, events: Sequence[bytes]) -> None:
    """What is written waits for the end of the batch, one statement a table; a stay is read once a batch."""
    execute, postings, outcomes = db.execute, [], []
    states: dict[str, tuple[int, bytes]] = {}
    for event in map(decode, events):
        identity = identity_of(event)
        if not execute(_SEEN, (identity,)).rowcount:
            continue
        key = key_of(event["data"])
        row = states.get(key) or execute(_READ, (key,)).fetchone()
        stay, name, debit, credit, minor = decided(decode(row[1]) if row else {}, event["type"], event["data"])
        outcomes.append((identity, key, outcome(stay, name, identity, minor)))
        states[key] = (row[0] + 1 if row else 1, encode(stay))
        postings.append((identity, debit, minor, stay["currency"]))
        postings.append((identity, credit, -minor, stay["currency"]))
    db.executemany(
        "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
        [(key, version, body) for key, (version, body) in states.items()],
    )
    db.executemany(_POST, postings)
    db.executemany(_TELL, outcomes)


FORMS: Mapping[str, Form] = {"one by one": one_by_one, "at the end": at_the_end}


def identity_of(event: dict[str, Any]) -> bytes:
    return blake2b(f"{event['tenant']}\0{event['source']}\0{event['id']}".encode(), digest_size=16).digest()


def key_of(data: dict[str, Any]) -> str:
    """The stay, told from the order's name where it is not said: no table of references here."""
    return data.get("folio") or f"B-{data['order'][:-2]}"


def decided(stay: dict[str, Any], type_: str, data: dict[str, Any]) -> tuple[dict[str, Any], str, str, str, int]:
    """The stay after the message, what is told, and one entry: debit, credit, minor units."""
    if type_ == "foliohub.booking.confirmed.v1":
        lines = [{name: line[name] for name in ("line", "arrival", "departure", "price", "terms")} for line in data["lines"]]
        ordered = data["service_fee"] + sum(line["price"] for line in lines)
        stay = {name: data[name] for name in ("folio", "property", "currency")}
        stay |= {"lines": lines, "payments": [], "requests": {}, "ordered": ordered, "collected": 0, "refunded": 0, "sequence": 0}
        return stay, "booking.accepted", "receivable", "revenue", ordered
    if type_ == "foliohub.payment.received.v1":
        stay["payments"].append({name: data[name] for name in ("payment", "amount", "provider", "provider_reference")})
        stay["collected"] += data["amount"]
        return stay, "payment.captured", "clearing", "receivable", data["amount"]
    if type_ == "foliohub.cancellation.request.v1":
        refund = stay["lines"][0]["price"] // 2
        stay["requests"][data["request"]] = refund
        return stay, "cancellation.quoted", "revenue", "held", refund
    refund = stay["requests"][data["request"]]
    stay["refunded"] += refund
    return stay, "cancellation.confirmed", "held", "payable", refund


def outcome(stay: dict[str, Any], name: str, identity: bytes, minor: int) -> bytes:
    stay["sequence"] += 1
    told = {"id": identity.hex(), "type": name, "amount": minor, "balance": stay["ordered"] - stay["collected"]}
    return encode(told | {field: stay[field] for field in ("folio", "sequence", "currency", "ordered", "collected", "refunded")})


def run(path: Path, events: Sequence[bytes], form: Form) -> Measured:
    """All events once, timed from the first transaction to the last commit; then counted and added up."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=16000"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(SCHEMA)
    changed, written_before = db.total_changes, written()
    begun = time.perf_counter()
    for first in range(0, len(events), BATCH):
        db.execute("BEGIN IMMEDIATE")
        form(db, events[first : first + BATCH])
        db.execute("COMMIT")
    seconds = time.perf_counter() - begun
    wrote = written() - written_before
    changed = db.total_changes - changed
    check(db, len(events) // 4)
    told, rows = pragmas(db), rows_in(db)
    db.close()
    return Measured(
        inputs=len(events), seconds=seconds, rows=rows, bytes_=size_of(path), changed=changed, written=wrote, pragmas=told
    )


def check(db: sqlite3.Connection, stays: int) -> None:
    """Everything is there once, and the cents agree; else there is no figure."""
    counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("inbox", "state", "posting", "outbox")}
    assert counts == {"inbox": 4 * stays, "state": stays, "posting": 8 * stays, "outbox": 4 * stays}, counts
    accounts = dict(db.execute("SELECT account, sum(minor) FROM posting GROUP BY account"))
    assert sum(accounts.values()) == 0, accounts
    assert (accounts["receivable"], accounts["held"], accounts["payable"]) == (0, 0, -REFUND * stays), accounts
    for key, version, body in db.execute("SELECT key, version, body FROM state"):
        stay = decode(body)
        sums = (version, stay["sequence"], stay["ordered"] - stay["collected"], stay["refunded"])
        assert sums == (4, 4, 0, REFUND), (key, sums)
        assert stay["ordered"] == FEE + sum(line["price"] for line in stay["lines"]), (key, stay)
