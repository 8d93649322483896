"""Effects on SQLite: claimed under a lease with a fence, marked before they are sent, settled with the message that tells the folio.

Every change is one short transaction, or a part of a batch's; the row is the truth, the thread that carries it is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from engine.reconcile import Known
from engine.store.contract import Constraint
from engine.store.effects import Effect, Evidence, Learned, PaymentAsk, Spent
from engine.store.rows import InternalRow
from engine.store.sqlite.database import Database
from engine.store.sqlite.statements import INTERNAL_COLUMNS, insert, marks
from schemas.effect import EffectState, ProviderRecord, RecordKind, Result

_COLUMNS = ", ".join(Effect._fields)
_HOUR_US = 3_600_000_000
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
    " (SELECT tenant, key FROM internal WHERE decision = 0 AND kind = 'folio')"
)
"""Planned, and its folio has yet to hear something (`_NEWS`, of all at once): it goes as soon as that was decided."""
_UNAPPROVED = "state = 'planned' AND needs_approval = 1"
"""Planned, and waits for a second person; what a new generation has put in doubt is asked about all the same."""
_HELD = f"(({_UNAPPROVED}) OR ({_BEHIND}) OR ({_STOPPED}) OR ({_UNHEARD}))"
_NEWS = (
    "EXISTS (SELECT 1 FROM internal WHERE internal.decision = 0 AND internal.tenant = effect.tenant AND internal.kind = 'folio'"
    " AND internal.key = effect.folio)"
)
"""The folio has yet to hear something, which may withdraw what it planned."""


class SqliteEffects:
    """`engine.store.effects.EffectStore` on one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[object]:
        return self._database.write()

    # -- what is to be done ----------------------------------------------------------------------------------------------------

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

    def effect(self, id_: str) -> Effect | None:
        with self._database.read() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM effect WHERE id = ?", (id_,)).fetchone()
            return Effect(*row) if row else None

    # -- claims ----------------------------------------------------------------------------------------------------------------

    def claim_ask(self, id_: str, now: int, lease_until: int) -> int | None:
        with self._database.write() as connection:
            row = connection.execute(
                "UPDATE effect SET lease_until = ?3, next_at = ?3, fence = fence + 1 WHERE id = ?1 AND state IN ('unknown', 'accepted')"
                " AND lease_until <= ?2 RETURNING fence",
                (id_, now, lease_until),
            ).fetchone()
            return row[0] if row else None

    def claim_payment(self, merchant: str, reference: str, now: int, lease_until: int) -> bool:
        with self._database.write() as connection:
            row = connection.execute(
                "UPDATE payment_query SET lease_until = ?4 WHERE merchant = ?1 AND reference = ?2 AND lease_until <= ?3 RETURNING due",
                (merchant, reference, now, lease_until),
            ).fetchone()
            return row is not None

    def doubt_abandoned(self, id_: str, now: int, next_at: int, told: InternalRow) -> None:
        """A request whose sender died or fell silent after its mark: in doubt from now on, and never sent again by itself."""
        with self._database.write() as connection:
            row = connection.execute(
                "UPDATE effect SET state = 'unknown', fence = fence + 1, next_at = ?3, lease_until = 0 WHERE id = ?1"
                " AND state = 'sending' AND lease_until <= ?2 RETURNING id",
                (id_, now, next_at),
            ).fetchone()
            if row is not None:
                insert(connection, "internal", [told], INTERNAL_COLUMNS)

    def mark_sending(self, id_: str, fence: int, now: int, lease_until: int) -> int | None:
        """Durable before anything is written to the wire: the fence under which it is sent. None when it has moved since it was read,
        another request of its payment is under way, or payouts are stopped."""
        with self._database.write() as connection:
            row = connection.execute(
                "UPDATE effect SET state = 'sending', sent_at = ?3, attempts = attempts + 1, queries = 0, lease_until = ?4,"
                " next_at = ?4, reason = '', fence = fence + 1 WHERE id = ?1 AND fence = ?2 AND state = 'planned' AND needs_approval = 0"
                f" AND NOT {_RIVAL} AND NOT {_NEWS} AND NOT EXISTS (SELECT 1 FROM payout_switch"
                " WHERE payout_switch.tenant = effect.tenant AND stopped = 1 AND effect.kind = 'refund') RETURNING fence",
                (id_, fence, now, lease_until),
            ).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'sends'")
            self._database.advanced()
            return int(row[0])

    def new_generation(
        self, tenants: Iterable[str], reason: str, epoch: int, now: int, told: Callable[[Effect], InternalRow]
    ) -> int:
        """A restored or moved store: payouts stand still, and every request that is not final is in doubt until it was asked about.

        Its epochs go on from `epoch`, so that the store that it replaces is an older copy from now on. How many are in doubt.
        """
        with self._database.write() as connection:
            connection.execute("UPDATE lane SET epoch = max(epoch, ?)", (epoch,))
            connection.execute("UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'generation'")
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

    def put_off(
        self, id_: str, fence: int, next_at: int, reason: str, told: InternalRow | None = None, *, queried: int = 0
    ) -> None:
        """Not now: free the claim and look again at `next_at`; `queried` more queries were in vain."""
        with self._database.write() as connection:
            row = connection.execute(
                "UPDATE effect SET lease_until = 0, next_at = ?3, reason = ?4, queries = queries + ?5 WHERE id = ?1 AND fence = ?2"
                " RETURNING id",
                (id_, fence, next_at, reason, queried),
            ).fetchone()
            if row is not None and told is not None:
                insert(connection, "internal", [told], INTERNAL_COLUMNS)

    # -- answers ---------------------------------------------------------------------------------------------------------------

    def settle(
        self, effect: Effect, fence: int, state: EffectState, *, next_at: int, reason: str, record: ProviderRecord | None,
        evidence: Evidence, told: Sequence[InternalRow], now: int,
    ) -> bool:  # fmt: skip
        """The answer to one request. False when the fence has moved: the answer is kept as evidence and changes nothing."""
        with self._database.write() as connection:
            row = connection.execute(
                "UPDATE effect SET state = ?3, next_at = ?4, reason = ?5, lease_until = 0, request = ?6, reply = ?7,"
                " record = CASE ?8 WHEN '' THEN record ELSE ?8 END WHERE id = ?1 AND fence = ?2 RETURNING id",
                (effect.id, fence, state, next_at, reason, evidence.request, evidence.answer, record.level if record else ""),
            ).fetchone()
            self._keep_evidence(connection, evidence if row else evidence._replace(act="late"))
            if row is None:
                return False
            if record is not None and record.level:
                owner = self._keep_record(connection, effect.merchant, effect.provider, record, f"effect:{effect.id}", now)
                if owner != f"effect:{effect.id}":
                    raise Constraint(f"record {record.reference}/{record.level} is {owner}'s", field="record", value=record.level)
            insert(connection, "internal", told, INTERNAL_COLUMNS)
            return True

    def known_records(self, merchant: str, reference: str) -> Mapping[str, Known]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT level, owner, kind, result, seen_at FROM provider_record WHERE merchant = ? AND reference = ?",
                (merchant, reference),
            )
            return {row[0]: Known(row[1], RecordKind(row[2]), Result(row[3]), row[4]) for row in rows}

    def effects_on(self, merchant: str, reference: str) -> Sequence[Effect]:
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM effect WHERE merchant = ? AND reference = ? ORDER BY id", (merchant, reference)
            )
            return [Effect(*row) for row in rows]

    def learn(
        self, merchant: str, provider: str, reference: str, *, owners: Sequence[tuple[ProviderRecord, str]],
        moves: Sequence[Learned], evidence: Evidence, told: Sequence[InternalRow], now: int,
        asked: int | None,
    ) -> None:  # fmt: skip
        """What a history showed: records with their owners, and what it means for effects.

        A move whose effect has gone on meanwhile is left out with its record and its message: the next query sees it again.
        """
        with self._database.write() as connection:
            self._keep_evidence(connection, evidence)
            for record, owner in owners:
                self._keep_record(connection, merchant, provider, record, owner, now, turned=True)
            for move in moves:
                self._move(connection, merchant, provider, move, now)
            insert(connection, "internal", told, INTERNAL_COLUMNS)
            if asked is not None:
                connection.execute(
                    "DELETE FROM payment_query WHERE merchant = ? AND reference = ? AND lease_until = ?",
                    (merchant, reference, asked),
                )

    def _move(self, connection: sqlite3.Connection, merchant: str, provider: str, move: Learned, now: int) -> None:
        level = move.record.level if move.record is not None else ""
        moved = connection.execute(
            "UPDATE effect SET state = ?3, reason = ?4, record = CASE ?5 WHEN '' THEN record ELSE ?5 END, next_at = ?6,"
            " queries = queries + 1, lease_until = 0, fence = fence + 1 WHERE id = ?1 AND state = ?2"
            " AND (?5 = '' OR record IN ('', ?5)) RETURNING id",
            (move.id, move.from_, move.to, move.reason, level, move.next_at),
        ).fetchone()
        if moved is None:
            return
        if move.record is not None:
            self._keep_record(connection, merchant, provider, move.record, f"effect:{move.id}", now, turned=True)
        if move.told is not None:
            insert(connection, "internal", [move.told], INTERNAL_COLUMNS)

    def ask_again(self, merchant: str, reference: str, due: int, evidence: Evidence) -> None:
        """The query itself failed: again later."""
        with self._database.write() as connection:
            self._keep_evidence(connection, evidence)
            connection.execute(
                "UPDATE payment_query SET due = ?3, attempts = attempts + 1, lease_until = 0 WHERE merchant = ?1 AND reference = ?2",
                (merchant, reference, due),
            )

    def asked_since(self, merchant: str, reference: str, began: int) -> bool:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM evidence WHERE merchant = ? AND reference = ? AND at > ? AND act = 'query' AND result = 'confirmed' LIMIT 1",
                (merchant, reference, began),
            ).fetchone()
            return row is not None

    def keep_evidence(self, evidence: Evidence) -> None:
        with self._database.write() as connection:
            self._keep_evidence(connection, evidence)

    def spent(self, tenant: str, property_: str, day_start: int, now: int) -> Spent:
        """X-27: what has left today, for the tenant and the property, and how many refunds in the last hour."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT coalesce(sum(minor) FILTER (WHERE sent_at >= ?3), 0),"
                " coalesce(sum(minor) FILTER (WHERE sent_at >= ?3 AND property = ?2), 0), count(*) FILTER (WHERE sent_at >= ?4)"
                " FROM effect WHERE tenant = ?1 AND sent_at > 0 AND sent_at >= min(?3, ?4) AND kind = 'refund'"
                " AND state NOT IN ('planned', 'refused')",
                (tenant, property_, day_start, now - _HOUR_US),
            ).fetchone()
            return Spent(*row)

    @staticmethod
    def _keep_evidence(connection: sqlite3.Connection, evidence: Evidence) -> None:
        insert(connection, "evidence", [(None, *evidence)])

    @staticmethod
    def _keep_record(
        connection: sqlite3.Connection, merchant: str, provider: str, record: ProviderRecord, owner: str, now: int, *,
        turned: bool = False,
    ) -> str:  # fmt: skip
        """Store a record; whose it is: the first owner stays, but for the payment's that a history showed to be something else
        (`turned`)."""
        row = connection.execute(
            "INSERT INTO provider_record VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (merchant, reference, level) DO UPDATE SET"
            " kind = excluded.kind, result = excluded.result, status = excluded.status, minor = coalesce(excluded.minor, minor),"
            " owner = CASE WHEN ? AND owner = 'payment' THEN excluded.owner ELSE owner END RETURNING owner",
            (
                merchant, record.reference, record.level, provider, record.kind, record.result, record.status, record.minor,
                record.currency, owner, now, turned,
            ),
        ).fetchone()  # fmt: skip
        return str(row[0])
