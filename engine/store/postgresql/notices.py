"""Notices on PostgreSQL: marked before they are sent, under a lease with a fence; what one process looks at no other one takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.store.contract import Fenced
from engine.store.notices import COLUMNS, MOVE, OPEN, Notice, Sealed, moved
from engine.store.postgresql.columns import insert
from engine.store.postgresql.database import Database
from engine.store.postgresql.link import Link
from engine.store.postgresql.news import tell_waiting
from engine.store.rows import InternalRow, Key


class PostgresNotices:
    """`engine.store.notices.NoticeStore` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[PostgresNoticeTransaction]:
        with self._database.write() as link:
            yield PostgresNoticeTransaction(link)

    def next_due(self) -> int | None:
        with self._database.look() as link:
            row = link.execute(f"SELECT next_at FROM notice WHERE {OPEN} ORDER BY next_at, decision, id LIMIT 1").fetchone()
            return row[0] if row is not None else None

    def waiting(self) -> int:
        with self._database.look() as link:
            return int(link.execute(f"SELECT count(*) FROM notice WHERE {OPEN}").fetchone()[0])

    def contact(self, tenant: str, folio: str) -> Sealed | None:
        with self._database.look() as link:
            row = link.execute("SELECT subject, body FROM contact WHERE tenant = ? AND folio = ?", (tenant, folio)).fetchone()
            return Sealed(row[0], bytes(row[1])) if row is not None else None

    def folio(self, tenant: str, folio: str) -> bytes | None:
        with self._database.look() as link:
            row = link.execute("SELECT body FROM state WHERE id = ?", (Key(tenant, "folio", folio).digest(),)).fetchone()
            return bytes(row[0]) if row is not None and row[0] is not None else None

    def new_generation(self, now: int) -> int:
        with self._database.write() as link:
            return link.execute(
                f"UPDATE notice SET state = 'sending', fence = fence + 1, next_at = ? WHERE {OPEN}", (now,)
            ).rowcount


class PostgresNoticeTransaction:
    """`engine.store.notices.NoticeTransaction` inside one write transaction of a database."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def due(self, now: int, limit: int) -> Sequence[Notice]:
        rows = self._link.execute(
            f"SELECT {COLUMNS} FROM notice WHERE {OPEN} AND next_at <= ? ORDER BY next_at, decision, id LIMIT ? FOR UPDATE SKIP LOCKED",
            (now, limit),
        )
        return [Notice(*row) for row in rows]

    def write(self, before: Notice, after: Notice, told: Sequence[InternalRow]) -> None:
        if self._link.execute(MOVE, moved(before, after)).rowcount != 1:
            raise Fenced(f"notice {before.id} is not as it was read", field="notice", value=before.id)
        insert(self._link, "internal", told)
        if told:
            tell_waiting(self._link)
