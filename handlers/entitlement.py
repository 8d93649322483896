"""Which functions a tenant has, and since when (S0-1 to S0-3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

from handlers.outcome import Facts
from schemas.errors import Rejected

PREMIUM = "Pack Individual Premium"


class Feature(StrEnum):
    """What a plan or a day may withhold."""

    SUSPEND_BALANCE_REQUEST = "suspend_balance_request"
    CANCEL_BOOKING = "cancel_booking"
    CANCEL_WITH_VOUCHER = "cancel_with_voucher"
    VOUCHER = "voucher"


SINCE: Mapping[Feature, date] = {
    Feature.SUSPEND_BALANCE_REQUEST: date(2020, 3, 31),
    Feature.CANCEL_BOOKING: date(2020, 3, 31),
    Feature.CANCEL_WITH_VOUCHER: date(2020, 4, 2),
    Feature.VOUCHER: date(2020, 4, 2),
}
"""S0-3: the first day of each function, in the property's zone."""

PLANS: Mapping[Feature, frozenset[str]] = {Feature.VOUCHER: frozenset({PREMIUM})}
"""S0-1: functions that only these plans have; those that are not here, every tenant has."""


def check_feature(feature: Feature, facts: Facts, zone: ZoneInfo) -> None:
    """S0-1, S0-3, judged by the act's instant (X-16); S0-2: whoever has the plan needs no other setting. Raises Rejected
    `feature_not_available`."""
    plans = PLANS.get(feature)
    if plans is not None and facts.tenant.plan not in plans:
        text = (
            f"{feature.value} is of the plan {' or '.join(sorted(plans))}, {facts.tenant.tenant} has {facts.tenant.plan or 'none'}"
        )
        raise Rejected(text, code="feature_not_available", rule="S0-1", field="plan", value=facts.tenant.plan)
    day = facts.act.astimezone(zone).date()
    if day < SINCE[feature]:
        text = f"{feature.value} is there since {SINCE[feature].isoformat()}, this was asked on {day.isoformat()} ({zone.key})"
        raise Rejected(text, code="feature_not_available", rule="S0-3", field="requested_at", value=day.isoformat())
