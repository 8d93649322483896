"""One part of a refund, as it is asked for: of its provider, of a voucher's book, of a person, or later, while its payment is disputed.

Whoever decides the refund adds the parts up (`handlers.refund`); one that a dispute had held is asked for by `handlers.dispute_hold`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from handlers import account
from handlers.approval import subject_of
from handlers.dispute_record import open_disputes
from handlers.outcome import Facts, Internal, Step
from handlers.refund_parts import ORIGINAL_CARD, VOUCHER, destination
from handlers.refund_reply import manual_required, requested
from handlers.voucher_refund import asked_back
from schemas.common import Fact
from schemas.dispute import RefundHeld
from schemas.effect import EffectKind, EffectRequest, EffectState
from schemas.folio import Folio, FolioPayment, PartStatus, PendingEffect, RefundPart
from schemas.folio_approval import FolioApproval
from schemas.operations import ApprovalRequested


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part and what its asking leads to."""

    part: RefundPart
    facts: tuple[Fact, ...] = ()
    requests: tuple[EffectRequest, ...] = ()
    effects: tuple[PendingEffect, ...] = ()
    messages: tuple[Internal, ...] = ()
    approvals: tuple[FolioApproval, ...] = ()
    step: Step


def asked(
    folio: Folio,
    payment: FolioPayment,
    minor: int,
    refund: str,
    due_by: datetime,
    facts: Facts,
    *,
    approve: str = "",
    asked_by: str = "",
    kept: int = 0,
) -> Asked:
    """The next part of this payment, numbered one above its last. `approve`: why a second person must grant it (X-27); such a request is
    made even while the payment is disputed, since it goes nowhere by itself (X-13). `kept`: what of `minor` is promised already."""
    where, why = destination(folio, payment)
    number, left = payment.number + 1, payment.refundable() + kept
    card, of_book = where is ORIGINAL_CARD, where is VOUCHER and not why
    open_ = open_disputes(folio, payment.payment) if folio.disputes else ()
    held = bool(open_) and where is not VOUCHER and not (card and approve)
    part = RefundPart(
        payment=payment.payment,
        tender=payment.tender,
        minor=minor,
        destination=where.value,
        status=PartStatus.HELD if held else PartStatus.REQUESTED if card or of_book else PartStatus.MANUAL,
        number=number,
        effect=facts.id(f"effect-{payment.payment}-{number}") if card and not held else "",
    )
    of = f"{account.text(minor, folio.currency)} of {account.text(left, folio.currency)}"
    step = Step("X-13" if held else "X-3", f"payment {payment.payment}: {of}, {'held: it is disputed' if held else where}")
    if held:
        told = RefundHeld(refund=refund, payment=payment.payment, amount=minor, currency=folio.currency, dispute=open_[0].dispute)
        return Asked(part=part, facts=(told,), step=step)
    if card:
        return Asked(
            part=part,
            facts=(_requested(part, refund, folio, approve, asked_by),),
            requests=(_request(folio, payment, part, refund, due_by, minor == left, bool(approve)),),
            effects=(_pending(part, refund, asked_by, bool(approve)),),
            step=step,
        )
    if of_book and approve:
        return Asked(part=part, approvals=(_waiting(part, refund, folio, approve, asked_by, facts),), step=step)
    if of_book:
        return Asked(part=part, messages=(asked_back(folio, payment, part, refund),), step=step)
    return Asked(part=part, facts=(manual_required(folio, refund, part, why),), step=step)


def _waiting(part: RefundPart, refund: str, folio: Folio, approve: str, asked_by: str, facts: Facts) -> FolioApproval:
    """X-27: a voucher's part of a refund waits like any other."""
    subject = subject_of(folio, facts.id(f"approval-{part.payment}-{part.number}"))
    return FolioApproval(
        subject=subject,
        minor=part.minor,
        reason=approve,
        asked_by=asked_by,
        asked_at=facts.act,
        refund=refund,
        payment=part.payment,
    )


def _request(
    folio: Folio, payment: FolioPayment, part: RefundPart, refund: str, due_by: datetime, last: bool, needs_approval: bool
) -> EffectRequest:
    return EffectRequest(
        effect=part.effect,
        business_key=f"{folio.folio}/{payment.payment}/{part.number}",
        kind=EffectKind.REFUND,
        provider=payment.provider,
        merchant=payment.merchant,
        payment=payment.payment,
        reference=payment.reference,
        order=payment.order,
        minor=part.minor,
        currency=folio.currency,
        refund=refund,
        property=folio.property,
        last=last,
        needs_approval=needs_approval,
        due_by=due_by,
    )


def _pending(part: RefundPart, refund: str, asked_by: str, needs_approval: bool) -> PendingEffect:
    return PendingEffect(
        effect=part.effect,
        kind=EffectKind.REFUND,
        state=EffectState.PLANNED,
        payment=part.payment,
        minor=part.minor,
        refund=refund,
        asked_by=asked_by,
        needs_approval=needs_approval,
    )


def _requested(part: RefundPart, refund: str, folio: Folio, approve: str, asked_by: str) -> Fact:
    if approve:
        return ApprovalRequested(subject=part.effect, amount=part.minor, currency=folio.currency, reason=approve, asked_by=asked_by)
    return requested(folio, refund, part)
