"""Effects on SQLite: claimed under a lease with a fence, marked before they are sent, settled with the message that tells the folio.

A batch reads what it is about at once and writes what it led to at once; the row is the truth, the thread that carries it is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from engine.reconcile import Known
from engine.store.contract import Constraint, Fenced
from engine.store.effects import HOUR_US, Effect, EffectWrite, Payment, PaymentAsk, Spent, Wish
from engine.store.rows import InternalRow, Key
from engine.store.sqlite.database import Database
from engine.store.statements import INTERNAL_COLUMNS, insert, marks
from schemas.effect import RecordKind, Result

_COLUMNS = ", ".join(Effect._fields)
_BUSY = "other.state IN ('sending', 'unknown') OR (other.state = 'accepted' AND other.record = '')"
_RIVAL = (
    "EXISTS (SELECT 1 FROM effect AS other WHERE other.merchant = effect.merchant AND other.reference = effect.reference"
    f" AND other.id <> effect.id AND ({_BUSY}))"
)
"""Another request of the same payment is under way: one at a time."""
_BEHIND = f"state = 'planned' AND {_RIVAL}"
"""Planned behind another request of the same payment, whose own time is what to wait for."""
_STOPPED = (
    "state = 'planned' AND effect.kind = 'refund'"
    " AND EXISTS (SELECT 1 FROM payout_switch WHERE payout_switch.tenant = effect.tenant AND stopped = 1)"
)
"""Payouts are stopped: nobody is asked about it again and again meanwhile, and it goes as soon as they are started."""
_UNHEARD = (
    "state = 'planned' AND (effect.tenant, effect.folio) IN"
    " (SELECT tenant, key FROM internal WHERE decision = 0 AND kind = 'folio'"
    " UNION ALL SELECT tenant, key FROM blocked WHERE kind = 'folio')"
)
"""Planned, and its folio has yet to hear something (`_NEWS`, of all at once): it goes as soon as that was decided."""
_UNAPPROVED = "state = 'planned' AND needs_approval = 1"
"""Planned, and waits for a second person; what a new generation has put in doubt is asked about all the same."""
_HELD = f"(({_UNAPPROVED}) OR ({_BEHIND}) OR ({_STOPPED}) OR ({_UNHEARD}))"
_NEWS = (
    "(EXISTS (SELECT 1 FROM internal WHERE internal.decision = 0 AND internal.tenant = effect.tenant AND internal.kind = 'folio'"
    " AND internal.key = effect.folio)"
    " OR EXISTS (SELECT 1 FROM blocked WHERE blocked.tenant = effect.tenant AND blocked.kind = 'folio' AND blocked.key = effect.folio))"
)
"""The folio has yet to hear something, which may withdraw what it planned; also what queues behind a defect."""
_MARK = (
    "UPDATE effect SET state = 'sending', sent_at = ?, attempts = ?, queries = 0, lease_until = ?, next_at = ?, reason = '', fence = ?"
    " WHERE id = ? AND fence = ? AND state = 'planned' AND needs_approval = 0"
    f" AND NOT {_RIVAL} AND NOT {_NEWS} AND NOT EXISTS (SELECT 1 FROM payout_switch"
    " WHERE payout_switch.tenant = effect.tenant AND stopped = 1 AND effect.kind = 'refund')"
)
"""Durable before anything is written to the wire; the last word on whether it may be."""
_MOVE = (
    "UPDATE effect SET state = ?, reason = ?, next_at = ?, queries = ?, fence = ?, lease_until = ?, record = ?,"
    " request = coalesce(?, request), reply = coalesce(?, reply) WHERE id = ? AND fence = ? AND state = ?"
)
_RECORD = (
    "INSERT INTO provider_record VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (merchant, reference, level) DO UPDATE SET"
    " kind = excluded.kind, result = excluded.result, status = excluded.status, minor = coalesce(excluded.minor, minor),"
    " owner = excluded.owner WHERE owner IN ('payment', excluded.owner)"
)
"""The first owner stays, but for the payment's own that shows itself to be something else."""
_WISH = "UPDATE payment_query SET due = ?, attempts = ?, lease_until = ? WHERE merchant = ? AND reference = ? AND lease_until = ?"
_DONE = "DELETE FROM payment_query WHERE merchant = ? AND reference = ? AND lease_until = ?"
_AT_ONCE = 512  # payments of one statement


class SqliteEffects:
    """`engine.store.effects.EffectStore` on one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[SqliteEffectTransaction]:
        with self._database.write() as connection:
            yield SqliteEffectTransaction(connection, self._database)

    def due(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[Effect]:
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM effect WHERE next_at <= ?1 AND state IN ('planned', 'sending', 'accepted', 'unknown')"
                f" AND NOT {_HELD} AND merchant NOT IN ({marks(len(without))})"
                " ORDER BY next_at, id LIMIT ?",
                (now, *without, limit),
            )
            return [Effect(*row) for row in rows]

    def asks(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[PaymentAsk]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT merchant, reference, provider, order_ref, tenant, folio, lane, payment, attempts FROM payment_query"
                f" WHERE due <= ? AND lease_until <= ? AND merchant NOT IN ({marks(len(without))})"
                " ORDER BY due, merchant, reference LIMIT ?",
                (now, now, *without, limit),
            )
            return [PaymentAsk(*row) for row in rows]

    def next_due(self) -> int | None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT min(at) FROM (SELECT * FROM (SELECT next_at AS at FROM effect WHERE"
                f" state IN ('planned', 'sending', 'accepted', 'unknown') AND NOT {_HELD} ORDER BY next_at, id LIMIT 1)"
                " UNION ALL SELECT min(max(due, lease_until)) FROM payment_query)"
            ).fetchone()
            return row[0] if row and row[0] is not None else None

    def stopped(self, tenant: str) -> bool:
        with self._database.read() as connection:
            found = connection.execute("SELECT 1 FROM payout_switch WHERE tenant = ? AND stopped = 1", (tenant,)).fetchone()
            return found is not None

    def new_generation(
        self, tenants: Iterable[str], reason: str, epoch: int, now: int, told: Callable[[Effect], InternalRow]
    ) -> int:
        """A restored or moved store: payouts stand still, and every request that is not final is in doubt until it was asked about.

        Its epochs go on from `epoch`, so that the store that it replaces is an older copy from now on. How many are in doubt.
        """
        with self._database.write() as connection:
            connection.execute("UPDATE lane SET epoch = max(epoch, ?)", (epoch,))
            connection.execute("UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'generation'")
            connection.execute("DELETE FROM meta WHERE name = 'restored'")
            connection.executemany(
                "INSERT OR REPLACE INTO payout_switch VALUES (?, 1, 'system:foliohub', ?, ?)",
                [(tenant, reason, now) for tenant in tenants],
            )
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM effect WHERE state IN ('planned', 'sending', 'accepted', 'unknown') AND state <> 'unknown'"
            ).fetchall()
            connection.execute(
                "UPDATE effect SET state = 'unknown', fence = fence + 1, queries = 0, lease_until = 0, next_at = ?1,"
                " reason = ?2 WHERE state IN ('planned', 'sending', 'accepted', 'unknown')",
                (now, reason),
            )
            insert(connection, "internal", [told(Effect(*row)) for row in rows], INTERNAL_COLUMNS)
            return len(rows)


class SqliteEffectTransaction:
    """`engine.store.effects.EffectTransaction` inside one write transaction of a file."""

    def __init__(self, connection: sqlite3.Connection, database: Database) -> None:
        self._db, self._database = connection, database

    def effects(self, payments: Collection[Payment]) -> Iterable[tuple[Effect, bool]]:
        rows = self._of(
            f"SELECT {_NEWS}, {_COLUMNS} FROM %s CROSS JOIN effect ON merchant = column1 AND reference = column2 ORDER BY id",
            payments,
        )
        return [(Effect._make(effect), bool(unheard)) for unheard, *effect in rows]

    def records(self, payments: Collection[Payment]) -> Mapping[Payment, Mapping[str, Known]]:
        found: dict[Payment, dict[str, Known]] = {}
        for row in self._of(
            "SELECT merchant, reference, level, owner, kind, result, seen_at, minor FROM %s CROSS JOIN provider_record"
            " ON merchant = column1 AND reference = column2",
            payments,
        ):
            found.setdefault(row[:2], {})[row[2]] = Known(row[3], RecordKind(row[4]), Result(row[5]), *row[6:])
        return found

    def asked(self, payments: Collection[Payment]) -> Mapping[Payment, int]:
        rows = self._of(
            "SELECT column1, column2, (SELECT max(at) FROM evidence WHERE merchant = column1 AND reference = column2"
            " AND act = 'query' AND result = 'confirmed') FROM %s",
            payments,
        )
        return {row[:2]: row[2] for row in rows if row[2] is not None}

    def wishes(self, payments: Collection[Payment]) -> Mapping[Payment, Wish]:
        rows = self._of(
            "SELECT merchant, reference, due, attempts, lease_until FROM %s CROSS JOIN payment_query"
            " ON merchant = column1 AND reference = column2",
            payments,
        )
        return {row[:2]: Wish(*row[2:]) for row in rows}

    def stopped(self) -> Collection[str]:
        return {row[0] for row in self._db.execute("SELECT tenant FROM payout_switch WHERE stopped = 1")}

    def spent(self, tenant: str, property_: str, day_start: int, now: int) -> Spent:
        row = self._db.execute(
            "SELECT coalesce(sum(minor) FILTER (WHERE sent_at >= ?3), 0),"
            " coalesce(sum(minor) FILTER (WHERE sent_at >= ?3 AND property = ?2), 0), count(*) FILTER (WHERE sent_at >= ?4)"
            " FROM effect WHERE tenant = ?1 AND sent_at > 0 AND sent_at >= min(?3, ?4) AND kind = 'refund'"
            " AND state NOT IN ('planned', 'refused')",
            (tenant, property_, day_start, now - HOUR_US),
        ).fetchone()
        return Spent(*row)

    def folio(self, tenant: str, folio: str) -> bytes | None:
        row = self._db.execute("SELECT body FROM state WHERE id = ?", (Key(tenant, "folio", folio).digest(),)).fetchone()
        return row[0] if row is not None else None

    def write(self, write: EffectWrite) -> None:
        self._set(_MOVE, [one.moved() for one in write.moves])
        self._set(_MARK, [one.marked() for one in write.marks])
        if write.marks:
            self._db.execute(
                "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + ? AS TEXT) WHERE name = 'sends'", (len(write.marks),)
            )
            self._database.advanced()
        if self._many(_RECORD, [one.row() for one in write.records]) != len(write.records):
            levels = sorted({one.record.level for one in write.records})
            text = f"one of the records {', '.join(levels)} is another one's than was read"
            raise Constraint(text, field="record", value=levels[0] if len(levels) == 1 else levels)
        kept = [
            (after.due, after.attempts, after.lease_until, *payment, was.lease_until)
            for payment, was, after in write.wishes
            if after
        ]
        self._set(_WISH, kept)
        self._set(_DONE, [(*payment, was.lease_until) for payment, was, after in write.wishes if after is None])
        insert(self._db, "evidence", [(None, *one) for one in write.evidence])
        insert(self._db, "internal", write.told, INTERNAL_COLUMNS)

    def _set(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Change one row for each of these. Raises Fenced."""
        if self._many(statement, rows) != len(rows):
            words = statement.partition(" SET ")[0]
            raise Fenced(f"{words}: something is not as it was read, or in the way of a mark", field="effect", value=len(rows))

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """How many rows it changed."""
        return self._db.executemany(statement, rows).rowcount if rows else 0

    def _of(self, statement: str, payments: Collection[Payment]) -> list[tuple[Any, ...]]:
        """The rows of a statement about these payments, which it reads as a table; filled up with none, so that few statements are to
        be remembered for batches of any size."""
        wanted, rows = list(payments), []
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            size = 1 << (len(some) - 1).bit_length()
            table = f"(VALUES {','.join(['(?,?)'] * size)})"
            values = [part for payment in some for part in payment] + [None] * (2 * (size - len(some)))
            rows += self._db.execute(statement % table, values).fetchall()
        return rows
