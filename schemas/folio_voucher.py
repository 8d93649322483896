"""What a folio keeps of vouchers: those that pay it, its payments without them, and the one that it was cancelled for."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from schemas.voucher import Flag, VatKind, VoucherOrigin, VoucherStatus


class FolioVoucher(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A voucher of a booking. `number` as typed, `key` its one spelling; `minor` as typed; `counts`: what of the price it stands for, as
    far as is known (S0-11); `held` in its own book; `take` is asked of that once it is accepted, `goodwill` is the house's; `payment`
    its money. `known`: the hub knows its value. `again`: how often its check began anew. `beyond_deposit`: the deposit was collected before
    it was entered, as far as was told until its check, so that the booking does not depend on it."""

    number: str
    key: str
    minor: int
    counts: int
    entered_at: datetime
    status: VoucherStatus = VoucherStatus.PENDING_CHECK
    held: int = 0
    take: int = 0
    goodwill: int = 0
    known: bool = False
    origin: VoucherOrigin = VoucherOrigin.UNKNOWN
    flags: tuple[Flag, ...] = ()
    payment: str = ""
    verdict: str = ""
    again: int = 0
    beyond_deposit: bool = False


class PlannedPayments(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The payments of a booking as they would be without vouchers: `deposit` + `second_payment` = what is ordered (S0-11)."""

    deposit: int
    second_payment: int
    due_on: date | None = None


class IssuedVoucher(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The voucher for which a booking was cancelled: said again when it is asked for again (S0-31). `unused`: what of each payment's money
    is no voucher any more, since nobody used it in time (S0-28)."""

    number: str
    value: int
    entity: str
    bonus: int = 0
    expires: date | None = None
    vat_kind: VatKind = VatKind.UNKNOWN
    vat_rate: str = ""
    refund_on_expiry: bool = False
    unused: tuple[tuple[str, int], ...] = ()
