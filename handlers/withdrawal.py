"""Requests of ours that are planned and not sent, and fall because of what happened elsewhere (X-13, X-17).

`stored` is where effects stand in the store; one that it does not have yet stands as the folio says. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from handlers import account
from handlers.outcome import Outcome, Step, folio_of, merge
from handlers.refund_parts import CLOSED, not_sent, refund_of, replace_part, without_effect
from handlers.refund_reply import timer
from ledger import recipes
from schemas.effect import EffectKind, EffectMove, EffectState, Move
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, PendingEffect, RefundPart
from schemas.operations import EffectNeedsPerson

Stored = Mapping[str, EffectState]


def not_sent_yet(folio: Folio, stored: Stored) -> list[PendingEffect]:
    """Requests that are planned: they can still be withdrawn."""
    return [known for known in folio.effects if stored.get(known.effect, known.state) is EffectState.PLANNED]


def unneeded_closings(folio: Folio, payment: str, stored: Stored) -> Outcome:
    """X-17: more was collected, of this payment or meanwhile. A planned capture is withdrawn, of this payment first, once all that are
    under way are more than is owed; what is owed even so is for a person, since another capture may not be allowed. A planned release
    of an authorisation that others have captured is withdrawn: it would undo their capture.
    """
    planned = not_sent_yet(folio, stored)
    captures = [known for known in planned if known.kind == EffectKind.CAPTURE]
    owed = max(0, account.balance(folio))
    excess = account.under_way(folio) - owed
    out = Outcome(state=folio)
    for ours in sorted(captures, key=lambda known: known.payment != payment):
        if excess > 0:
            still = max(0, ours.minor - excess)
            out = merge(out, _withdrawn(out, ours, f"{account.text(still, folio.currency)} are still owed", still))
            excess -= ours.minor
    at_hand = account.payment_of(folio, payment)
    for ours in planned:
        if ours.kind == EffectKind.VOID and ours.payment == payment and at_hand is not None and at_hand.captured > at_hand.reversed:
            rest = at_hand.authorised - at_hand.captured
            out = merge(out, _withdrawn(out, ours, f"{account.text(rest, folio.currency)} are not released", rest))
    return out


def _withdrawn(out: Outcome, ours: PendingEffect, left: str, minor: int) -> Outcome:
    """`left`: what a person is told of `minor` that nobody here sees to any more."""
    folio = folio_of(out)
    amount = account.text(ours.minor, folio.currency)
    text = f"the {ours.kind} of {amount} of payment {ours.payment} is withdrawn: the money came otherwise"
    told = EffectNeedsPerson(effect=ours.effect, reason=f"{text}; {left}", amount=minor, currency=folio.currency)
    return Outcome(
        state=without_effect(folio, ours.effect),
        facts=(told,) if minor > 0 else (),
        moves=(EffectMove(effect=ours.effect, move=Move.WITHDRAW, reason=text),),
        trace=(Step("X-17", text),),
    )


def uncovered_refunds(folio: Folio, payment: FolioPayment, stored: Stored) -> Outcome:
    """X-13, X-19: nobody gives money back that we do not have any more: by hand, refused, or planned and not sent yet."""
    out, droppable = Outcome(), not_sent(folio, stored)
    for refund in folio.refunds:
        for part in refund.parts:
            if part.payment == payment.payment and droppable(part) and payment.collected() < 0:
                if part.status is PartStatus.REQUESTED:
                    out = merge(out, Outcome(moves=(EffectMove(effect=part.effect, move=Move.WITHDRAW, reason="charged back"),)))
                    folio = without_effect(folio, part.effect)
                payment = replace(payment, refunding=payment.refunding - part.minor)
                out = merge(out, _dropped(folio, payment, refund, part))
                current = refund_of(folio, refund.refund) or refund
                folio = replace_part(folio, current, replace(part, status=PartStatus.DROPPED))
        known = refund_of(folio, refund.refund)
        if known != refund and known is not None and not any(part.status not in CLOSED for part in known.parts):
            out = merge(out, Outcome(cancel=(timer(refund.refund),)))
    return replace(out, state=account.replace_payment(folio, payment)) if out.trace else out


def _dropped(folio: Folio, payment: FolioPayment, refund: FolioRefund, part: RefundPart) -> Outcome:
    recipe = recipes.unapplied_dropped if payment.unapplied else recipes.refund_dropped
    text = f"refund {refund.refund}: {account.text(part.minor, folio.currency)} of payment {part.payment} is dropped"
    return Outcome(entries=recipe(folio, part.minor, refund.refund), trace=(Step("X-19", text),))
