"""A voucher's own book: its value, what bookings hold of it and have spent. One immutable value; decisions return the next one.

Of a code that others made and nobody registered only the bookings that name it are known (S0-22).
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from schemas.folio import State
from schemas.voucher import Funding, VatKind, VoucherOrigin, VoucherScope


class HoldState(StrEnum):
    """What a booking has of a voucher."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class VoucherHold(State, frozen=True, kw_only=True):
    """One booking's part. `asked` is what was typed, `held` what waits for the check, `taken` what was spent and did not come back."""

    folio: str
    state: HoldState
    asked: int
    at: datetime
    held: int = 0
    taken: int = 0
    until: datetime | None = None


class Voucher(State, frozen=True, kw_only=True):
    """The book. `left` = value − spent − expired, held parts with it; the free remainder is what of it is not held. `uncashable` of the
    value is never given back in money; the rest is spent first (S0-36). `issued_by`: the folio that was cancelled for it;
    `money_gone`: what of its money was taken back from us since (X-19)."""

    number: str
    key: str
    known: bool = False
    origin: VoucherOrigin = VoucherOrigin.UNKNOWN
    value: int = 0
    left: int = 0
    uncashable: int = 0
    currency: str = ""
    property: str = ""
    entity: str = ""
    scope: VoucherScope = VoucherScope.ENTITY
    funding: Funding = Funding.CASH
    vat_kind: VatKind = VatKind.UNKNOWN
    vat_rate: str = ""
    vat_declared: bool = False
    holder: str = ""
    expires: date | None = None
    expires_at: datetime | None = None
    expired: int = 0
    issued_by: str = ""
    refund_on_expiry: bool = False
    money_gone: int = 0
    holds: tuple[VoucherHold, ...] = ()
