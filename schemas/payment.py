"""Payments: money that was promised, taken or taken back elsewhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.common import Currency, Fact, Id, Instant, Message, Minor, OptionalId, PositiveMinor, Refused, Word


class Tender(StrEnum):
    """One means of payment used on a booking."""

    CARD = "card"
    VOUCHER = "voucher"
    CREDIT = "credit"
    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    CHEQUE = "cheque"
    HOLIDAY_VOUCHER = "holiday_voucher"


class Initiation(StrEnum):
    """Who started a card payment (X-21); unknown is empty."""

    CIT = "cit"
    MIT = "mit"
    MOTO = "moto"
    UNKNOWN = ""


class Through(StrEnum):
    """By which way a guest answered, or a card came; a card that is typed on a web page is never a mail order (X-21)."""

    WEB = "web"
    PHONE = "phone"
    MAIL = "mail"


class CardFlag(StrEnum):
    """What does not fit in how a card was used (X-21): the money is taken all the same, and a person looks."""

    MOTO_ON_A_PAGE = "moto_not_by_phone_or_mail"
    MANDATE_MISSING = "mandate_missing"
    MANDATE_VERSION_MISSING = "mandate_version_missing"


class Payment(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`payment.authorised`, `payment.received`, `payment.reversed`. `payment` identifies it in its folio, `occurred_at` is when
    the money moved (absent: the act's instant), `status` the provider's own word (Ogone 5, 9, 51, 91, 92), `through` by which way the card
    came (X-21)."""

    payment: Id
    amount: PositiveMinor
    currency: Currency
    tender: Tender = Tender.CARD
    occurred_at: Instant | None = None
    provider: Word = ""
    merchant: OptionalId = ""
    provider_reference: OptionalId = ""
    order: OptionalId = ""
    status: Word = ""
    initiation: Initiation = Initiation.UNKNOWN
    sca: Word = ""
    eci: Word = ""
    scheme_transaction: OptionalId = ""
    mandate: OptionalId = ""
    mandate_version: Word = ""
    payer: OptionalId = ""
    through: Through | None = None


class ProviderNotified(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`provider.notified`: a provider's verified callback. It settles nothing, it causes the query."""

    provider: Word
    merchant: Id
    provider_reference: OptionalId = ""
    order: OptionalId = ""
    status: Word = ""
    raw: Annotated[dict[str, str], Meta(max_length=200)] = msgspec.field(default_factory=dict)


class PaymentCaptured(Fact, frozen=True, kw_only=True):
    """`payment.captured`: the money is ours to keep or give back."""

    payment: str
    tender: str
    amount: int
    currency: str


class PaymentVoided(Fact, frozen=True, kw_only=True):
    """`payment.voided`: an authorisation, or the rest of one, was released (X-17)."""

    payment: str
    amount: Minor
    currency: str


class PaymentFlagged(Fact, frozen=True, kw_only=True):
    """`payment.flagged` (X-21): how a card was used does not fit: `flags` that are new of this payment."""

    payment: str
    initiation: str
    flags: tuple[str, ...]


class UnappliedReceipt(Fact, frozen=True, kw_only=True):
    """`receipt.unapplied`: money without a home, kept until a person or a rule gives it one (X-16)."""

    payment: str
    amount: int
    currency: str
    reason: str


class PaymentRefused(Refused, frozen=True, kw_only=True):
    """`payment.refused`."""


class ProviderRefused(Refused, frozen=True, kw_only=True):
    """`provider.refused`: a callback that names nothing we know."""
