"""The messages by which the effects runner tells a folio what became of its requests and payments."""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec

from engine.clock import instant
from engine.store.effects import Effect, PaymentAsk
from engine.store.rows import InternalRow
from schemas import registry
from schemas.effect import EffectState, ProviderRecord, RecordKind, Result
from schemas.operations import ForeignRecordSeen, PaymentRecordSeen, PayoutBraked, ReplyArrived

_SAYS = frozenset({Result.CONFIRMED, Result.REFUSED, Result.REVERSED})
_OF_PAYMENT = frozenset({RecordKind.AUTHORISATION, RecordKind.CAPTURE, RecordKind.VOID})
NEWS = UUID("6f0c1d3e-0b5e-5c35-9d5e-0e11ec7e11e5")


def reply(effect: Effect, state: EffectState, record: ProviderRecord | None, code: str, message: str, now: int) -> InternalRow:
    """`reply.arrived`: the effect's new state."""
    body = ReplyArrived(
        folio=effect.folio,
        effect=effect.id,
        kind=effect.kind,
        state=state.value,
        minor=effect.minor,
        currency=effect.currency,
        payment=effect.payment,
        refund=effect.refund,
        record=f"{record.reference}/{record.level}" if record is not None else "",
        code=code[:64],
        message=message[:500],
        at=instant(now),
    )
    return _row(effect, "reply.arrived", body, f"{effect.id}:{state}:{effect.attempts}:{effect.queries}", now)


def foreign(item: Effect | PaymentAsk, record: ProviderRecord, now: int, *, own: str = "", captured: int = 0) -> InternalRow:
    """`foreign_record.seen`: a refund at the provider that nobody here waits for: of others, or `own`, of a request that was over. Each
    turn of a record is told, back and forth. `captured`: of the whole payment, minor units."""
    body = ForeignRecordSeen(
        folio=item.folio,
        provider=item.provider,
        merchant=item.merchant,
        payment=item.payment,
        record=f"{record.reference}/{record.level}",
        minor=record.minor or 0,
        currency=record.currency,
        result=record.result.value,
        effect=own,
        captured=captured,
    )
    return _row(item, "foreign_record.seen", body, f"{item.merchant}:{body.record}:{record.result}:{now}", now)


def observed(item: Effect | PaymentAsk, record: ProviderRecord, now: int, *, first: bool = False) -> InternalRow | None:
    """`payment_record.seen`: what the provider shows of the payment itself; None for what says nothing of money held or taken. Each turn
    of a record is told, back and forth. `first`: the record is the payment, no later operation on it."""
    if not item.payment or record.minor is None or record.kind not in _OF_PAYMENT or record.result not in _SAYS:
        return None
    body = PaymentRecordSeen(
        folio=item.folio,
        provider=item.provider,
        merchant=item.merchant,
        payment=item.payment,
        reference=record.reference,
        order=item.order_ref,
        record=f"{record.reference}/{record.level}",
        minor=record.minor,
        currency=record.currency,
        status=record.status,
        result=record.result.value,
        kind=record.kind.value,
        first=first,
    )
    return _row(item, "payment_record.seen", body, f"{item.merchant}:{body.record}:{record.result}:{now}", now)


def without_amount(item: Effect | PaymentAsk, record: ProviderRecord, now: int) -> InternalRow | None:
    """What the provider does not say how much it moved, by the message of its kind with an amount of 0: for a person."""
    if record.kind is RecordKind.REFUND:
        return foreign(item, record, now)
    return observed(item, msgspec.structs.replace(record, minor=0), now)


def alarm(effect: Effect, brake: str, limit: int, now: int) -> InternalRow:
    """`payout.braked`: a brake holds the payout back (X-27)."""
    body = PayoutBraked(effect=effect.id, brake=brake, minor=effect.minor, currency=effect.currency, limit=limit)
    return _row(effect, "payout.braked", body, f"{effect.id}:{brake}:{now}", now)


def _row(item: Effect | PaymentAsk, name: str, body: msgspec.Struct, what: str, now: int) -> InternalRow:
    message = uuid5(NEWS, f"{name}:{what}")
    return InternalRow(
        lane=item.lane,
        message=message.bytes,
        tenant=item.tenant,
        source="foliohub",
        id=str(message),
        name=name,
        kind="folio",
        key=item.folio,
        act=now,
        received_at=now,
        correlation=item.correlation if isinstance(item, Effect) else "",
        traceparent=item.traceparent if isinstance(item, Effect) else "",
        cause=0,
        body=registry.encode(body),
    )
