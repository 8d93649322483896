"""Refunds: money decided, asked for, given back, or waiting for a person."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from schemas.common import Fact, Instant, Message, OptionalId, PositiveMinor, Refused


class Destination(StrEnum):
    """Where a refund goes."""

    ORIGINAL_CARD = "original_card"
    CREDIT_ACCOUNT = "credit_account"
    BANK_TRANSFER = "bank_transfer"
    VOUCHER = "voucher"
    MANUAL = "manual"


class RefundExecutedExternally(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`refund.executed_externally` (X-19): somebody gave money back by hand. Names a `refund` of ours, or a `payment`."""

    amount: PositiveMinor
    payment: OptionalId = ""
    refund: OptionalId = ""
    occurred_at: Instant | None = None


class RefundDestination(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One part of a refund: minor units of one payment, and where they go."""

    payment: str
    tender: str
    amount: int
    destination: str


class RefundDecided(Fact, frozen=True, kw_only=True):
    """`refund.decided`: `amount` = sum of destinations, minor units."""

    refund: str
    amount: int
    currency: str
    destinations: tuple[RefundDestination, ...]
    refund_due_by: datetime


class RefundRequested(Fact, frozen=True, kw_only=True):
    """`refund.requested`: a request to the provider was made for this part."""

    refund: str
    payment: str
    amount: int
    currency: str
    effect: str


class RefundExecuted(Fact, frozen=True, kw_only=True):
    """`refund.executed`: `provider_record` is the provider's own number of it (PAYID/PAYIDSUB), empty when done by hand."""

    refund: str
    payment: str
    amount: int
    currency: str
    provider_record: str


class RefundRefusedByProvider(Fact, frozen=True, kw_only=True):
    """`refund.refused_by_provider`."""

    refund: str
    payment: str
    amount: int
    currency: str
    code: str
    reason: str


class RefundUnknown(Fact, frozen=True, kw_only=True):
    """`refund.unknown`: the provider took the request and said nothing that can be relied on; it is being queried."""

    refund: str
    payment: str
    amount: int
    currency: str


class RefundReversed(Fact, frozen=True, kw_only=True):
    """`refund.reversed`: a success turned into failure later (Ogone 8, then 83 or 96)."""

    refund: str
    payment: str
    amount: int
    currency: str
    reason: str


class RefundManualRequired(Fact, frozen=True, kw_only=True):
    """`refund.manual_required`: no provider can do it; closed by `refund.executed_externally`."""

    refund: str
    payment: str
    tender: str
    amount: int
    currency: str
    reason: str


class RefundOverdue(Fact, frozen=True, kw_only=True):
    """`refund.overdue`: `refund_due_by` has passed and `amount` is still open (X-24)."""

    refund: str
    amount: int
    currency: str


class RefundRefused(Refused, frozen=True, kw_only=True):
    """`refund.refused`."""
