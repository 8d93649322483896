"""What a cancellation keeps of one price: tranches of notice before arrival, and the limits between them.

Pure arithmetic on terms, dates and zones. It knows no folio; `handlers.quote` adds lines up.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.money import rounded
from schemas.policy import Boundary, Terms, Unit

_INSTANT = timedelta(microseconds=1)
_DAY, _GUEST = Unit.DAY, Boundary.GUEST  # an enum looks its members up by name at every mention


@lru_cache(maxsize=4096)
def start_of_day(day: date, zone: ZoneInfo, before: int = 0) -> datetime:
    """X-9: the instant (UTC) at which the local day so many days `before` this one begins; where midnight is skipped, the instant of
    the change itself."""
    return datetime.combine(day - timedelta(days=before), time(0), zone).astimezone(UTC)


def end_of_notice(terms: Terms, tranche: int, arrival: date, zone: ZoneInfo) -> datetime:
    """First instant (UTC) at which `tranche` (0 or 1) no longer applies: S4-6, A-1 (`boundary`), A-2 (`unit`, `drop_time`).

    Days are calendar days of the zone, hours are elapsed hours before `drop_time` on the arrival day. No tranche but the last
    reaches beyond the arrival (S4-42).
    """
    notice = terms.tranches[tranche].from_notice
    if notice < 0:
        notice = 0
    if terms.unit is _DAY:
        return start_of_day(arrival, zone, notice - (terms.boundary is _GUEST))
    limit = datetime.combine(arrival, terms.drop_time, zone).astimezone(UTC) - timedelta(hours=notice)
    return limit + _INSTANT if terms.boundary is _GUEST else limit


def tranche_of(terms: Terms, arrival: date, act: datetime, zone: ZoneInfo) -> int:
    """S4-3 to S4-7: 0, 1 or 2, the first tranche whose notice still remains; the last one after arrival (S4-42)."""
    if act < end_of_notice(terms, 0, arrival, zone):
        return 0
    return 1 if act < end_of_notice(terms, 1, arrival, zone) else 2


def refund_rate(terms: Terms, arrival: date, act: datetime, zone: ZoneInfo) -> Fraction:
    """S4-4, S4-6, S4-8: the part of the price that is given back when cancelling at `act`, 0 to 1."""
    return terms.tranches[tranche_of(terms, arrival, act, zone)].refund


def last_rate(terms: Terms) -> Fraction:
    """S4-35: the rate of tranche 3, for a no-show."""
    return terms.tranches[2].refund


def capped(rate: Fraction, cap: Fraction | None) -> Fraction:
    """S4-45: after a move of dates, never a better rate than at the move."""
    return rate if cap is None else min(rate, cap)


def next_limit(terms: Terms, arrival: date, act: datetime, zone: ZoneInfo) -> datetime | None:
    """S4-31: the next instant (UTC) after `act` from which the rate is another; None if it stays as it is for good."""
    ends = end_of_notice(terms, 0, arrival, zone), end_of_notice(terms, 1, arrival, zone)
    now = terms.tranches[_tranche_at(act, *ends)].refund
    for end in ends:
        if end > act and terms.tranches[_tranche_at(end, *ends)].refund != now:
            return end
    return None


def _tranche_at(at: datetime, first: datetime, second: datetime) -> int:
    return 0 if at < first else 1 if at < second else 2


def penalty(price: int, rate: Fraction) -> int:
    """S4-32: (1 - rate) × price, rounded half-up by the function that rounds the deposit (S4-20); minor units."""
    numerator, denominator = rate.as_integer_ratio()
    return rounded(price * (denominator - numerator), denominator)
