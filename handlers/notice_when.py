"""What leaves a fact out of the table of notices, and what makes a notice too late to be written once more.

A `when` is asked of a fact and of the folio as its decision leaves it; a `stands` of what a notice was to say, the folio as it is, and
the day at its property.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from handlers import account
from handlers.balance_dates import arrival_of
from handlers.balance_record import LIVE, request_of
from handlers.notice_number import entered
from handlers.voucher_schedule import voucher_of
from ledger import recipes
from schemas.balance import BalanceDisfunction, BalanceOverdue, BalanceSent
from schemas.balance_request import AttemptState, BalanceStatus
from schemas.booking import SecondPaymentOverdue
from schemas.common import Fact
from schemas.folio import Folio, FolioStatus
from schemas.notice import Audience, NoticeFailed
from schemas.payment import PaymentCaptured
from schemas.refund import RefundExecuted
from schemas.voucher import Flag, Stage, VoucherCheckRequested, VoucherStatus
from schemas.voucher_code import masked, normalised

BEGINS: Final = frozenset({Stage.ASKED, Stage.NOT_COVERED})
"""A check of a voucher begins, or begins anew since its own book has less than was accepted."""
_VOUCHER: Final = "voucher:"


def confirmed(_: Fact, folio: Folio) -> bool:
    """X-14: a booking that is only asked for is not written about."""
    return folio.status is FolioStatus.CONFIRMED


def to_a_guest(fact: NoticeFailed, _: Folio) -> bool:
    """S1-40: the merchant hears of a guest's notice that failed; of his own nobody writes again."""
    return fact.audience == Audience.GUEST


def first_asked(fact: BalanceSent, folio: Folio) -> bool:
    """S1-1: the first mail of a request; a later one asks again (S1-14, S1-34)."""
    request = request_of(folio, fact.request)
    return request is not None and request.notices == 1


def asked_again(fact: BalanceSent, folio: Folio) -> bool:
    """S1-14, S1-20, S1-34: by the same link, or by a new one that kills it."""
    return not first_asked(fact, folio)


def reminded(fact: BalanceOverdue, _: Folio) -> bool:
    """S1-37, S1-38: a guest who was asked and is not paying, and never during or after the stay."""
    return fact.remind


def reminded_of_second(fact: SecondPaymentOverdue, _: Folio) -> bool:
    """S4-13, S1-38: as of a balance, a guest who is not paying, and never during or after the stay."""
    return fact.remind


def invited(fact: BalanceDisfunction, _: Folio) -> bool:
    """S1-23, S1-38: without a link the stay has begun, and nobody is written to."""
    return fact.link > 0


def without_voucher(_: Fact, folio: Folio) -> bool:
    """S0-26: a booking that ends for a voucher gives nothing back in money; the mail with the code says that it is cancelled."""
    return folio.issued is None


def in_money(fact: RefundExecuted, _: Folio) -> bool:
    """S0-29: value that went into a voucher is nothing that an account will show."""
    return not fact.provider_record.startswith(_VOUCHER)


def into_its_voucher(fact: RefundExecuted, folio: Folio) -> bool:
    """S0-29: value went back to the voucher that had paid: neither the house's goodwill, nor into a code that is told as issued (S0-26)."""
    shown = fact.provider_record.removeprefix(_VOUCHER)
    payment = account.payment_of(folio, fact.payment)
    if in_money(fact, folio) or payment is None or payment.book == recipes.goodwill_account(folio):
        return False
    return folio.issued is None or shown != masked(normalised(folio.issued.number))


def by_voucher(fact: PaymentCaptured, folio: Folio) -> bool:
    """S0-19: the merchant has accepted a voucher, whose part is a payment; what the house adds to it is not the guest's."""
    return fact.payment in {voucher.payment for voucher in folio.vouchers}


def by_goodwill_alone(fact: PaymentCaptured, folio: Folio) -> bool:
    """S0-21: the house pays in the voucher's place, of which nothing is taken; what it adds to one is told with that one."""
    payment = account.payment_of(folio, fact.payment)
    if payment is None or payment.book != recipes.goodwill_account(folio):
        return False
    voucher = voucher_of(folio, payment.voucher)
    return voucher is not None and not voucher.payment


def check_begins(fact: VoucherCheckRequested, _: Folio) -> bool:
    """S0-16, S0-21."""
    return fact.stage in BEGINS


def check_reminded(fact: VoucherCheckRequested, _: Folio) -> bool:
    """S0-35, after `voucher_reminder_hours`."""
    return fact.stage == Stage.REMINDER


def check_escalated(fact: VoucherCheckRequested, _: Folio) -> bool:
    """S0-35, after `voucher_escalation_hours`."""
    return fact.stage == Stage.ESCALATION


def authorisation_ends(fact: VoucherCheckRequested, _: Folio) -> bool:
    """S0-35, a day before."""
    return fact.stage == Stage.AUTHORISATION_EXPIRES


def duplicate(fact: VoucherCheckRequested, _: Folio) -> bool:
    """S0-20: the number stands on another live booking."""
    return Flag.DUPLICATE in fact.flags and fact.stage in BEGINS


# -- too late to be written once more ------------------------------------------------------------------------------------------------


def link_lives(said: Mapping[str, Any], folio: Folio, today: date) -> bool:
    """S1-20, S1-38: the guest is still asked, by the link that the mail was to bring, and the stay has not begun."""
    request, arrival = request_of(folio, said["request"]), arrival_of(folio)
    asked = request is not None and request.status is BalanceStatus.SENT_NO_REPLY and request.link == said["link"]
    return asked and arrival is not None and today < arrival


def before_stay(_: Mapping[str, Any], folio: Folio, today: date) -> bool:
    """S1-37, S1-38: something is owed, and the stay has not begun."""
    arrival = arrival_of(folio)
    return account.balance(folio) > 0 and (arrival is None or today < arrival)


def owed(_: Mapping[str, Any], folio: Folio, __: date) -> bool:
    """S1-37: what was to be told as unpaid is unpaid."""
    return account.balance(folio) > 0


def still_open(said: Mapping[str, Any], folio: Folio, _: date) -> bool:
    """S1-37: the balance that was to be told as unpaid is unpaid."""
    request = request_of(folio, said["request"])
    return request is not None and request.status in LIVE


def under_way(said: Mapping[str, Any], folio: Folio, _: date) -> bool:
    """S1-15, S1-45: nothing has come of the attempt."""
    request = request_of(folio, said["request"])
    attempts = request.attempts if request is not None else ()
    return any(one.number == said["attempt"] and one.state is AttemptState.CHOSEN for one in attempts)


def to_be_checked(said: Mapping[str, Any], folio: Folio, _: date) -> bool:
    """S0-35: the merchant has not said anything."""
    voucher = entered(said, folio)
    return voucher is not None and voucher.status is VoucherStatus.PENDING_CHECK and (voucher.again or None) == said["again"]


def top_up_awaited(said: Mapping[str, Any], folio: Folio, _: date) -> bool:
    """S0-19: the guest can still pay the difference, or withdraw."""
    voucher = entered(said, folio)
    return voucher is not None and voucher.status is VoucherStatus.AWAITING_TOP_UP


def still_good(said: Mapping[str, Any], _: Folio, today: date) -> bool:
    """S0-28: the voucher's last day is not over."""
    return today <= date.fromisoformat(said["expires"])
