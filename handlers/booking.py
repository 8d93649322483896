"""Bookings: the first time, confirmed, changed; and the second payment's day (S4-9, S4-13, S4-22, S4-37, S4-40, S4-45, X-2, X-8).

Cancelling is not here. A change is a fact of the system of record: lines that it leaves out are not ordered any more, without
penalty.
"""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from handlers import account, deposit
from handlers.balance_record import asked
from handlers.booking_lines import changed_lines, check_lines, check_rate, first_lines, floor_on_move
from handlers.commission import at_another_rate
from handlers.first_payment import other_plans, touched
from handlers.frozen import WITH_TERMS, local, property_policy, zone_of
from handlers.outcome import Facts, Outcome, Step, Timer, folio_of, merge
from handlers.payment_states import IN_FLIGHT
from handlers.penalty import start_of_day
from handlers.voucher_schedule import fitted, waiting, with_vouchers, without_vouchers
from handlers.voucher_second import beside_vouchers
from ledger import recipes
from schemas.booking import Booking, BookingAccepted, CollectedBy, PaymentScheduleSet, SecondPaymentOverdue
from schemas.common import Fact
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioLine, FolioStatus
from schemas.folio_voucher import PlannedPayments
from schemas.money import exponent
from schemas.operations import TimerFired
from schemas.policy import PropertyPolicy

SECOND_PAYMENT = "second_payment:due"
BOOKING = "booking"
"""What messages wait for that come before their booking (X-2)."""


def decide(message: Booking, facts: Facts) -> Outcome:
    """`booking.requested`, `booking.confirmed`, `booking.changed` (`facts.name`): the folio as it is now ordered.

    Raises Early for a change of an unknown booking, Stale for an older revision of the same source (X-2), Rejected for what cannot
    be ordered. A message without revision counts in arrival order.
    """
    folio = facts.folio
    if folio is None:
        if facts.name == "booking.changed":
            raise Early("the booking that this changes is not here yet", waits_for=BOOKING)
        return _first(message, facts)
    _check_known(message, folio, facts)
    return _again(message, folio, facts)


def _check_known(message: Booking, folio: Folio, facts: Facts) -> None:
    """X-2, S4-40: what a later message about a known booking may be."""
    known = folio.revisions.get(facts.source)
    requested = folio.status is FolioStatus.REQUESTED
    if message.revision is not None and known is not None and message.revision <= known:
        confirms = message.revision == known and requested and facts.name == "booking.confirmed"
        if not confirms:
            raise Stale(
                f"revision {message.revision} of {facts.source}, known is {known}", field="revision", value=message.revision
            )
    if message.revision is None and facts.name == "booking.requested" and not requested:
        raise Stale("a request for a booking that was decided since", field="revision", value="")
    if folio.status is FolioStatus.CANCELLED:
        raise Rejected(f"{folio.folio} is cancelled", code="already_cancelled", rule="S4-25", field="folio", value=folio.folio)
    if message.property != folio.property:
        text = f"{folio.folio} is booked at {folio.property!r}: cancel it and book anew"
        raise Rejected(text, code="property_mismatch", rule="S4-40", field="property", value=message.property)
    if message.currency != folio.currency:
        text = f"{folio.folio} is booked in {folio.currency}"
        raise Rejected(text, code="currency_mismatch", rule="X-4", field="currency", value=message.currency)


def _first(message: Booking, facts: Facts) -> Outcome:
    policy = _current_policy(message, facts)
    zone = zone_of(policy, facts.tenant)
    _check_currency(message, policy)
    _check(message)
    booked_at = message.booked_at or facts.act
    purchase = booked_at.astimezone(zone).date()
    lines, trace = first_lines(message, facts, purchase)
    ordered = Folio(
        folio=facts.key,
        tenant=facts.tenant.tenant,
        property=policy.property,
        policy=policy.version,
        currency=message.currency,
        status=FolioStatus.REQUESTED,
        lines=lines,
        channel=message.channel,
        payment_plan=message.payment_plan,
        booked_at=booked_at,
    )
    after = _told(ordered, message, facts)
    plan = deposit.schedule(after, facts, purchase)
    advance = deposit.check_advance(after, plan, purchase)
    step = Step("X-8", f"{policy.version} frozen; bought on {purchase.isoformat()} ({zone.key})")
    trace = (step, *trace, *plan.trace, *advance)
    return _outcome(message, None, after, plan, zone, trace, asks_for_balance=policy.balance is not None)


def _again(message: Booking, folio: Folio, facts: Facts) -> Outcome:
    policy = property_policy(facts, folio)
    zone = zone_of(policy, facts.tenant)
    _check(message)
    lines, trace = changed_lines(message, folio, facts, zone)
    after = at_another_rate(folio, replace(_told(folio, message, facts), lines=lines))
    if policy.tranche_floor_on_move:
        lines, moved = floor_on_move(after.lines, message, folio, after, facts, zone)
        after, trace = replace(after, lines=lines), trace + moved
    today = facts.act.astimezone(zone).date()
    advance: tuple[Step, ...] = ()
    stays = touched(folio, facts.act) or asked(folio)
    if stays:
        plan = deposit.rescheduled(after, without_vouchers(folio), facts, today)
    else:
        plan = deposit.schedule(after, facts, today)
        advance = deposit.check_advance(after, plan, today)
    after = replace(after, other_plans=other_plans(folio, after, plan, facts, today, anew=not stays))
    trace = (*trace, *plan.trace, *advance)
    changed = _outcome(message, folio, after, plan, zone, trace, asks_for_balance=policy.balance is not None)
    return merge(changed, beside_vouchers(folio_of(changed), facts)) if folio.vouchers else changed


def _told(folio: Folio, message: Booking, facts: Facts) -> Folio:
    """The folio with what the message says beside its lines. What X-25 freezes is taken while the booking is only requested, and what was
    sold as a package stays one (X-24)."""
    first = folio.status is FolioStatus.REQUESTED
    confirmed = not first or facts.name != "booking.requested"
    revisions = folio.revisions if message.revision is None else {**folio.revisions, facts.source: message.revision}
    frozen = message if first else folio
    return replace(
        folio,
        channel=frozen.channel,
        deposit_nature=frozen.deposit_nature,
        fee_basis=frozen.fee_basis,
        funds_holder=frozen.funds_holder,
        max_advance_rate=frozen.max_advance_rate,
        max_advance_months=frozen.max_advance_months,
        status=FolioStatus.CONFIRMED if confirmed else FolioStatus.REQUESTED,
        revisions=revisions,
        changes=folio.changes + 1,
        payment_plan=message.payment_plan,
        service_fee=message.service_fee,
        fee_returned=min(folio.fee_returned, message.service_fee),
        collected_by=message.collected_by,
        payments=account.payments_kept_by(folio, message.collected_by),
        is_package=message.is_package or (folio.is_package and not first),
        client=message.client,
        sub_agency=message.sub_agency,
        commission_rate=message.commission_rate,
        language=message.language,
        person=message.guest.person,
    )


def _current_policy(message: Booking, facts: Facts) -> PropertyPolicy:
    """X-12: what the property has settled now. Raises Rejected `unknown_property` for one that is not the tenant's own."""
    policy = facts.policies.properties.get(message.property)
    if policy is None or policy.tenant != facts.tenant.tenant:
        text = f"property {message.property!r} is not one of {facts.tenant.tenant!r}: add it to the configuration"
        raise Rejected(text, code="unknown_property", rule="X-12", field="property", value=message.property)
    return policy


def _check_currency(message: Booking, policy: PropertyPolicy) -> None:
    try:
        exponent(message.currency)
    except ValueError as why:
        raise Rejected(str(why), code="unknown_currency", rule="X-4", field="currency", value=message.currency) from why
    if message.currency not in policy.currencies:
        text = f"{policy.property!r} sells in {', '.join(policy.currencies)}"
        raise Rejected(text, code="currency_mismatch", rule="X-4", field="currency", value=message.currency)


def _check(message: Booking) -> None:
    check_lines(message)
    check_rate(message.commission_rate, "commission_rate")
    check_rate(message.max_advance_rate, "max_advance_rate")


def _outcome(
    message: Booking,
    before: Folio | None,
    after: Folio,
    plan: deposit.Schedule,
    zone: ZoneInfo,
    trace: tuple[Step, ...],
    *,
    asks_for_balance: bool,
) -> Outcome:
    if after.vouchers:
        planned = PlannedPayments(deposit=plan.due_now, second_payment=plan.second_payment, due_on=plan.due_on)
        after = fitted(replace(after, planned=planned))
        plan = with_vouchers(plan, after)
        trace = (*trace, *plan.trace[-1:])
    after = account.claimed(replace(after, due_now=plan.due_now, second_payment=plan.second_payment, second_payment_on=plan.due_on))
    ordered, collected = account.ordered(after), account.collected(after)
    facts: list[Fact] = [_accepted(message, after, ordered)]
    if before is None or _schedule(before) != _schedule(after):
        due_now, second, due_on = _schedule(after)
        facts.append(PaymentScheduleSet(due_now=due_now, second_payment=second, due_on=due_on, currency=after.currency))
    was = (account.ordered(before), account.collected(before)) if before is not None else None
    facts += account.moved(was, (ordered, collected), after.currency)
    timers, cancel = ((), ()) if asks_for_balance else second_payment_timers(before, after, zone)  # S1-37: its own request tells
    trace = (*trace, Step("S4-22", _balance_text(ordered, collected, after.currency)))
    return Outcome(
        state=after,
        facts=tuple(facts),
        entries=ordered_entries(before, after),
        timers=timers,
        cancel=cancel,
        unparks=(BOOKING,) if before is None else (),
        trace=trace,
        policy_version=after.policy,
    )


def _schedule(folio: Folio) -> tuple[int, int, date | None]:
    return folio.due_now, folio.second_payment, folio.second_payment_on


def _balance_text(ordered: int, collected: int, currency: str) -> str:
    owes, has, rest = [account.text(minor, currency) for minor in (ordered, collected, ordered - collected)]
    return f"ordered {owes} − collected {has} = balance {rest}"


def _accepted(message: Booking, folio: Folio, ordered: int) -> BookingAccepted:
    return BookingAccepted(
        revision=message.revision,
        property=folio.property,
        currency=folio.currency,
        ordered=ordered,
        service_fee=folio.service_fee,
        terms={line.line: line.policy for line in folio.lines if line.kind in WITH_TERMS},
    )


def second_payment_timers(before: Folio | None, after: Folio, zone: ZoneInfo) -> tuple[tuple[Timer, ...], tuple[str, ...]]:
    """S4-13, S1-44: the second payment is late from the next local day on. A channel collects for itself (X-20)."""
    if after.second_payment_on is None or after.collected_by is CollectedBy.CHANNEL:
        return (), (SECOND_PAYMENT,) if before is not None and before.second_payment_on is not None else ()
    due = start_of_day(after.second_payment_on + timedelta(days=1), zone)
    if before is not None and before.second_payment_on == after.second_payment_on and before.collected_by is after.collected_by:
        return (), ()
    return (Timer(name=SECOND_PAYMENT, due=due, kind=SECOND_PAYMENT, subject=str(after.second_payment_on)),), ()


def _price_owed(line: FolioLine) -> int:
    return 0 if line.cancelled else line.price


def ordered_entries(before: Folio | None, after: Folio) -> recipes.Transfers:
    """X-4: the differences between what was ordered and what is, line by line, then the fee."""
    entries: recipes.Transfers = ()
    if before is None:
        for line in after.lines:
            entries += recipes.ordered(after, line, _price_owed(line))
        return entries + recipes.fee_charged(after, account.fee_charged(after))
    old_lines = {line.line: line for line in before.lines}
    for line in after.lines:
        old = old_lines.pop(line.line, None)
        entries += _line_entries(after, old, line)
    for gone in old_lines.values():
        entries += recipes.unordered(after, gone, _price_owed(gone))
    fee = account.fee_charged(after) - account.fee_charged(before)
    return entries + (recipes.fee_charged(after, fee) if fee > 0 else recipes.fee_returned(after, -fee))


def _line_entries(folio: Folio, old: FolioLine | None, new: FolioLine) -> recipes.Transfers:
    was, now = _price_owed(old) if old is not None else 0, _price_owed(new)
    if old is not None and recipes.line_account(folio, old) != recipes.line_account(folio, new):
        return recipes.unordered(folio, old, was) + recipes.ordered(folio, new, now)
    return recipes.ordered(folio, new, now - was) if now > was else recipes.unordered(folio, new, was - now)


def decide_second_payment_due(message: TimerFired, facts: Facts) -> Outcome:
    """S4-13, S1-37, S1-44: the second payment's local day is over: told if the balance is open, never cancelled by itself. Where balances
    are asked for, a request tells it, and nobody while vouchers are not checked (S0-19)."""
    folio = facts.folio
    if folio is None or folio.status is FolioStatus.CANCELLED or message.subject != str(folio.second_payment_on):
        return Outcome(trace=(Step("S4-13", "no second payment is awaited"),))
    assert folio.second_payment_on is not None
    balance = account.balance(folio)
    sums = _balance_text(account.ordered(folio), account.collected(folio), folio.currency)
    step = Step("S1-37", f"second payment due by the end of {folio.second_payment_on}: {sums}")
    if balance <= 0 or folio.balance_requests or property_policy(facts, folio).balance is not None:
        return Outcome(trace=(step,), policy_version=folio.policy)
    overdue = SecondPaymentOverdue(
        due_on=folio.second_payment_on, balance=balance, currency=folio.currency, remind=_remind(folio, facts)
    )
    return Outcome(facts=(overdue,), trace=(step,), policy_version=folio.policy)


def _remind(folio: Folio, facts: Facts) -> bool:
    """S1-38: never during or after the stay, nor while a payment is on its way or a voucher is checked."""
    today = (facts.decided_at or facts.act).astimezone(local(facts, folio).zone).date()
    arrival = min((line.arrival for line in account.live_lines(folio) if line.arrival is not None), default=None)
    under_way = waiting(folio) or any(one.status in IN_FLIGHT for one in folio.payments)
    return not under_way and (arrival is None or today < arrival)
