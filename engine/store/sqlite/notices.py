"""Notices on SQLite: marked before they are sent, under a lease with a fence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.store.contract import Fenced
from engine.store.notices import COLUMNS, MOVE, OPEN, Notice, Sealed, moved
from engine.store.rows import InternalRow, Key
from engine.store.sqlite.database import Database
from engine.store.statements import INTERNAL_COLUMNS, insert
from schemas.notice import NoticeState


class SqliteNotices:
    """`engine.store.notices.NoticeStore` on one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[SqliteNoticeTransaction]:
        with self._database.write() as connection:
            yield SqliteNoticeTransaction(connection, self._database)

    def next_due(self) -> int | None:
        with self._database.read() as connection:
            row = connection.execute(f"SELECT next_at FROM notice WHERE {OPEN} ORDER BY next_at, decision, id LIMIT 1").fetchone()
            return row[0] if row else None

    def waiting(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(f"SELECT count(*) FROM notice WHERE {OPEN}").fetchone()[0])

    def contact(self, tenant: str, folio: str) -> Sealed | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT subject, body FROM contact WHERE tenant = ? AND folio = ?", (tenant, folio)).fetchone()
            return Sealed(*row) if row else None

    def folio(self, tenant: str, folio: str) -> bytes | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT body FROM state WHERE id = ?", (Key(tenant, "folio", folio).digest(),)).fetchone()
            return row[0] if row else None

    def new_generation(self, now: int) -> int:
        with self._database.write() as connection:
            return connection.execute(
                f"UPDATE notice SET state = 'sending', fence = fence + 1, next_at = ? WHERE {OPEN}", (now,)
            ).rowcount


class SqliteNoticeTransaction:
    """`engine.store.notices.NoticeTransaction` inside one write transaction of a file."""

    def __init__(self, connection: sqlite3.Connection, database: Database) -> None:
        self._db, self._database = connection, database

    def due(self, now: int, limit: int) -> Sequence[Notice]:
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM notice WHERE {OPEN} AND next_at <= ? ORDER BY next_at, decision, id LIMIT ?", (now, limit)
        )
        return [Notice(*row) for row in rows]

    def write(self, before: Notice, after: Notice, told: Sequence[InternalRow]) -> None:
        if self._db.execute(MOVE, moved(before, after)).rowcount != 1:
            raise Fenced(f"notice {before.id} is not as it was read", field="notice", value=before.id)
        if after.state == NoticeState.SENDING:  # an older copy of this store is known by it, as by a payout
            self._db.execute("UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'sends'")
            self._database.advanced()
        insert(self._db, "internal", told, INTERNAL_COLUMNS)
