"""A voucher that the merchant has checked: settled with its own book, then money of the booking (S0-8, S0-19, S0-21).

Refused ones are `handlers.voucher_decline`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from handlers import account
from handlers.collecting import captured, concluded
from handlers.frozen import property_policy
from handlers.outcome import Facts, Outcome, Step, Timer, folio_of, merge
from handlers.schedule_told import told_where_moved
from handlers.voucher_release import TOP_UP, VOUCHER_CHECK, ask, check_timers
from handlers.voucher_schedule import money_at_hand, planned, replace_voucher, replanned, step, voucher_of, waiting
from handlers.voucher_second import beside_vouchers, settling
from ledger import recipes
from schemas.booking import BookingAccepted
from schemas.errors import Early
from schemas.folio import Folio, FolioPayment, FolioStatus, PaymentStatus
from schemas.folio_voucher import FolioVoucher
from schemas.payment import Tender
from schemas.policy import PropertyPolicy
from schemas.voucher import Stage, VoucherCheckRequested, VoucherOrigin, VoucherStatus, VoucherTopUpAwaited
from schemas.voucher_talk import VoucherAnswered


def rescheduled(before: Folio, after: Folio, facts: Facts) -> Outcome:
    """S0-11: the payments that the vouchers leave, told where they moved, with the second payment's timer; where a balance is asked for,
    its request tells it (S1-37)."""
    after = replanned(after)
    plan, counted = planned(after), sum(voucher.counts for voucher in after.vouchers)
    return told_where_moved(before, after, facts, step(plan.deposit, plan.deposit + plan.second_payment, counted, after.currency))


def check_requested(folio: Folio, voucher: FolioVoucher, stage: Stage, payment: str = "") -> VoucherCheckRequested:
    """S0-16: number and amount, as typed or as far as the booking still needs it, and what the hub can say of them."""
    return VoucherCheckRequested(
        number=voucher.number,
        amount=voucher.counts,
        currency=folio.currency,
        origin=voucher.origin.value,
        flags=tuple([flag.value for flag in voucher.flags]),
        known_value=voucher.held if voucher.known else None,
        due_now=folio.due_now,
        balance=folio.second_payment,
        stage=stage.value,
        again=voucher.again or None,
        payment=payment,
    )


def reminders(key: str, facts: Facts, policy: PropertyPolicy) -> tuple[Timer, ...]:
    """S0-35: when the merchant is told again of what is not checked: at 24 and at 48 hours."""
    hours = {Stage.REMINDER: policy.voucher_reminder_hours, Stage.ESCALATION: policy.voucher_escalation_hours}
    return tuple(
        [
            Timer(
                name=f"{VOUCHER_CHECK}:{stage.value}:{key}",
                due=facts.act + timedelta(hours=after),
                kind=VOUCHER_CHECK,
                subject=f"{stage.value}:{key}",
            )
            for stage, after in hours.items()
        ]
    )


def agreed(folio: Folio, voucher: FolioVoucher, take: int, goodwill: int, facts: Facts) -> Outcome:
    """S0-19: the merchant accepts `take` of the voucher and gives `goodwill`, both no more than is owed. What is worth less than was typed
    and makes more due now than is at hand waits for the top-up; everything else is settled."""
    owed = max(0, account.balance(folio) - account.under_way(folio))
    take = min(take, owed)
    goodwill = min(goodwill, owed - take)
    if not take + goodwill:
        return _not_needed(folio, voucher, facts)
    accepted = replace(voucher, take=take, goodwill=goodwill, counts=take + goodwill)
    planned_ = rescheduled(folio, replace_voucher(folio, accepted), facts)
    after = folio_of(planned_)
    missing = after.due_now - money_at_hand(after)
    quiet = Outcome(cancel=check_timers(voucher.key))
    if after.due_now > folio.due_now and missing > 0:
        return merge(merge(planned_, quiet), _awaited(after, accepted, missing, facts))
    return merge(merge(planned_, replace(quiet, cancel=(*quiet.cancel, *_no_top_up_timer(folio)))), settling(after, accepted))


def no_top_up(folio: Folio, voucher: FolioVoucher) -> Folio:
    """The folio once nothing is awaited for this voucher any more, which the merchant has decided anew (S0-19)."""
    others = [one for one in folio.vouchers if one.status is VoucherStatus.AWAITING_TOP_UP and one.key != voucher.key]
    return folio if others else replace(folio, top_up_until=None)


def _no_top_up_timer(folio: Folio) -> tuple[str, ...]:
    return () if folio.top_up_until is not None else (TOP_UP,)


def _not_needed(folio: Folio, voucher: FolioVoucher, facts: Facts) -> Outcome:
    """S0-5: other means have paid the booking meanwhile: it is accepted, and the voucher keeps its value."""
    let_go = replace(voucher, status=VoucherStatus.RELEASED, counts=0, held=0)
    moved = rescheduled(folio, replace_voucher(folio, let_go), facts)
    more = Outcome(
        messages=(ask("voucher.release_asked", folio, voucher, voucher.minor, reason="nothing is owed"),),
        cancel=(*check_timers(voucher.key), *_no_top_up_timer(folio)),
        trace=(Step("S0-5", f"voucher {voucher.number}: nothing is owed any more, it is let go"),),
    )
    out = merge(moved, more)
    out = out if waiting(folio_of(out)) else merge(out, _booked(folio_of(out)))
    return merge(out, beside_vouchers(folio_of(out), facts))


def _awaited(folio: Folio, voucher: FolioVoucher, missing: int, facts: Facts) -> Outcome:
    """S0-19: 48 hours (`top_up_hours`) for what is due now and was to come from the voucher."""
    until = facts.act + timedelta(hours=property_policy(facts, folio).top_up_hours)
    told = VoucherTopUpAwaited(
        number=voucher.number, value=voucher.take, currency=folio.currency, due_now=folio.due_now, missing=missing, until=until
    )
    after = replace_voucher(folio, replace(voucher, status=VoucherStatus.AWAITING_TOP_UP))
    worth, short = account.text(voucher.take, folio.currency), account.text(missing, folio.currency)
    text = f"voucher {voucher.number} is worth {worth}: {short} are awaited until {until.isoformat()}"
    return Outcome(
        state=replace(after, top_up_until=until),
        facts=(told,),
        timers=(Timer(name=TOP_UP, due=until, kind=TOP_UP, subject=voucher.key),),
        trace=(Step("S0-19", text),),
    )


def decide_settled(message: VoucherAnswered, facts: Facts) -> Outcome:
    """The voucher's own book has answered: with all that was asked for, which is money of the booking from now on; or with nothing, since
    it holds less by now: the merchant is asked once more. What it took for a booking that does not want it any more goes back to it."""
    folio = facts.folio
    voucher = voucher_of(folio, message.key) if folio is not None else None
    if folio is None or voucher is None:
        raise Early("the booking of this voucher is not here", waits_for="booking")
    if voucher.status is not VoucherStatus.SETTLING:
        back = (ask("voucher.credit_asked", folio, voucher, message.minor, reason="not wanted any more"),) if message.minor else ()
        return Outcome(state=folio, messages=back, trace=(Step("S0-19", f"voucher {voucher.number} is {voucher.status.value}"),))
    if message.minor != voucher.take:
        return _asked_again(folio, voucher, message, facts)
    return _accepted(folio, voucher, facts)


def _asked_again(folio: Folio, voucher: FolioVoucher, message: VoucherAnswered, facts: Facts) -> Outcome:
    """S0-21: an own voucher is never spent twice: what its hold had is gone, and a person decides anew, never in silence."""
    again = replace(
        voucher,
        status=VoucherStatus.PENDING_CHECK,
        counts=voucher.minor,
        take=0,
        goodwill=0,
        verdict="",
        held=message.held,
        known=message.known,
        origin=message.origin if message.known else voucher.origin,
        flags=message.flags,
        again=voucher.again + 1,
    )
    moved = rescheduled(folio, replace_voucher(folio, again), facts)
    after = folio_of(moved)
    asked, has = account.text(voucher.take, folio.currency), account.text(message.held, folio.currency)
    step = Step("S0-21", f"voucher {voucher.number}: {asked} were accepted, its book has {has}: checked again")
    told = Outcome(
        facts=(check_requested(after, voucher_of(after, voucher.key) or again, Stage.NOT_COVERED),),
        timers=reminders(voucher.key, facts, property_policy(facts, folio)),
        trace=(step,),
        policy_version=folio.policy,
    )
    return merge(moved, told)


def _accepted(folio: Folio, voucher: FolioVoucher, facts: Facts) -> Outcome:
    """S0-8, S0-19: the voucher's part, and the house's goodwill, are payments of the booking."""
    own = recipes.voucher_account(voucher.key) if voucher.origin is VoucherOrigin.ISSUED_HERE else ""
    status = VoucherStatus.ACCEPTED if voucher.take + voucher.goodwill >= voucher.minor else VoucherStatus.LOWER
    kept = replace(voucher, status=status, held=0, payment=facts.id("voucher") if voucher.take else "")
    first = Outcome(state=replace_voucher(folio, kept))
    for payment, minor, book in (
        (facts.id("voucher"), voucher.take, own),
        (facts.id("goodwill"), voucher.goodwill, recipes.goodwill_account(folio)),
    ):
        if minor:
            here = folio_of(first)
            first = merge(first, captured(here, _payment(here, payment, minor, voucher.key, book, facts), minor))
    if not waiting(folio_of(first)):
        first = merge(first, _booked(folio_of(first)))
    worth = (
        f"{account.text(voucher.take, folio.currency)} of the voucher, {account.text(voucher.goodwill, folio.currency)} goodwill"
    )
    first = replace(first, trace=(Step("S0-19", f"voucher {voucher.number}: {status.value}, {worth}"), *first.trace))
    return replace(concluded(folio, first, kept.payment or facts.id("goodwill"), facts), policy_version=folio.policy)


def _payment(folio: Folio, payment: str, minor: int, key: str, book: str, facts: Facts) -> FolioPayment:
    return FolioPayment(
        payment=payment,
        tender=Tender.VOUCHER,
        status=PaymentStatus.CAPTURED,
        position=max([other.position for other in folio.payments], default=-1) + 1,
        captured=minor,
        occurred_at=facts.act,
        voucher=key,
        book=book,
    )


def _booked(folio: Folio) -> Outcome:
    """S0-15: all vouchers are checked, so the merchant has accepted the booking."""
    after = replace(folio, status=FolioStatus.CONFIRMED)
    told = BookingAccepted(
        revision=None,
        property=folio.property,
        currency=folio.currency,
        ordered=account.ordered(folio),
        service_fee=folio.service_fee,
        terms={line.line: line.policy for line in folio.lines if line.policy},
    )
    return Outcome(state=after, facts=(told,), trace=(Step("S0-15", f"{folio.folio}: accepted by the merchant"),))
