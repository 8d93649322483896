"""Vouchers as a means of payment: entered by the customer, any number, and what may be typed (S0-4 to S0-14).

What the merchant's check comes to is `handlers.voucher`; the arithmetic is `handlers.voucher_schedule`. Amounts are minor units of the
folio's currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.booking import BOOKING
from handlers.entitlement import Feature, check_feature
from handlers.frozen import local
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.voucher_accept import reminders, rescheduled
from handlers.voucher_number import check_number
from handlers.voucher_release import ask
from handlers.voucher_schedule import LET_GO, counted, planned, replace_voucher, split, voucher_of, waiting
from handlers.voucher_told import told_as_voucher
from handlers.voucher_worth import held_at_most
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioStatus, PaymentStatus
from schemas.folio_voucher import FolioVoucher
from schemas.payment import Tender
from schemas.policy import PropertyPolicy
from schemas.voucher import VoucherEnter, VoucherStatus
from schemas.voucher_code import normalised


def waits_for(key: str) -> str:
    """What a check waits for that comes before its voucher (X-2)."""
    return f"voucher:{key}"


def decide_enter(message: VoucherEnter, facts: Facts) -> Outcome:
    """`voucher.enter` (S0-4 to S0-14): any number is taken; the booking waits for the merchant's check, the voucher's own book is asked to
    hold what it has.

    Raises Early for an unknown booking, Stale for what is entered already, Rejected `feature_not_available`, `already_cancelled`,
    `currency_mismatch`, `voucher_number_empty`, `voucher_entered`, `too_many_vouchers`, `amount_above_total`, `deposit_not_covered`,
    `voucher_value_exceeded`, `amount_above_balance`, `nothing_owed`.
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this voucher pays is not here yet", waits_for=BOOKING)
    here = local(facts, folio)
    check_feature(Feature.VOUCHER, facts, here.zone)
    number, key = message.number.strip(), normalised(message.number)
    _check_typed(message, key)
    _check_entry(message, folio, key, here.policy)
    has_deposit = account.collected(folio) >= planned(folio).deposit
    voucher = FolioVoucher(
        number=number, key=key, minor=message.amount, counts=message.amount, entered_at=facts.act, beyond_deposit=has_deposit
    )
    _check_deposit(message, folio, here.policy)
    if here.policy.enforce_known_vouchers:
        _check_known(voucher, folio, facts)
    entered = rescheduled(folio, account.changed(replace_voucher(replace(folio, planned=planned(folio)), voucher)), facts)
    amount = account.text(message.amount, folio.currency)
    first = Outcome(
        messages=(ask("voucher.hold_asked", folio, voucher, voucher.minor),),
        timers=reminders(key, facts, here.policy),
        unparks=(waits_for(key),),
        trace=(Step("S0-14", f"voucher {number}: {amount} as typed, to be checked by the merchant"),),
        policy_version=folio.policy,
    )
    return merge(first, entered)


def _check_typed(message: VoucherEnter, key: str) -> None:
    """S0-6: number and amount as they were typed."""
    check_number(message.number)
    if not key:
        text = "a voucher's number needs at least one letter or digit"
        raise Rejected(text, code="voucher_number_empty", rule="S0-6", field="number", value=message.number)
    if message.amount <= 0:
        raise Rejected("type an amount above 0", code="value_out_of_range", rule="S0-6", field="amount", value=message.amount)


def _check_entry(message: VoucherEnter, folio: Folio, key: str, policy: PropertyPolicy) -> None:
    """A-16, S0-5, S0-31: no more than `max_vouchers` stand on a booking that lives, and none is typed for more than is owed. Raises
    Rejected `already_cancelled`, `currency_mismatch`, `too_many_vouchers`, `amount_above_total`, `nothing_owed`, and those of
    `_check_new`."""
    _check_new(message, folio, key)
    if folio.status is FolioStatus.CANCELLED:
        raise Rejected(f"{folio.folio} is cancelled", code="already_cancelled", rule="S0-31", field="folio", value=folio.folio)
    if message.currency not in ("", folio.currency):
        text = f"{folio.folio} is booked in {folio.currency}"
        raise Rejected(text, code="currency_mismatch", rule="S0-6", field="currency", value=message.currency)
    if len([voucher for voucher in folio.vouchers if voucher.status not in LET_GO]) >= policy.max_vouchers:
        text = f"{folio.folio} takes {policy.max_vouchers} voucher(s) at most (max_vouchers)"
        raise Rejected(text, code="too_many_vouchers", rule="A-16", field="number", value=message.number)
    open_ = account.ordered(folio) - counted(folio)
    if message.amount > open_:
        amount, most = (account.text(minor, folio.currency) for minor in (message.amount, open_))
        text = f"{amount} is above the {most} that the booking costs: type at most that"
        raise Rejected(text, code="amount_above_total", rule="S0-5", field="amount", value=message.amount)
    pending = sum(voucher.counts for voucher in waiting(folio))
    owed = max(0, account.balance(folio) - account.under_way(folio) - pending)
    if message.amount > owed:
        amount, most = (account.text(minor, folio.currency) for minor in (message.amount, owed))
        text = f"{amount} were typed, and {most} are still owed: type at most that"
        if not owed:
            raise Rejected(text, code="nothing_owed", rule="S0-5", field="amount", value=message.amount)
        raise Rejected(text, code="amount_above_balance", rule="S0-5", field="amount", value=message.amount)


def _check_new(message: VoucherEnter, folio: Folio, key: str) -> None:
    """S0-20: a number stands once on a booking, entered or told as a payment; one that was let go may be entered again."""
    known = voucher_of(folio, key)
    if known is not None and known.status is VoucherStatus.REFUSED:
        text = f"voucher {known.number} was refused for {folio.folio}: it is not checked a second time"
        raise Rejected(text, code="voucher_checked", rule="S0-19", field="number", value=message.number)
    if known is not None and known.status is not VoucherStatus.RELEASED:
        if known.minor == message.amount:
            raise Stale(f"voucher {known.number} is entered already", field="number", value=known.number)
        text = f"voucher {known.number} is entered with {known.minor}: leave it, or cancel the booking and book anew"
        raise Rejected(text, code="voucher_entered", rule="S0-20", field="amount", value=message.amount)
    told = next((one for one in folio.payments if told_as_voucher(one, key)), None)
    if told is not None:
        text = f"voucher {message.number} is payment {told.payment} of {folio.folio} already"
        raise Rejected(text, code="voucher_entered", rule="S0-20", field="number", value=message.number)


def _check_deposit(message: VoucherEnter, folio: Folio, policy: PropertyPolicy) -> None:
    """S0-7, S0-13: what is missing of the deposit must be payable by another method, or be here already."""
    plan = planned(folio)
    due_now, _ = split(plan.deposit, plan.deposit + plan.second_payment, counted(folio) + message.amount)
    missing = due_now - sum(one.collected() for one in folio.payments if one.tender is not Tender.VOUCHER and not one.unapplied)
    wanted = message.second_tender
    available = policy.second_tenders if wanted is None else tuple([one for one in policy.second_tenders if one is wanted])
    if missing > 0 and not available and not _promised(folio):
        text = f"{account.text(missing, folio.currency)} of the deposit are not covered and no other method is available (second_tenders)"
        raise Rejected(text, code="deposit_not_covered", rule="S0-13", field="amount", value=message.amount)


def _promised(folio: Folio) -> bool:
    return any(payment.status is PaymentStatus.AUTHORISED and not payment.unapplied for payment in folio.payments)


def _check_known(voucher: FolioVoucher, folio: Folio, facts: Facts) -> None:
    """A-15 `enforce_known_vouchers`: more than the voucher's own book holds is refused at once."""
    most = held_at_most(facts.voucher, folio, facts)
    if most is not None and voucher.minor > most:
        asked, has = (account.text(minor, folio.currency) for minor in (voucher.minor, most))
        text = f"voucher {voucher.number} has {has}, {asked} were typed"
        raise Rejected(text, code="voucher_value_exceeded", rule="A-15", field="amount", value=voucher.minor)
