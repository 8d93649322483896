"""Leases over lanes in a SQLite file: what rows of a store would say, for tests and measurements with several processes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine.store.contract import Tended


class SqliteLeases:
    """`ttl_s`: a member that is silent for so long has no lanes any more."""

    def __init__(self, path: Path, lanes: int, *, ttl_s: float = 6.0) -> None:
        self._path, self._ttl_s = path, ttl_s
        with self._open() as database:
            database.execute("CREATE TABLE IF NOT EXISTS lease (lane INTEGER PRIMARY KEY, member TEXT, until REAL)")
            database.execute("CREATE TABLE IF NOT EXISTS member (name TEXT PRIMARY KEY, until REAL)")
            database.executemany("INSERT OR IGNORE INTO lease VALUES (?, '', 0)", [(lane,) for lane in range(lanes)])

    def tend(self, member: str) -> Tended:
        now = time.time()
        until = now + self._ttl_s
        with self._open() as database:
            database.execute("INSERT INTO member VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until", (member, until))
            (members,) = database.execute("SELECT count(*) FROM member WHERE until > ?", (now,)).fetchone()
            (lanes,) = database.execute("SELECT count(*) FROM lease").fetchone()
            share = -(-lanes // members)
            database.execute("UPDATE lease SET until = ? WHERE member = ? AND until > ?", (until, member, now))
            held = self._held(database, member, now)
            if len(held) < share:
                database.execute(
                    "UPDATE lease SET member = ?, until = ? WHERE lane IN"
                    " (SELECT lane FROM lease WHERE until <= ? ORDER BY lane LIMIT ?)",
                    (member, until, now, share - len(held)),
                )
                held = self._held(database, member, now)
            return Tended(frozenset(held), frozenset(held[share:]))

    def release(self, member: str, lanes: Collection[int]) -> None:
        with self._open() as database:
            database.executemany("UPDATE lease SET until = 0 WHERE member = ? AND lane = ?", [(member, lane) for lane in lanes])

    def leave(self, member: str) -> None:
        with self._open() as database:
            database.execute("UPDATE lease SET until = 0 WHERE member = ?", (member,))
            database.execute("DELETE FROM member WHERE name = ?", (member,))

    def _held(self, database: sqlite3.Connection, member: str, now: float) -> list[int]:
        rows = database.execute("SELECT lane FROM lease WHERE member = ? AND until > ? ORDER BY lane", (member, now))
        return [lane for (lane,) in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
