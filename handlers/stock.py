"""What may be sold again when a line ends: on confirmation, not on the bank's success (S4-28, S4-30)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from handlers.quote_lines import ASIDE, Ended
from schemas.folio import Folio
from schemas.stock import ReleasedLine, StockReleased


def released(folio: Folio, ended: Iterable[Ended], today: date) -> StockReleased | None:
    """S4-28, S4-30, S4-37: the nights from arrival to departure, of fewer nights the freed ones, of a stay that has begun those from
    local `today` on. None if nothing is free."""
    lines = tuple([line for one in ended if (line := _free(one, today)) is not None])
    return StockReleased(property=folio.property, lines=lines) if lines else None


def _free(ended: Ended, today: date) -> ReleasedLine | None:
    line = ended.line
    if line.kind in ASIDE:
        return None
    arrival = line.arrival if ended.departure is None else ended.departure
    if arrival is not None and line.departure is not None:
        if arrival < today:
            arrival = today
        if arrival >= line.departure:
            if line.departure != line.arrival:
                return None
            arrival = line.departure
    return ReleasedLine(
        line=line.line,
        accommodation=line.accommodation,
        accommodation_type=line.accommodation_type,
        arrival=arrival,
        departure=line.departure,
        quantity=line.quantity,
    )
