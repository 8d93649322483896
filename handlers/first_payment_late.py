"""A payment that is told after a change of its booking and had moved before it: the payments are as if it had been there (X-2, S4-37)."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from handlers import account
from handlers.first_payment import counts
from handlers.outcome import Facts, Outcome, Step
from handlers.schedule_told import told_where_moved
from handlers.voucher_schedule import replanned
from schemas.folio import Folio, FolioPayment, FolioStatus, OtherPlan
from schemas.folio_voucher import PlannedPayments


def in_time(folio: Folio, payment: str, facts: Facts) -> Outcome:
    """X-2, S4-37: the first payment stays what it was before the first change that came after this money, and the second is the rest; told
    where that moves them. Money that moved after every change leaves them alone."""
    known = account.payment_of(folio, payment)
    if not folio.other_plans or folio.status is FolioStatus.CANCELLED or known is None or not counts(known):
        return Outcome(state=folio)
    plan = next((one for one in folio.other_plans if _moved_before(known, one.at)), None)
    if plan is None:
        return Outcome(state=folio)
    earlier = tuple([one for one in folio.other_plans if not _moved_before(known, one.at)])
    after = _planned(replace(folio, other_plans=earlier), plan)
    first = account.text(plan.due_now, folio.currency)
    step = Step("X-2", f"payment {payment} moved before the change of {plan.at.isoformat()}: first payment stays {first}")
    return replace(told_where_moved(folio, after, facts, step), trace=(step,))


def _moved_before(payment: FolioPayment, change: datetime) -> bool:
    """Whether this money had moved when the booking was changed. A voucher that a change has settled, as the top-up it waited for is not
    needed any more (S0-19), is money of the same instant that came after it."""
    at = payment.occurred_at
    return at is not None and (at < change if payment.voucher else at <= change)


def _planned(folio: Folio, plan: OtherPlan) -> Folio:
    if folio.vouchers:
        anew = PlannedPayments(deposit=plan.due_now, second_payment=plan.second_payment, due_on=plan.due_on)
        return replanned(replace(folio, planned=anew))
    return replace(folio, due_now=plan.due_now, second_payment=plan.second_payment, second_payment_on=plan.due_on)
