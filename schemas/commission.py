"""Commission: what the channel's invoice gives back when the guest gets money back (S4-28, S4-38, A-30)."""

from __future__ import annotations

import msgspec

from schemas.common import Fact


class CommissionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Commission given back for one line: `rate` of `base`, minor units."""

    line: str
    base: int
    rate: str
    amount: int


class CommissionCreditNoteRequested(Fact, frozen=True, kw_only=True):
    """`commission.credit_note_requested`."""

    lines: tuple[CommissionLine, ...]
    amount: int
    currency: str
