"""What becomes of one part of a refund: the moves that replies and people's hands make, what each books and tells (S4-30).

A part that fails is never forgotten: it stays open until somebody gives the money back. The balance moves only where it says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from handlers import account
from handlers.dispute_record import open_disputes
from handlers.outcome import Outcome, Step, Timer
from handlers.refund_parts import CLOSED, noted, refund_of, replace_part, with_part, with_state
from ledger import recipes
from schemas.common import Fact
from schemas.effect import EffectState
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, PaymentStatus, RefundPart
from schemas.operations import EffectNeedsPerson, ReplyArrived
from schemas.payment import Tender
from schemas.refund import (
    RefundExecuted,
    RefundManualRequired,
    RefundRefusedByProvider,
    RefundRequested,
    RefundReversed,
    RefundUnknown,
)

OVERDUE = "refund_due"
"""Kind of the timer `refund_due:<refund>`."""

NEXT_PART: Mapping[tuple[PartStatus, EffectState], PartStatus] = {
    (PartStatus.REQUESTED, EffectState.CONFIRMED): PartStatus.EXECUTED,
    (PartStatus.REQUESTED, EffectState.REFUSED): PartStatus.REFUSED,
    (PartStatus.REQUESTED, EffectState.UNKNOWN): PartStatus.UNKNOWN,
    (PartStatus.REQUESTED, EffectState.NEEDS_PERSON): PartStatus.NEEDS_PERSON,
    (PartStatus.UNKNOWN, EffectState.CONFIRMED): PartStatus.EXECUTED,
    (PartStatus.UNKNOWN, EffectState.REFUSED): PartStatus.REFUSED,
    (PartStatus.UNKNOWN, EffectState.NEEDS_PERSON): PartStatus.NEEDS_PERSON,
    (PartStatus.NEEDS_PERSON, EffectState.CONFIRMED): PartStatus.EXECUTED,
    (PartStatus.NEEDS_PERSON, EffectState.REFUSED): PartStatus.REFUSED,
    (PartStatus.EXECUTED, EffectState.REVERSED): PartStatus.REVERSED,
}
"""What a reply makes of a part. What is not listed changes nothing: a late reply, or one that says what is known."""


def timer(refund: str) -> str:
    """The name of a refund's alarm."""
    return f"{OVERDUE}:{refund}"


def requested(folio: Folio, refund: str, part: RefundPart) -> RefundRequested:
    """The fact `refund.requested`."""
    return RefundRequested(refund=refund, payment=part.payment, amount=part.minor, currency=folio.currency, effect=part.effect)


def manual_required(folio: Folio, refund: str, part: RefundPart, reason: str) -> RefundManualRequired:
    """The fact `refund.manual_required`: a person gives this part back (X-19), once no dispute is open of its payment (X-13)."""
    if folio.disputes and open_disputes(folio, part.payment):
        reason = f"wait, the payment is disputed: {reason}"
    return RefundManualRequired(
        refund=refund,
        payment=part.payment,
        tender=part.tender.value,
        amount=part.minor,
        currency=folio.currency,
        reason=reason,
    )


def settle_part(folio: Folio, refund: FolioRefund, part: RefundPart, state: EffectState, message: ReplyArrived) -> Outcome:
    """NEXT_PART applied, with what each move books and tells (S4-30)."""
    folio = noted(folio, part.effect, state)
    told: tuple[Fact, ...]
    then = NEXT_PART.get((part.status, state))
    if part.status is PartStatus.DROPPED and state in (EffectState.CONFIRMED, EffectState.NEEDS_PERSON):
        return _withdrawn_too_late(folio, part, state)
    if then is None:
        said = f"refund {refund.refund}: {state.value} about a part that is {part.status.value} changes nothing"
        return Outcome(state=folio, trace=(Step("X-1", said),), policy_version=folio.policy)
    part = replace(part, status=then, record=message.record or part.record)
    reason = message.message or message.code
    match then:
        case PartStatus.EXECUTED:
            return executed(folio, refund, part)
        case PartStatus.REFUSED:
            refused = RefundRefusedByProvider(
                refund=refund.refund,
                payment=part.payment,
                amount=part.minor,
                currency=folio.currency,
                code=message.code,
                reason=message.message,
            )
            told = (refused, manual_required(folio, refund.refund, part, f"refused by the provider: {reason}"))
        case PartStatus.REVERSED:
            return came_back(folio, refund, part, reason)
        case PartStatus.UNKNOWN:
            told = (RefundUnknown(refund=refund.refund, payment=part.payment, amount=part.minor, currency=folio.currency),)
        case _:
            told = (EffectNeedsPerson(effect=part.effect, reason=reason, amount=part.minor, currency=folio.currency),)
    rule = "S4-30" if then is PartStatus.REFUSED else "X-6"
    return Outcome(
        state=replace_part(folio, refund, part),
        facts=told,
        trace=(Step(rule, f"refund {refund.refund}, payment {part.payment}: {then.value} {reason}".rstrip()),),
        policy_version=folio.policy,
    )


def payment_of(folio: Folio, part: RefundPart) -> FolioPayment:
    """The payment that gives this part; for money that was never collected (S4-44) a transfer from the till. None is a defect."""
    if not part.payment:
        return FolioPayment(payment="", tender=Tender.BANK_TRANSFER, status=PaymentStatus.CAPTURED, position=0)
    payment = account.payment_of(folio, part.payment)
    assert payment is not None, f"{folio.folio} has no payment {part.payment}"
    return payment


def executed(folio: Folio, refund: FolioRefund, part: RefundPart) -> Outcome:
    """The money of `part` is with the guest: by the provider (`record`), or by hand."""
    payment = payment_of(folio, part)
    moved = replace(payment, refunding=payment.refunding - part.minor, refunded=payment.refunded + part.minor)
    refunds = with_part(folio.refunds, refund, replace(part, status=PartStatus.EXECUTED))
    after = replace(
        folio,
        payments=account.with_payment(folio.payments, moved) if part.payment else folio.payments,
        refunds=refunds,
        requests=with_state(folio.requests, refunds, refund.request),
    )
    known = refund_of(after, refund.refund)
    done = known is not None and not [other for other in known.parts if other.status not in CLOSED]
    amount = account.text(part.minor, folio.currency)
    by = f"provider's record {part.record}" if part.record else "by hand"
    return Outcome(
        state=after,
        facts=(
            RefundExecuted(
                refund=refund.refund,
                payment=part.payment,
                amount=part.minor,
                currency=folio.currency,
                provider_record=part.record,
            ),
        ),
        entries=recipes.refund_executed(folio, payment, part.minor, refund.refund),
        cancel=(timer(refund.refund),) if done else (),
        trace=(Step("S4-30", f"refund {refund.refund}: {amount} of payment {part.payment} given back, {by}"),),
        policy_version=folio.policy,
    )


def came_back(folio: Folio, refund: FolioRefund, part: RefundPart, reason: str) -> Outcome:
    """Success that later turned into failure (Ogone 8, then 83 or 96): the money is with us again and owed again."""
    payment = payment_of(folio, part)
    moved = replace(payment, refunding=payment.refunding + part.minor, refunded=payment.refunded - part.minor)
    told = RefundReversed(refund=refund.refund, payment=part.payment, amount=part.minor, currency=folio.currency, reason=reason)
    return Outcome(
        state=replace_part(account.replace_payment(folio, moved), refund, part),
        facts=(told, manual_required(folio, refund.refund, part, f"reversed by the provider: {reason}")),
        entries=recipes.refund_reopened(folio, payment, part.minor, refund.refund),
        timers=(Timer(name=timer(refund.refund), due=refund.due_by, kind=OVERDUE, subject=refund.refund),),
        trace=(Step("S4-30", f"refund {refund.refund}, payment {part.payment}: came back, owed again ({reason})"),),
        policy_version=folio.policy,
    )


def _withdrawn_too_late(folio: Folio, part: RefundPart, state: EffectState) -> Outcome:
    """X-3: a refund that another one had overtaken was on its way all the same: what was captured cannot give both, so a person looks."""
    reason = f"withdrawn for a refund made elsewhere, yet {state.value} at the provider"
    told = EffectNeedsPerson(effect=part.effect, reason=reason, amount=part.minor, currency=folio.currency)
    return Outcome(state=folio, facts=(told,), trace=(Step("X-3", reason),), policy_version=folio.policy)
