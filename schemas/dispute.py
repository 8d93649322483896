"""Disputes: a payer's bank contests a payment (X-13), and how that ends. Amounts are minor units of the booking's currency."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.common import END, Fact, Id, Instant, Message, OptionalId, PositiveMinor, Refused, Word

_Currency = Annotated[str, Meta(pattern="^([A-Z]{3})?" + END, description="ISO 4217 code, empty: the booking's")]


class Ruling(StrEnum):
    """How a dispute ended: the house keeps the money, the payer has it back, or the payer took the complaint back."""

    WON = "won"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


class DisputeNews(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What both messages carry. `dispute` is the provider's own name of it; without one a payment has one at most."""

    payment: Id
    amount: PositiveMinor
    dispute: OptionalId = ""
    currency: _Currency = ""
    provider: Word = ""
    merchant: OptionalId = ""
    provider_reference: OptionalId = ""
    order: OptionalId = ""


class DisputeOpened(DisputeNews, frozen=True, kw_only=True, omit_defaults=True):
    """`dispute.opened`: `amount` of the payment is contested. `funds_taken`: the provider has taken it out of our account already; it
    may say so in a second message. `answer_by`: until when the house may answer."""

    funds_taken: bool = False
    reason: Word = ""
    answer_by: Instant | None = None


class DisputeClosed(DisputeNews, frozen=True, kw_only=True, omit_defaults=True):
    """`dispute.closed`: `amount` is what was ruled on; lost for less than was contested, the rest is won."""

    outcome: Ruling


class FolioDispute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A dispute of a folio's payment. `taken`: its money has left our account. `reversed`: what of it `payment.reversed` has told before
    its end. `lost` went back to the payer; `told_again`: a reversal that told the same money afterwards was heard."""

    dispute: str
    payment: str
    minor: int
    opened_at: datetime
    taken: bool = False
    reversed: int = 0
    ruling: Ruling | None = None
    lost: int = 0
    told_again: bool = False


class PaymentDisputed(Fact, frozen=True, kw_only=True):
    """`payment.disputed`: refunds of this payment stand still until the dispute ends."""

    payment: str
    dispute: str
    amount: int
    currency: str
    funds_taken: bool
    answer_by: datetime | None


class PaymentDisputeEnded(Fact, frozen=True, kw_only=True):
    """`payment.dispute_ended`: `amount` went back to the payer, 0 unless it was lost."""

    payment: str
    dispute: str
    outcome: str
    amount: int
    currency: str


class RefundHeld(Fact, frozen=True, kw_only=True):
    """`refund.held`: this part is owed and not given while the payment is disputed; nobody gives it by hand meanwhile."""

    refund: str
    payment: str
    amount: int
    currency: str
    dispute: str


class DisputeRefused(Refused, frozen=True, kw_only=True):
    """`dispute.refused`."""
