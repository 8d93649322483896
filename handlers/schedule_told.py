"""The payments of a booking, told where something other than an order of it moved them: its vouchers, or money that is told late."""

from __future__ import annotations

from handlers.booking import second_payment_timers
from handlers.frozen import local
from handlers.outcome import Facts, Outcome, Step
from handlers.voucher_schedule import planned
from schemas.booking import PaymentScheduleSet
from schemas.folio import Folio


def told_where_moved(before: Folio, after: Folio, facts: Facts, why: Step) -> Outcome:
    """S0-11, S4-13: the payments of `after`, if they are not those of `before`, with the second payment's timer; where a balance is asked
    for, its request tells it (S1-37). Without vouchers they are told with the sum of what is ordered now (S4-20)."""
    now = after.due_now, after.second_payment, after.second_payment_on
    if now == (before.due_now, before.second_payment, before.second_payment_on):
        return Outcome(state=after)
    here = local(facts, after)
    timers, cancel = ((), ()) if here.policy.balance is not None else second_payment_timers(before, after, here.zone)
    if not after.vouchers:  # lines cancelled since a change plan nothing anew (S4-37)
        plan = planned(after)
        now = plan.deposit, plan.second_payment, plan.due_on
    told = PaymentScheduleSet(due_now=now[0], second_payment=now[1], due_on=now[2], currency=after.currency)
    return Outcome(state=after, facts=(told,), timers=timers, cancel=cancel, trace=(why,))
