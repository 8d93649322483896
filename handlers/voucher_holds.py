"""What bookings may do with a voucher: a table. `handlers.voucher_book` applies it; what is not listed is illegal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from schemas.voucher_book import HoldState


class Ask(StrEnum):
    """What a booking asks of a voucher, and the end of a hold's time."""

    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    CREDIT = "credit"
    LAPSE = "lapse"


class Move(StrEnum):
    """HOLD what is free; TAKE what is held, or what is free, or say that it is not there; LET_GO of what is held; GIVE_BACK what was taken;
    BY_HAND: nothing was taken here, a person gives it back; AGAIN: what was answered before."""

    HOLD = "hold"
    TAKE = "take"
    LET_GO = "let_go"
    GIVE_BACK = "give_back"
    BY_HAND = "by_hand"
    AGAIN = "again"
    NOTHING = "nothing"


NEXT: Mapping[tuple[HoldState | None, Ask], Move] = {
    (None, Ask.HOLD): Move.HOLD,
    (None, Ask.SETTLE): Move.TAKE,
    (None, Ask.RELEASE): Move.NOTHING,
    (None, Ask.CREDIT): Move.BY_HAND,
    (None, Ask.LAPSE): Move.NOTHING,
    (HoldState.HELD, Ask.HOLD): Move.AGAIN,
    (HoldState.HELD, Ask.SETTLE): Move.TAKE,
    (HoldState.HELD, Ask.RELEASE): Move.LET_GO,
    (HoldState.HELD, Ask.CREDIT): Move.BY_HAND,
    (HoldState.HELD, Ask.LAPSE): Move.LET_GO,
    (HoldState.CONFIRMED, Ask.HOLD): Move.AGAIN,
    (HoldState.CONFIRMED, Ask.SETTLE): Move.AGAIN,
    (HoldState.CONFIRMED, Ask.RELEASE): Move.NOTHING,
    (HoldState.CONFIRMED, Ask.CREDIT): Move.GIVE_BACK,
    (HoldState.CONFIRMED, Ask.LAPSE): Move.NOTHING,
    (HoldState.RELEASED, Ask.HOLD): Move.HOLD,
    (HoldState.RELEASED, Ask.SETTLE): Move.TAKE,
    (HoldState.RELEASED, Ask.RELEASE): Move.NOTHING,
    (HoldState.RELEASED, Ask.CREDIT): Move.BY_HAND,
    (HoldState.RELEASED, Ask.LAPSE): Move.NOTHING,
    (HoldState.EXPIRED, Ask.HOLD): Move.HOLD,
    (HoldState.EXPIRED, Ask.SETTLE): Move.TAKE,
    (HoldState.EXPIRED, Ask.RELEASE): Move.NOTHING,
    (HoldState.EXPIRED, Ask.CREDIT): Move.BY_HAND,
    (HoldState.EXPIRED, Ask.LAPSE): Move.NOTHING,
}
"""From what a booking has of a voucher (None: nothing) and what is asked to what is done. A confirmation after the hold has expired holds
anew; where the value is gone by then, it answers so, and the merchant is asked again."""
