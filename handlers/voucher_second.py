"""What other means have brought beside a booking's vouchers: captured once all are accepted, and the top-up that was awaited (S0-19).

Called whenever money of a booking with vouchers moved, so that the order in which check and money come does not matter (X-2).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from handlers import account
from handlers.capture import take_or_release
from handlers.frozen import property_policy
from handlers.outcome import DAY, Facts, Internal, Outcome, Step, Timer
from handlers.quote_lines import authorised
from handlers.voucher_release import TOP_UP, VOUCHER_CHECK, ask, authorisation_timer
from handlers.voucher_schedule import money_at_hand, planned, replace_voucher, waiting
from schemas.folio import Folio, FolioPayment, FolioStatus
from schemas.folio_voucher import FolioVoucher
from schemas.payment import Tender
from schemas.voucher import Stage, VoucherStatus


def beside_vouchers(folio: Folio, facts: Facts) -> Outcome:
    """S0-19: while the merchant has not checked, nothing is taken; a top-up that is here lets the vouchers be settled; once all are
    accepted, of what is authorised as much as is due now is captured."""
    if not folio.vouchers or folio.status is FolioStatus.CANCELLED:
        return Outcome(state=folio)
    if folio.top_up_until is not None:
        return _topped_up(folio) if money_at_hand(folio) >= folio.due_now else Outcome(state=folio)
    if waiting(folio):
        return _watched(folio, facts)
    money = sum(payment.collected() for payment in folio.payments if payment.tender is not Tender.VOUCHER and not payment.unapplied)
    needed, taken = folio.due_now - money - account.under_way(folio), []
    for payment in authorised(folio):
        capture = min(payment.authorised, max(0, needed))
        needed -= capture
        if capture:
            taken.append((payment, capture))
    paid = any(voucher.payment for voucher in folio.vouchers) and account.balance(folio) <= account.under_way(folio)
    if not taken and paid:
        return _not_needed(folio, facts)
    if not taken:
        return Outcome(state=folio)
    steps = [
        Step("S0-19", f"payment {one.payment}: {account.text(minor, folio.currency)} taken, the vouchers are accepted")
        for one, minor in taken
    ]
    return replace(take_or_release(folio, taken, facts), trace=tuple(steps))


def paid_first(folio: Folio, payment: str) -> Outcome:
    """S0-19, X-2: a payment that is told after a voucher and had moved before it was entered: with the deposit here by then, the booking
    does not depend on that voucher. When money that was promised first was taken is not known: it does not count."""
    known, after, steps = account.payment_of(folio, payment), folio, []
    for voucher in waiting(folio):
        if known is None or voucher.beyond_deposit or not _moved_before(known, voucher.entered_at):
            continue
        here = sum([one.collected() for one in folio.payments if _moved_before(one, voucher.entered_at)])
        if here >= planned(folio).deposit:
            after = replace_voucher(after, replace(voucher, beyond_deposit=True))
            had = account.text(here, folio.currency)
            steps.append(
                Step("X-2", f"{had} had moved before voucher {voucher.number} was entered: the deposit was here before it")
            )
    return Outcome(state=after, trace=tuple(steps))


def _moved_before(payment: FolioPayment, entered_at: datetime) -> bool:
    at = payment.occurred_at
    return at is not None and at < entered_at and not payment.authorised and not payment.unapplied


def _not_needed(folio: Folio, facts: Facts) -> Outcome:
    """S0-19: the vouchers have paid everything, or what is under way does: what is only authorised is released."""
    open_ = authorised(folio)
    if not open_:
        return Outcome(state=folio)
    steps = [Step("S0-19", f"payment {one.payment}: released, the vouchers pay everything") for one in open_]
    return replace(take_or_release(folio, [(one, 0) for one in open_], facts), trace=tuple(steps))


def settling(folio: Folio, voucher: FolioVoucher) -> Outcome:
    """The merchant said yes: the voucher's own book is asked for the money, which counts once it has answered."""
    after = replace_voucher(folio, replace(voucher, status=VoucherStatus.SETTLING))
    return Outcome(state=after, messages=(ask("voucher.settle_asked", folio, voucher, voucher.take),))


def _topped_up(folio: Folio) -> Outcome:
    at_hand = account.text(money_at_hand(folio), folio.currency)
    step = Step(
        "S0-19", f"{at_hand} at hand beside the vouchers: the top-up of {account.text(folio.due_now, folio.currency)} is here"
    )
    after = replace(folio, top_up_until=None)
    messages: tuple[Internal, ...] = ()
    for voucher in folio.vouchers:
        if voucher.status is VoucherStatus.AWAITING_TOP_UP:
            asked = settling(after, voucher)
            assert isinstance(asked.state, Folio)
            after, messages = asked.state, (*messages, *asked.messages)
    return Outcome(state=after, messages=messages, cancel=(TOP_UP,), trace=(step,))


def _watched(folio: Folio, facts: Facts) -> Outcome:
    """S0-35: an authorisation ends by itself: the merchant is told a day before."""
    days = property_policy(facts, folio).authorisation_days
    timers = []
    for payment in authorised(folio):
        due = (payment.occurred_at or facts.act) + timedelta(days=days) - DAY
        name, subject = authorisation_timer(payment.payment), f"{Stage.AUTHORISATION_EXPIRES.value}:{payment.payment}"
        timers.append(Timer(name=name, due=due, kind=VOUCHER_CHECK, subject=subject))
    return Outcome(state=folio, timers=tuple(timers))
