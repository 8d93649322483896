"""A lane transaction on PostgreSQL: its reads, and the one write of everything that was decided; a handful of statements whatever its
size.

It sees one state of the store from its first statement on. An aggregate may be of another lane than the message that concerns it: it
is stored only by who has read its last version, and what was only read is held; everybody else reads again (`Contended`). So whoever
takes a turn knows all that had its turn before, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from engine.address import lane_of
from engine.store.chunk_write import ChunkWrite
from engine.store.contract import Contended, Fenced
from engine.store.postgresql.columns import CARGO, given, insert
from engine.store.postgresql.database import NUMBERS, Database
from engine.store.postgresql.link import Link
from engine.store.postgresql.listed import write_listed
from engine.store.postgresql.requests import write_requests
from engine.store.rows import (
    LETTER,
    BlockedRow,
    Cargo,
    DeadLetterRow,
    Key,
    ParkedRow,
    Relied,
    StateRow,
    TimerRow,
    Waiting,
)
from schemas.effect import EffectState

_CARGO: Final = ", ".join(CARGO.split())
_NUMBERS: Final = 64  # decisions' numbers that are fetched first; then twice as many each time


class PostgresChunk:
    """`engine.store.contract.ChunkTransaction`: the reads and the one write of a lane transaction."""

    def __init__(self, database: Database, link: Link, epochs: Mapping[int, int]) -> None:
        self._database, self._lanes = database, database.lanes
        self._link, self._db, self._epochs = link, link.raw, epochs
        self._numbers: Iterator[int] = iter(())
        self._fetch = _NUMBERS
        self.decided: list[bytes] = []  # messages whose decisions were written

    def number(self) -> int:
        number = next(self._numbers, None)
        if number is None:
            if self._fetch == _NUMBERS:
                self._rows(
                    "SELECT pg_advisory_xact_lock_shared(%s + CASE WHEN is_called THEN last_value ELSE 0 END) FROM decision_number",
                    (NUMBERS,),
                )
            rows = self._rows("SELECT nextval('decision_number') FROM generate_series(1, %s)", (self._fetch,))
            self._fetch = min(self._fetch * 2, 1024)
            self._numbers = iter([row[0] for row in rows])
            number = next(self._numbers)
        return number

    # -- reads -----------------------------------------------------------------------------------------------------------------

    def take(self, positions: Mapping[int, int], limit: int, *, internal: bool = True) -> Sequence[Waiting]:
        found = self.internals(positions, limit) if internal else []
        rows = self._db.execute(
            'SELECT waits.lane, waits."offset", message, tenant, source, id, name, kind, key, act, received_at, correlation,'
            f" traceparent, body, fingerprint, scrubbed, seq FROM {given('lane, base', 'nn')} CROSS JOIN LATERAL"
            ' (SELECT * FROM intake WHERE intake.lane = given.lane AND intake."offset" >= given.base'
            ' ORDER BY intake."offset" LIMIT %s) AS waits ORDER BY seq LIMIT %s',
            (list(positions), list(positions.values()), limit - len(found), limit - len(found)),
        )
        return [*found, *(Waiting("intake", *row) for row in rows)]

    def internals(self, lanes: Collection[int], limit: int) -> list[Waiting]:
        """Messages from inside that wait in these lanes, oldest first."""
        rows = self._db.execute(
            "SELECT 'internal', lane, seq, message, tenant, source, id, name, kind, key, act, received_at, correlation, traceparent,"
            " body FROM internal WHERE decision = 0 AND lane = ANY(%s) ORDER BY seq LIMIT %s",
            (list(lanes), limit),
        )
        return [Waiting(*row) for row in rows]

    def due(self, until: int, limit: int) -> Sequence[TimerRow]:
        rows = self._rows(
            "SELECT tenant, kind, key, name, lane, due, what, subject FROM timer WHERE due <= %s AND lane = ANY(%s)"
            " ORDER BY due, tenant, kind, key, name LIMIT %s",
            (until, list(self._epochs), limit),
        )
        return [TimerRow(*row) for row in rows]

    def due_of(self, keys: Collection[Key], until: int) -> Sequence[TimerRow]:
        rows = self._rows(
            f"SELECT timer.tenant, timer.kind, timer.key, name, lane, due, what, subject FROM {given('tenant, kind, key', 'ttt')}"
            " JOIN timer ON timer.tenant = given.tenant AND timer.kind = given.kind AND timer.key = given.key WHERE due <= %s",
            [*(list(column) for column in zip(*keys, strict=True)), until],
        )
        return [TimerRow(*row) for row in rows]

    def others_wait(self) -> int | None:
        if len(self._epochs) == self._lanes:
            return None
        rows = self._rows(
            "SELECT min(received_at) FROM lane CROSS JOIN LATERAL (SELECT received_at FROM intake WHERE intake.lane = lane.lane"
            ' AND intake."offset" >= lane.next_offset ORDER BY intake."offset" LIMIT 1) AS waits WHERE lane.lane <> ALL(%s)',
            (list(self._epochs),),
        )
        return int(rows[0][0]) if rows[0][0] is not None else None

    def seen(self, messages: Collection[bytes]) -> Mapping[bytes, bytes]:
        return dict(self._rows("SELECT message, fingerprint FROM inbox WHERE message = ANY(%b)", (list(messages),)))

    def states(self, ids: Collection[bytes]) -> Mapping[bytes, StateRow]:
        rows = self._rows(
            "SELECT id, version, sequence, blocked, since, body, shape FROM state WHERE id = ANY(%b)", (list(ids),), binary=True
        )
        return {row[0]: StateRow(*row[1:]) for row in rows}

    def parked(self, keys: Collection[Key]) -> Sequence[ParkedRow]:
        if not keys:
            return []
        rows = self._rows(
            f"SELECT tenant, kind, key, waits_for, since, decision, seq, {_CARGO} FROM {given('tenant, kind, key', 'ttt')}"
            " JOIN parked USING (tenant, kind, key) ORDER BY seq",
            [list(column) for column in zip(*keys, strict=True)],
        )
        return [ParkedRow(Key(*row[:3]), row[3], row[4], row[5], Cargo(*row[7:]), row[6]) for row in rows]

    def blocked(self, key: Key) -> Sequence[BlockedRow]:
        rows = self._rows(
            f"SELECT dead_letter, seq, {_CARGO} FROM blocked WHERE tenant = %s AND kind = %s AND key = %s ORDER BY seq", key
        )
        return [BlockedRow(key, row[0], Cargo(*row[2:]), row[1]) for row in rows]

    def dead_letter(self, id_: str) -> DeadLetterRow | None:
        rows = self._rows(f"SELECT {LETTER} FROM dead_letter WHERE id = %s", (id_,))
        return DeadLetterRow(*rows[0]) if rows else None

    def effect_states(self, tenant: str, folio: str) -> Mapping[str, EffectState]:
        rows = self._rows("SELECT id, state FROM effect WHERE tenant = %s AND folio = %s", (tenant, folio))
        return {row[0]: EffectState(row[1]) for row in rows}

    def notice(self, tenant: str, folio: str, notice: str) -> bytes | None:
        rows = self._rows("SELECT body FROM notice WHERE id = %s AND tenant = %s AND folio = %s", (notice, tenant, folio))
        return bytes(rows[0][0]) if rows else None

    def _rows(self, statement: str, parameters: Sequence[object], *, binary: bool = False) -> list[tuple[Any, ...]]:
        """What went wrong is told apart here, before a decision takes it for its own."""
        with self._database.translating():
            return self._db.execute(statement.encode(), parameters, binary=binary).fetchall()

    # -- the write -------------------------------------------------------------------------------------------------------------

    def write(self, chunk: ChunkWrite) -> None:
        link, db = self._link, self._db
        self._move_lanes(chunk)
        if chunk.inbox:
            self._write_inbox(chunk)
        self._hold(chunk.relied)
        stored = insert(
            link, "state", chunk.states,
            "ON CONFLICT (id) DO UPDATE SET version = excluded.version, sequence = excluded.sequence, shape = excluded.shape,"
            " blocked = excluded.blocked, since = excluded.since, body = excluded.body WHERE state.version = excluded.version - 1",
            order="id",
        )  # fmt: skip
        if stored != len(chunk.states):
            raise Contended("an aggregate has another version than was read: read it again", field="state", value=len(chunk.states))
        turn = db.execute("SELECT nextval('turn')").fetchone()
        assert turn is not None
        self.decided = [row.message for row in chunk.decisions if not row.parent]
        insert(link, "decision", [(*row, turn[0]) for row in chunk.decisions])
        insert(link, "transfer_row", chunk.transfers)
        for totals in _rounds(chunk.totals, 3):
            insert(
                link, "payment_total", totals,
                "ON CONFLICT (tenant, folio, payment) DO UPDATE SET captured = excluded.captured, given_back = excluded.given_back",
                order="tenant, folio, payment",
            )  # fmt: skip
        insert(link, "refund_part", chunk.parts)
        self._write_timers(chunk)
        if chunk.done:
            done = db.execute(
                f"UPDATE internal SET decision = given.decision FROM {given('decision, seq', 'nn')}"
                " WHERE internal.seq = given.seq AND internal.decision = 0",
                [list(column) for column in zip(*chunk.done, strict=True)],
            )
            if done.rowcount != len(chunk.done):
                raise Contended(
                    "a message from inside was decided meanwhile: read it again", field="internal", value=len(chunk.done)
                )
        insert(link, "parked", [(*row.key, row.waits_for, row.since, row.decision, *row.cargo) for row in chunk.parked])
        self._take_away("parked", chunk.unparked)
        insert(link, "blocked", [(*row.key, row.dead_letter, *row.cargo) for row in chunk.blocked])
        self._take_away("blocked", chunk.unblocked)
        insert(
            link, "dead_letter", chunk.dead_letters,
            "ON CONFLICT (id) DO UPDATE SET at = excluded.at, reason = excluded.reason, status = excluded.status",
            order="id",
        )  # fmt: skip
        insert(link, "outbox_row", [(row.seq, row.name, row.sequence, row.body) for row in chunk.outbox])
        waits = [(row.seq, Key(row.tenant, row.kind, row.key)) for row in chunk.outbox if not row.published]
        insert(link, "outbox_waiting", [(seq, lane_of(key, self._lanes)) for seq, key in waits])
        write_requests(link, chunk)
        write_listed(link, chunk)

    def _move_lanes(self, chunk: ChunkWrite) -> None:
        """Every lane of the claim is still ours, and those that move stand where they were read."""
        db, epochs = self._db, self._epochs
        moves = [(lane, epochs.get(lane, -1), base, next_) for lane, (base, next_) in sorted(chunk.positions.items())]
        if moves:
            moved = db.execute(
                "UPDATE lane SET next_offset = given.next, deaths = 0, trying = NULL"
                f" FROM {given('lane, epoch, base, next', 'nnnn')}"
                " WHERE lane.lane = given.lane AND next_offset = given.base AND lane.epoch = given.epoch RETURNING lane.lane",
                [list(column) for column in zip(*moves, strict=True)],
            ).fetchall()
            for lane, epoch, base, _ in moves:
                if (lane,) not in moved:
                    raise Fenced(f"lane {lane}: position {base} under epoch {epoch} is not ours any more", field="lane", value=lane)
        others = [lane for lane in epochs if lane not in chunk.positions]
        if others:
            for lane, epoch in db.execute("SELECT lane, epoch FROM lane WHERE lane = ANY(%s) FOR SHARE", (others,)):
                if epochs[lane] != epoch:
                    raise Fenced(f"lane {lane}: epoch {epoch} is not ours ({epochs[lane]}) any more", field="lane", value=lane)

    def _hold(self, relied: Sequence[Relied]) -> None:
        """What was only read stays as it is until this is stored; of what there was none, there is a row without anything from now on,
        which nobody can store meanwhile."""
        if not relied:
            return
        none = [(*row[:5], 0, 0, 0, "", 0, None) for row in relied if not row.version]
        insert(self._link, "state", none, "ON CONFLICT DO NOTHING", order="id")
        ids = [row.id for row in relied]
        held = self._db.execute("SELECT id, version FROM state WHERE id = ANY(%b) ORDER BY id FOR SHARE", (ids,)).fetchall()
        if dict(held) != {row.id: row.version for row in relied}:
            raise Contended("an aggregate has another version than was read: read it again", field="state", value=len(relied))

    def _write_inbox(self, chunk: ChunkWrite) -> None:
        for slice_ in sorted({row[0] for row in chunk.inbox}):
            made = self._db.execute(
                "INSERT INTO inbox_slice VALUES (%s) ON CONFLICT DO NOTHING RETURNING slice", (slice_,)
            ).fetchone()
            if made is not None:
                # Made apart, then attached: nobody who has read the inbox, and be it a backup, is waited for.
                self._db.execute(
                    f"CREATE TABLE inbox_{slice_:d} (LIKE inbox INCLUDING ALL); ALTER TABLE inbox ATTACH PARTITION inbox_{slice_:d}"
                    f" FOR VALUES IN ({slice_:d})".encode()
                )
        written = insert(self._link, "inbox", chunk.inbox, "ON CONFLICT DO NOTHING", order="message")
        if written != len(chunk.inbox):
            raise Contended("a message was decided in another lane meanwhile: read again", field="inbox", value=len(chunk.inbox))

    def _write_timers(self, chunk: ChunkWrite) -> None:
        cancelled = sorted(key for key, timer in chunk.timers.items() if timer is None)
        if cancelled:
            self._db.execute(
                f"DELETE FROM timer USING {given('tenant, kind, key, name', 'tttt')} WHERE timer.tenant = given.tenant"
                " AND timer.kind = given.kind AND timer.key = given.key AND timer.name = given.name",
                [list(column) for column in zip(*cancelled, strict=True)],
            )
        insert(
            self._link, "timer", [timer for timer in chunk.timers.values() if timer is not None],
            "ON CONFLICT (tenant, kind, key, name) DO UPDATE SET lane = excluded.lane, due = excluded.due, what = excluded.what,"
            " subject = excluded.subject",
            order="tenant, kind, key, name",
        )  # fmt: skip

    def _take_away(self, table: str, seqs: Sequence[int]) -> None:
        if seqs:
            self._db.execute(f"DELETE FROM {table} WHERE seq = ANY(%b)".encode(), (list(seqs),))


def _rounds(rows: Sequence[tuple[Any, ...]], named: int) -> Iterator[list[tuple[Any, ...]]]:
    """Rows that are written one after the other, in as few statements as it takes: one statement cannot write a row twice. The first
    `named` columns name it."""
    times: dict[tuple[Any, ...], int] = {}
    found: list[list[tuple[Any, ...]]] = []
    for row in rows:
        time = times[row[:named]] = times.get(row[:named], -1) + 1
        if time == len(found):
            found.append([])
        found[time].append(row)
    return iter(found)
