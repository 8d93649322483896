"""`payment_record.seen`: what the provider's own history shows of a payment, capture by capture (X-1, X-3, X-6).

A capture of ours is told by a reply; here are those of others, and ours that turned after they were over.
"""

from __future__ import annotations

from typing import NoReturn

from msgspec.structs import replace

from handlers import account
from handlers.capture import settle_capture
from handlers.capture_records import shown
from handlers.collecting import captured, concluded, of_record, taken_back
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.payment_states import GONE
from handlers.refund_parts import without_effect
from handlers.uncounted import uncounted
from handlers.withdrawal import not_sent_yet
from schemas.effect import EffectKind, EffectMove, EffectState, Move, RecordKind, Result
from schemas.errors import Stale
from schemas.folio import Folio, FolioPayment, PaymentStatus, PendingEffect
from schemas.operations import EffectNeedsPerson, PaymentRecordSeen, ReplyArrived
from schemas.payment import PaymentVoided


def decide(message: PaymentRecordSeen, facts: Facts) -> Outcome:
    """Each record counts once, and each of its turns. Of a payment that is not final, a refused record is the end of it, or of a capture
    that its authorisation outlives. Raises Early for an unknown booking or payment, Stale for what says nothing new.
    """
    folio, known = of_record(message.payment, facts)
    if (beside := uncounted(message, folio)) is not None:
        return beside
    at = message.provider, message.merchant, message.reference
    other = account.payment_at(folio, *at, known.payment) if not known.reference else None
    if other is not None:
        return _of_other(message, folio, known, other, facts)
    named = replace(known, reference=known.reference or message.reference, order=known.order or message.order)
    stands = message.result == Result.CONFIRMED
    if message.kind == RecordKind.AUTHORISATION:
        return _authorised(message, folio, known, named, facts)
    if message.kind == RecordKind.VOID:
        return _released(message, folio, named, facts) if stands else _nothing_new(message)
    if named.status is PaymentStatus.PENDING and not stands:
        return concluded(folio, _failed(message, folio, named), named.payment, facts)
    payment, moved = shown(named, message.record, message.minor, stands=stands)
    if payment == known:
        return _nothing_new(message)
    if moved > 0:
        first = merge(captured(folio, payment, moved), _beyond(message, folio, payment))
        return concluded(folio, first, payment.payment, facts)
    if moved < 0:
        return concluded(folio, taken_back(folio, payment, -moved, facts.effects), payment.payment, facts)
    step = Step("X-1", f"payment {message.payment}: record {message.record} is what was told before, and moves nothing")
    after = account.changed(account.replace_payment(folio, payment))
    return replace(merge(Outcome(state=after, trace=(step,)), _beyond(message, folio, payment)), policy_version=folio.policy)


def _of_other(message: PaymentRecordSeen, folio: Folio, known: FolioPayment, other: FolioPayment, facts: Facts) -> Outcome:
    """X-1, X-3: what was found by the order of one payment is another one's, and counts for that one; a person hears that both are one."""
    there = f"{message.reference} at the provider, which is payment {other.payment}"
    reason = f"payment {known.payment} of order {known.order} is {there} here: is it told twice?"
    told = EffectNeedsPerson(effect=message.record, reason=reason, amount=message.minor, currency=folio.currency)
    first = Outcome(facts=(told,), trace=(Step("X-1", reason),))
    return merge(first, decide(replace(message, payment=other.payment), facts))


def _nothing_new(message: PaymentRecordSeen) -> NoReturn:
    raise Stale(f"record {message.record} of payment {message.payment} says nothing new", field="record", value=message.record)


def _authorised(message: PaymentRecordSeen, folio: Folio, known: FolioPayment, payment: FolioPayment, facts: Facts) -> Outcome:
    """X-17: what was pending is authorised, or will not come; and one that was known by its order alone has a name at last."""
    if payment.status is PaymentStatus.PENDING and message.result != Result.CONFIRMED:
        return concluded(folio, _failed(message, folio, payment), payment.payment, facts)
    if payment.status is PaymentStatus.PENDING:
        payment = replace(payment, status=PaymentStatus.AUTHORISED)
    if payment == known:
        return _nothing_new(message)
    amount = account.text(payment.authorised, folio.currency)
    step = Step("X-17", f"payment {payment.payment}: record {message.record} is its authorisation of {amount}")
    return concluded(folio, Outcome(state=account.replace_payment(folio, payment), trace=(step,)), payment.payment, facts)


def _released(message: PaymentRecordSeen, folio: Folio, payment: FolioPayment, facts: Facts) -> Outcome:
    """X-17: others have released what was authorised; released in part, or after it was captured, is for a person."""
    if payment.status in GONE:
        return _nothing_new(message)
    amount = account.text(message.minor, folio.currency)
    step = Step("X-17", f"payment {payment.payment}: record {message.record} released {amount}")
    if payment.captured or message.minor < payment.authorised:
        reason = f"{amount} of payment {payment.payment}, {payment.status.value}, were released elsewhere: see at the provider what stands"
        told = EffectNeedsPerson(effect=message.record, reason=reason, amount=message.minor, currency=folio.currency)
        return Outcome(state=account.replace_payment(folio, payment), facts=(told,), trace=(step,), policy_version=folio.policy)
    return _fallen(concluded(folio, _voided(folio, payment, step), payment.payment, facts), payment, facts)


def _fallen(out: Outcome, payment: FolioPayment, facts: Facts) -> Outcome:
    """X-17: what is planned of an authorisation that others have released is withdrawn: our release is not needed, and our capture comes
    to what a refused one does (S4-34)."""
    folio, reason = folio_of(out), f"payment {payment.payment} was released elsewhere"
    for ours in not_sent_yet(folio, facts.effects):
        after = folio_of(out)
        if ours.payment == payment.payment and ours.kind in (EffectKind.CAPTURE, EffectKind.VOID):
            out = merge(out, Outcome(moves=(EffectMove(effect=ours.effect, move=Move.WITHDRAW, reason=reason),)))
            out = merge(out, _ended(after, ours, reason, facts))
    return out


def _ended(folio: Folio, ours: PendingEffect, reason: str, facts: Facts) -> Outcome:
    if ours.kind == EffectKind.VOID:
        return Outcome(state=without_effect(folio, ours.effect))
    refused = ReplyArrived(
        folio=folio.folio,
        effect=ours.effect,
        kind=ours.kind,
        state=EffectState.REFUSED,
        minor=ours.minor,
        currency=folio.currency,
        payment=ours.payment,
        message=reason,
    )
    return settle_capture(refused, folio, EffectState.REFUSED, facts.effects)


def _failed(message: PaymentRecordSeen, folio: Folio, payment: FolioPayment) -> Outcome:
    """What was pending will not come (X-17)."""
    amount = account.text(message.minor, folio.currency)
    if not message.first:
        step = Step("X-17", f"payment {payment.payment}: a capture of {amount} was refused, its authorisation stands")
        return Outcome(state=account.replace_payment(folio, replace(payment, status=PaymentStatus.AUTHORISED)), trace=(step,))
    return _voided(folio, payment, Step("X-17", f"payment {payment.payment}: {amount} will not be taken"))


def _voided(folio: Folio, payment: FolioPayment, step: Step) -> Outcome:
    told = PaymentVoided(payment=payment.payment, amount=payment.authorised, currency=folio.currency)
    after = account.replace_payment(folio, replace(payment, status=PaymentStatus.VOIDED))
    return Outcome(state=after, facts=(told,), trace=(step,))


def _beyond(message: PaymentRecordSeen, folio: Folio, payment: FolioPayment) -> Outcome:
    """X-3: what a capture takes above the authorisation is not this payment's, and a person is told of it."""
    counted = sum(one.minor for one in payment.captures if one.record == message.record)
    beyond = message.minor - counted
    if beyond <= 0 or not payment.authorised or message.result != Result.CONFIRMED:
        return Outcome()
    reason = f"record {message.record}: captured above what payment {payment.payment} authorised"
    told = EffectNeedsPerson(effect=message.record, reason=reason, amount=beyond, currency=folio.currency)
    return Outcome(facts=(told,), trace=(Step("X-3", reason),))
