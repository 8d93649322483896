"""A lane transaction on SQLite: its reads, and the one write of everything that was decided; a handful of statements whatever its size."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from engine.store.chunk_write import ChunkWrite
from engine.store.contract import Constraint, Fenced
from engine.store.requests import NoticeRow
from engine.store.rows import LETTER, BlockedRow, Cargo, DeadLetterRow, Key, ParkedRow, StateRow, TimerRow, Waiting
from engine.store.sqlite.listed import write_listed
from engine.store.statements import batches, insert, marks
from schemas.effect import EffectState

_CARGO = "message, source, id, name, act, received_at, correlation, traceparent, body"


class SqliteChunk:
    """`engine.store.contract.ChunkTransaction`: the reads and the one write of a lane transaction."""

    def __init__(self, connection: sqlite3.Connection, epochs: Mapping[int, int]) -> None:
        self._db, self._epochs = connection, epochs
        self._last: int = connection.execute("SELECT max(seq) FROM decision").fetchone()[0] or 0

    def number(self) -> int:
        """One after the other: nobody else decides meanwhile."""
        self._last += 1
        return self._last

    def take(self, positions: Mapping[int, int], limit: int, *, internal: bool = True) -> Sequence[Waiting]:
        found = [
            Waiting("internal", row[0], row[1], *row[2:])
            for row in self._db.execute(
                "SELECT lane, seq, message, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent, body"
                f" FROM internal WHERE decision = 0 AND lane IN ({marks(len(positions))}) ORDER BY seq LIMIT ?",
                (*positions, limit if internal else 0),
            )
        ]
        first = [
            row[0]
            for lane, offset in positions.items()
            if (row := self._db.execute("SELECT seq FROM intake WHERE lane = ? AND offset = ?", (lane, offset)).fetchone())
        ]
        if first:
            found += (
                Waiting("intake", *row)
                for row in self._db.execute(
                    "SELECT lane, offset, message, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent,"
                    " body, fingerprint, scrubbed, seq FROM intake"
                    f" JOIN (VALUES {','.join(['(?,?)'] * len(positions))}) AS held ON +lane = held.column1"
                    " WHERE seq >= ? AND +offset >= held.column2 ORDER BY seq LIMIT ?",  # + : in the order of seq, never all that waits
                    (*(part for held in positions.items() for part in held), min(first), limit - len(found)),
                )
            )
        return found

    def due(self, until: int, limit: int) -> Sequence[TimerRow]:
        return [
            TimerRow(*row)
            for row in self._db.execute(
                "SELECT tenant, kind, key, name, lane, due, what, subject FROM timer WHERE due <= ?"
                " ORDER BY due, tenant, kind, key, name LIMIT ?",
                (until, limit),
            )
        ]

    def due_of(self, keys: Collection[Key], until: int) -> Sequence[TimerRow]:
        """None: one process has all lanes."""
        del keys, until
        return ()

    def others_wait(self) -> int | None:
        return None

    def seen(self, messages: Collection[bytes]) -> Mapping[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for (slice_,) in self._db.execute("SELECT slice FROM inbox_slice ORDER BY slice").fetchall():
            found.update(
                self._db.execute(
                    f"SELECT message, fingerprint FROM inbox_{slice_:d} WHERE message IN ({marks(len(messages))})",
                    tuple(messages),
                ).fetchall()
            )
        return found

    def states(self, ids: Collection[bytes]) -> Mapping[bytes, StateRow]:
        found: dict[bytes, StateRow] = {}
        for some in batches(list(ids)):
            rows = self._db.execute(
                f"SELECT id, version, sequence, blocked, since, body, shape FROM state WHERE id IN ({marks(len(some))})", some
            )
            found.update((row[0], StateRow(*row[1:])) for row in rows)
        return found

    def parked(self, keys: Collection[Key]) -> Sequence[ParkedRow]:
        found = [
            row
            for some in batches(list(keys))
            for row in self._db.execute(
                f"SELECT tenant, kind, key, waits_for, since, decision, seq, {_CARGO} FROM parked"
                f" WHERE (tenant, kind, key) IN (VALUES {','.join(['(?,?,?)'] * len(some))}) ORDER BY seq",
                [part for key in some for part in key],
            )
        ]
        return [ParkedRow(Key(*row[:3]), row[3], row[4], row[5], Cargo(*row[7:]), row[6]) for row in found]

    def blocked(self, key: Key) -> Sequence[BlockedRow]:
        rows = self._db.execute(
            f"SELECT dead_letter, seq, {_CARGO} FROM blocked WHERE tenant = ? AND kind = ? AND key = ? ORDER BY seq", key
        )
        return [BlockedRow(key, row[0], Cargo(*row[2:]), row[1]) for row in rows]

    def dead_letter(self, id_: str) -> DeadLetterRow | None:
        row = self._db.execute(f"SELECT {LETTER} FROM dead_letter WHERE id = ?", (id_,)).fetchone()
        return DeadLetterRow(*row) if row else None

    def effect_states(self, tenant: str, folio: str) -> Mapping[str, EffectState]:
        rows = self._db.execute("SELECT id, state FROM effect WHERE tenant = ? AND folio = ?", (tenant, folio))
        return {row[0]: EffectState(row[1]) for row in rows}

    def notice(self, tenant: str, folio: str, notice: str) -> bytes | None:
        row = self._db.execute(
            "SELECT body FROM notice WHERE id = ? AND tenant = ? AND folio = ?", (notice, tenant, folio)
        ).fetchone()
        return row[0] if row else None

    def write(self, chunk: ChunkWrite) -> None:
        db = self._db
        for lane, epoch in db.execute("SELECT lane, epoch FROM lane"):
            if self._epochs.get(lane, epoch) != epoch:
                raise Fenced(f"lane {lane}: epoch {epoch} is not ours ({self._epochs[lane]}) any more", field="lane", value=lane)
        for lane, (base, next_) in chunk.positions.items():
            moved = db.execute(
                "UPDATE lane SET next_offset = ?, deaths = 0, trying = NULL"
                " WHERE lane = ? AND next_offset = ? AND epoch = ? RETURNING lane",
                (next_, lane, base, self._epochs.get(lane)),
            ).fetchone()
            if moved is None:
                ours = self._epochs.get(lane)
                raise Fenced(f"lane {lane}: position {base} under epoch {ours} is not ours any more", field="lane", value=lane)
        self._write_inbox(chunk)
        if chunk.states:
            db.executemany(
                "INSERT INTO state VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET version = excluded.version,"
                " sequence = excluded.sequence, shape = excluded.shape, blocked = excluded.blocked, since = excluded.since,"
                " body = excluded.body",
                chunk.states,
            )
        insert(db, "decision", chunk.decisions)
        insert(db, "transfer_row", chunk.transfers)
        if chunk.totals:
            db.executemany(
                "INSERT INTO payment_total VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET captured = excluded.captured,"
                " given_back = excluded.given_back",
                chunk.totals,
            )
        insert(db, "refund_part", chunk.parts)
        cancelled = [key for key, timer in chunk.timers.items() if timer is None]
        if cancelled:
            db.executemany("DELETE FROM timer WHERE tenant = ? AND kind = ? AND key = ? AND name = ?", cancelled)
        if timers := [timer for timer in chunk.timers.values() if timer is not None]:
            db.executemany("INSERT OR REPLACE INTO timer VALUES (?,?,?,?,?,?,?,?)", timers)
        if chunk.done:
            db.executemany("UPDATE internal SET decision = ? WHERE seq = ?", chunk.done)
        insert(db, "parked", [(None, *row.key, row.waits_for, row.since, row.decision, *row.cargo) for row in chunk.parked])
        if chunk.unparked:
            db.executemany("DELETE FROM parked WHERE seq = ?", [(seq,) for seq in chunk.unparked])
        insert(db, "blocked", [(None, *row.key, row.dead_letter, *row.cargo) for row in chunk.blocked])
        if chunk.unblocked:
            db.executemany("DELETE FROM blocked WHERE seq = ?", [(seq,) for seq in chunk.unblocked])
        if chunk.dead_letters:
            db.executemany(
                "INSERT INTO dead_letter VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET at = excluded.at,"
                " reason = excluded.reason, status = excluded.status",
                chunk.dead_letters,
            )
        insert(db, "outbox_row", [(row.seq, row.name, row.sequence, row.body, row.published) for row in chunk.outbox])
        self._write_effects(chunk)
        write_listed(db, chunk)

    def _write_inbox(self, chunk: ChunkWrite) -> None:
        for slice_ in sorted({row[0] for row in chunk.inbox}):
            known = self._db.execute(
                "INSERT INTO inbox_slice VALUES (?) ON CONFLICT DO NOTHING RETURNING slice", (slice_,)
            ).fetchone()
            if known is not None:
                self._db.execute(
                    f"CREATE TABLE IF NOT EXISTS inbox_{slice_:d} (message BLOB PRIMARY KEY, fingerprint BLOB NOT NULL,"
                    " lane INTEGER NOT NULL, offset INTEGER NOT NULL) STRICT, WITHOUT ROWID"
                )
            self._db.executemany(
                f"INSERT INTO inbox_{slice_:d} VALUES (?,?,?,?)",
                [row[1:] for row in chunk.inbox if row[0] == slice_],
            )

    def _write_effects(self, chunk: ChunkWrite) -> None:
        insert(
            self._db,
            "effect",
            chunk.effects,
            " (id, tenant, folio, lane, business_key, kind, provider, merchant, payment, reference, order_ref, minor, currency,"
            " refund, property, last, needs_approval, state, decision, created_at, next_at, correlation, traceparent)",
        )
        for move in chunk.moves:
            moved = self._db.execute(
                "UPDATE effect SET state = ?2, needs_approval = 0, reason = ?3, record = CASE WHEN ?2 = 'refused' THEN ''"
                " WHEN ?4 = '' OR EXISTS (SELECT 1 FROM provider_record AS known WHERE known.merchant = effect.merchant"
                " AND known.reference = effect.reference AND known.level = ?4 AND known.owner <> 'effect:' || effect.id)"
                " THEN record ELSE ?4 END,"
                " next_at = ?5, fence = fence + 1 WHERE id = ?1 AND instr(?6, ' ' || state || ' ') RETURNING record",
                move,
            ).fetchone()
            if moved is None:
                raise Constraint(f"effect {move.effect} is not {move.allowed.strip()} any more", field="effect", value=move.effect)
            self._db.execute(  # what the provider showed and a person says is not its own: the next query finds whose it is
                "DELETE FROM provider_record WHERE owner = ? AND owner LIKE 'effect:%' AND level <> ?",
                (f"effect:{move.effect}", moved[0]),
            )
        if chunk.queries:
            self._db.executemany(
                "INSERT INTO payment_query VALUES (?,?,?,?,?,?,?,?,?,0,0) ON CONFLICT DO UPDATE SET due = min(due, excluded.due),"
                " tenant = excluded.tenant, folio = excluded.folio, payment = excluded.payment, lease_until = 0",
                chunk.queries,
            )
        insert(self._db, "notice", chunk.notices, f" ({', '.join(NoticeRow._fields)})")
        if chunk.bounces:
            self._db.executemany(
                "UPDATE notice SET state = 'bounced', code = ?, reason = '', fence = fence + 1 WHERE id = ?", chunk.bounces
            )
        if chunk.contacts:
            self._db.executemany(
                "INSERT INTO contact VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET subject = excluded.subject, body = excluded.body",
                list(chunk.contacts.values()),
            )
        if chunk.switches:
            self._db.executemany(
                "INSERT INTO payout_switch VALUES (?,?,?,?,?) ON CONFLICT (tenant) DO UPDATE SET stopped = excluded.stopped,"
                " by = excluded.by, reason = excluded.reason, at = excluded.at WHERE payout_switch.at <= excluded.at",
                chunk.switches,
            )
        if chunk.forgotten:
            self._db.executemany("DELETE FROM subject_key WHERE tenant = ? AND subject = ?", chunk.forgotten)
