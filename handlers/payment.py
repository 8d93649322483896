"""Payments: promised, taken, or taken back elsewhere (X-2, X-3, X-16, X-17, X-19).

What follows for a cancelled booking is `handlers.late_payment`; refunds and captures of ours are not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from handlers import account
from handlers.capture import withdraw_taken
from handlers.capture_records import gave_back, shown
from handlers.late_payment import after_cancellation
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.payment_states import BY_NAME, BY_RECORD, BY_STATUS, NEXT, Halt, Told
from handlers.refund_parts import not_sent, without_effect
from ledger import recipes
from schemas.effect import EffectMove, EffectState, Move
from schemas.errors import Early, Rejected, Stale
from schemas.folio import CaptureRecord, Folio, FolioPayment, FolioRefund, PartStatus, PaymentStatus, RefundPart
from schemas.payment import Payment, PaymentCaptured, PaymentVoided, UnappliedReceipt


def waits_for(payment: str) -> str:
    """What a reversal waits for that comes before its payment (X-2)."""
    return f"payment:{payment}"


def told(message: Payment, name: str) -> Told:
    """X-17: what the message says, by its name and the provider's status."""
    said = BY_NAME[name]
    return said if said is Told.REVERSED else BY_STATUS.get((message.provider, message.status), said)


def decide(message: Payment, facts: Facts) -> Outcome:
    """`payment.authorised`, `payment.received`, `payment.reversed` (`facts.name`).

    Raises Early for an unknown booking or the reversal of an unknown payment, Stale for what is known, Rejected for another
    currency or another body under a known payment's id.
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this pays is not here yet", waits_for="booking")
    if message.currency != folio.currency:
        text = f"{folio.folio} is booked in {folio.currency}"
        raise Rejected(text, code="currency_mismatch", rule="X-4", field="currency", value=message.currency)
    known, said = account.payment_of(folio, message.payment), told(message, facts.name)
    if known is not None and message.record and (known.status, said) in BY_RECORD:
        return _shown(message, folio, known, said, facts)
    then = NEXT[known.status if known is not None else None, said]
    if isinstance(then, Halt):
        return _halted(then, said, message, folio, known)
    payment = _recorded(message, folio, known, facts)
    match then:
        case PaymentStatus.CAPTURED:
            first = _taken(message, folio, payment, facts.effects)
        case PaymentStatus.REVERSED:
            first = _taken_back(message, folio, payment, facts.effects)
        case PaymentStatus.VOIDED:
            first = _voided(message, folio, payment, said)
        case _:
            first = _promised(message, folio, payment, then)
    return _concluded(folio, first, message.payment, facts)


def _shown(message: Payment, folio: Folio, known: FolioPayment, said: Told, facts: Facts) -> Outcome:
    """X-6: one capture by its provider's name for it. Raises Stale for a record that says nothing new."""
    _same_reference(message, known)
    payment, moved = shown(_named(message, known), message.record, message.amount, stands=said is Told.CAPTURED)
    if payment == known:
        raise Stale(f"record {message.record} of payment {message.payment} says nothing new", field="record", value=message.record)
    if not moved:
        step = Step("X-1", f"payment {message.payment}: record {message.record} is what was told before, and moves nothing")
        after = account.changed(account.replace_payment(folio, payment))
        return Outcome(state=after, trace=(step,), policy_version=folio.policy)
    if moved > 0:
        return _concluded(folio, _captured(folio, payment, moved, facts.effects), message.payment, facts)
    return _concluded(folio, _reversed(folio, payment, -moved, facts.effects), message.payment, facts)


def _halted(halt: Halt, said: Told, message: Payment, folio: Folio, known: FolioPayment | None) -> Outcome:
    if halt is Halt.EARLY or known is None:
        if halt is Halt.REFUSED:
            text = f"payment {message.payment} failed at {message.provider} (status {message.status}): nothing was taken"
            raise Rejected(text, code="payment_failed", rule="X-17", field="status", value=message.status)
        raise Early(f"payment {message.payment} is not here yet", waits_for=waits_for(message.payment))
    if halt is Halt.REFUSED:
        text = f"payment {message.payment} is {known.status.value}: a failure (status {message.status}) does not undo it"
        raise Rejected(text, code="payment_failed", rule="X-17", field="status", value=message.status)
    _same(message, known, said)
    if message.provider_reference and not known.reference:
        after = account.changed(account.replace_payment(folio, _named(message, known)))
        return Outcome(
            state=after,
            trace=(Step("X-1", f"payment {message.payment} is known; its provider's id is new"),),
            policy_version=folio.policy,
        )
    raise Stale(f"payment {message.payment} is {known.status.value} already", field="payment", value=message.payment)


def _same(message: Payment, known: FolioPayment, said: Told) -> None:
    """X-1: one id, one payment. Raises Rejected `duplicate_identity` for another amount or another provider payment."""
    amounts = {Told.AUTHORISED: known.authorised, Told.CAPTURED: known.captured, Told.PENDING: known.authorised}
    repeats = said.value == known.status.value or (said is Told.CAPTURED and known.captured > 0)
    one_of_several = said is Told.CAPTURED and message.amount in [one.minor for one in known.captures]
    if repeats and said in amounts and amounts[said] != message.amount and not one_of_several:
        text = f"payment {message.payment} is known with {amounts[said]}, not {message.amount}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="amount", value=message.amount)
    _same_reference(message, known)


def _same_reference(message: Payment, known: FolioPayment) -> None:
    if message.provider_reference and known.reference and message.provider_reference != known.reference:
        text = f"payment {message.payment} is {known.reference} at {known.provider}, not {message.provider_reference}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="provider_reference", value=message.provider_reference)


def _named(message: Payment, payment: FolioPayment) -> FolioPayment:
    """The payment with what this message adds to its names (X-21); what was said before is not unsaid."""
    return replace(
        payment,
        provider=payment.provider or message.provider,
        merchant=payment.merchant or message.merchant,
        reference=payment.reference or message.provider_reference,
        order=payment.order or message.order,
        initiation=payment.initiation or message.initiation,
        sca=payment.sca or message.sca,
        eci=payment.eci or message.eci,
        scheme_transaction=payment.scheme_transaction or message.scheme_transaction,
        mandate=payment.mandate or message.mandate,
        mandate_version=payment.mandate_version or message.mandate_version,
        payer=payment.payer or message.payer,
    )


def _recorded(message: Payment, folio: Folio, known: FolioPayment | None, facts: Facts) -> FolioPayment:
    """The payment before this message changes it. X-16: one that happened after the booking was cancelled has no home."""
    if known is not None:
        _same_reference(message, known)
        return _named(message, known)
    at: datetime = message.occurred_at or facts.act
    payment = FolioPayment(
        payment=message.payment,
        tender=message.tender,
        status=PaymentStatus.PENDING,
        position=max([other.position for other in folio.payments], default=-1) + 1,
        occurred_at=at,
        unapplied=account.cancelled_before(folio, at),
    )
    return _named(message, payment)


def _promised(message: Payment, folio: Folio, payment: FolioPayment, status: PaymentStatus) -> Outcome:
    """X-17: authorised, or not final at the provider: not collected."""
    authorised = payment.authorised or message.amount
    if status is PaymentStatus.AUTHORISED and authorised != message.amount:
        text = f"payment {message.payment} is pending with {authorised}, not {message.amount}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="amount", value=message.amount)
    after = account.replace_payment(folio, replace(payment, status=status, authorised=authorised))
    amount = account.text(message.amount, folio.currency)
    return Outcome(state=after, trace=(Step("X-17", f"payment {message.payment}: {amount} {status.value}, not collected"),))


def _taken(message: Payment, folio: Folio, payment: FolioPayment, stored: Mapping[str, EffectState]) -> Outcome:
    """X-17: final, so collected, all of it at once."""
    if payment.authorised and message.amount > payment.authorised:
        text = f"payment {message.payment}: {message.amount} taken of {payment.authorised} authorised"
        raise Rejected(text, code="amount_above_authorised", rule="X-3", field="amount", value=message.amount)
    payment = replace(payment, status=PaymentStatus.CAPTURED, captured=message.amount)
    if message.record:
        payment = replace(payment, captures=(CaptureRecord(record=message.record, minor=message.amount),))
    return _captured(folio, payment, message.amount, stored)


def _captured(folio: Folio, payment: FolioPayment, minor: int, stored: Mapping[str, EffectState]) -> Outcome:
    """`minor` more of the payment is collected (X-17); after the cancellation, an unapplied receipt (X-16)."""
    after, amount = account.replace_payment(folio, payment), account.text(minor, folio.currency)
    captured = PaymentCaptured(payment=payment.payment, tender=payment.tender.value, amount=minor, currency=folio.currency)
    if not payment.unapplied:
        step = Step("X-17", f"payment {payment.payment} ({payment.tender}): {amount} collected")
        first = Outcome(state=after, facts=(captured,), entries=recipes.captured(after, payment, minor), trace=(step,))
        return merge(first, withdraw_taken(after, payment.payment, stored))
    reason = f"happened {payment.occurred_at}, after the booking was cancelled {folio.cancelled_at}"
    homeless = UnappliedReceipt(payment=payment.payment, amount=minor, currency=folio.currency, reason=reason)
    step = Step("X-16", f"payment {payment.payment}: {amount} {reason}: unapplied")
    return Outcome(state=after, facts=(captured, homeless), entries=recipes.unapplied(after, payment, minor), trace=(step,))


def _voided(message: Payment, folio: Folio, payment: FolioPayment, said: Told) -> Outcome:
    """X-17: what was promised or pending will not come; a reversal of less than all leaves the rest as it was."""
    released = payment.authorised if said is Told.FAILED else min(message.amount, payment.authorised)
    rest = payment.authorised - released
    status = payment.status if rest else PaymentStatus.VOIDED
    after = account.replace_payment(folio, replace(payment, authorised=rest or payment.authorised, status=status))
    amount = account.text(released, folio.currency)
    return Outcome(
        state=after,
        facts=(PaymentVoided(payment=payment.payment, amount=released, currency=folio.currency),),
        trace=(Step("X-17", f"payment {payment.payment}: {amount} will not be taken"),),
    )


def _taken_back(message: Payment, folio: Folio, payment: FolioPayment, stored: Mapping[str, EffectState]) -> Outcome:
    """X-19: a bounced cheque, a charge back: whole or in part."""
    rest = payment.captured - payment.reversed
    if message.amount > rest:
        text = f"payment {payment.payment}: {message.amount} taken back of {rest}"
        raise Rejected(text, code="amount_above_captured", rule="X-3", field="amount", value=message.amount)
    return _reversed(folio, gave_back(payment, message.amount), message.amount, stored)


def _reversed(folio: Folio, payment: FolioPayment, minor: int, stored: Mapping[str, EffectState]) -> Outcome:
    """X-19: `minor` of the payment was taken back from us: the balance is open again. Refunds of it that wait for a person's hands are
    dropped as far as its money no longer covers them."""
    after = account.replace_payment(folio, payment)
    recipe = recipes.unapplied_reversed if payment.unapplied else recipes.capture_reversed
    amount = account.text(minor, folio.currency)
    first = Outcome(
        state=after,
        entries=recipe(after, payment, minor),
        trace=(Step("X-19", f"payment {payment.payment}: {amount} taken back from us, owed again"),),
    )
    return merge(first, _dropped(after, payment, stored))


def _dropped(folio: Folio, payment: FolioPayment, stored: Mapping[str, EffectState]) -> Outcome:
    """X-13, X-19: nobody gives money back that we do not have any more: by hand, refused, or planned and not sent yet."""
    out, refunds, droppable = Outcome(), [], not_sent(folio, stored)
    for refund in folio.refunds:
        parts: list[RefundPart] = []
        for part in refund.parts:
            if part.payment == payment.payment and droppable(part) and payment.collected() < 0:
                if part.status is PartStatus.REQUESTED:
                    out = merge(out, Outcome(moves=(EffectMove(effect=part.effect, move=Move.WITHDRAW, reason="charged back"),)))
                    folio = without_effect(folio, part.effect)
                payment = replace(payment, refunding=payment.refunding - part.minor)
                out = merge(out, _drop(folio, payment, refund, part))
                part = replace(part, status=PartStatus.DROPPED)
            parts.append(part)
        refunds.append(replace(refund, parts=tuple(parts)))
    return replace(out, state=account.replace_payment(replace(folio, refunds=tuple(refunds)), payment)) if out.trace else out


def _drop(folio: Folio, payment: FolioPayment, refund: FolioRefund, part: RefundPart) -> Outcome:
    recipe = recipes.unapplied_dropped if payment.unapplied else recipes.refund_dropped
    text = f"refund {refund.refund}: {account.text(part.minor, folio.currency)} of payment {part.payment} is dropped"
    return Outcome(entries=recipe(folio, part.minor, refund.refund), trace=(Step("X-19", text),))


def _concluded(before: Folio, first: Outcome, payment: str, facts: Facts) -> Outcome:
    """The whole outcome: what a cancellation makes of it (X-16, X-17), and the balance once, at the end (S4-22)."""
    after = first.state
    assert isinstance(after, Folio)
    final = after = account.changed(after)
    known = account.payment_of(after, payment)
    reduced = known is not None and account.before_reduction(before, known)
    if before.cancelled_at is not None or reduced or _waits(before, payment):
        first = merge(first, after_cancellation(before, after, payment, facts))
        assert isinstance(first.state, Folio)
        final = first.state
    return replace(
        first,
        state=final,
        facts=first.facts + account.balance_facts(before, final),
        unparks=(waits_for(payment), *first.unparks),
        policy_version=first.policy_version or before.policy,
    )


def _waits(folio: Folio, payment: str) -> bool:
    return PartStatus.WAITING in [part.status for refund in folio.refunds for part in refund.parts if part.payment == payment]
