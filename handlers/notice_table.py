"""Which facts are written about, to whom, how often, and what happens after a silence: the table of docs/rules/notice.md.

A kind more is a line of NOTICES, its word in `schemas.notice` and its text in connectors/mail/texts (docs/notices.md says how).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from schemas.booking import BookingAccepted, SecondPaymentOverdue
from schemas.cancellation import CancellationConfirmed
from schemas.common import Fact
from schemas.folio import Folio, FolioStatus
from schemas.notice import Audience, NoticeFailed, NoticeKind
from schemas.operations import EffectNeedsPerson
from schemas.payment import UnappliedReceipt
from schemas.refund import RefundExecuted, RefundManualRequired, RefundOverdue


class Again(StrEnum):
    """What happens after a silence in which the server may have taken the mail: once more, or not, and `notice.failed` says so."""

    ONCE_MORE = "once_more"
    REFUSED = "refused"


class Notice(NamedTuple):
    """A fact of type `about` is written about to `audience`. `occasion`: its fields that tell one such fact from the next, none: once a
    booking. `when` may leave a fact out."""

    about: type[Fact]
    kind: NoticeKind
    audience: Audience
    again: Again
    occasion: tuple[str, ...] = ()
    when: Callable[[Any, Folio], bool] | None = None


def _confirmed(_: Fact, folio: Folio) -> bool:
    """X-14: a booking that is only asked for is not written about."""
    return folio.status is FolioStatus.CONFIRMED


def _to_a_guest(fact: NoticeFailed, _: Folio) -> bool:
    """S1-40: the merchant hears of a guest's notice that failed; of his own nobody writes again."""
    return fact.audience == Audience.GUEST


_K, _GUEST, _MERCHANT, _ONCE_MORE, _REFUSED = NoticeKind, Audience.GUEST, Audience.MERCHANT, Again.ONCE_MORE, Again.REFUSED

NOTICES: Final = (
    Notice(BookingAccepted, _K.BOOKING_CONFIRMED, _GUEST, _ONCE_MORE, (), _confirmed),
    Notice(SecondPaymentOverdue, _K.SECOND_PAYMENT_OVERDUE, _GUEST, _ONCE_MORE, ("due_on",)),
    Notice(CancellationConfirmed, _K.CANCELLATION_CONFIRMED, _GUEST, _ONCE_MORE, ("request", "quote")),
    Notice(RefundExecuted, _K.REFUND_EXECUTED, _GUEST, _REFUSED, ("refund", "payment", "provider_record")),
    Notice(RefundManualRequired, _K.REFUND_MANUAL_REQUIRED, _MERCHANT, _REFUSED, ("refund", "payment", "reason")),
    Notice(RefundOverdue, _K.REFUND_OVERDUE, _MERCHANT, _ONCE_MORE, ("refund",)),
    Notice(EffectNeedsPerson, _K.EFFECT_NEEDS_PERSON, _MERCHANT, _ONCE_MORE, ("effect", "reason")),
    Notice(UnappliedReceipt, _K.RECEIPT_UNAPPLIED, _MERCHANT, _ONCE_MORE, ("payment", "amount", "reason")),
    Notice(NoticeFailed, _K.NOTICE_FAILED, _MERCHANT, _ONCE_MORE, ("notice", "code"), _to_a_guest),
)
"""A repeat of a balance due may come twice rather than never. Money given back that is told twice would frighten, and a merchant who is
told twice to give it back by hand may do so twice: there silence is not answered with a second mail."""

BY_FACT: Final[Mapping[type[Fact], tuple[Notice, ...]]] = {
    about: tuple(one for one in NOTICES if one.about is about) for about in dict.fromkeys(one.about for one in NOTICES)
}
BY_KIND: Final[Mapping[NoticeKind, Notice]] = {one.kind: one for one in NOTICES}
