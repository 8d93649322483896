"""The first payment at a change of a booking: it stays where money had moved by then, and is reckoned anew where none had (S4-37, X-2).

Which of the two it was may be known later, when a payment is told late: what the payments would be then is kept with the folio. What a
late payment makes of it is `handlers.first_payment_late`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from msgspec.structs import replace

from handlers import deposit
from handlers.deposit import Schedule
from handlers.outcome import Facts
from handlers.voucher_schedule import without_vouchers
from schemas.folio import Folio, FolioPayment, OtherPlan, PaymentStatus


def touched(folio: Folio, act: datetime) -> bool:
    """S4-37: whether the first payment may not be computed again: money had moved by `act`, or a line was cancelled before."""
    paid = any(counts(payment) and (payment.occurred_at is None or payment.occurred_at <= act) for payment in folio.payments)
    return paid or any(line.cancelled or line.kept for line in folio.lines)


def counts(payment: FolioPayment) -> bool:
    """Whether a payment is one of the booking: it has a home, and may bring money or has."""
    return not payment.unapplied and payment.status is not PaymentStatus.VOIDED


def other_plans(folio: Folio, after: Folio, plan: Schedule, facts: Facts, today: date, *, anew: bool) -> tuple[OtherPlan, ...]:
    """X-2: the payments after this change of `folio`, if money should turn out to have moved before it, or before an earlier one. `anew`:
    nothing is known to have moved yet. One that says what follows it says anyway is left out."""
    starts = [(one.at, _started(folio, one)) for one in folio.other_plans]
    if anew:
        starts.append((facts.act, without_vouchers(folio)))
    found = [_other(at, deposit.rescheduled(after, start, facts, today)) for at, start in sorted(starts, key=_instant)]
    return _different(found, _other(facts.act, plan))


def _started(folio: Folio, one: OtherPlan) -> Folio:
    return replace(folio, due_now=one.due_now, second_payment=one.second_payment, second_payment_on=one.due_on)


def _other(at: datetime, plan: Schedule) -> OtherPlan:
    return OtherPlan(at=at, due_now=plan.due_now, second_payment=plan.second_payment, due_on=plan.due_on)


def _instant(start: tuple[datetime, Folio]) -> datetime:
    return start[0]


def _different(found: Sequence[OtherPlan], last: OtherPlan) -> tuple[OtherPlan, ...]:
    kept: list[OtherPlan] = []
    for one in reversed(found):
        if replace(one, at=last.at) != replace(last, at=last.at):
            kept.append(one)
            last = one
    return tuple(reversed(kept))
