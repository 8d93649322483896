"""One row of the book: balanced by construction, never changed, reversed instead."""

from __future__ import annotations

import msgspec


class Transfer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`minor` > 0 of `currency` from account `credit` to account `debit`. `entry` is the recipe that made it, `subject` what it is
    about (line, payment, refund). Accounts are codes of `ledger.chart`, with the folio or the owner they belong to."""

    entry: str
    debit: str
    credit: str
    minor: int
    currency: str
    subject: str = ""

    def __post_init__(self) -> None:
        if self.minor <= 0 or self.debit == self.credit:
            raise ValueError(f"transfer {self.entry}: {self.minor} from {self.credit} to {self.debit}")
