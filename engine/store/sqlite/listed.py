"""The lists of balance requests and vouchers on SQLite, inside a lane transaction."""

from __future__ import annotations

import sqlite3

from engine.store.chunk_write import ChunkWrite


def write_listed(db: sqlite3.Connection, chunk: ChunkWrite) -> None:
    """What the states of this chunk have there from now on."""
    if chunk.unlisted:
        db.executemany("DELETE FROM listed WHERE tenant = ? AND folio = ? AND kind = ? AND item = ?", chunk.unlisted)
    if chunk.listed:
        db.executemany(
            "INSERT INTO listed VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET property = excluded.property, queue = excluded.queue,"
            " marks = excluded.marks, rank = excluded.rank",
            chunk.listed,
        )
