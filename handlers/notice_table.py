"""Which facts are written about, to whom, how often, and what happens after a silence: the table of docs/rules/notice.md.

A kind more is a line of NOTICES, its word in `schemas.notice` and its text in connectors/mail/texts (docs/notices.md says how).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple

from handlers import notice_when as when
from schemas.balance import BalanceDisfunction, BalanceOverdue, BalancePaid, BalanceReplied, BalanceSent, CollectionUnreported
from schemas.booking import BookingAccepted, SecondPaymentOverdue
from schemas.cancellation import CancellationConfirmed
from schemas.common import Fact
from schemas.folio import Folio
from schemas.notice import Audience, NoticeFailed, NoticeKind
from schemas.operations import EffectNeedsPerson
from schemas.payment import PaymentCaptured, UnappliedReceipt
from schemas.refund import RefundExecuted, RefundManualRequired, RefundOverdue
from schemas.voucher import (
    BookingDeclined,
    VoucherCheckRequested,
    VoucherDeclined,
    VoucherExpiring,
    VoucherIssued,
    VoucherTopUpAwaited,
)


class Again(StrEnum):
    """What happens after a silence in which the server may have taken the mail: once more, or not, and `notice.failed` says so."""

    ONCE_MORE = "once_more"
    REFUSED = "refused"


class Notice(NamedTuple):
    """A fact of type `about` is written about to `audience`. `occasion`: its fields that tell one such fact from the next, none: once a
    booking. `when` may leave a fact out; `stands`, if it is no more so, that what failed is written once more (`notice.resend`)."""

    about: type[Fact]
    kind: NoticeKind
    audience: Audience
    again: Again
    occasion: tuple[str, ...] = ()
    when: Callable[[Any, Folio], bool] | None = None
    stands: Callable[[Mapping[str, Any], Folio, date], bool] | None = None


_K, _GUEST, _MERCHANT, _ONCE_MORE, _REFUSED = NoticeKind, Audience.GUEST, Audience.MERCHANT, Again.ONCE_MORE, Again.REFUSED
_ATTEMPT, _CHECK = ("request", "attempt"), ("number", "again")

NOTICES: Final = (
    Notice(BookingAccepted, _K.BOOKING_CONFIRMED, _GUEST, _ONCE_MORE, (), when.confirmed),
    Notice(
        SecondPaymentOverdue, _K.SECOND_PAYMENT_OVERDUE, _GUEST, _ONCE_MORE, ("due_on",), when.reminded_of_second, when.before_stay
    ),
    Notice(SecondPaymentOverdue, _K.SECOND_PAYMENT_UNPAID, _MERCHANT, _ONCE_MORE, ("due_on",), None, when.owed),
    Notice(CancellationConfirmed, _K.CANCELLATION_CONFIRMED, _GUEST, _ONCE_MORE, ("request", "quote"), when.without_voucher),
    Notice(RefundExecuted, _K.REFUND_EXECUTED, _GUEST, _REFUSED, ("refund", "payment", "provider_record"), when.in_money),
    Notice(RefundManualRequired, _K.REFUND_MANUAL_REQUIRED, _MERCHANT, _REFUSED, ("refund", "payment", "reason")),
    Notice(RefundOverdue, _K.REFUND_OVERDUE, _MERCHANT, _ONCE_MORE, ("refund",)),
    Notice(EffectNeedsPerson, _K.EFFECT_NEEDS_PERSON, _MERCHANT, _ONCE_MORE, ("effect", "reason")),
    Notice(UnappliedReceipt, _K.RECEIPT_UNAPPLIED, _MERCHANT, _ONCE_MORE, ("payment", "amount", "reason")),
    Notice(NoticeFailed, _K.NOTICE_FAILED, _MERCHANT, _ONCE_MORE, ("notice", "code"), when.to_a_guest),
    # balances
    Notice(BalanceSent, _K.BALANCE_ASKED, _GUEST, _ONCE_MORE, _ATTEMPT, when.first_asked, when.link_lives),
    Notice(BalanceSent, _K.BALANCE_ASKED_AGAIN, _GUEST, _ONCE_MORE, _ATTEMPT, when.asked_again, when.link_lives),
    Notice(BalanceOverdue, _K.BALANCE_OVERDUE, _GUEST, _REFUSED, ("request", "deadline"), when.reminded, when.link_lives),
    Notice(BalanceDisfunction, _K.BALANCE_NOT_COLLECTED, _GUEST, _ONCE_MORE, _ATTEMPT, when.invited, when.link_lives),
    Notice(BalancePaid, _K.BALANCE_PAID, _GUEST, _ONCE_MORE, ("request",)),
    Notice(BalanceReplied, _K.BALANCE_REPLIED, _MERCHANT, _REFUSED, _ATTEMPT, None, when.under_way),
    Notice(BalanceOverdue, _K.BALANCE_UNPAID, _MERCHANT, _ONCE_MORE, ("request", "deadline"), None, when.still_open),
    Notice(CollectionUnreported, _K.COLLECTION_UNREPORTED, _MERCHANT, _ONCE_MORE, _ATTEMPT, None, when.under_way),
    # vouchers
    Notice(VoucherCheckRequested, _K.VOUCHER_CHECK, _MERCHANT, _ONCE_MORE, _CHECK, when.check_begins, when.to_be_checked),
    Notice(
        VoucherCheckRequested, _K.VOUCHER_CHECK_REMINDER, _MERCHANT, _ONCE_MORE, _CHECK, when.check_reminded, when.to_be_checked
    ),
    Notice(
        VoucherCheckRequested, _K.VOUCHER_CHECK_ESCALATION, _MERCHANT, _ONCE_MORE, _CHECK, when.check_escalated, when.to_be_checked
    ),
    Notice(
        VoucherCheckRequested,
        _K.AUTHORISATION_EXPIRES,
        _MERCHANT,
        _ONCE_MORE,
        ("payment", *_CHECK),
        when.authorisation_ends,
        when.to_be_checked,
    ),
    Notice(VoucherCheckRequested, _K.VOUCHER_DUPLICATE, _MERCHANT, _ONCE_MORE, _CHECK, when.duplicate, when.to_be_checked),
    Notice(PaymentCaptured, _K.VOUCHER_ACCEPTED, _GUEST, _ONCE_MORE, ("payment",), when.by_voucher),
    Notice(VoucherTopUpAwaited, _K.VOUCHER_TOP_UP_AWAITED, _GUEST, _ONCE_MORE, ("number", "until"), None, when.top_up_awaited),
    Notice(PaymentCaptured, _K.VOUCHER_GOODWILL, _GUEST, _ONCE_MORE, ("payment",), when.by_goodwill_alone),
    Notice(VoucherDeclined, _K.VOUCHER_DECLINED, _GUEST, _ONCE_MORE, ("number",)),
    Notice(BookingDeclined, _K.BOOKING_DECLINED, _GUEST, _ONCE_MORE, ("number",)),
    Notice(VoucherIssued, _K.VOUCHER_ISSUED, _GUEST, _ONCE_MORE, ("number",)),
    Notice(VoucherExpiring, _K.VOUCHER_EXPIRING, _GUEST, _ONCE_MORE, ("number", "days_before"), None, when.still_good),
    Notice(RefundExecuted, _K.VOUCHER_CREDITED, _GUEST, _REFUSED, ("refund", "payment", "provider_record"), when.into_its_voucher),
)
"""A repeat of a balance due may come twice rather than never. Money given back that is told twice would frighten, and a merchant who is
told twice to give it back by hand may do so twice: there silence is not answered with a second mail.

Of balances: asked twice by one link, a guest pays once; not asked, he is late. A second word that it was not collected repeats the
invitation, by the same link. That it was paid harms nobody twice. The reminder that it is overdue is not repeated: he was asked before,
the merchant is told that nobody knows, and twice within an hour is a threat. That a guest has chosen is not repeated to the merchant, who
charges a card by hand on it and might charge twice; he is asked in any case what came of it (`collection_unreported`).

Of vouchers: nothing is accepted until the merchant has heard of it, and a check is said once whatever is asked twice. A code that is not
told is lost money, and the same code twice is one code. Value that came back is told once, as money is.
"""

BY_FACT: Final[Mapping[type[Fact], tuple[Notice, ...]]] = {
    about: tuple(one for one in NOTICES if one.about is about) for about in dict.fromkeys(one.about for one in NOTICES)
}
BY_KIND: Final[Mapping[NoticeKind, Notice]] = {one.kind: one for one in NOTICES}
