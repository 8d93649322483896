"""A refund that others made overtakes those of ours that are not sent yet (X-3): what of them no longer fits is withdrawn and dropped.

What others gave back is counted by `handlers.refund_elsewhere`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from handlers import account
from handlers.outcome import Outcome, Step, folio_of, merge
from handlers.refund_parts import CLOSED, not_sent, refund_of, replace_part, with_request_state, without_effect
from handlers.refund_reply import manual_required, timer
from ledger import recipes
from schemas.effect import EffectMove, EffectState, Move
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, RefundPart


def make_room(folio: Folio, payment: FolioPayment, minor: int, stored: Mapping[str, EffectState]) -> Outcome:
    """Withdraws planned parts, the newest first, until `minor` fits. Of those, as much as went back elsewhere is dropped, since the
    guest has that money; the rest of a part stays owed, by hand."""
    out, absorbed = Outcome(state=folio), 0
    droppable = not_sent(folio, stored)
    for refund in reversed(folio.refunds):
        for part in reversed(refund.parts):
            short = minor - payment.refundable()
            if short <= 0 or part.payment != payment.payment or not droppable(part):
                continue
            rest = max(0, part.minor - (minor - absorbed))
            absorbed += part.minor - rest
            payment = replace(payment, refunding=payment.refunding - (part.minor - rest))
            out = merge(out, _dropped(folio_of(out), payment, refund, part, rest))
            payment = account.payment_of(folio_of(out), payment.payment) or payment
    return out


def _dropped(folio: Folio, payment: FolioPayment, refund: FolioRefund, part: RefundPart, rest: int) -> Outcome:
    number = payment.number + 1 if rest else payment.number
    after = account.replace_payment(folio, replace(payment, number=number))
    after = without_effect(after, part.effect)
    current = refund_of(after, refund.refund)
    assert current is not None
    gone = replace(part, status=PartStatus.DROPPED)
    after = replace_part(after, current, gone)
    gone_minor = part.minor - rest
    text = f"refund {refund.refund}: {account.text(gone_minor, folio.currency)} of payment {part.payment} was given back elsewhere"
    recipe = recipes.unapplied_dropped if payment.unapplied else recipes.refund_dropped
    out = Outcome(
        entries=recipe(folio, gone_minor, refund.refund),
        moves=(EffectMove(effect=part.effect, move=Move.WITHDRAW, reason=text),) if part.status is PartStatus.REQUESTED else (),
        trace=(Step("X-3", text),),
    )
    if rest:
        left = RefundPart(
            payment=part.payment,
            tender=part.tender,
            minor=rest,
            destination=part.destination,
            status=PartStatus.MANUAL,
            number=number,
        )
        current = refund_of(after, refund.refund)
        assert current is not None
        grown = replace(current, parts=(*current.parts, left))
        after = replace(after, refunds=tuple(grown if known.refund == refund.refund else known for known in after.refunds))
        after = with_request_state(after, refund.request)
        told = manual_required(folio, refund.refund, left, "the rest of a refund that another one overtook")
        return merge(out, Outcome(state=after, facts=(told,)))
    known = refund_of(after, refund.refund)
    done = known is not None and all(other.status in CLOSED for other in known.parts)
    return replace(out, state=after, cancel=(timer(refund.refund),) if done else ())
