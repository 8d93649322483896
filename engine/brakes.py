"""X-27: brakes on payouts that need no person: the day's sums of a tenant and a property, and how many refunds an hour."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine import effect_messages as messages
from engine.clock import instant, micros
from engine.store.effects import HOUR_US, Effect, EffectTransaction, Spent
from engine.store.rows import InternalRow
from schemas.effect import EffectKind, EffectState
from schemas.policy import TenantPolicy

VELOCITY_US = 300_000_000  # how soon it is looked at again
_NEVER_LEFT = frozenset({EffectState.PLANNED, EffectState.REFUSED})


class Brake(NamedTuple):
    """What holds a payout back, until when (microseconds), and the alarm that says so."""

    name: str
    until: int
    alarm: InternalRow


class Outgo:
    """What has left, read once for each tenant and property and kept up to date by what moves afterwards, all at one instant."""

    def __init__(self, transaction: EffectTransaction, now: int) -> None:
        self._transaction, self.now = transaction, now
        self._spent: dict[tuple[str, str, int], Spent] = {}
        self._moved: list[tuple[Effect, Effect]] = []

    def moved(self, before: Effect, after: Effect) -> None:
        """An effect stands otherwise now, which the store has yet to be told."""
        self._moved.append((before, after))
        for key, spent in self._spent.items():
            self._spent[key] = _after(spent, key, before, after, self.now)

    def spent(self, tenant: str, property_: str, day_start: int) -> Spent:
        """What has left since the day began, and in the last hour."""
        key = (tenant, property_, day_start)
        if key not in self._spent:
            spent = self._transaction.spent(tenant, property_, day_start, self.now)
            for before, after in self._moved:
                spent = _after(spent, key, before, after, self.now)
            self._spent[key] = spent
        return self._spent[key]


def brake_on(effect: Effect, policy: TenantPolicy | None, outgo: Outgo) -> Brake | None:
    """The first brake that this refund would exceed, in minor units of the tenant's currency; None lets it go."""
    if effect.kind != EffectKind.REFUND or policy is None:
        return None
    if (policy.day_sum, policy.property_day_sum, policy.velocity_per_hour) == (None, None, None):
        return None
    now = outgo.now
    today, tomorrow = _midnights(now, ZoneInfo(policy.zone or "UTC"))
    spent = outgo.spent(effect.tenant, effect.property, today)
    for name, limit, would_be, until in (
        ("day_sum", policy.day_sum, spent.tenant_today + effect.minor, tomorrow),
        ("property_day_sum", policy.property_day_sum, spent.property_today + effect.minor, tomorrow),
        ("velocity", policy.velocity_per_hour, spent.last_hour + 1, now + VELOCITY_US),
    ):
        if limit is not None and would_be > limit:
            return Brake(name, until, messages.alarm(effect, name, limit, now))
    return None


def _after(spent: Spent, key: tuple[str, str, int], before: Effect, after: Effect, now: int) -> Spent:
    tenant, property_, day_start = key
    if after.tenant != tenant or after.kind != EffectKind.REFUND:
        return spent
    today = _left(after, day_start) - _left(before, day_start)
    last_hour = _left(after, now - HOUR_US) - _left(before, now - HOUR_US)
    return Spent(
        spent.tenant_today + today * after.minor,
        spent.property_today + today * after.minor * (after.property == property_),
        spent.last_hour + last_hour,
    )


def _left(effect: Effect, since: int) -> bool:
    return effect.sent_at > 0 and effect.sent_at >= since and effect.state not in _NEVER_LEFT


def _midnights(now: int, zone: ZoneInfo) -> tuple[int, int]:
    """Where the tenant's day begins and ends."""
    today = instant(now).astimezone(zone).date()
    first, last = (micros(datetime.combine(day, time(0), zone).astimezone(UTC)) for day in (today, today + timedelta(days=1)))
    return first, last
