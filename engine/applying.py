"""From a verdict to rows: state, outcomes, transfers, requests, timers, and the messages to decide next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from engine import effect_rows, notice_rows, parking
from engine.clock import micros
from engine.routes import OF_BALANCES
from engine.staging import Staged
from engine.store.rows import NUMBERED, BlockedRow, Cargo, DeadLetterRow, OutboxRow, TransferRow, Waiting, inline
from engine.verdict import Decided, Defective, Forwarded, Operated, Outdated, Parked, Refused, Verdict
from handlers.balance import about
from handlers.outcome import Outcome
from schemas import registry
from schemas.common import Fact
from schemas.envelope import derived, uuid_text
from schemas.folio import Folio
from schemas.operations import FolioBlocked, FolioUnblocked, GuaranteeScrubbed, MessageDeadLettered, MessageParked

if TYPE_CHECKING:
    from engine.chunk import Chunk


def apply(chunk: Chunk, row: Waiting, message: Any, staged: Staged, seq: int, parent: int, verdict: Verdict) -> list[Waiting]:
    """Stage what a verdict means; the messages to decide next, in order."""
    publisher = _publisher(chunk, row, staged, seq)
    match verdict:
        case Forwarded(folio):
            chunk.record(row, staged, seq, parent, "forwarded", {"folio": folio})
            return [row._replace(kind="folio", key=folio, scrubbed="")]
        case Decided(outcome):
            return _decided(chunk, row, message, staged, seq, parent, outcome, publisher)
        case Operated(outcome, replay, unblocks):
            return _operated(chunk, row, staged, seq, parent, outcome, replay, unblocks, publisher)
        case Refused(error):
            name, kind = registry.refusal_of(row.name)
            fact = kind(code=error.code, field=error.field, value=error.value, message=error.message, input=row.id)
            if hasattr(fact, "request"):
                fact = replace(fact, request=_request(row, message, staged))
            policy = _version(chunk, row, staged, message)
            publisher.publish((fact,), rules=(error.rule,) if error.rule else (), policy=policy, name=name)
            record = {"code": error.code, "field": error.field, "value": error.value, "message": error.message}
            chunk.record(row, staged, seq, parent, "refused", {**record, "trace": [[error.rule, error.message]], "policy": policy})
        case Parked(waits_for):
            parking.park(chunk, row, message, seq, waits_for)
            publisher.publish((MessageParked(input=row.id, type=row.name, waits_for=waits_for),), rules=("X-2",))
            chunk.record(row, staged, seq, parent, "parked", {"waits_for": waits_for})
        case Outdated(reason):
            chunk.record(row, staged, seq, parent, "stale", {"reason": reason})
        case Defective(reason):
            letter = uuid_text(derived(row.message, f"defect:{row.kind}"))
            _dead_letter(chunk, row, letter, "defect", "defect", reason)
            staged.blocked, staged.changed = staged.blocked or letter, True
            kept = MessageDeadLettered(dead_letter=letter, reason=reason, code="defect", input=row.id)
            publisher.publish((kept, FolioBlocked(dead_letter=letter, reason=reason)), rules=("X-15",))
            chunk.record(row, staged, seq, parent, "defect", {"dead_letter": letter, "reason": reason})
    return []


def _request(row: Waiting, message: Any, staged: Staged) -> str:
    """The request that a refused message is about: the one that it names, of a balance else the one that is meant."""
    named = str(getattr(message, "request", ""))
    if not named and row.name in OF_BALANCES and isinstance(staged.body, Folio):
        return about(staged.body)
    return named


def queued(chunk: Chunk, row: Waiting, staged: Staged, seq: int, parent: int) -> None:
    """A message for a folio that is blocked: behind the defect, in order (X-15)."""
    _publisher(chunk, row, staged, seq)
    chunk.staging.write.blocked.append(BlockedRow(staged.key, staged.blocked, row.cargo))
    staged.changed = True  # who drains the queue meanwhile has not seen this
    chunk.record(row, staged, seq, parent, "queued", {"behind": staged.blocked})


def _publisher(chunk: Chunk, row: Waiting, staged: Staged, seq: int) -> Publisher:
    """Of one decision; what was taken out of the message at the door is told first, and once (X-22)."""
    publisher = Publisher(chunk, row, staged, seq)
    if row.scrubbed and row.origin == "intake":
        scrubbed = GuaranteeScrubbed(input=row.id, fields=tuple(msgspec.json.decode(row.scrubbed)))
        publisher.publish((scrubbed,), rules=("X-10", "X-22"))
    return publisher


def repeated(chunk: Chunk, row: Waiting, seq: int, *, same: bool) -> None:
    """A message whose identity is known: dropped when it is the same, kept and shown when its body is another (X-1)."""
    staged = chunk.staging.state(row.owner)
    if same:
        return chunk.record(row, staged, seq, 0, "duplicate", {})
    letter, code = uuid_text(derived(row.message, f"conflict:{row.fingerprint.hex()}")), "duplicate_identity"
    if chunk.staging.dead_letter(letter) is None:
        reason = f"message {row.id!r} of {row.source!r} came before with another body"
        _dead_letter(chunk, row, letter, "conflict", code, reason)
        publisher = Publisher(chunk, row, staged, seq)
        fact = MessageDeadLettered(dead_letter=letter, reason=reason, code=code, field="id", value=row.id, input=row.id)
        publisher.publish((fact,), rules=("X-1",))
    return chunk.record(row, staged, seq, 0, "conflict", {"dead_letter": letter})


class Publisher:
    """Turns the facts of one decision into outcomes of its key, gapless in sequence."""

    def __init__(self, chunk: Chunk, row: Waiting, staged: Staged, seq: int) -> None:
        self._chunk, self._row, self._staged, self._seq = chunk, row, staged, seq
        self._next = seq << NUMBERED

    def publish(self, facts: tuple[Fact, ...], *, rules: tuple[str, ...] = (), policy: str = "", name: str = "") -> None:
        """Stage these facts, in order; `policy` "": the folio's, or the tenant's (X-8)."""
        if not facts:
            return
        row, staged, chunk = self._row, self._staged, self._chunk
        policy = policy or _version(chunk, row, staged)
        own = row.key if row.kind == "folio" else ""
        staged.changed = True
        for fact in facts:
            staged.sequence += 1
            full = replace(fact, folio=fact.folio or own, sequence=staged.sequence, rules=rules, policy_version=policy)
            name_ = name or registry.fact_name(type(fact), row.name)
            chunk.staging.write.outbox.append(
                OutboxRow(
                    self._next,
                    self._seq,
                    row.tenant,
                    row.kind,
                    row.key,
                    name_,
                    staged.sequence,
                    row.message,
                    row.correlation or row.id,
                    row.traceparent,
                    chunk.now,
                    registry.encode(full),
                    0 if chunk.lanes.to_broker(name_) else 1,
                )
            )
            self._next += 1


def rules_of(outcome: Outcome) -> tuple[str, ...]:
    """The rules that a decision applied, each once, in order."""
    return tuple(dict.fromkeys([step.rule for step in outcome.trace]))


def _version(chunk: Chunk, row: Waiting, staged: Staged, message: Any = None) -> str:
    """The policy version that stands over what no decision named one for: the folio's frozen one, else that of the property which
    the message names, else the tenant's settings."""
    if isinstance(staged.body, Folio):
        return staged.body.policy
    named = chunk.settled.policies.properties.get(getattr(message, "property", ""))
    tenant = chunk.settled.tenants[row.tenant]
    return named.version if named is not None and named.tenant == row.tenant else tenant.version


def _decided(
    chunk: Chunk, row: Waiting, message: Any, staged: Staged, seq: int, parent: int, outcome: Outcome, publisher: Publisher
) -> list[Waiting]:
    before = staged.body
    if outcome.state is not None:
        staged.body, staged.changed = outcome.state, True
    publisher.publish(outcome.facts, rules=rules_of(outcome), policy=outcome.policy_version)
    write = chunk.staging.write
    write.transfers += [
        TransferRow(number, entry.entry, entry.subject, entry.debit, entry.credit, entry.minor, entry.currency)
        for number, entry in enumerate(outcome.entries, seq << NUMBERED)
    ]
    key = staged.key
    for timer in outcome.timers:
        parking.set_timer(chunk, key, timer.name, micros(timer.due), timer.kind, timer.subject)
    for timer_name in outcome.cancel:
        write.timers[(*key, timer_name)] = None
    effect_rows.stage(chunk, row, seq, outcome, before, outcome.state)
    notice_rows.stage(chunk, row, message, seq, outcome, staged.body)
    record: dict[str, Any] = {"trace": outcome.trace}
    if outcome.policy_version:
        record["policy"] = outcome.policy_version
    chunk.record(row, staged, seq, parent, "decided", record)
    children = [
        row._replace(
            message=derived(row.message, f"internal:{number}"),
            id=f"{row.id}/{number}",
            source="foliohub",
            name=internal.name,
            kind=internal.kind,
            key=internal.key,
            body=registry.encode(internal.body),
            scrubbed="",
            correlation=row.correlation or row.id,
        )
        for number, internal in enumerate(outcome.messages)
    ]
    if isinstance(staged.body, Folio):
        for name in chunk.names(row, message):
            children += parking.bind(chunk, name, row.key)
    if outcome.unparks:
        children += parking.released(chunk, key, row.key, frozenset(outcome.unparks))
    return children


def _dead_letter(chunk: Chunk, row: Waiting, id_: str, why: str, code: str, reason: str) -> None:
    about = msgspec.json.encode(row.cargo._replace(body=b"")).decode()
    chunk.staging.keep_letter(
        DeadLetterRow(
            id=id_,
            at=chunk.now,
            tenant=row.tenant,
            kind=row.kind,
            key=row.key,
            why=why,
            code=code,
            field="",
            value=row.id,
            reason=reason[:2000],
            door=row.source,
            attributes=about,
            bytes_=row.body,
            message=row.message,
            name=row.name,
            received_at=row.received_at,
        )
    )


def _operated(
    chunk: Chunk,
    row: Waiting,
    staged: Staged,
    seq: int,
    parent: int,
    outcome: Outcome,
    replay: str,
    unblocks: str,
    publisher: Publisher,
) -> list[Waiting]:
    publisher.publish(outcome.facts, rules=rules_of(outcome))
    chunk.record(row, staged, seq, parent, "decided", {"trace": outcome.trace})
    children: list[Waiting] = []
    if unblocks:
        letter = unblocks
        staged.blocked, staged.changed = "", True
        publisher.publish((FolioUnblocked(dead_letter=letter),), rules=("X-15",))
    if replay:
        found = chunk.staging.dead_letter(replay)
        assert found is not None
        children.append(inline(row.owner, msgspec.json.decode(found.attributes, type=Cargo)._replace(body=found.bytes_)))
    if unblocks:
        children += parking.drained(chunk, row.owner)
    return children
