"""What vouchers make of a booking's payments (S0-7 to S0-12).

Pure arithmetic on a folio; who entered what is `handlers.voucher`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from handlers import account
from handlers.deposit import Schedule
from handlers.outcome import Step
from schemas.folio import Folio, PaymentStatus
from schemas.folio_voucher import FolioVoucher, PlannedPayments
from schemas.payment import Tender
from schemas.voucher import VoucherStatus

WAITS = frozenset({VoucherStatus.PENDING_CHECK, VoucherStatus.AWAITING_TOP_UP, VoucherStatus.SETTLING})
"""S0-19: vouchers that nobody has accepted for good yet."""
LET_GO = frozenset({VoucherStatus.RELEASED, VoucherStatus.REFUSED})
"""Vouchers that the booking has nothing to do with any more."""


def counted(folio: Folio) -> int:
    """What the vouchers of a booking stand for of its price, as far as is known."""
    return sum([voucher.counts for voucher in folio.vouchers])


def split(deposit: int, total: int, vouchers: int) -> tuple[int, int]:
    """S0-11: what is due now beside the vouchers, and the balance: together with them the total, if they are not above it."""
    return max(0, deposit - vouchers), max(0, total - max(deposit, vouchers))


def with_vouchers(plan: Schedule, folio: Folio) -> Schedule:
    """S0-7 to S0-12, V8, V27: the plan of a booking, less what its vouchers pay: the deposit first, then the balance."""
    vouchers = counted(folio)
    if not folio.vouchers:
        return plan
    due_now, balance = split(plan.due_now, plan.due_now + plan.second_payment, vouchers)
    return replace(
        plan,
        due_now=due_now,
        second_payment=balance,
        due_on=plan.due_on if balance else None,
        trace=(*plan.trace, step(plan.due_now, plan.due_now + plan.second_payment, vouchers, folio.currency)),
    )


def step(deposit: int, total: int, vouchers: int, currency: str) -> Step:
    """The arithmetic in words."""
    due_now, balance = split(deposit, total, vouchers)
    first, has, now, whole, later = (account.text(minor, currency) for minor in (deposit, vouchers, due_now, total, balance))
    return Step(
        "S0-11", f"due now max(0, {first} − {has}) = {now}; balance {whole} − max({first}, {has}) = {later}; vouchers {has}"
    )


def planned(folio: Folio) -> PlannedPayments:
    """The payments as they would be without vouchers: together what is ordered now, of which the second is less first where lines were
    cancelled meanwhile."""
    plan = folio.planned
    if plan is None:
        plan = PlannedPayments(deposit=folio.due_now, second_payment=folio.second_payment, due_on=folio.second_payment_on)
    ordered = max(0, account.ordered(folio))
    deposit = min(plan.deposit, ordered) if plan.due_on is not None else ordered
    rest = ordered - deposit
    return PlannedPayments(deposit=deposit, second_payment=rest, due_on=plan.due_on if rest else None)


def fitted(folio: Folio) -> Folio:
    """S0-5, S0-11: the folio whose vouchers stand for no more than what is ordered now: those that were accepted for what is left of them
    here, those that wait for what they were typed or accepted with, as far as there is room."""
    here: dict[str, int] = {}
    for payment in folio.payments:
        if payment.voucher:
            here[payment.voucher] = here.get(payment.voucher, 0) + payment.collected()
    settled = [voucher for voucher in folio.vouchers if voucher.status not in WAITS]
    room = account.ordered(folio) - sum(here.get(voucher.key, 0) for voucher in settled)
    vouchers = []
    for voucher in folio.vouchers:
        if voucher.status in WAITS:
            counts = max(0, min(voucher.take + voucher.goodwill or voucher.minor, room))
            room -= counts
        else:
            counts = max(0, here.get(voucher.key, 0))
        vouchers.append(voucher if counts == voucher.counts else replace(voucher, counts=counts))
    return replace(folio, vouchers=tuple(vouchers))


def without_vouchers(folio: Folio) -> Folio:
    """The folio with the payments that it would have without vouchers: what a change of the booking starts from."""
    if folio.planned is None:
        return folio
    plan = planned(folio)
    return replace(folio, due_now=plan.deposit, second_payment=plan.second_payment, second_payment_on=plan.due_on)


def replanned(folio: Folio) -> Folio:
    """The folio with the payments that its vouchers leave (S0-11)."""
    folio, plan = fitted(folio), planned(folio)
    total = plan.deposit + plan.second_payment
    due_now, balance = split(plan.deposit, total, counted(folio))
    due_on: date | None = plan.due_on if balance else None
    return replace(folio, planned=plan, due_now=due_now, second_payment=balance, second_payment_on=due_on)


def money_at_hand(folio: Folio) -> int:
    """What other means have brought or promised: collected, and authorised and not yet taken."""
    minor = 0
    for payment in folio.payments:
        if payment.unapplied or payment.tender is Tender.VOUCHER:
            continue
        minor += payment.collected()
        if payment.status is PaymentStatus.AUTHORISED:
            minor += payment.authorised
    return minor


def voucher_of(folio: Folio, key: str) -> FolioVoucher | None:
    """The booking's voucher of that number, in its one spelling, or None."""
    return next((voucher for voucher in folio.vouchers if voucher.key == key), None)


def replace_voucher(folio: Folio, voucher: FolioVoucher) -> Folio:
    """The folio with this voucher in place of the one of its number, or added last."""
    others = [voucher if known.key == voucher.key else known for known in folio.vouchers]
    return replace(folio, vouchers=tuple(others if voucher in others else [*others, voucher]))


def waiting(folio: Folio) -> tuple[FolioVoucher, ...]:
    """Vouchers of a booking that are not accepted for good yet."""
    return tuple([voucher for voucher in folio.vouchers if voucher.status in WAITS])
