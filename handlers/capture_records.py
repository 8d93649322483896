"""Captures by the provider's own records: each counts once, whoever told of its money first (X-1, X-3, X-6).

Money may be told by a message that names no record, and then shown as one: so much of a new record was told before. Amounts are minor
units of the folio's currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas.folio import CaptureRecord, FolioPayment, PaymentStatus


def shown(payment: FolioPayment, record: str, minor: int, *, stands: bool) -> tuple[FolioPayment, int]:
    """The payment once its provider has shown this record of a capture, and what that adds to the money of it; negative: takes away.

    `stands`: the capture was made; else it was refused, or taken back. The payment is unchanged where the record says nothing new.
    """
    known = next((one for one in payment.captures if one.record == record), None)
    others = tuple(one for one in payment.captures if one is not known)
    unnamed = max(0, payment.captured - sum(one.minor for one in payment.captures))
    if known is not None and known.stands == stands:
        return payment, 0
    if stands:
        now, back = CaptureRecord(record=record, minor=minor), known.minor if known is not None else 0
        more = minor if known is not None else max(0, minor - unnamed)
        return took(replace(payment, captures=(*others, now)), more, min(back, payment.reversed)), more
    of_it = known.minor if known is not None else min(minor, unnamed)
    if not of_it:
        return payment, 0
    without_record = max(0, payment.reversed - sum(one.minor for one in others if not one.stands))
    less = max(0, of_it - without_record)
    now = CaptureRecord(record=record, minor=of_it, stands=False)
    return gave_back(replace(payment, captures=(*others, now)), less), -less


def took(payment: FolioPayment, minor: int, back: int = 0) -> FolioPayment:
    """The payment with so much more captured, of which `back` had been taken back and is here again."""
    if not minor:
        return payment
    captured, reversed_ = payment.captured + minor - back, payment.reversed - back
    return replace(payment, status=PaymentStatus.CAPTURED, captured=captured, reversed=reversed_)


def gave_back(payment: FolioPayment, minor: int) -> FolioPayment:
    """The payment with so much of it taken back from us; all of it: it is reversed."""
    if not minor:
        return payment
    reversed_ = payment.reversed + minor
    status = PaymentStatus.REVERSED if reversed_ >= payment.captured else PaymentStatus.CAPTURED
    return replace(payment, status=status, reversed=reversed_)
