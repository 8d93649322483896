"""Refunds that a dispute holds, and lets go (X-13). What was asked of a provider and not sent is withdrawn, and asked for anew afterwards.

What is on its way is not touched: its answer tells what became of it. What waits for a second person goes on waiting for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from handlers import account
from handlers.dispute_record import named, open_disputes
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.refund_asked import asked
from handlers.refund_parts import BY_HAND, refund_of, replace_part, with_state, without_effect
from handlers.refund_reply import manual_required
from schemas.dispute import RefundHeld
from schemas.effect import EffectMove, EffectState, Move
from schemas.folio import Folio, FolioRefund, PartStatus, RefundPart


def held(folio: Folio, payment: str, stored: Mapping[str, EffectState], only: str = "") -> Outcome:
    """The folio with every refund of a contested payment held that has not left: planned ones are withdrawn, what waits for a person's
    hands is told. `stored`: where effects stand; `only`: of one effect."""
    out = Outcome(state=folio)
    if not open_disputes(folio, payment):
        return out
    for refund in folio.refunds:
        for part in refund.parts:
            if part.payment != payment or (only and part.effect != only):
                continue
            if part.status in BY_HAND and part.status is not PartStatus.HELD:
                out = merge(out, Outcome(facts=(told(folio, refund.refund, part),)))
            elif part.status is PartStatus.REQUESTED:
                out = merge(out, _stopped(folio_of(out), refund, part, stored))
    return out


def stopped(folio: Folio, refund: FolioRefund, part: RefundPart, reason: str) -> Outcome:
    """The part held in place of its request, which was never sent."""
    after = without_effect(folio, part.effect)
    current = refund_of(after, refund.refund)
    assert current is not None, f"{folio.folio} has no refund {refund.refund}"
    return Outcome(
        state=replace_part(after, current, replace(part, status=PartStatus.HELD, effect="")),
        facts=(told(folio, refund.refund, part),),
        moves=(EffectMove(effect=part.effect, move=Move.WITHDRAW, reason=reason),),
        trace=(Step("X-13", f"refund {refund.refund}: {account.text(part.minor, folio.currency)} wait, {reason}"),),
        policy_version=folio.policy,
    )


def told(folio: Folio, refund: str, part: RefundPart) -> RefundHeld:
    """The fact `refund.held`, by the oldest dispute that holds it."""
    (first, *_) = open_disputes(folio, part.payment)
    return RefundHeld(refund=refund, payment=part.payment, amount=part.minor, currency=folio.currency, dispute=first.dispute)


def _stopped(folio: Folio, refund: FolioRefund, part: RefundPart, stored: Mapping[str, EffectState]) -> Outcome:
    effect = next((known for known in folio.effects if known.effect == part.effect), None)
    if effect is None or effect.needs_approval:
        return Outcome(state=folio)
    state = stored.get(effect.effect, effect.state)
    if state is not EffectState.PLANNED:
        text = f"refund {refund.refund}: effect {effect.effect} is {state.value}, its answer tells"
        return Outcome(state=folio, trace=(Step("X-13", text),))
    return stopped(folio, refund, part, named(open_disputes(folio, part.payment)[0]) + " is open")


def released(folio: Folio, payment: str, facts: Facts) -> Outcome:
    """What the last open dispute of a payment had held is given now, as far as it is still owed; what waits for hands is told again."""
    out = Outcome(state=folio)
    if open_disputes(folio, payment):
        return out
    for refund in folio.refunds:
        for part in refund.parts:
            if part.payment != payment or part.status not in BY_HAND:
                continue
            if part.status is PartStatus.HELD:
                out = merge(out, _given(folio_of(out), refund, part, facts))
            else:
                out = merge(out, Outcome(facts=(manual_required(folio, refund.refund, part, "the dispute has ended"),)))
    return out


def _given(folio: Folio, refund: FolioRefund, part: RefundPart, facts: Facts) -> Outcome:
    """The held part asked for now, under the payment's next number."""
    payment = account.payment_of(folio, part.payment)
    current = refund_of(folio, refund.refund)
    assert payment is not None, f"{folio.folio} has no payment {part.payment}"
    assert current is not None, f"{folio.folio} has no refund {refund.refund}"
    one = asked(folio, payment, part.minor, refund.refund, refund.due_by, facts, kept=part.minor)
    parts = tuple([one.part if (known.payment, known.number) == (part.payment, part.number) else known for known in current.parts])
    refunds = tuple([replace(current, parts=parts) if known.refund == refund.refund else known for known in folio.refunds])
    after = replace(
        folio,
        payments=account.with_payment(folio.payments, replace(payment, number=one.part.number)),
        refunds=refunds,
        effects=(*folio.effects, *one.effects),
        requests=with_state(folio.requests, refunds, refund.request),
    )
    text = f"refund {refund.refund}: {account.text(part.minor, folio.currency)} waited for the dispute, and are given now"
    return Outcome(state=after, facts=one.facts, requests=one.requests, trace=(Step("X-13", text), one.step))
