"""What bookings and vouchers say to one another, inside; never accepted at a door. Amounts are minor units of the message's currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.common import Word
from schemas.voucher import Flag, VatKind, VoucherOrigin, VoucherScope


class VoucherAsked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal, from a folio to a voucher: hold, settle, release or credit `minor`. `number` as typed; the rest is for the warnings."""

    folio: str
    number: str
    minor: int
    currency: str
    property: str = ""
    person: Word = ""
    refund: str = ""
    payment: str = ""
    reason: str = ""


class VoucherAnswered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal, from a voucher to a folio: what came of it. `held`: what it holds for the folio now; `minor`: what was taken or came
    back."""

    key: str
    minor: int = 0
    held: int = 0
    known: bool = False
    origin: VoucherOrigin = VoucherOrigin.UNKNOWN
    flags: tuple[Flag, ...] = ()
    refund: str = ""
    payment: str = ""
    reason: str = ""


class VoucherIssue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal, from a folio to the voucher that it was cancelled for. `uncashable`: what of `value` is never given back in money."""

    folio: str
    number: str
    value: int
    currency: str
    property: str
    entity: str
    scope: VoucherScope
    uncashable: int = 0
    holder: Word = ""
    expires: date | None = None
    expires_at: datetime | None = None
    vat_kind: VatKind = VatKind.UNKNOWN
    vat_rate: str = ""
    refund_on_expiry: bool = False
    warn_at: tuple[tuple[int, datetime], ...] = ()  # so many days before the last one


class VoucherUnspent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal, from a voucher whose last day is near to the folio it was issued for: `minor` of it is free (S0-28)."""

    key: str
    minor: Annotated[int, Meta(gt=0)]
    days_before: int


class VoucherUnused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal, from a voucher that has expired to the folio it was issued for: `minor` of it goes back in money (S0-28)."""

    key: str
    minor: Annotated[int, Meta(gt=0)]


class VoucherMoneyGone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal, from the folio that a voucher was issued for: `minor` of the money that stands for it was taken back (X-19)."""

    folio: str
    minor: Annotated[int, Meta(gt=0)]
