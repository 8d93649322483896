"""Who owns the lanes of a SQLite store, its intake, and the identities it remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from engine.store.contract import SLICE_US, Claim
from engine.store.rows import Arrived, DeadLetterRow, InternalRow
from engine.store.sqlite.chunk import SqliteChunk
from engine.store.sqlite.database import Database
from engine.store.statements import INTERNAL_COLUMNS, insert, marks

_PIECE = 5_000  # identities that are forgotten in one transaction


class SqliteLanes:
    """`engine.store.contract.LaneStore` on one file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lanes = database.lanes

    def claim(self, lanes: Collection[int] | None = None) -> Claim:
        with self.database.write() as connection:
            rows = connection.execute(
                "UPDATE lane SET epoch = epoch + 1, deaths = CASE WHEN EXISTS (SELECT 1 FROM intake WHERE intake.lane = lane.lane"
                " AND intake.offset >= lane.next_offset) THEN deaths + 1 ELSE 0 END"
                f" WHERE {_among(lanes)} RETURNING lane, epoch, next_offset, deaths, trying"
            ).fetchall()
            self.database.advanced()
        return Claim.of(rows)

    def release(self, lanes: Collection[int] | None = None) -> None:
        with self.database.write() as connection:
            connection.execute(f"UPDATE lane SET deaths = -1, trying = NULL WHERE {_among(lanes)}")  # the next claim counts none

    def try_alone(self, lane: int, offset: int | None) -> None:
        with self.database.write() as connection:
            connection.execute("UPDATE lane SET trying = ? WHERE lane = ?", (offset, lane))

    def append(
        self,
        rows: Sequence[Arrived],
        letters: Sequence[DeadLetterRow],
        keys: Sequence[tuple[str, str, bytes]],
        internals: Sequence[InternalRow],
    ) -> None:
        with self.database.write() as connection:
            ends = {
                lane: count(
                    connection.execute(
                        "SELECT max(coalesce((SELECT max(offset) + 1 FROM intake WHERE lane = ?1), 0),"
                        " (SELECT next_offset FROM lane WHERE lane = ?1))",
                        (lane,),
                    ).fetchone()[0]
                )
                for lane in {row.lane for row in rows}
            }
            insert(connection, "intake", [(None, row.lane, next(ends[row.lane]), *row[1:]) for row in rows])
            if letters:
                connection.executemany(f"INSERT OR IGNORE INTO dead_letter VALUES ({marks(len(letters[0]))})", letters)
            insert(connection, "subject_key", keys)
            insert(connection, "internal", internals, INTERNAL_COLUMNS)

    @contextmanager
    def chunk(self, claim: Claim) -> Iterator[SqliteChunk]:
        with self.database.write() as connection:
            yield SqliteChunk(connection, claim.epochs)

    def drop_slices(self, before: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Forget identities whose slice ended before this instant, a whole slice at a time (X-1). Nobody looks at it from then on; its
        rows go piece by piece, so that nobody waits for them, as long as `go_on` says so between two pieces."""
        with self.database.write() as connection:
            for (slice_,) in connection.execute("SELECT slice FROM inbox_slice WHERE slice < ?", (before // SLICE_US,)).fetchall():
                (unique,) = connection.execute("PRAGMA schema_version").fetchone()
                connection.execute(f"ALTER TABLE inbox_{slice_:d} RENAME TO dropped_{slice_:d}_{unique:d}")
                connection.execute("DELETE FROM inbox_slice WHERE slice = ?", (slice_,))
            more = _cleared(connection)
        while more and go_on():
            with self.database.write() as connection:
                more = _cleared(connection)

    def waiting_count(self) -> int:
        with self.database.read() as connection:
            row = connection.execute(
                "SELECT (SELECT coalesce(sum(max(0, (SELECT max(offset) + 1 FROM intake WHERE intake.lane = lane.lane) - next_offset)), 0)"
                " FROM lane) + (SELECT count(*) FROM internal WHERE decision = 0)"
            ).fetchone()
            return int(row[0])


def _among(lanes: Collection[int] | None) -> str:
    """A condition: one of these lanes."""
    return "1" if lanes is None else f"lane IN ({','.join(str(int(lane)) for lane in lanes)})"


def _cleared(connection: sqlite3.Connection) -> bool:
    """Take away a piece of what was dropped; whether there is more."""
    while found := connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'dropped_[0-9]*' LIMIT 1").fetchone():
        first = connection.execute(f"SELECT message FROM {found[0]} ORDER BY message LIMIT 1 OFFSET ?", (_PIECE,)).fetchone()
        if first is not None:
            connection.execute(f"DELETE FROM {found[0]} WHERE message < ?", first)
            return True
        connection.execute(f"DROP TABLE {found[0]}")
    return False
