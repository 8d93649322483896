"""What people and doors read: folios, messages with what they led to, effects, dead letters, balances. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from engine.store.contract import Cursor, Store
from engine.store.rows import NUMBERED, Key, OutboxRow
from engine.store.statements import batches, marks

_OUTBOX = ", ".join(f"outbox.{name}" for name in OutboxRow._fields)


SINCE = "(SELECT since FROM state WHERE id = ?)"
"""The first decision of a key, under which all of its decisions are found."""


PIECE = 10_000
"""Decisions that are looked through for one tenant's outcomes at once."""
NO_END = 2**63 - 1


def numbers_of(decision: int) -> tuple[int, int]:
    """The first and the last number that a row of this decision may have."""
    return decision << NUMBERED, ((decision + 1) << NUMBERED) - 1


def rows_as_dicts(cursor: Cursor) -> list[dict[str, Any]]:
    """Rows with their column names."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


class _Settled(msgspec.Struct):
    """What a stored configuration says of its tenants."""

    tenants: dict[str, msgspec.Raw]


class Reading:
    """Read models of one store; each call sees one consistent state."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def by_arrival(self) -> str:
        """How rows are ordered as they were written."""
        return f"ORDER BY {self._store.by_arrival}"

    def view(self) -> AbstractContextManager[object]:
        """What is read inside, by this thread, is of one state of the store."""
        return self._store.read()

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Any read statement, as dictionaries."""
        with self._store.read() as connection:
            return rows_as_dicts(connection.execute(statement, tuple(parameters)))

    def tenants(self) -> list[str]:
        """Everybody whose hub this has ever been."""
        found = (msgspec.json.decode(row["body"], type=_Settled).tenants for row in self.rows("SELECT body FROM configuration"))
        return list(dict.fromkeys(tenant for tenants in found for tenant in tenants))

    def state(self, key: Key) -> dict[str, Any] | None:
        """An aggregate's row; one that only holds the place of what there is not yet is none."""
        found = self.rows("SELECT * FROM state WHERE id = ? AND version > 0", (key.digest(),))
        return found[0] if found else None

    def place_of(self, message: bytes) -> tuple[int, int] | None:
        """Lane and offset of a message that was taken, by its id."""
        known = self._store.identities((message,)).get(message)
        return None if known is None else (known.lane, known.offset)

    def answer(self, message: bytes) -> list[OutboxRow] | None:
        """Every outcome that a message led to inside its transaction, in order; None if it was not decided yet.

        One that was parked first is answered by what its release led to.
        """
        place = self.place_of(message)
        if place is None:
            return None
        with self._store.read() as connection:
            root = connection.execute(
                "SELECT seq FROM decision WHERE lane = ? AND origin = 'intake' AND place = ? AND parent = 0", place
            ).fetchone()
            if root is None:
                return None
            led = connection.execute("SELECT seq FROM decision WHERE parent > 0 AND parent = ? ORDER BY seq", root).fetchall()
            return self.outcomes_of([root[0], *(row[0] for row in led)])

    def fates(self, message: bytes) -> list[dict[str, Any]]:
        """Every decision about a message, in order: parked, then decided, for one that came early."""
        place = self.place_of(message)
        if place is None:
            return []
        first = self.rows("SELECT * FROM decision WHERE lane = ? AND origin = 'intake' AND place = ? AND parent = 0", place)
        if not first:
            return []
        root, tenant = first[0]["seq"], first[0]["tenant"]
        found = first + self.rows("SELECT * FROM decision WHERE parent > 0 AND parent = ? AND message = ?", (root, message))
        keys = {(row["kind"], row["key"]) for row in found if row["result"] in ("parked", "queued")}
        keys |= {("folio", folio) for kind, key in keys if kind == "reference" and (folio := self._bound(tenant, key))}
        for kind, key in sorted(keys):  # taken up later, under the key that it waited at or the folio that this name is
            found += self.rows(
                f"SELECT * FROM decision WHERE since = {SINCE} AND message = ? AND parent > 0 AND parent <> ?",
                (Key(tenant, kind, key).digest(), message, root),
            )
        return sorted(found, key=lambda row: row["seq"])

    def _bound(self, tenant: str, key: str) -> str:
        """The folio that a name is bound to, empty if none."""
        rows = self.rows("SELECT body FROM state WHERE id = ?", (Key(tenant, "reference", key).digest(),))
        return str(msgspec.json.decode(rows[0]["body"]).get("folio", "")) if rows and rows[0]["body"] else ""

    def decisions_of(self, key: Key) -> list[int]:
        """The numbers of all decisions of a key, in order."""
        rows = self.rows(f"SELECT seq FROM decision WHERE since = {SINCE} ORDER BY seq", (key.digest(),))
        return [row["seq"] for row in rows]

    def outcomes_of(self, decisions: Sequence[int]) -> list[OutboxRow]:
        """Outcomes of these decisions, in order."""
        with self._store.read() as connection:
            found = (
                connection.execute(f"SELECT {_OUTBOX} FROM outbox WHERE seq BETWEEN ? AND ? ORDER BY seq", numbers)
                for numbers in _spans(sorted(decisions))
            )
            return [OutboxRow(*row) for rows in found for row in rows]

    def transfers_of(self, decisions: Sequence[int]) -> list[dict[str, Any]]:
        """What these decisions booked, in order, and when each was received (microseconds)."""
        statement = (
            "SELECT entry, subject, minor, received_at FROM transfer_row JOIN decision ON decision.seq = transfer_row.seq >> 20"
            " WHERE transfer_row.seq BETWEEN ? AND ? ORDER BY transfer_row.seq"
        )
        with self._store.read():
            return [row for numbers in _spans(sorted(decisions)) for row in self.rows(statement, numbers)]

    def outbox_of(self, tenant: str, seq: int, limit: int, before: int = NO_END) -> list[OutboxRow]:
        """One tenant's outcomes, from a row on, up to another."""
        with self._store.read() as connection:
            rows = connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE seq > ? AND seq < ? AND tenant = ? ORDER BY seq LIMIT ?",
                (seq, before, tenant, limit),
            )
            return [OutboxRow(*row) for row in rows]

    def stream_of(self, tenant: str, after: int, limit: int, piece: int = PIECE) -> tuple[list[OutboxRow], int]:
        """One tenant's outcomes as a stream, and where to go on: what others have between two of its own is passed over piece by
        piece, so that an answer may hold nothing and yet not be the last."""
        settled = self._store.settled_to()
        with self._store.read() as connection:
            last = min(connection.execute("SELECT max(seq) FROM decision").fetchone()[0] or 0, settled)
            end = min((after >> NUMBERED) + 1 + piece, settled + 1)
            rows = self.outbox_of(tenant, after, limit, end << NUMBERED)
        if len(rows) < limit and end <= last:
            return rows, (end << NUMBERED) - 1
        return rows, rows[-1].seq if rows else after

    def waiting(self, message: bytes) -> dict[str, Any] | None:
        """A message that was taken and is not decided yet, by its id: what it is, and since when."""
        found = self.rows(
            "SELECT intake.name, received_at FROM lane CROSS JOIN intake WHERE intake.lane = lane.lane AND intake.offset >= next_offset"
            " AND message = ? LIMIT 1",
            (message,),
        )
        return found[0] if found else None

    def unpublished_since(self) -> tuple[int, int]:
        """How many outcomes a broker has yet to confirm, and when the first of them was decided (microseconds; 0 for none)."""
        with self._store.read() as connection:
            # not `min(seq)`: that would be looked for among all that were ever published
            count, first = connection.execute(
                f"SELECT count(*), min(waits.seq + 0) FROM ({self._store.unpublished}) AS waits"
            ).fetchone()
            if not count:
                return 0, 0
            decided = connection.execute("SELECT decided_at FROM decision WHERE seq = ?", (first >> NUMBERED,)).fetchone()
            return count, decided[0]

    def log_behind(self) -> dict[int, int]:
        """Messages of the store's own log that wait, by lane; none where the log is elsewhere."""
        with self._store.read() as connection:
            rows = connection.execute(
                'SELECT lane, coalesce((SELECT max("offset") + 1 FROM intake WHERE intake.lane = lane.lane), 0) - next_offset FROM lane'
            )
            return {lane: max(0, count) for lane, count in rows}

    def internal_behind(self) -> dict[int, int]:
        """Messages from inside that wait, by lane; a lane without any is absent."""
        with self._store.read() as connection:
            return dict(connection.execute("SELECT lane, count(*) FROM internal WHERE decision = 0 GROUP BY lane").fetchall())

    def next_outcome(self) -> int:
        """Whatever is decided from now on has outcomes from this number on."""
        return (self._store.settled_to() + 1) << NUMBERED

    def asked(self, limit: int) -> list[OutboxRow]:
        """Outcomes that sources want by AMQP and have yet to get, oldest first, where they go to Kafka as well."""
        with self._store.read() as connection:
            rows = connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE outbox.seq IN (SELECT seq FROM outbox_asked ORDER BY seq LIMIT ?)"
                " ORDER BY outbox.seq",
                (limit,),
            )
            return [OutboxRow(*row) for row in rows]

    def got(self, rows: Sequence[int]) -> None:
        """Those that their sources have."""
        with self._store.write() as connection:
            for some in batches(list(rows)):
                connection.execute(f"DELETE FROM outbox_asked WHERE seq IN ({marks(len(some))})", some)

    def unpublished_in(self, lanes: Sequence[int], limit: int, first: int = 0) -> list[OutboxRow]:
        """The same, of keys in these lanes, from a number on; of each key in order. A store of several processes knows lanes of
        outcomes."""
        with self._store.read() as connection:
            rows = connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE outbox.seq IN (SELECT seq FROM outbox_waiting WHERE seq >= ?"
                f" AND lane IN ({marks(len(lanes))}) ORDER BY seq LIMIT ?) ORDER BY outbox.seq",
                (first, *lanes, limit),
            )
            return [OutboxRow(*row) for row in rows]

    def unpublished(self, limit: int) -> list[OutboxRow]:
        """Outcomes that a broker has yet to confirm, oldest first."""
        with self._store.read() as connection:
            rows = connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE outbox.seq IN ({self._store.unpublished} ORDER BY seq LIMIT ?) ORDER BY outbox.seq",
                (limit,),
            )
            return [OutboxRow(*row) for row in rows]

    def published(self, rows: Sequence[int]) -> None:
        """Mark what the broker confirmed."""
        with self._store.write() as connection:
            for some in batches(list(rows)):
                connection.execute(f"{self._store.confirm} WHERE seq IN ({marks(len(some))})", some)

    def next_timer(self) -> int | None:
        """When the next timer is due."""
        with self._store.read() as connection:
            row = connection.execute("SELECT min(due) FROM timer").fetchone()
            return row[0] if row else None

    def unsettled(self) -> dict[str, int]:
        """What is not as it should end: open dead letters, blocked keys, parked messages."""
        return self.rows(
            "SELECT (SELECT count(*) FROM dead_letter WHERE status = 'open') AS dead_letters,"
            " (SELECT count(*) FROM state WHERE blocked <> '') AS blocked, (SELECT count(*) FROM parked) AS parked"
        )[0]

    def each(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """A long read, memory flat."""
        with self._store.read() as connection:
            yield from self._store.each(connection, statement, parameters)


def _spans(decisions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The numbers of rows of these, as few spans as they lie in: what a message led to follows it directly."""
    first = last = 0
    for seq in decisions:
        if last and seq != last + 1:
            yield numbers_of(first)[0], numbers_of(last)[1]
            first = 0
        first, last = first or seq, seq
    if last:
        yield numbers_of(first)[0], numbers_of(last)[1]
