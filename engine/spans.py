"""Spans by OpenTelemetry, from the door to the outcome.

Between processes goes only the `traceparent` that is stored with a message: the door puts its own there, and whatever the message leads
to, its decision, the requests to a provider and the publication of its outcomes, is a child of the door's span. Attributes are ids,
names and lanes: nothing personal, no amount, no secret.

A collector that is away costs spans and nothing else: they wait in a queue of bounded length, and a thread of its own sends them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from engine.calls import Act, Answer
from engine.lid import calm
from engine.store.chunk_write import ChunkWrite
from engine.store.effects import Effect
from engine.store.rows import Arrived, DeadLetterRow, DecisionRow, OutboxRow
from engine.transport.contract import Receipt
from schemas.effect import Result
from schemas.envelope import uuid_text

CLOSE_S: Final = 1.0  # what is not sent by then, when a process stops, is lost
_LINKS: Final = 128  # as many as a span keeps
_QUEUES: Final = frozenset({"amqp", "kafka"})
About = dict[str, str | int | list[str]]
_OPEN: Final = frozenset({Result.UNKNOWN, Result.NOT_SENT})


class Tracer:
    """One of a process. `endpoint`: the collector's address without a path; "": as the environment says. Thread-safe.

    The standard variables (OTEL_TRACES_SAMPLER, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_EXPORTER_OTLP_HEADERS, ...) are read by the library.
    """

    def __init__(self, endpoint: str, roles: Iterable[str], environ: Mapping[str, str]) -> None:
        name = environ.get("OTEL_SERVICE_NAME") or "foliohub"
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": name, "foliohub.roles": sorted(roles)}), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("foliohub")
        calm("opentelemetry")

    def close(self) -> None:
        """Sends what waits, for a bounded time."""
        ending = threading.Thread(target=self._provider.shutdown, name="tracer-end", daemon=True)
        ending.start()
        ending.join(CLOSE_S)

    # -- steps -----------------------------------------------------------------------------------------------------------------

    def door(self, row: Arrived, began_ns: int) -> tuple[Span, str]:
        """A message came in: its span, which `taken` ends, and the `traceparent` that goes on with it."""
        span = self._door(row.door, row.traceparent, began_ns, {**_about(row), "foliohub.lane": row.lane})
        context = span.get_span_context()
        trace, own = format_trace_id(context.trace_id), format_span_id(context.span_id)
        return span, f"00-{trace}-{own}-{int(context.trace_flags):02x}"

    def refused(self, letter: DeadLetterRow, began_ns: int) -> Span:
        """Something came in that cannot be read."""
        about: About = {"foliohub.dead_letter": letter.id, "foliohub.code": letter.code, "foliohub.tenant": letter.tenant}
        return self._door(letter.door, "", began_ns, about)

    def _door(self, door: str, traceparent: str, began_ns: int, about: About) -> Span:
        how = door.partition(":")[0]
        return self._begin(f"door {how}", traceparent, SpanKind.CONSUMER if how in _QUEUES else SpanKind.SERVER, began_ns, about)

    def appended(self, spans: Iterable[Span], since_ns: int) -> None:
        """One durable append of all of these."""
        ended_ns = time.time_ns()
        for span in spans:
            self._tracer.start_span("append", set_span_in_context(span), SpanKind.INTERNAL, start_time=since_ns).end(ended_ns)

    def taken(self, spans: Sequence[Span | None], receipts: Sequence[Receipt]) -> None:
        """Their senders are about to be told."""
        for span, receipt in zip(spans, receipts, strict=True):
            if span is not None:
                span.set_attribute("foliohub.taken", receipt.taken.value)
                span.end()

    def decided(self, write: ChunkWrite, began_ns: int, ended_ns: int) -> None:
        """A lane transaction: a span of its own, and one for each message that it decided, with what that led to inside."""
        roots: dict[int, Span] = {}
        facts: dict[int, list[str]] = {}
        since_ns = began_ns
        for outcome in write.outbox:
            facts.setdefault(outcome.decision, []).append(outcome.name)
        for row in write.decisions:
            root = roots.get(row.parent)
            about: About = {**_about(row), **_decision(row), "foliohub.outcomes": facts.get(row.seq, [])}
            if root is None:  # it may have come when the transaction had begun
                since_ns = min(max(began_ns, row.received_at * 1000), ended_ns)
                root = roots[row.seq] = self._begin(f"decide {row.name}", row.traceparent, SpanKind.CONSUMER, since_ns, about)
            else:
                self._tracer.start_span(
                    f"decide {row.name}", set_span_in_context(root), SpanKind.INTERNAL, about, start_time=since_ns
                ).end(ended_ns)
        for root in roots.values():
            root.end(ended_ns)
        links = [Link(root.get_span_context()) for root in list(roots.values())[:_LINKS]]
        of_all: About = {
            "foliohub.decisions": len(write.decisions),
            "foliohub.outcomes": len(write.outbox),
            "foliohub.effects": len(write.effects),
        }
        self._tracer.start_span("chunk", None, SpanKind.INTERNAL, of_all, links, began_ns).end(ended_ns)

    def called(self, answer: Answer, began_ns: int) -> None:
        """A provider was called."""
        call = answer.call
        item = call.item
        about: About = {
            "foliohub.tenant": item.tenant,
            "foliohub.merchant": item.merchant,
            "foliohub.provider": item.provider,
            "foliohub.act": call.act.value,
            "foliohub.result": answer.reply.result.value,
            "foliohub.lane": item.lane,
        }
        traceparent = ""
        if isinstance(item, Effect):
            traceparent = item.traceparent
            about |= {"foliohub.effect": item.id, "foliohub.kind": item.kind, "foliohub.attempts": item.attempts}
        span = self._begin(f"provider {call.act.value}", traceparent, SpanKind.CLIENT, began_ns, about)
        if call.act is Act.SEND and answer.reply.result in _OPEN:
            span.set_status(StatusCode.ERROR, answer.reply.result.value)
        span.end(time.time_ns())

    def published(self, rows: Sequence[OutboxRow], broker: str, began_ns: int) -> None:
        """A broker has confirmed these outcomes."""
        ended_ns = time.time_ns()
        for row in rows:
            about: About = {
                "messaging.system": broker,
                "foliohub.message": uuid_text(row.id),
                "foliohub.causation": uuid_text(row.cause),
                "foliohub.name": row.name,
                "foliohub.tenant": row.tenant,
                "foliohub.sequence": row.sequence,
            }
            self._begin(f"publish {row.name}", row.traceparent, SpanKind.PRODUCER, began_ns, about).end(ended_ns)

    def _begin(self, name: str, traceparent: str, kind: SpanKind, began_ns: int, about: About) -> Span:
        parent = _parent(traceparent)
        context = set_span_in_context(NonRecordingSpan(parent)) if parent is not None else None
        return self._tracer.start_span(name, context, kind, about, start_time=began_ns)


def _parent(traceparent: str) -> SpanContext | None:
    """What a stored text names; None for one that names nothing."""
    parts = traceparent.split("-")
    try:
        found = SpanContext(int(parts[1], 16), int(parts[2], 16), True, TraceFlags(int(parts[3], 16)))
    except (IndexError, ValueError):
        return None
    return found if found.is_valid else None


def _about(row: Arrived | DecisionRow) -> About:
    return {"foliohub.message": uuid_text(row.message), "foliohub.name": row.name, "foliohub.tenant": row.tenant}


def _decision(row: DecisionRow) -> About:
    return {"foliohub.lane": row.lane, "foliohub.result": row.result, "foliohub.decision": row.seq, "foliohub.origin": row.origin}
