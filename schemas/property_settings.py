"""What operators have said of a property, beside its configured policy: an aggregate of its own, read by decisions about its folios."""

from __future__ import annotations

from datetime import date

from schemas.folio import State


class Suspension(State, frozen=True, kw_only=True):
    """Nothing is asked before local day `until`, of bookings with this type (empty: of all) (S1-36)."""

    accommodation_type: str
    until: date


class PropertySettings(State, frozen=True, kw_only=True):
    """What operators have said of a property, beside its configured policy."""

    property: str
    suspensions: tuple[Suspension, ...] = ()
