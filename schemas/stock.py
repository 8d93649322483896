"""Stock: sellable units that return when a line is cancelled (S4-28, S4-30)."""

from __future__ import annotations

from datetime import date

import msgspec

from schemas.common import Fact


class ReleasedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is free again: the nights from `arrival` to `departure`."""

    line: str
    accommodation: str
    accommodation_type: str
    arrival: date | None
    departure: date | None
    quantity: int


class StockReleased(Fact, frozen=True, kw_only=True):
    """`stock.released`."""

    property: str
    lines: tuple[ReleasedLine, ...]
