"""A PostgreSQL store whose log is Kafka: what comes in is appended there, what a lane has waiting is read from its mailbox, and what is
decided is stored with its record, fenced by the lane's position, in one transaction.

A record that is no message of ours becomes a dead letter and leaves a gap in the offsets, which is legal. Its lane does not move past
it before it is kept; until the lane has, it is read again after a start, and is the same dead letter then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from engine.store.chunk_write import ChunkWrite
from engine.store.contract import Claim
from engine.store.postgresql.chunk import PostgresChunk
from engine.store.postgresql.columns import insert
from engine.store.postgresql.lanes import PostgresLanes
from engine.store.postgresql.news import tell_decided
from engine.store.rows import Arrived, DeadLetterRow, InternalRow, OutboxRow, Waiting
from engine.transport.kafka.mailbox import LogRecord, Mailboxes
from engine.transport.kafka.producer import KafkaProducer
from engine.transport.kafka.records import Strange, arrived_of, waiting_of
from schemas import registry
from schemas.errors import Retryable

log = structlog.get_logger(__name__)

_MOST_STRANGE: Final = 1_000  # dead letters of one transaction

Keep = Callable[[LogRecord, Strange], None]
"""Keeps a record that is no message of ours, durably, as a dead letter; twice is once."""


class KafkaChunk(PostgresChunk):
    """A lane transaction that takes from mailboxes."""

    def read_from(self, mailboxes: Mailboxes, tenants: Collection[str], asked: Callable[[OutboxRow], bool]) -> None:
        """To be said before anything is taken."""
        self._mailboxes, self._tenants, self._wants = mailboxes, tenants, asked
        self._asked: dict[int, int] = {}
        self._taken: dict[int, list[tuple[int, Arrived]]] = {}
        self.strange: list[tuple[LogRecord, Strange]] = []

    def take(self, positions: Mapping[int, int], limit: int, *, internal: bool = True) -> Sequence[Waiting]:
        found = self.internals(positions, limit) if internal else []
        self._asked.update(positions)
        apart: set[int] = set()  # lanes that must not move past what is not kept yet
        for record in self._mailboxes.take(positions, limit - len(found)):
            row = self._row(record)
            if isinstance(row, Strange):
                self.strange.append((record, row))
                apart.add(record.partition)
            elif record.partition not in apart:
                self._taken.setdefault(record.partition, []).append((record.offset, row))
                found.append(waiting_of(row, record.offset))
        return found

    def _row(self, record: LogRecord) -> Arrived | Strange:
        row = arrived_of(record, self._lanes)
        if isinstance(row, Strange) or (row.tenant in self._tenants and row.name in registry.IN):
            return row
        attributes = {name: value.decode("utf-8", "backslashreplace") for name, value in record.headers}
        return Strange(f"no message of a tenant of ours: {row.tenant} {row.name}", attributes, row.body)

    def write(self, chunk: ChunkWrite) -> None:
        """Offsets may have gaps: a lane moves from where it stood to behind the last that was decided."""
        chunk.positions = {lane: (self._asked.get(lane, base), next_) for lane, (base, next_) in chunk.positions.items()}
        super().write(chunk)
        rows = [
            (lane, offset, *row[1:])
            for lane, (_, next_) in chunk.positions.items()
            for offset, row in self._taken.get(lane, ())
            if offset < next_
        ]
        insert(self._link, "intake", rows)
        insert(self._link, "outbox_asked", [(row.seq,) for row in chunk.outbox if self._wants(row)])


class KafkaLanes(PostgresLanes):
    """`engine.store.contract.LaneStore`: the store is PostgreSQL, the log is Kafka."""

    _DEATHS = "deaths + 1"
    """A death counts whatever waits: what does lies in Kafka."""

    def __init__(
        self,
        lanes: PostgresLanes,
        producer: KafkaProducer,
        mailboxes: Mailboxes,
        tenants: Callable[[], Collection[str]],
        keep: Keep,
        asked: Callable[[OutboxRow], bool],
    ) -> None:
        """`asked`: whether a source wants an outcome by AMQP."""
        super().__init__(lanes.database)
        self._wants = asked
        self._producer, self._mailboxes, self._tenants, self._keep = producer, mailboxes, tenants, keep

    def append(
        self,
        rows: Sequence[Arrived],
        letters: Sequence[DeadLetterRow],
        keys: Sequence[tuple[str, str, bytes]],
        internals: Sequence[InternalRow],
    ) -> None:
        """Keys first, since nothing that is sealed may be without its key; then the messages themselves. Raises StoreAway, Retryable."""
        if letters or keys or internals:
            super().append((), letters, keys, internals)
        if rows:
            self._producer.append(rows)

    @contextmanager
    def chunk(self, claim: Claim) -> Iterator[PostgresChunk]:
        strange: list[tuple[LogRecord, Strange]] = []
        with self.database.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ") as link:
            chunk = KafkaChunk(self.database, link, claim.epochs)
            chunk.read_from(self._mailboxes, self._tenants(), self._wants)
            yield chunk
            strange = chunk.strange
            if chunk.decided:
                tell_decided(link, chunk.decided)
        if strange:
            try:
                self._put_aside(strange[:_MOST_STRANGE])
            except Retryable as away:  # they are taken again
                log.warning("store_away", during="strange records", reason=away.message)

    def waiting_count(self) -> int:
        """Of this process's lanes: those in its mailboxes, and what waits from inside."""
        with self.database.read() as link:
            row = link.execute("SELECT count(*) FROM internal WHERE decision = 0").fetchone()
            return int(row[0]) + self._mailboxes.held()

    def _put_aside(self, strange: Sequence[tuple[LogRecord, Strange]]) -> None:
        for record, why in strange:
            log.warning("strange_record", lane=record.partition, offset=record.offset, reason=why.reason)
            self._keep(record, why)
            self._mailboxes.drop(record.partition, record.offset)
        self._mailboxes.wake()
