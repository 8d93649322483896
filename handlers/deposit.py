"""The payment schedule: what is due at purchase, what later, and until when (S4-10 to S4-21, X-23, X-25).

Works on the folio as it was just ordered; `handlers.booking` says when. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction

import msgspec

from handlers import account, balance_dates
from handlers.frozen import WITH_TERMS, property_policy, terms_of
from handlers.outcome import Facts, Step
from handlers.penalty import penalty
from schemas.booking import PaymentPlan
from schemas.errors import Rejected
from schemas.folio import Folio, FolioLine
from schemas.money import FULL_RATE, ZERO_RATE, parse_rate, rate_text
from schemas.policy import BalancePolicy, Boundary, DepositBasis, PropertyPolicy, Terms, Unit

HOURS_A_DAY = 24


class Schedule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`due_now` + `second_payment` = ordered. `advance` is the part of the services' price in `due_now` (no fee, no taxes)."""

    due_now: int
    second_payment: int
    due_on: date | None
    advance: int
    trace: tuple[Step, ...] = ()


def deposit_rate(terms: Terms) -> Fraction:
    """S4-10, S4-11, S4-14, S4-18 (A-3): what tranche 2 keeps, or literally its refund rate by `deposit_basis`."""
    refund = terms.tranches[1].refund
    return refund if terms.deposit_basis is DepositBasis.REFUND_RATE else FULL_RATE - refund


def line_deposit(price: int, terms: Terms) -> int:
    """S4-20: the deposit of one line, half-up, by the function that rounds the penalty: as much as tranche 2 loses (S4-12); minor units."""
    return penalty(price, FULL_RATE - deposit_rate(terms))


def second_payment_days(terms: Terms) -> int:
    """S4-13: days before arrival; by default the lower bound of tranche 2 (with the owner's boundary one day more, as A-1 counts
    it; hours as whole days, rounded up)."""
    if terms.second_payment_days is not None:
        return terms.second_payment_days
    bound = max(terms.tranches[1].from_notice, 0)
    if terms.unit is Unit.HOUR:
        return -(-bound // HOURS_A_DAY)
    return bound + (terms.boundary is Boundary.OWNER)


def whole_trades(lines: Iterable[FolioLine], policy: PropertyPolicy) -> frozenset[str]:
    """S4-16, S4-17, A-6: trades whose subtotal, without fee, is strictly below their threshold: collected at 100 %."""
    subtotals: dict[str, int] = {}
    for line in lines:
        if line.kind in WITH_TERMS:
            subtotals[line.trade] = subtotals.get(line.trade, 0) + line.price
    return frozenset(trade for trade, minor in subtotals.items() if minor < policy.split_thresholds.get(trade, 0))


def due_date(folio: Folio, facts: Facts, lines: Iterable[FolioLine]) -> date | None:
    """S4-13, S1-39: the earliest of the lines' second payment dates; None when no line has an arrival. Where a balance is asked for, its
    deadline (S1-4, S1-7)."""
    if (balance := property_policy(facts, folio).balance) is not None:
        return balance_dates.second_day(folio, lines, balance)
    dates = []
    for line in lines:
        terms, arrival = terms_of(facts, line), account.arrival_of(folio, line)
        if terms is not None and arrival is not None:
            dates.append(arrival - timedelta(days=second_payment_days(terms)))
    return min(dates, default=None)


def _services(folio: Folio) -> int:
    return sum([line.price for line in folio.lines if not line.cancelled and line.kind in WITH_TERMS])


def at_once(folio: Folio, *steps: Step) -> Schedule:
    """Everything is due at purchase."""
    ordered = account.ordered(folio)
    services = _services(folio)
    text = f"everything is due at once: {account.text(ordered, folio.currency)}"
    return Schedule(due_now=ordered, second_payment=0, due_on=None, advance=services, trace=(*steps, Step("S4-13", text)))


def schedule(folio: Folio, facts: Facts, purchase: date) -> Schedule:
    """S4-13 to S4-21: the payments of a folio bought on local day `purchase`.

    Split: per line the rate of tranche 2 (S4-14), rounded half-up and then summed (S4-20), the fee in full with the first payment
    (S4-19). Everything at once: `split_cap` (S4-15), a trade below its threshold (S4-16), a purchase on or after the second
    payment's day (S4-21; S1-7, S1-8, A-8: on the deadline's own day too), and when nothing of the services is left for later.
    Tourist tax and insurance are outside the deposit and come with the second payment (X-23).
    """
    policy = property_policy(facts, folio)
    if folio.payment_plan is PaymentPlan.FULL:
        return at_once(folio)
    if policy.split_cap:
        return at_once(folio, Step("S4-15", f"{policy.version}: split_cap is on, whatever the plan"))
    lines = account.live_lines(folio)
    whole = whole_trades(lines, policy)
    due = balance_dates.due_in_full(folio, policy.balance, purchase)
    trace = [_threshold_step(trade, policy, folio.currency) for trade in sorted(whole)]
    advance, split = 0, []
    for line in lines:
        terms = terms_of(facts, line)
        if terms is None:
            continue
        first = line.price if line.trade in whole or line.line in due else line_deposit(line.price, terms)
        advance += first
        if first < line.price:
            split.append(line)
        if line.line in due:
            trace.append(Step("S1-39", f"line {line.line}: bought inside its own deadline, 100 %"))
        elif line.trade not in whole:
            trace.append(_deposit_step(line, terms, first, folio.currency))
    if not split:
        return at_once(folio, *trace)
    due_on = due_date(folio, facts, split)
    if due_on is not None and purchase >= due_on:
        rule, what = ("S4-21", "the second payment's day") if policy.balance is None else ("S1-7", "the balance's deadline")
        return at_once(folio, *trace, Step(rule, f"bought on {purchase}, {what} is {due_on}: 100 %"))
    return _in_two(folio, advance, due_on, trace)


def _threshold_step(trade: str, policy: PropertyPolicy, currency: str) -> Step:
    threshold = account.text(policy.split_thresholds[trade], currency)
    return Step("S4-16", f"trade {trade}: below its threshold of {threshold}, 100 %")


def _deposit_step(line: FolioLine, terms: Terms, first: int, currency: str) -> Step:
    rate = rate_text(terms.tranches[1].refund)
    factor = rate if terms.deposit_basis is DepositBasis.REFUND_RATE else f"(1 − {rate})"
    text = f"line {line.line}: {account.text(line.price, currency)} × {factor} = {account.text(first, currency)} now"
    return Step("S4-14", f"{text}, {terms.version} tranche 2")


def _in_two(folio: Folio, advance: int, due_on: date | None, trace: list[Step]) -> Schedule:
    fee = account.fee_charged(folio)
    due_now = advance + fee
    later = account.ordered(folio) - due_now
    aside = sum(line.price for line in account.live_lines(folio) if line.kind not in WITH_TERMS)
    if fee:
        trace.append(Step("S4-19", f"service fee {account.text(fee, folio.currency)} in full with the first payment"))
    if aside:
        trace.append(Step("X-23", f"taxes and insurance {account.text(aside, folio.currency)} with the second payment"))
    sums = [account.text(minor, folio.currency) for minor in (due_now, account.ordered(folio), due_now, later)]
    trace.append(Step("S4-20", f"first payment {sums[0]}; second {sums[1]} − {sums[2]} = {sums[3]}"))
    trace.append(Step("S4-13", f"second payment due by the end of {due_on}"))
    return Schedule(due_now=due_now, second_payment=later, due_on=due_on, advance=advance, trace=tuple(trace))


def rescheduled(folio: Folio, before: Folio, facts: Facts, today: date) -> Schedule:
    """S4-37, S1-34: the payments after a change, when money was taken or a line cancelled before it.

    The first payment stays what it was, the second is what else is ordered, its date follows the arrivals; on or after that date
    everything is due (S4-21).
    """
    if (balance := property_policy(facts, folio).balance) is not None:
        return _rest_asked(folio, before, balance, today)
    if folio.payment_plan is PaymentPlan.FULL or not before.second_payment:
        return at_once(folio)
    ordered = account.ordered(folio)
    first = min(before.due_now, ordered)
    lines = account.live_lines(folio)
    due_on = due_date(folio, facts, _in_parts(lines, facts) or lines)
    if first == ordered or due_on is None:
        return at_once(folio)
    if today >= due_on:
        return at_once(folio, Step("S4-21", f"changed on {today}, the second payment's day is {due_on}: 100 %"))
    sums = [account.text(minor, folio.currency) for minor in (first, ordered - first)]
    step = Step("S4-37", f"first payment stays {sums[0]}; second {sums[1]} by the end of {due_on}")
    return Schedule(due_now=first, second_payment=ordered - first, due_on=due_on, advance=first, trace=(step,))


def _rest_asked(folio: Folio, before: Folio, balance: BalancePolicy, today: date) -> Schedule:
    """S1-34: where a balance is asked for, what a change adds to what was due at purchase is asked for too, until the deadline, or until
    the end of today where that has passed."""
    ordered, deadline = account.ordered(folio), balance_dates.deadline(folio, balance)
    first = min(before.due_now, ordered)
    if first == ordered or deadline is None:
        return at_once(folio)
    due_on = max(deadline, today)
    sums = [account.text(minor, folio.currency) for minor in (first, ordered - first)]
    step = Step("S1-34", f"first payment stays {sums[0]}; {sums[1]} are the balance, until the end of {due_on}")
    return Schedule(due_now=first, second_payment=ordered - first, due_on=due_on, advance=first, trace=(step,))


def _in_parts(lines: Iterable[FolioLine], facts: Facts) -> tuple[FolioLine, ...]:
    priced = ((line, terms_of(facts, line)) for line in lines)
    return tuple(line for line, terms in priced if terms is not None and line_deposit(line.price, terms) < line.price)


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def check_advance(folio: Folio, plan: Schedule, purchase: date) -> tuple[Step, ...]:
    """X-25: refuses a plan whose first payment, without fee, exceeds `max_advance_rate` of the services' price while the arrival is
    more than `max_advance_months` away; without months always, with months alone nothing may be taken before them.

    Raises Rejected `advance_above_maximum`.
    """
    if not folio.max_advance_rate and folio.max_advance_months is None:
        return ()
    arrival = min((line.arrival for line in folio.lines if line.arrival is not None), default=None)
    months = folio.max_advance_months
    if months is not None and (arrival is None or arrival <= months_after(purchase, months)):
        return (Step("X-25", f"arrival {arrival} is not more than {months} months after {purchase}: no maximum"),)
    rate = parse_rate(folio.max_advance_rate) if folio.max_advance_rate else ZERO_RATE
    services = _services(folio)
    first, price = account.text(plan.advance, folio.currency), account.text(services, folio.currency)
    if plan.advance > rate * services:
        raise Rejected(
            f"first payment {first} is more than {rate_text(rate)} of {price} (max_advance_rate): choose a plan that takes less",
            code="advance_above_maximum",
            rule="X-25",
            field="payment_plan",
            value=folio.payment_plan.value,
        )
    return (Step("X-25", f"first payment {first} ≤ {rate_text(rate)} × {price}"),)
