"""The provider's own books: one SQLite file, durable at every commit, so that they survive the simulator's own kill.

Times are milliseconds since 1970. Amounts are minor units. The request log keeps no password, signature or card data.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from schemas.errors import Rejected

VERSION = 1
FIRST_PAYID = 3_000_000_001

_SCHEMA = """
CREATE TABLE payments (
    payid TEXT PRIMARY KEY, pspid TEXT NOT NULL, order_id TEXT NOT NULL, currency TEXT NOT NULL, at_ms INTEGER NOT NULL,
    UNIQUE (pspid, order_id)) STRICT;
CREATE TABLE operations (
    payid TEXT NOT NULL REFERENCES payments, level INTEGER NOT NULL, operation TEXT NOT NULL, minor INTEGER NOT NULL,
    status TEXT NOT NULL, source TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (payid, level)) STRICT;
CREATE TABLE planned (
    id INTEGER PRIMARY KEY AUTOINCREMENT, payid TEXT NOT NULL, due_ms INTEGER, wait_ms INTEGER NOT NULL, work TEXT NOT NULL) STRICT;
CREATE INDEX planned_due ON planned (due_ms, id);
CREATE TABLE counts (rule TEXT PRIMARY KEY, calls INTEGER NOT NULL) STRICT;
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, endpoint TEXT NOT NULL, fields TEXT NOT NULL,
    rule TEXT NOT NULL, answer TEXT NOT NULL) STRICT;
CREATE TABLE callbacks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, payid TEXT NOT NULL, level INTEGER NOT NULL, status TEXT NOT NULL, method TEXT NOT NULL,
    url TEXT NOT NULL, form BLOB NOT NULL, due_ms INTEGER NOT NULL, tries_left INTEGER NOT NULL, retry_ms INTEGER NOT NULL,
    state TEXT NOT NULL) STRICT;
CREATE INDEX callbacks_due ON callbacks (state, due_ms, id);
"""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment, named by its PAYID."""

    payid: str
    pspid: str
    order_id: str
    currency: str
    at_ms: int


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One history level of a payment; level 0 is the order. `source`: merchant or back_office."""

    level: int
    operation: str
    minor: int
    status: str
    source: str
    at_ms: int


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """One message to the merchant, as it goes out."""

    id: int
    method: str
    url: str
    form: bytes


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens by itself at `due_ms`."""

    id: int
    payid: str
    due_ms: int
    work: bytes


class Books:
    """Opened on a file, or on `:memory:` for worlds that are thrown away. Not thread-safe: the provider holds a lock."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise Rejected(f"{path}: books of version {version}, this simulator writes {VERSION}", field="books")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is on the disk, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add_payment(self, pspid: str, order_id: str, currency: str, at_ms: int, payid: str = "") -> Payment:
        """A new payment under the next PAYID, or under the one that is given."""
        number = FIRST_PAYID + int(self._db.execute("SELECT count(*) FROM payments").fetchone()[0])
        payment = Payment(payid=payid or str(number), pspid=pspid, order_id=order_id, currency=currency, at_ms=at_ms)
        self._db.execute("INSERT INTO payments VALUES (?, ?, ?, ?, ?)", (payment.payid, pspid, order_id, currency, at_ms))
        return payment

    def payment(self, pspid: str, *, payid: str = "", order_id: str = "") -> Payment | None:
        """By PAYID or by ORDERID; an empty `pspid` asks in all accounts."""
        column, value = ("payid", payid) if payid else ("order_id", order_id)
        found = self._db.execute(
            f"SELECT * FROM payments WHERE {column} = ? AND ? IN ('', pspid)",  # noqa: S608  # one of two names of ours
            (value, pspid),
        ).fetchone()
        return Payment(**dict(found)) if found else None

    def payments(self) -> list[Payment]:
        """All, oldest first."""
        return [Payment(**dict(row)) for row in self._db.execute("SELECT * FROM payments ORDER BY payid")]

    def add_operation(self, payid: str, operation: str, minor: int, status: str, source: str, at_ms: int) -> int:
        """The next history level; its number."""
        level = int(self._db.execute("SELECT coalesce(max(level), -1) + 1 FROM operations WHERE payid = ?", (payid,)).fetchone()[0])
        row = (payid, level, operation, minor, status, source, at_ms)
        self._db.execute("INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return level

    def set_status(self, payid: str, level: int, status: str) -> bool:
        """Whether there is such a level."""
        query = "UPDATE operations SET status = ? WHERE payid = ? AND level = ?"
        return self._db.execute(query, (status, payid, level)).rowcount == 1

    def operations(self, payid: str) -> list[Operation]:
        """The history, oldest first."""
        query = "SELECT level, operation, minor, status, source, at_ms FROM operations WHERE payid = ? ORDER BY level"
        return [Operation(**dict(row)) for row in self._db.execute(query, (payid,))]

    def plan(self, payid: str, work: bytes, *, due_ms: int | None, wait_ms: int = 0) -> None:
        """Something to come; without `due_ms` it waits for a query about the payment, and then `wait_ms`."""
        text = work.decode("utf-8")
        self._db.execute("INSERT INTO planned (payid, due_ms, wait_ms, work) VALUES (?, ?, ?, ?)", (payid, due_ms, wait_ms, text))

    def queried(self, payid: str, now_ms: int) -> None:
        """Starts the clock of what waited for a query."""
        self._db.execute("UPDATE planned SET due_ms = ? + wait_ms WHERE payid = ? AND due_ms IS NULL", (now_ms, payid))

    def next_planned(self, now_ms: int) -> Planned | None:
        """The earliest that is due."""
        query = "SELECT id, payid, due_ms, work FROM planned WHERE due_ms <= ? ORDER BY due_ms, id LIMIT 1"
        row = self._db.execute(query, (now_ms,)).fetchone()
        return Planned(**{**dict(row), "work": row["work"].encode("utf-8")}) if row else None

    def next_due_ms(self) -> int | None:
        """When the next thing happens by itself: planned work or a callback."""
        query = (
            "SELECT min(due_ms) FROM (SELECT due_ms FROM planned UNION ALL SELECT due_ms FROM callbacks WHERE state = 'waiting')"
        )
        found = self._db.execute(query).fetchone()[0]
        return None if found is None else int(found)

    def unplan(self, planned_id: int) -> None:
        self._db.execute("DELETE FROM planned WHERE id = ?", (planned_id,))

    def count(self, rule: str) -> int:
        """One more call that this rule is about; how many there are now."""
        query = "INSERT INTO counts VALUES (?, 1) ON CONFLICT (rule) DO UPDATE SET calls = calls + 1 RETURNING calls"
        return int(self._db.execute(query, (rule,)).fetchone()[0])

    def log(self, at_ms: int, endpoint: str, fields: Mapping[str, str], rule: str, answer: str) -> None:
        """A request that came, as it may be kept, and what was played."""
        row = (at_ms, endpoint, json.dumps(fields, sort_keys=True), rule, answer)
        self._db.execute("INSERT INTO requests (at_ms, endpoint, fields, rule, answer) VALUES (?, ?, ?, ?, ?)", row)

    def requests(self) -> list[dict[str, object]]:
        """All requests that came, oldest first."""
        rows = self._db.execute("SELECT * FROM requests ORDER BY id")
        return [{**dict(row), "fields": json.loads(row["fields"])} for row in rows]

    def add_callback(
        self, payid: str, level: int, status: str, method: str, url: str, form: bytes, *, due_ms: int, tries: int, retry_ms: int
    ) -> None:
        """One message to send."""
        self._db.execute(
            "INSERT INTO callbacks (payid, level, status, method, url, form, due_ms, tries_left, retry_ms, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
            (payid, level, status, method, url, form, due_ms, tries, retry_ms),
        )

    def first_waiting_ms(self, payid: str) -> int | None:
        """When the first callback of a payment that still waits is due."""
        query = "SELECT min(due_ms) FROM callbacks WHERE payid = ? AND state = 'waiting'"
        found = self._db.execute(query, (payid,)).fetchone()[0]
        return None if found is None else int(found)

    def due_callbacks(self, now_ms: int) -> list[Callback]:
        """At most a hundred, in the order in which they go out."""
        query = "SELECT id, method, url, form FROM callbacks WHERE state = 'waiting' AND due_ms <= ? ORDER BY due_ms, id LIMIT 100"
        return [Callback(**dict(row)) for row in self._db.execute(query, (now_ms,))]

    def callback_tried(self, callback_id: int, delivered: bool, now_ms: int) -> None:
        """Delivered, given up, or waiting for the next try."""
        self._db.execute(
            "UPDATE callbacks SET tries_left = tries_left - 1, due_ms = ? + retry_ms,"
            " state = CASE WHEN ? THEN 'delivered' WHEN tries_left <= 1 THEN 'given_up' ELSE 'waiting' END WHERE id = ?",
            (now_ms, delivered, callback_id),
        )

    def callbacks(self) -> list[dict[str, object]]:
        """All callbacks without their bodies, oldest first."""
        query = "SELECT id, payid, level, status, method, url, due_ms, tries_left, state FROM callbacks ORDER BY id"
        return [dict(row) for row in self._db.execute(query)]
