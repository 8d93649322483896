"""Captures by the provider's own records: each counts once, whoever told of its money first (X-1, X-3, X-6).

Money may be told by a message, which names no record, and be shown as one afterwards: so much of a new record was told before. Amounts
are minor units of the folio's currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas.folio import CaptureRecord, FolioPayment, PaymentStatus


def shown(payment: FolioPayment, record: str, minor: int, *, stands: bool) -> tuple[FolioPayment, int]:
    """The payment once its provider has shown this record of a capture, and what that adds to the money of it; negative: takes away.

    `stands`: the capture was made; else it was refused, or taken back. The payment is unchanged where the record says nothing new.
    """
    known = next((one for one in payment.captures if one.record == record), None)
    if known is not None and known.stands == stands:
        return payment, 0
    others = tuple(one for one in payment.captures if one is not known)
    unnamed = max(0, payment.captured - sum(one.minor for one in payment.captures))
    if stands:
        return _made(payment, others, known or CaptureRecord(record=record, minor=0), minor, 0 if known else min(minor, unnamed))
    return _undone(payment, others, CaptureRecord(record=record, minor=known.minor if known else min(minor, unnamed), stands=False))


def _made(
    payment: FolioPayment, others: tuple[CaptureRecord, ...], known: CaptureRecord, minor: int, told: int
) -> tuple[FolioPayment, int]:  # fmt: skip
    """`told` of it was told before. A sale of which its message told a part is of several bookings, or pays more than this one: the rest
    is not this payment's. What is captured of an authorisation is, up to what was authorised."""
    more, back = minor - told, min(known.minor, payment.reversed)
    if payment.authorised:
        more = min(more, max(0, payment.authorised - payment.captured + payment.reversed))
    elif told or known.minor:
        more = known.minor
    now = CaptureRecord(record=known.record, minor=told + more)
    return took(replace(payment, captures=(*others, now)), more, back), more


def _undone(payment: FolioPayment, others: tuple[CaptureRecord, ...], now: CaptureRecord) -> tuple[FolioPayment, int]:
    """What a message told as taken back is the same money."""
    if not now.minor:
        return payment, 0
    less = max(0, now.minor + sum(one.minor for one in others if not one.stands) - payment.reversed)
    told = told_so_far(payment)
    return _by_word(gave_back(replace(payment, captures=(*others, now)), less), told), -less


def told_back(payment: FolioPayment, minor: int) -> tuple[FolioPayment, int]:
    """The payment once a message has told that so much was taken back from us, and how much of it no record has shown before."""
    told = told_so_far(payment) + minor
    less = max(0, told - payment.reversed)
    return _by_word(gave_back(payment, less), told), less


def untold_back(payment: FolioPayment, minor: int) -> tuple[FolioPayment, int]:
    """The payment once so much of what messages had told as taken back is with us again after all, and how much of it no record shows as
    taken back still."""
    told = told_so_far(payment) - minor
    reversed_ = max(told, sum(one.minor for one in payment.captures if not one.stands))
    status = PaymentStatus.CAPTURED if reversed_ < payment.captured else payment.status
    return _by_word(replace(payment, reversed=reversed_, status=status), told), payment.reversed - reversed_


def told_so_far(payment: FolioPayment) -> int:
    """What messages have told as taken back."""
    return payment.reversed if payment.reversed_told is None else payment.reversed_told


def _by_word(payment: FolioPayment, told: int) -> FolioPayment:
    return replace(payment, reversed_told=None if told == payment.reversed else told)


def took(payment: FolioPayment, minor: int, back: int = 0) -> FolioPayment:
    """The payment with so much more captured, of which `back` had been taken back and is here again."""
    if not minor:
        return payment
    captured, reversed_ = payment.captured + minor - back, payment.reversed - back
    now = replace(payment, status=PaymentStatus.CAPTURED, captured=captured, reversed=reversed_)
    return _by_word(now, min(told_so_far(payment), reversed_))


def gave_back(payment: FolioPayment, minor: int) -> FolioPayment:
    """The payment with so much of it taken back from us; all of it: it is reversed."""
    if not minor:
        return payment
    reversed_ = payment.reversed + minor
    status = PaymentStatus.REVERSED if reversed_ >= payment.captured else PaymentStatus.CAPTURED
    return replace(payment, status=status, reversed=reversed_)
