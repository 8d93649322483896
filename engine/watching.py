"""What operators see of every message: a line at each step (at `debug`), spans where they are wanted, and how long transactions take.

Nothing personal is told: ids, names of messages, keys and lanes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from prometheus_client import Histogram

from engine.address import lane_of
from engine.store.chunk_write import ChunkWrite
from engine.store.effects import Effect, PaymentAsk
from engine.store.rows import Arrived, DeadLetterRow, Key, OutboxRow, Waiting
from engine.telling import EACH_STEP
from engine.transport.contract import Receipt
from schemas.envelope import uuid_text

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from engine.calls import Answer
    from engine.spans import Tracer

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

log = structlog.get_logger(__name__)
chunk_seconds = Histogram(
    "foliohub_chunk_seconds", "Lane transactions that decided something, until their commit", buckets=_BUCKETS
)
chunk_messages = Histogram(
    "foliohub_chunk_messages", "Decisions of one lane transaction", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
)


class Door(NamedTuple):
    """What became of an arrival: a row, or a letter; its span, where spans are wanted; and what its sender says that it comes of."""

    row: Arrived | None
    letter: DeadLetterRow | None
    span: Span | None
    causation: str


class Watch:
    """One of a hub. `tracer` None: no spans."""

    def __init__(self, lanes: int, tracer: Tracer | None = None) -> None:
        self.lanes, self.tracer = lanes, tracer
        self.count: Callable[[Mapping[tuple[str, str], int]], None] | None = None
        """Told how many messages and outcomes of each name were decided, for live rates."""

    @property
    def each(self) -> bool:
        """Whether anything is told of each message."""
        return self.tracer is not None or EACH_STEP.is_set()

    def appended(self, spans: Iterable[Span], since_ns: int) -> None:
        """What these are about is durable."""
        if self.tracer is not None:
            self.tracer.appended(spans, since_ns)

    def taken(self, doors: Sequence[Door], receipts: Sequence[Receipt]) -> None:
        """Their senders are about to be told."""
        if self.tracer is not None:
            self.tracer.taken([door.span for door in doors], receipts)
        for (row, letter, _, causation), receipt in zip(doors, receipts, strict=True) if EACH_STEP.is_set() else ():
            if row is not None:
                log.debug(
                    "taken", taken=receipt.taken.value, door=row.door, id=row.id, **told(row), causation=causation, lane=row.lane
                )
            elif letter is not None:
                log.debug(
                    "taken", taken=receipt.taken.value, door=letter.door, dead_letter=letter.id, id=receipt.id, code=letter.code
                )

    def committed(self, write: ChunkWrite, began_ns: int) -> None:
        """A lane transaction is durable."""
        ended_ns = time.time_ns()
        chunk_seconds.observe((ended_ns - began_ns) / 1e9)
        chunk_messages.observe(len(write.decisions))
        if self.count is not None:
            self.count(
                Counter([
                    *(("message", row.name) for row in write.decisions if not row.parent),
                    *(("outcome", row.name) for row in write.outbox),
                ])
            )  # fmt: skip
        if self.tracer is not None:
            self.tracer.decided(write, began_ns, ended_ns)
        if EACH_STEP.is_set():
            roots = {row.seq: row.message for row in write.decisions if not row.parent}
            for row in write.decisions:
                log.debug(
                    "decided", result=row.result, origin=row.origin, key=row.key.replace("\x1f", "/"), **told(row),
                    **caused(roots.get(row.parent, b"")), lane=row.lane,
                )  # fmt: skip

    def called(self, answer: Answer, began_ns: int) -> None:
        """A provider was called."""
        if self.tracer is not None:
            self.tracer.called(answer, began_ns)
        if EACH_STEP.is_set():
            log.debug("called", act=answer.call.act.value, result=answer.reply.result.value, **asked(answer.call.item))

    def published(self, rows: Sequence[OutboxRow], confirmed: Collection[int], broker: str, began_ns: int) -> None:
        """Of these the broker has confirmed those."""
        if not self.each:
            return
        known = frozenset(confirmed)
        ours = [row for row in rows if row.seq in known]
        if self.tracer is not None:
            self.tracer.published(ours, broker, began_ns)
        for row in ours if EACH_STEP.is_set() else ():
            lane = lane_of(Key(row.tenant, row.kind, row.key), self.lanes)
            log.debug(
                "published", broker=broker, message=uuid_text(row.id), name=row.name, tenant=row.tenant, sequence=row.sequence,
                correlation=row.correlation, **caused(row.cause), lane=lane,
            )  # fmt: skip


def told(row: Any) -> dict[str, str]:
    """What every line about a message says of it: a row of the intake, of a lane or of a decision."""
    return {
        "message": uuid_text(row.message),
        "name": row.name,
        "tenant": row.tenant,
        "correlation": row.correlation or getattr(row, "id", ""),
    }


def asked(item: Effect | PaymentAsk) -> dict[str, Any]:
    """What every line about a request to a provider says of it."""
    told = {"tenant": item.tenant, "folio": item.folio, "merchant": item.merchant, "lane": item.lane}
    return {**told, "effect": item.id, "correlation": item.correlation} if isinstance(item, Effect) else told


def caused(cause: bytes) -> dict[str, str]:
    """The message that another comes of, if it does."""
    return {"causation": uuid_text(cause)} if cause else {}


def failing(row: Waiting) -> dict[str, Any]:
    """What a line about a message says that cannot be decided."""
    return {**told(row), "id": row.id, "kind": row.kind, "key": row.key, "lane": row.lane, "place": row.place, "origin": row.origin}
