"""The days of a balance request: deadline, mail, suspension; and the instants at which they begin in the property's zone (S1-2 to S1-9,
S1-29 to S1-32, S1-36, S1-44).

Days are calendar days there, whatever their hours; nothing here knows a request or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from handlers import account
from handlers.frozen import WITH_TERMS
from handlers.penalty import start_of_day
from schemas.booking import LineKind
from schemas.folio import Folio, FolioLine
from schemas.policy import BalancePolicy

DAY = timedelta(days=1)


def due_days(line: FolioLine, policy: BalancePolicy) -> int:
    """S1-2, S1-3 (A-10): days before arrival by the line's accommodation, else by its type, else for all."""
    by_type = policy.due_days_by_type.get(line.accommodation_type, policy.due_days)
    return policy.due_days_by_accommodation.get(line.accommodation, by_type)


def deadline_of(folio: Folio, lines: Iterable[FolioLine], policy: BalancePolicy) -> date | None:
    """S1-4, S1-5, S1-30, S1-31, S1-32, S1-39: arrival less due days on the calendar, across leap days and years, the earliest of these
    lines; None when none of them arrives."""
    dates = []
    for line in lines:
        arrival = account.arrival_of(folio, line)
        if arrival is not None:
            dates.append(arrival - due_days(line, policy) * DAY)
    return min(dates, default=None)


def deadline(folio: Folio, policy: BalancePolicy) -> date | None:
    """S1-4, S1-39: the earliest deadline of the accommodations that are not cancelled; of other services only where there is none."""
    return deadline_of(folio, counted(folio), policy)


def second_day(folio: Folio, lines: Iterable[FolioLine], policy: BalancePolicy) -> date | None:
    """S1-4, S1-39: by when `lines`, of which something is left for later, are to be paid: at the folio's earliest deadline, or with
    `per_accommodation` at the earliest of their own."""
    if not policy.per_accommodation:
        return deadline(folio, policy)
    own = counted(folio)
    return deadline_of(folio, [line for line in lines if line in own], policy)


def due_in_full(folio: Folio, policy: BalancePolicy | None, purchase: date) -> frozenset[str]:
    """S1-39, S1-7: with `per_accommodation`, the lines that are bought inside their own deadline; all, when every accommodation is."""
    if policy is None or not policy.per_accommodation:
        return frozenset()
    own = counted(folio)
    late = [line for line in own if (day := deadline_of(folio, (line,), policy)) is not None and inside(purchase, day)]
    return frozenset(line.line for line in (account.live_lines(folio) if len(late) == len(own) else late))


def counted(folio: Folio) -> tuple[FolioLine, ...]:
    """S1-2: the live lines whose arrival sets a deadline: accommodations, or without any the other services."""
    lines = tuple([line for line in account.live_lines(folio) if line.kind in WITH_TERMS])
    return tuple([line for line in lines if line.kind is LineKind.STAY]) or lines


def arrival_of(folio: Folio) -> date | None:
    """The day on which the stay begins: the earliest arrival of a live line."""
    return min([line.arrival for line in account.live_lines(folio) if line.arrival is not None], default=None)


def mail_day(planned: date, policy: BalancePolicy) -> date:
    """S1-4, S1-5: the deadline less `notice_days`; it may have passed (S1-9)."""
    return planned - policy.notice_days * DAY


def at_send_time(day: date, policy: BalancePolicy, zone: ZoneInfo) -> datetime:
    """S1-29: `send_time` of a local day as an instant (UTC). A time that a spring change leaves out is taken after it, one that an autumn
    change has twice the first time (X-9)."""
    return datetime.combine(day, policy.send_time, zone).astimezone(UTC)


def next_look(today: date, policy: BalancePolicy, zone: ZoneInfo) -> datetime:
    """S1-36: when a request that its property keeps back looks whether that has ended sooner: at `send_time` of the next local day."""
    return at_send_time(today + DAY, policy, zone)


def mail_instant(planned: date, suspended_until: date | None, policy: BalancePolicy, zone: ZoneInfo) -> datetime:
    """S1-4, S1-36: when the mail of a request goes: on its day, or on the one on which a suspension ends."""
    day = mail_day(planned, policy)
    return at_send_time(day if suspended_until is None else max(day, suspended_until), policy, zone)


def overdue_instant(deadline: date, zone: ZoneInfo) -> datetime:
    """S1-44: the deadline's day belongs to it; overdue from the first instant of the next local day."""
    return start_of_day(deadline + DAY, zone)


def collection_instant(chosen_at: datetime, policy: BalancePolicy, zone: ZoneInfo) -> datetime:
    """S1-45: `collection_days` local days after the guest chose, at `send_time`."""
    return at_send_time(chosen_at.astimezone(zone).date() + policy.collection_days * DAY, policy, zone)


def put_off(planned: date, until: date, arrival: date, policy: BalancePolicy) -> date:
    """S1-36, A-11: the deadline of a request that is suspended until then: `notice_days` later, never earlier than it was and never later
    than the arrival; with `suspend_moves_deadline` off it stays."""
    if not policy.suspend_moves_deadline:
        return planned
    return max(planned, min(until + policy.notice_days * DAY, arrival))


def inside(purchase: date, planned: date) -> bool:
    """S1-7, S1-8 (A-8): bought on the deadline's day or later: 100 % at purchase."""
    return purchase >= planned


def on_site(suspended_until: date | None, arrival: date | None) -> bool:
    """S1-36: suspended until the arrival or later: no mail goes, the guest pays at the property."""
    return suspended_until is not None and arrival is not None and suspended_until >= arrival
