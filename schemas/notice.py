"""Notices: what guests and merchants are written, in which languages, and what became of it.

No address is here: where a notice goes is found when it is sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schemas.common import Fact, Id, Instant, Message, Personal, Refused, Text, Word


class NoticeKind(StrEnum):
    """What is written about; each has a line in `handlers.notice.NOTICES` and a text in connectors/mail/texts."""

    BOOKING_CONFIRMED = "booking_confirmed"
    SECOND_PAYMENT_OVERDUE = "second_payment_overdue"
    SECOND_PAYMENT_UNPAID = "second_payment_unpaid"
    CANCELLATION_CONFIRMED = "cancellation_confirmed"
    REFUND_EXECUTED = "refund_executed"
    REFUND_MANUAL_REQUIRED = "refund_manual_required"
    REFUND_OVERDUE = "refund_overdue"
    EFFECT_NEEDS_PERSON = "effect_needs_person"
    RECEIPT_UNAPPLIED = "receipt_unapplied"
    NOTICE_FAILED = "notice_failed"
    BALANCE_ASKED = "balance_asked"
    BALANCE_ASKED_AGAIN = "balance_asked_again"
    BALANCE_OVERDUE = "balance_overdue"
    BALANCE_NOT_COLLECTED = "balance_not_collected"
    BALANCE_PAID = "balance_paid"
    BALANCE_REPLIED = "balance_replied"
    BALANCE_UNPAID = "balance_unpaid"
    COLLECTION_UNREPORTED = "collection_unreported"
    VOUCHER_CHECK = "voucher_check"
    VOUCHER_CHECK_REMINDER = "voucher_check_reminder"
    VOUCHER_CHECK_ESCALATION = "voucher_check_escalation"
    AUTHORISATION_EXPIRES = "authorisation_expires"
    VOUCHER_DUPLICATE = "voucher_duplicate"
    VOUCHER_ACCEPTED = "voucher_accepted"
    VOUCHER_GOODWILL = "voucher_goodwill"
    VOUCHER_TOP_UP_AWAITED = "voucher_top_up_awaited"
    VOUCHER_DECLINED = "voucher_declined"
    BOOKING_DECLINED = "booking_declined"
    VOUCHER_ISSUED = "voucher_issued"
    VOUCHER_EXPIRING = "voucher_expiring"
    VOUCHER_CREDITED = "voucher_credited"


class Audience(StrEnum):
    """Who is written to."""

    GUEST = "guest"
    MERCHANT = "merchant"


class Language(StrEnum):
    """Languages that every notice can be written in (S0-34)."""

    EN = "en"
    FR = "fr"
    IT = "it"
    ES = "es"
    DE = "de"
    NL = "nl"


class NoticeState(StrEnum):
    """Where a notice stands. UNKNOWN: the server had all of it and said nothing; BOUNCED: it was taken, and came back."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BOUNCED = "bounced"


class NoticeText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a notice says in one language, as templates. `html` empty: the paragraphs of `text`, which an empty line parts."""

    subject: Annotated[str, Meta(min_length=1, max_length=500)]
    text: Annotated[str, Meta(min_length=1, max_length=20_000)]
    html: Annotated[str, Meta(max_length=100_000)] = ""


class NoticeRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A decision's wish: one row, then one mail. `notice` derives from tenant, folio, kind and attempt (S1-41); `variables` are what a
    text may say, amounts in minor units, dates of the property's zone."""

    notice: str
    kind: NoticeKind
    audience: Audience
    attempt: int
    language: Language
    property: str
    variables: dict[str, Any]


class NoticeBounced(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`notice.bounced` (S1-40): a mail came back. `code` is its enhanced status (`5.1.1`); `reason`, as servers write it, names
    addresses."""

    notice: Id
    code: Word = ""
    reason: Personal = ""


class NoticeResend(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`notice.resend` (X-15): an operator wants a notice that did not reach anybody written once more, as a notice of its own."""

    notice: Id


class NoticeRequested(Fact, frozen=True, kw_only=True):
    """`notice.requested`: what was confirmed will be told (X-14); `attempt` counts the notices of a kind in a folio, from 1."""

    notice: str
    kind: str
    audience: str
    attempt: int
    language: str


class NoticeSent(Fact, frozen=True, kw_only=True):
    """`notice.sent`: the mail server took it."""

    notice: str
    kind: str
    audience: str
    attempt: int


class NoticeFailed(Fact, frozen=True, kw_only=True):
    """`notice.failed`: nobody has it, or nobody knows (`code` unknown). `reason` names no address."""

    notice: str
    kind: str
    audience: str
    attempt: int
    code: str
    reason: str


class NoticeRefused(Refused, frozen=True, kw_only=True):
    """`notice.refused`."""


class NoticeCarried(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: what a notice came to: sent, failed or unknown."""

    notice: str
    state: NoticeState
    code: Word = ""
    reason: Text = ""
    at: Instant | None = None
