"""X-27: brakes on payouts that need no person: the day's sums of a tenant and a property, and how many refunds an hour."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine import effect_messages as messages
from engine.clock import instant, micros
from engine.store.effects import Effect, EffectStore
from engine.store.rows import InternalRow
from schemas.effect import EffectKind
from schemas.policy import TenantPolicy

VELOCITY_US = 300_000_000  # how soon it is looked at again


class Brake(NamedTuple):
    """What holds a payout back, until when (microseconds), and the alarm that says so."""

    name: str
    until: int
    alarm: InternalRow


def brake_on(effect: Effect, policy: TenantPolicy | None, store: EffectStore, now: int) -> Brake | None:
    """The first brake that this refund would exceed, in minor units of the tenant's currency; None lets it go."""
    if effect.kind != EffectKind.REFUND or policy is None:
        return None
    if (policy.day_sum, policy.property_day_sum, policy.velocity_per_hour) == (None, None, None):
        return None
    today, tomorrow = _midnights(now, ZoneInfo(policy.zone or "UTC"))
    spent = store.spent(effect.tenant, effect.property, today, now)
    for name, limit, would_be, until in (
        ("day_sum", policy.day_sum, spent.tenant_today + effect.minor, tomorrow),
        ("property_day_sum", policy.property_day_sum, spent.property_today + effect.minor, tomorrow),
        ("velocity", policy.velocity_per_hour, spent.last_hour + 1, now + VELOCITY_US),
    ):
        if limit is not None and would_be > limit:
            return Brake(name, until, messages.alarm(effect, name, limit, now))
    return None


def _midnights(now: int, zone: ZoneInfo) -> tuple[int, int]:
    """Where the tenant's day begins and ends."""
    today = instant(now).astimezone(zone).date()
    first, last = (micros(datetime.combine(day, time(0), zone).astimezone(UTC)) for day in (today, today + timedelta(days=1)))
    return first, last
