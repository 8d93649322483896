"""What the journal of a day answers, as values. Amounts are minor units, instants UTC."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from engine.journal_held import UnappliedReceipt, VoucherLiability


class JournalTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer. `entry` is its recipe, `subject` what it is about (line, payment, refund), `message` what was decided. `vat` and
    `vat_rate` are None where the decision has not told the VAT of just this amount; out of scope is 0 at no rate."""

    seq: int
    at: datetime
    folio: str
    property: str
    entity: str
    decision: int
    message: str
    entry: str
    subject: str
    debit: str
    credit: str
    amount: int
    currency: str
    vat_rate: str | None
    vat: int | None


class AccountTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What was booked on one account on the day; accounts of single folios and vouchers are added up under their code."""

    account: str
    kind: str
    currency: str
    debit: int
    credit: int


class VatTotal(msgspec.Struct, frozen=True, kw_only=True):
    """X-23: what accountants were told on the day, with the VAT in it: `what` is sold, kept, or credited (taken back)."""

    entity: str
    what: str
    vat_rate: str
    currency: str
    amount: int
    vat: int


class DaySums(msgspec.Struct, frozen=True, kw_only=True):
    """The day as a whole: the sides of `accounts` are equal in each currency (X-4)."""

    accounts: tuple[AccountTotal, ...]
    vat: tuple[VatTotal, ...]
    vouchers: tuple[VoucherLiability, ...]
    unapplied: tuple[UnappliedReceipt, ...]


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: the day from `since` to `until` (not included), transfers behind `after`. `sums` come with the first answer. `next` is
    where to go on, None at the end; an answer may hold fewer than were asked for before that."""

    day: date
    property: str
    zone: str
    since: datetime
    until: datetime
    transfers: tuple[JournalTransfer, ...]
    next: int | None
    sums: DaySums | None
