"""What a message may make of a payment: a table. `handlers.payment` applies it.

No provider is asked here; a word that stands in no table changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.folio import PaymentStatus


class Told(StrEnum):
    """What a message says of a payment."""

    AUTHORISED = "authorised"
    PENDING = "pending"
    CAPTURED = "captured"
    FAILED = "failed"
    REVERSED = "reversed"


class Halt(StrEnum):
    """Why a message changes nothing."""

    STALE = "stale"
    EARLY = "early"
    REFUSED = "refused"


IN_FLIGHT: Final = frozenset({PaymentStatus.AUTHORISED, PaymentStatus.PENDING})
"""Promised, and neither there nor gone (X-17)."""
GONE: Final = frozenset({PaymentStatus.VOIDED, PaymentStatus.REVERSED})
"""It brings nothing any more."""

BY_NAME: Mapping[str, Told] = {
    "payment.authorised": Told.AUTHORISED,
    "payment.received": Told.CAPTURED,
    "payment.reversed": Told.REVERSED,
}

BY_STATUS: Mapping[tuple[str, str], Told] = {
    ("ogone", "51"): Told.PENDING,
    ("ogone", "91"): Told.PENDING,
    ("ogone", "52"): Told.PENDING,
    ("ogone", "92"): Told.PENDING,
    ("ogone", "0"): Told.FAILED,
    ("ogone", "1"): Told.FAILED,
    ("ogone", "2"): Told.FAILED,
    ("ogone", "93"): Told.FAILED,
}
"""X-17: what a provider's own word makes of `payment.authorised` and `payment.received`; any other word changes nothing."""

NEXT: Mapping[tuple[PaymentStatus | None, Told], PaymentStatus | Halt] = {
    (None, Told.AUTHORISED): PaymentStatus.AUTHORISED,
    (None, Told.PENDING): PaymentStatus.PENDING,
    (None, Told.CAPTURED): PaymentStatus.CAPTURED,
    (None, Told.FAILED): Halt.REFUSED,
    (None, Told.REVERSED): Halt.EARLY,
    (PaymentStatus.AUTHORISED, Told.AUTHORISED): Halt.STALE,
    (PaymentStatus.AUTHORISED, Told.PENDING): PaymentStatus.PENDING,
    (PaymentStatus.AUTHORISED, Told.CAPTURED): PaymentStatus.CAPTURED,
    (PaymentStatus.AUTHORISED, Told.FAILED): Halt.REFUSED,
    (PaymentStatus.AUTHORISED, Told.REVERSED): PaymentStatus.VOIDED,
    (PaymentStatus.PENDING, Told.AUTHORISED): PaymentStatus.AUTHORISED,
    (PaymentStatus.PENDING, Told.PENDING): Halt.STALE,
    (PaymentStatus.PENDING, Told.CAPTURED): PaymentStatus.CAPTURED,
    (PaymentStatus.PENDING, Told.FAILED): PaymentStatus.VOIDED,
    (PaymentStatus.PENDING, Told.REVERSED): PaymentStatus.VOIDED,
    (PaymentStatus.CAPTURED, Told.AUTHORISED): Halt.STALE,
    (PaymentStatus.CAPTURED, Told.PENDING): Halt.STALE,
    (PaymentStatus.CAPTURED, Told.CAPTURED): Halt.STALE,
    (PaymentStatus.CAPTURED, Told.FAILED): Halt.REFUSED,
    (PaymentStatus.CAPTURED, Told.REVERSED): PaymentStatus.REVERSED,
    (PaymentStatus.VOIDED, Told.AUTHORISED): Halt.STALE,
    (PaymentStatus.VOIDED, Told.PENDING): Halt.STALE,
    (PaymentStatus.VOIDED, Told.CAPTURED): PaymentStatus.CAPTURED,
    (PaymentStatus.VOIDED, Told.FAILED): Halt.STALE,
    (PaymentStatus.VOIDED, Told.REVERSED): Halt.STALE,
    (PaymentStatus.REVERSED, Told.AUTHORISED): Halt.STALE,
    (PaymentStatus.REVERSED, Told.PENDING): Halt.STALE,
    (PaymentStatus.REVERSED, Told.CAPTURED): Halt.STALE,
    (PaymentStatus.REVERSED, Told.FAILED): Halt.STALE,
    (PaymentStatus.REVERSED, Told.REVERSED): Halt.STALE,
}
"""From what is known (None: nothing) and what is told to what is true. Messages of one payment may come in any order (X-2)."""
