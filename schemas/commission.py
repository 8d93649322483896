"""Commission: what the channel's invoice gives back when the guest gets money back (S4-28, S4-38, A-30); what a channel owes (X-20)."""

from __future__ import annotations

import msgspec

from schemas.common import Fact


class CommissionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Commission given back for one line: `rate` of `base`, minor units; negative: due again."""

    line: str
    base: int
    rate: str
    amount: int


class CommissionCreditNoteRequested(Fact, frozen=True, kw_only=True):
    """`commission.credit_note_requested`; negative where money that is told late keeps a penalty after all: its commission is due again."""

    lines: tuple[CommissionLine, ...]
    amount: int
    currency: str


class ChannelBalanceChanged(Fact, frozen=True, kw_only=True):
    """`channel.balance_changed` (X-20): a channel that collected from the guest owes `owed` for the booking and keeps `commission` of it;
    `net` is the difference, negative: it is owed. A refund that is decided and not settled with it yet stands beside."""

    owed: int
    commission: int
    net: int
    currency: str
