"""Effects on PostgreSQL: claimed under a lease with a fence, marked before they are sent, settled with the message that tells the folio.

A batch locks the requests of the payments that it is about before it reads anything: whoever else has one of these payments waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from engine.reconcile import Known
from engine.store.contract import Constraint, Fenced
from engine.store.effects import HOUR_US, Effect, EffectWrite, Payment, PaymentAsk, Spent, Wish
from engine.store.postgresql.columns import given, insert
from engine.store.postgresql.database import Database
from engine.store.postgresql.home import settle
from engine.store.postgresql.link import Link
from engine.store.postgresql.news import tell_waiting
from engine.store.rows import InternalRow, Key
from schemas.effect import RecordKind, Result

_COLUMNS: Final = ", ".join(f"effect.{name}" for name in Effect._fields)
_OPEN: Final = "effect.state IN ('planned', 'sending', 'accepted', 'unknown')"
_BUSY: Final = "other.state IN ('sending', 'unknown') OR (other.state = 'accepted' AND other.record = '')"
_RIVAL: Final = (
    "EXISTS (SELECT 1 FROM effect AS other WHERE other.merchant = effect.merchant AND other.reference = effect.reference"
    f" AND other.id <> effect.id AND ({_BUSY}))"
)
"""Another request of the same payment is under way: one at a time."""
_STOPPED: Final = (
    "(effect.kind = 'refund' AND EXISTS (SELECT 1 FROM payout_switch WHERE payout_switch.tenant = effect.tenant AND stopped = 1))"
)
_NEWS: Final = (
    "(EXISTS (SELECT 1 FROM internal WHERE internal.decision = 0 AND internal.tenant = effect.tenant AND internal.kind = 'folio'"
    " AND internal.key = effect.folio)"
    " OR EXISTS (SELECT 1 FROM blocked WHERE blocked.tenant = effect.tenant AND blocked.kind = 'folio' AND blocked.key = effect.folio))"
)
"""The folio has yet to hear something, which may withdraw what it planned; also what queues behind a defect."""
_HELD: Final = f"(effect.state = 'planned' AND (effect.needs_approval = 1 OR {_RIVAL} OR {_STOPPED} OR {_NEWS}))"
"""Planned, and something else is to happen first, whose own time is what to wait for."""
_MARK: Final = (
    "UPDATE effect SET state = 'sending', sent_at = %s, attempts = %s, queries = 0, lease_until = %s, next_at = %s, reason = '',"
    " fence = %s WHERE id = %s AND fence = %s AND state = 'planned' AND needs_approval = 0"
    f" AND NOT {_RIVAL} AND NOT {_NEWS} AND NOT {_STOPPED}"
)
"""Durable before anything is written to the wire; the last word on whether it may be."""
_MOVE: Final = (
    "UPDATE effect SET state = %s, reason = %s, next_at = %s, queries = %s, fence = %s, lease_until = %s, record = %s,"
    " request = coalesce(%s, request), reply = coalesce(%s, reply) WHERE id = %s AND fence = %s AND state = %s"
)
_RECORD: Final = (
    "INSERT INTO provider_record VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s) ON CONFLICT (merchant, reference, level) DO UPDATE SET"
    " kind = excluded.kind, result = excluded.result, status = excluded.status, minor = coalesce(excluded.minor, provider_record.minor),"
    " owner = excluded.owner WHERE provider_record.owner IN ('payment', excluded.owner)"
)
"""The first owner stays, but for the payment's own that shows itself to be something else."""
_WISH: Final = (
    "UPDATE payment_query SET due = %s, attempts = %s, lease_until = %s WHERE merchant = %s AND reference = %s AND lease_until = %s"
)
_DONE: Final = "DELETE FROM payment_query WHERE merchant = %s AND reference = %s AND lease_until = %s"
_OF: Final = f"FROM {given('merchant, reference', 'tt')} JOIN %s USING (merchant, reference)"
_SPENDING: Final = 0x7370656E  # whoever asks what a tenant has spent today has it for itself


class PostgresEffects:
    """`engine.store.effects.EffectStore` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[PostgresEffectTransaction]:
        with self._database.write() as link:
            yield PostgresEffectTransaction(link)

    def due(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[Effect]:
        with self._database.look() as link:
            rows = link.raw.execute(
                f"SELECT {_COLUMNS} FROM effect WHERE next_at <= %s AND {_OPEN} AND NOT {_HELD} AND merchant <> ALL(%s)"
                " ORDER BY next_at, id LIMIT %s",
                (now, list(without), limit),
            )
            return [Effect(*row) for row in rows]

    def asks(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[PaymentAsk]:
        with self._database.look() as link:
            rows = link.raw.execute(
                "SELECT merchant, reference, provider, order_ref, tenant, folio, lane, payment, attempts FROM payment_query"
                " WHERE due <= %s AND lease_until <= %s AND merchant <> ALL(%s) ORDER BY due, merchant, reference LIMIT %s",
                (now, now, list(without), limit),
            )
            return [PaymentAsk(*row) for row in rows]

    def next_due(self) -> int | None:
        with self._database.look() as link:
            row = link.raw.execute(
                f"SELECT least((SELECT next_at FROM effect WHERE {_OPEN} AND NOT {_HELD} ORDER BY next_at, id LIMIT 1),"
                " (SELECT min(greatest(due, lease_until)) FROM payment_query))"
            ).fetchone()
            return row[0] if row is not None else None

    def stopped(self, tenant: str) -> bool:
        with self._database.look() as link:
            found = link.execute("SELECT 1 FROM payout_switch WHERE tenant = ? AND stopped = 1", (tenant,)).fetchone()
            return found is not None

    def new_generation(
        self, tenants: Iterable[str], reason: str, epoch: int, now: int, told: Callable[[Effect], InternalRow]
    ) -> int:
        with self._database.write() as link:
            link.raw.execute("UPDATE lane SET epoch = greatest(epoch, %s)", (epoch,))
            link.raw.execute("UPDATE meta SET value = (value::bigint + 1)::text WHERE name = 'generation'")
            settle(link)
            insert(
                link, "payout_switch", [(tenant, 1, "system:foliohub", reason, now) for tenant in sorted(tenants)],
                "ON CONFLICT (tenant) DO UPDATE SET stopped = 1, by = excluded.by, reason = excluded.reason, at = excluded.at",
            )  # fmt: skip
            rows = link.raw.execute(f"SELECT {_COLUMNS} FROM effect WHERE {_OPEN} ORDER BY id FOR UPDATE").fetchall()
            link.raw.execute(
                "UPDATE effect SET state = 'unknown', fence = fence + 1, queries = 0, lease_until = 0, next_at = %s, reason = %s"
                f" WHERE {_OPEN}",
                (now, reason),
            )
            doubted = [effect for row in rows if (effect := Effect(*row)).state != "unknown"]
            insert(link, "internal", [told(effect) for effect in doubted])
            return len(doubted)


class PostgresEffectTransaction:
    """`engine.store.effects.EffectTransaction` inside one write transaction of a database."""

    def __init__(self, link: Link) -> None:
        self._link, self._db = link, link.raw

    def effects(self, payments: Collection[Payment]) -> Iterable[tuple[Effect, bool]]:
        """They are this transaction's from now on."""
        if not payments:
            return []
        self._of("SELECT 1", "effect", payments, "ORDER BY effect.id FOR UPDATE OF effect")
        rows = self._of(f"SELECT {_NEWS}, {_COLUMNS}", "effect", payments, "ORDER BY effect.id")
        return [(Effect._make(effect), unheard) for unheard, *effect in rows]

    def records(self, payments: Collection[Payment]) -> Mapping[Payment, Mapping[str, Known]]:
        found: dict[Payment, dict[str, Known]] = {}
        columns = "SELECT merchant, reference, level, owner, kind, result, seen_at, minor"
        for row in self._of(columns, "provider_record", payments):
            found.setdefault(row[:2], {})[row[2]] = Known(row[3], RecordKind(row[4]), Result(row[5]), *row[6:])
        return found

    def asked(self, payments: Collection[Payment]) -> Mapping[Payment, int]:
        rows = self._of(
            "SELECT merchant, reference, max(at)", "evidence", payments,
            "WHERE act = 'query' AND result = 'confirmed' GROUP BY merchant, reference",
        )  # fmt: skip
        return {row[:2]: row[2] for row in rows}

    def wishes(self, payments: Collection[Payment]) -> Mapping[Payment, Wish]:
        columns = "SELECT merchant, reference, due, attempts, lease_until"
        rows = self._of(columns, "payment_query", payments, "ORDER BY merchant, reference FOR UPDATE OF payment_query")
        return {row[:2]: Wish(*row[2:]) for row in rows}

    def stopped(self) -> Collection[str]:
        return {row[0] for row in self._db.execute("SELECT tenant FROM payout_switch WHERE stopped = 1")}

    def spent(self, tenant: str, property_: str, day_start: int, now: int) -> Spent:
        self._db.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_SPENDING, tenant))
        row = self._db.execute(
            "SELECT coalesce(sum(minor) FILTER (WHERE sent_at >= %(day)s), 0)::bigint,"
            " coalesce(sum(minor) FILTER (WHERE sent_at >= %(day)s AND property = %(property)s), 0)::bigint,"
            " count(*) FILTER (WHERE sent_at >= %(hour)s)"
            " FROM effect WHERE tenant = %(tenant)s AND sent_at > 0 AND sent_at >= least(%(day)s, %(hour)s) AND kind = 'refund'"
            " AND state NOT IN ('planned', 'refused')",
            {"tenant": tenant, "property": property_, "day": day_start, "hour": now - HOUR_US},
        ).fetchone()
        assert row is not None
        return Spent(*row)

    def folio(self, tenant: str, folio: str) -> bytes | None:
        row = self._db.execute("SELECT body FROM state WHERE id = %s", (Key(tenant, "folio", folio).digest(),)).fetchone()
        return row[0] if row is not None else None

    def write(self, write: EffectWrite) -> None:
        self._set(_MOVE, [one.moved() for one in write.moves])
        self._set(_MARK, [one.marked() for one in write.marks])
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
        insert(self._link, "evidence", write.evidence)
        insert(self._link, "internal", write.told)
        if write.told:
            tell_waiting(self._link)

    def _set(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Change one row for each of these. Raises Fenced."""
        if self._many(statement, rows) != len(rows):
            words = statement.partition(" SET ")[0]
            raise Fenced(f"{words}: something is not as it was read, or in the way of a mark", field="effect", value=len(rows))

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """How many rows it changed."""
        if not rows:
            return 0
        cursor = self._db.cursor()
        cursor.executemany(statement.encode(), rows)
        return cursor.rowcount

    def _of(self, columns: str, table: str, payments: Collection[Payment], then: str = "") -> list[tuple[Any, ...]]:
        """The rows of a table that are about these payments."""
        if not payments:
            return []
        statement = f"{columns} {_OF.replace('%s', table)} {then}"
        return self._db.execute(statement.encode(), [list(column) for column in zip(*payments, strict=True)]).fetchall()
