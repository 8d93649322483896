"""Since when what may be asked of the hub (S0-3): a command of an earlier day is refused, however late it comes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from schemas.errors import Rejected

FIRST_DAY: Mapping[str, date] = {
    "balance.suspend": date(2020, 3, 31),
}
"""By message, its first day in the property's zone."""


def check(name: str, act: datetime, zone: ZoneInfo) -> None:
    """S0-3: judged by the instant of the act (X-16). Raises Rejected `feature_not_available`."""
    first, day = FIRST_DAY[name], act.astimezone(zone).date()
    if day < first:
        text = f"{name} can be said from {first} on, and was on {day} ({zone.key})"
        raise Rejected(text, code="feature_not_available", rule="S0-3", field="requested_at", value=act.isoformat())
