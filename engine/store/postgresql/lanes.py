"""Who owns the lanes of a PostgreSQL store, its intake, and the identities it remembers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from engine.store.contract import SLICE_US, Claim, Contended
from engine.store.postgresql.chunk import PostgresChunk
from engine.store.postgresql.columns import insert
from engine.store.postgresql.database import Database
from engine.store.postgresql.link import Link
from engine.store.postgresql.news import tell_decided, tell_waiting
from engine.store.rows import Arrived, DeadLetterRow, InternalRow
from schemas.errors import HubError


class PostgresLanes:
    """`engine.store.contract.LaneStore` on one database."""

    _DEATHS: ClassVar[str] = (
        'CASE WHEN EXISTS (SELECT 1 FROM intake WHERE intake.lane = lane.lane AND intake."offset" >= lane.next_offset)'
        " THEN deaths + 1 ELSE 0 END"
    )
    """A death counts when something waited."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lanes = database.lanes

    def claim(self, lanes: Collection[int] | None = None) -> Claim:
        with self.database.write() as link:
            rows = link.raw.execute(
                f"UPDATE lane SET epoch = epoch + 1, deaths = {self._DEATHS}"
                " WHERE lane = ANY(coalesce(%s::integer[], (SELECT array_agg(lane) FROM lane)))"
                " RETURNING lane, epoch, next_offset, deaths, trying".encode(),
                (None if lanes is None else sorted(lanes),),
            ).fetchall()
        return Claim.of(rows)

    def release(self, lanes: Collection[int] | None = None) -> None:
        with self.database.write() as link:
            link.raw.execute(
                "UPDATE lane SET deaths = -1, trying = NULL WHERE %s::integer[] IS NULL OR lane = ANY(%s)",
                (None if lanes is None else list(lanes),) * 2,
            )

    def try_alone(self, lane: int, offset: int | None) -> None:
        with self.database.write() as link:
            link.raw.execute("UPDATE lane SET trying = %s WHERE lane = %s", (offset, lane))

    def append(
        self,
        rows: Sequence[Arrived],
        letters: Sequence[DeadLetterRow],
        keys: Sequence[tuple[str, str, bytes]],
        internals: Sequence[InternalRow],
    ) -> None:
        if rows and self.database.log_elsewhere:
            raise HubError(
                f"messages for {self.database.name} go to its Kafka topic: say this to the gateway, with --url", code="log_elsewhere",
                field="store", value=self.database.name,
            )  # fmt: skip
        with self.database.write() as link:
            if insert(link, "subject_key", keys, "ON CONFLICT DO NOTHING", order="tenant, subject") != len(keys):
                raise Contended("another door has made a key for the same subject: seal with that one", field="subject_key")
            known = self._letters(link, letters)
            insert(link, "dead_letter", [row for row in letters if row.id not in known], "ON CONFLICT (id) DO NOTHING", order="id")
            internals = [row for row in internals if row.id not in known]  # nobody is told twice of a letter
            insert(link, "internal", internals)
            taken: dict[int, int] = {}
            for row in rows:
                taken[row.lane] = taken.get(row.lane, 0) + 1
            ends: dict[int, int] = {}
            for lane, count in sorted(taken.items()):  # in one order: who appends to the same lanes waits, and for nobody who waits
                end = link.raw.execute(
                    "UPDATE lane_end SET ends = greatest(ends, (SELECT next_offset FROM lane WHERE lane.lane = lane_end.lane)) + %s"
                    " WHERE lane = %s RETURNING ends",
                    (count, lane),
                ).fetchone()
                assert end is not None
                ends[lane] = end[0] - count
            placed = []
            for row in rows:
                placed.append((row.lane, ends[row.lane], *row[1:]))
                ends[row.lane] += 1
            insert(link, "intake", placed)
            if placed or internals:
                tell_waiting(link)

    @staticmethod
    def _letters(link: Link, letters: Sequence[DeadLetterRow]) -> set[str]:
        """Those that are kept already."""
        if not letters:
            return set()
        rows = link.raw.execute("SELECT id FROM dead_letter WHERE id = ANY(%s)", ([row.id for row in letters],))
        return {row[0] for row in rows}

    @contextmanager
    def chunk(self, claim: Claim) -> Iterator[PostgresChunk]:
        with self.database.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ") as link:
            chunk = PostgresChunk(self.database, link, claim.epochs)
            yield chunk
            if chunk.decided:
                tell_decided(link, chunk.decided)

    def drop_slices(self, before: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Each slice is a table of its own, which goes at once. Raises Contended while a long reader has it: another time, then."""
        while True:
            with self.database.write() as link:
                row = link.execute(
                    "DELETE FROM inbox_slice WHERE slice = (SELECT min(slice) FROM inbox_slice WHERE slice < ?) RETURNING slice",
                    (before // SLICE_US,),
                ).fetchone()
                if row is None:
                    return
                link.raw.execute("SET LOCAL lock_timeout = '2s'")  # everybody waits behind who wants a table for itself
                link.raw.execute(f"DROP TABLE inbox_{row[0]:d}".encode())
            if not go_on():
                return

    def waiting_count(self) -> int:
        with self.database.read() as link:
            row = link.execute(
                'SELECT (SELECT coalesce(sum(greatest(0, (SELECT max("offset") + 1 FROM intake WHERE intake.lane = lane.lane)'
                " - next_offset)), 0) FROM lane) + (SELECT count(*) FROM internal WHERE decision = 0)"
            ).fetchone()
            return int(row[0]) if row is not None else 0
