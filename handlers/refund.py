"""Refunds: decided over the payments, asked of the provider or of a person, and their replies and alarms (X-3, X-18, X-24).

What a reply does to a part is `handlers.refund_reply`; what others gave back is `handlers.refund_elsewhere`. The balance is told by
whoever calls.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from handlers import account
from handlers.approval import put, subject_of
from handlers.frozen import property_policy
from handlers.outcome import Facts, Internal, Outcome, Step, Timer, folio_of, merge
from handlers.refund_parts import (
    ORIGINAL_CARD,
    VOUCHER,
    allocation,
    destination,
    open_minor,
    refund_of,
    with_state,
)
from handlers.refund_reply import OVERDUE, manual_required, requested, timer
from handlers.voucher_refund import asked_back
from ledger import recipes
from schemas.common import Fact
from schemas.effect import EffectKind, EffectRequest, EffectState
from schemas.errors import Stale
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, PendingEffect, RefundPart
from schemas.folio_approval import FolioApproval
from schemas.operations import ApprovalRequested, TimerFired
from schemas.refund import RefundDecided, RefundDestination, RefundOverdue

PACKAGE_DAYS = 14
"""X-24: within which the money of a package goes back, whatever `refund_due_days` says."""


def open_refund(
    folio: Folio,
    minor: int,
    facts: Facts,
    *,
    request: str = "",
    asked_by: str = "",
    approve: str = "",
) -> Outcome:
    """A new refund of `minor`: decided, split over the payments (A-17, X-18, X-3), and asked of the providers or of a person.

    One provider request per card part, numbered per payment, `last` (RFS) only for all that is left of it. `approve` is why a
    second person must grant it; so does an amount above `approval_above` (X-27). Due `refund_due_days` later, of a package after
    14 days at most (X-24). 0: nothing.
    """
    if not minor:
        return Outcome(state=folio)
    policy = property_policy(facts, folio)
    amount = account.text(minor, folio.currency)
    if policy.approval_above is not None and minor > policy.approval_above:
        approve = approve or f"refund of {amount} is above {account.text(policy.approval_above, folio.currency)}"
    days = min(policy.refund_due_days, PACKAGE_DAYS) if folio.is_package else policy.refund_due_days
    refund_id, due_by = facts.id("refund"), facts.act + timedelta(days=days)
    by = due_by if days == policy.refund_due_days else facts.act + timedelta(days=policy.refund_due_days)
    payments, parts = folio.payments, []
    told: list[Fact] = []
    requests: list[EffectRequest] = []
    effects: list[PendingEffect] = []
    messages: list[Internal] = []
    held: list[FolioApproval] = []
    steps = [Step("A-17", f"refund {amount}: {policy.tender_order}, {policy.within_tender} first within a tender")]
    for payment, part_minor in allocation(folio, minor, policy):
        where, why = destination(folio, payment)
        number, left = payment.number + 1, payment.refundable()
        card = where is ORIGINAL_CARD
        part = RefundPart(
            payment=payment.payment,
            tender=payment.tender,
            minor=part_minor,
            destination=where.value,
            status=PartStatus.REQUESTED if card or where is VOUCHER else PartStatus.MANUAL,
            number=number,
            effect=facts.id(f"effect-{payment.payment}-{number}") if card else "",
        )
        if card:
            requests.append(_request(folio, payment, part, refund_id, by, bool(approve)))
            effects.append(_pending(part, refund_id, asked_by, bool(approve)))
            told.append(_requested(part, refund_id, folio, approve, asked_by))
        elif where is VOUCHER and approve:
            held.append(_held(part, refund_id, folio, approve, asked_by, facts))
        elif where is VOUCHER:
            messages.append(asked_back(folio, payment, part, refund_id))
        else:
            told.append(manual_required(folio, refund_id, part, why))
        of = f"{account.text(part_minor, folio.currency)} of {account.text(left, folio.currency)}"
        steps.append(Step("X-3", f"payment {payment.payment}: {of}, {where}"))
        payments = account.with_payment(payments, replace(payment, refunding=payment.refunding + part_minor, number=number))
        parts.append(part)
    if approve and requests:
        steps.append(Step("X-27", f"waits for a second person: {approve}"))
    refunds = (*folio.refunds, FolioRefund(refund=refund_id, minor=minor, due_by=due_by, parts=tuple(parts), request=request))
    decided = RefundDecided(
        refund=refund_id,
        amount=minor,
        currency=folio.currency,
        destinations=tuple(
            [
                RefundDestination(payment=part.payment, tender=part.tender.value, amount=part.minor, destination=part.destination)
                for part in parts
            ]
        ),
        refund_due_by=due_by,
    )
    out = Outcome(
        state=replace(
            folio,
            payments=payments,
            refunds=refunds,
            effects=(*folio.effects, *effects),
            requests=with_state(folio.requests, refunds, request),
        ),
        facts=(decided, *told),
        entries=recipes.refund_decided(folio, minor, refund_id),
        requests=tuple(requests),
        timers=(Timer(name=timer(refund_id), due=due_by, kind=OVERDUE, subject=refund_id),),
        messages=tuple(messages),
        trace=(*steps, Step("X-24", f"refund due by {due_by.isoformat()}, {days} days")),
        policy_version=folio.policy,
    )
    for one in held:
        out = merge(out, put(folio_of(out), one, facts, "X-27"))
    return out


def _held(part: RefundPart, refund: str, folio: Folio, approve: str, asked_by: str, facts: Facts) -> FolioApproval:
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
    folio: Folio, payment: FolioPayment, part: RefundPart, refund: str, due_by: datetime, needs_approval: bool
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
        last=part.minor == payment.refundable(),
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


def decide_overdue(message: TimerFired, facts: Facts) -> Outcome:
    """X-24: the alarm of a refund that is still open on its day. Raises Stale for one that is not."""
    folio = facts.folio
    refund = refund_of(folio, message.subject) if folio is not None else None
    if folio is None or refund is None or not open_minor(refund):
        raise Stale(f"refund {message.subject} is not open", field="subject", value=message.subject)
    amount = open_minor(refund)
    return Outcome(
        facts=(RefundOverdue(refund=refund.refund, amount=amount, currency=folio.currency),),
        trace=(Step("X-24", f"{account.text(amount, folio.currency)} of refund {refund.refund} open on {refund.due_by}"),),
        policy_version=folio.policy,
    )
