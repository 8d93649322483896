"""What verification reads of a store and how it replays into a scratch one: the log in its order, and the tables side by side.

Runs inside one `Database.read`, so that a hub may go on meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from engine.store.rows import ChunkWrite, DeadLetterRow, TimerRow, Waiting
from engine.store.sqlite.chunk import LETTER, SqliteChunk
from engine.store.sqlite.database import Database
from engine.store.sqlite.statements import marks
from schemas.effect import EffectState

_STATES: Final = " " + " ".join(EffectState) + " "


class Root(NamedTuple):
    """A decision that nothing in its transaction led to."""

    seq: int
    origin: str
    lane: int
    place: int
    message: bytes
    tenant: str
    kind: str
    key: str
    result: str
    decided_at: int
    configuration: int


class Side(NamedTuple):
    """A table as it is compared: the columns that name a row, those that must agree, and which rows count."""

    table: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    where: str = ""


SIDES: Final[tuple[Side, ...]] = (
    Side(
        "decision",
        ("seq",),
        (
            "parent", "since", "origin", "lane", "place", "message", "tenant", "kind", "key", "name", "result", "act", "received_at",
            "correlation", "traceparent", "record",
        ),
    ),
    Side("transfer", ("decision", "seq"), ("tenant", "folio", "entry", "subject", "debit", "credit", "minor", "currency")),
    Side("outbox", ("decision", "seq"), ("tenant", "kind", "key", "name", "sequence", "body")),
    Side("state", ("tenant", "kind", "key"), ("lane", "sequence", "shape", "blocked", "since", "body")),
    Side("timer", ("tenant", "kind", "key", "name"), ("lane", "due", "what", "subject")),
    Side("parked", ("tenant", "kind", "key", "decision"), ("waits_for", "since", "message", "id", "name", "act", "body")),
    Side("blocked", ("tenant", "kind", "key", "seq"), ("dead_letter", "message", "id", "name", "act", "body")),
    Side("payment_total", ("tenant", "folio", "payment"), ("currency", "captured", "given_back")),
    Side("refund_part", ("tenant", "folio", "payment", "number"), ("refund", "minor")),
    Side(
        "effect",
        ("tenant", "business_key"),
        (
            "id", "folio", "lane", "kind", "provider", "merchant", "payment", "reference", "order_ref", "minor", "currency",
            "refund", "property", "last", "needs_approval", "decision", "created_at",
        ),
    ),
    Side("dead_letter", ("id",), ("tenant", "kind", "key", "why", "reason", "bytes", "message", "name", "status"), "message IS NOT NULL"),
    Side("lane", ("lane",), ("next_offset",)),
)  # fmt: skip
"""Every table that decisions fill, in the order in which differences are told. What only the effects runner, the relay or an operator
beside the log writes is not in it."""
_NUMBERED: Final = frozenset({"transfer", "outbox", "blocked"})
"""Tables whose own number may differ between the two sides: there the order counts, not the number."""


class Log:
    """The store under verification."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def roots(self) -> Iterator[Root]:
        """Every root decision, in order."""
        cursor = self.connection.execute(f"SELECT {', '.join(Root._fields)} FROM decision WHERE parent = 0 ORDER BY seq")
        while rows := cursor.fetchmany(1000):
            yield from (Root(*row) for row in rows)

    def message(self, root: Root) -> Waiting | None:
        """The message that a root decided; None if the log does not have it any more."""
        if root.origin == "intake":
            row = self.connection.execute(
                "SELECT 'intake', lane, offset, message, tenant, source, id, name, kind, key, act, received_at, correlation,"
                " traceparent, body, fingerprint, scrubbed, seq FROM intake WHERE lane = ? AND offset = ?",
                (root.lane, root.place),
            ).fetchone()
        else:
            row = self.connection.execute(
                "SELECT 'internal', lane, seq, message, tenant, source, id, name, kind, key, act, received_at, correlation,"
                " traceparent, body FROM internal WHERE seq = ?",
                (root.place,),
            ).fetchone()
        return Waiting(*row) if row else None

    def effects_shown(self, seq: int) -> Mapping[str, EffectState]:
        """The effects that the decision of this number was shown."""
        row = self.connection.execute("SELECT record FROM decision WHERE seq = ?", (seq,)).fetchone()
        shown: dict[str, str] = msgspec.json.decode(row[0]).get("effects", {}) if row else {}
        return {effect: EffectState(state) for effect, state in shown.items()}

    def defects(self, first: int, last: int) -> dict[int, str]:
        """Reasons of the defects among these roots and what they led to."""
        rows = self.connection.execute(
            "SELECT seq, record FROM decision WHERE result = 'defect'"
            " AND seq BETWEEN ?1 AND (SELECT coalesce(max(seq), ?2) FROM decision WHERE parent = ?2)",
            (first, last),
        )
        return {row[0]: msgspec.json.decode(row[1])["reason"] for row in rows}

    def kept_letter(self, id_: str) -> DeadLetterRow | None:
        """A dead letter that a door kept: no decision made it."""
        row = self.connection.execute(f"SELECT {LETTER} FROM dead_letter WHERE id = ? AND message IS NULL", (id_,)).fetchone()
        return DeadLetterRow(*row)._replace(status="open") if row else None

    def lost(self) -> Iterator[tuple[int, int]]:
        """Lane and offset of messages that were passed over: nobody decided them."""
        yield from self.connection.execute(
            "SELECT intake.lane, offset FROM intake JOIN lane USING (lane) WHERE offset < next_offset AND NOT EXISTS (SELECT 1"
            " FROM decision WHERE decision.lane = intake.lane AND origin = 'intake' AND place = offset AND parent = 0)"
        )


class ReplayChunk(SqliteChunk):
    """A transaction on the scratch store: what the effects runner and doors did beside the log is told by the log's records."""

    def __init__(self, connection: sqlite3.Connection, log: Log) -> None:
        super().__init__(connection)
        self._log = log
        self.deciding: Callable[[], int] = lambda: 0  # number of the decision at hand

    def dead_letter(self, id_: str) -> DeadLetterRow | None:
        """A door's letter is brought over when somebody speaks of it."""
        found = super().dead_letter(id_)
        if found is None and (kept := self._log.kept_letter(id_)) is not None:
            self._db.execute(f"INSERT INTO dead_letter VALUES ({marks(len(kept))})", kept)
            return kept
        return found

    def effect_states(self, tenant: str, folio: str) -> Mapping[str, EffectState]:
        """As the decision was shown them then."""
        del tenant, folio
        return self._log.effects_shown(self.deciding())

    def still_known(self, message: bytes) -> dict[bytes, bytes]:
        """Its fingerprint, if it was decided in a slice of time that the verified store has not dropped."""
        kept = {slice_ for (slice_,) in self._log.connection.execute("SELECT slice FROM inbox_slice")}
        found: dict[bytes, bytes] = {}
        for (slice_,) in self._db.execute("SELECT slice FROM inbox_slice").fetchall():
            if slice_ in kept:
                found.update(self._db.execute(f"SELECT message, fingerprint FROM inbox_{slice_:d} WHERE message = ?", (message,)))
        return found

    def timers(self, root: Root) -> list[TimerRow]:
        """Timers of a key that are due at the instant at which one fired."""
        rows = self._db.execute(
            "SELECT tenant, kind, key, name, lane, due, what, subject FROM timer WHERE tenant = ? AND kind = ? AND key = ? AND due = ?",
            (root.tenant, root.kind, root.key, root.place),
        )
        return [TimerRow(*row) for row in rows]

    def write(self, chunk: ChunkWrite, epoch: int) -> None:
        """The scratch effects never moved by themselves: a person's word moves them from wherever they stand."""
        chunk.moves = [move._replace(allowed=_STATES) for move in chunk.moves]
        super().write(chunk, epoch)


def scratch(lanes: int) -> Database:
    """An empty store in a temporary file that SQLite makes when it grows beyond its cache, and takes away by itself."""
    return Database("", lanes=lanes)


def side_rows(connection: sqlite3.Connection, side: Side) -> Iterator[tuple[Any, ...]]:
    """A table's rows in the order of their names; for numbered ones the number within the decision or key."""
    names = list(side.names)
    if side.table in _NUMBERED:
        *owner, number = names
        names = [*owner, f"row_number() OVER (PARTITION BY {', '.join(owner)} ORDER BY {number})"]
    where = f" WHERE {side.where}" if side.where else ""
    order = ", ".join(str(place + 1) for place in range(len(names)))
    cursor = connection.execute(f"SELECT {', '.join([*names, *side.values])} FROM {side.table}{where} ORDER BY {order}")
    while rows := cursor.fetchmany(1000):
        yield from rows
