"""X-27: what holds a payout back, from which cent on, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import pytest

from engine.brakes import VELOCITY_US, Outgo, brake_on
from engine.clock import micros
from engine.store.effects import Effect, EffectTransaction, Spent
from schemas import registry
from schemas.operations import PayoutBraked
from schemas.policy import TenantPolicy

NOW = micros(datetime.fromisoformat("2026-07-14T23:30:00+02:00"))
PARIS = micros(datetime.fromisoformat("2026-07-15T00:00:00+02:00"))
UTC = micros(datetime.fromisoformat("2026-07-15T00:00:00+00:00"))
DAY_US = 86_400_000_000
EFFECT = Effect(
    id="e-1", tenant="azur", folio="A", lane=0, kind="refund", provider="ogone", merchant="azur", payment="P1", reference="3001",
    order_ref="A-1", minor=1_000, currency="EUR", refund="r-1", property="camp-azur", last=0, state="planned", reason="", next_at=0,
    attempts=0, queries=0, fence=0, lease_until=0, sent_at=0, record="", correlation="", traceparent="",
)  # fmt: skip


class Books:
    """What has left so far: 5,000 of the tenant, 3,000 of the property, four in an hour."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, int]] = []

    def spent(self, tenant: str, property_: str, day_start: int, now: int) -> Spent:
        self.asked.append((tenant, property_, day_start, now))
        return Spent(5_000, 3_000, 4)


def outgo(books: Books | None = None) -> Outgo:
    return Outgo(cast(EffectTransaction, books or Books()), NOW)


def braked(effect: Effect = EFFECT, zone: str = "Europe/Paris", **limits: Any) -> tuple[str, int, int] | None:
    """By which brake, until when, and the limit that people are told."""
    policy = TenantPolicy(tenant="azur", version="azur/1", zone=zone, **limits)
    brake = brake_on(effect, policy, outgo())
    if brake is None:
        return None
    alarm = registry.decode_data("payout.braked", brake.alarm.body)
    assert alarm == PayoutBraked(effect="e-1", brake=brake.name, minor=1_000, currency="EUR", limit=alarm.limit)
    return brake.name, brake.until, alarm.limit


@pytest.mark.parametrize(
    ("limits", "held"),
    [
        pytest.param({}, None, id="no limit"),
        pytest.param({"day_sum": 6_000}, None, id="the day's sum to the cent"),
        pytest.param({"day_sum": 5_999}, ("day_sum", PARIS, 5_999), id="a cent above the day's sum"),
        pytest.param({"property_day_sum": 4_000}, None, id="the property's sum to the cent"),
        pytest.param({"property_day_sum": 3_999}, ("property_day_sum", PARIS, 3_999), id="a cent above the property's"),
        pytest.param({"velocity_per_hour": 5}, None, id="the fifth of five"),
        pytest.param({"velocity_per_hour": 4}, ("velocity", NOW + VELOCITY_US, 4), id="the fifth of four"),
        pytest.param({"velocity_per_hour": 0}, ("velocity", NOW + VELOCITY_US, 0), id="none at all"),
        pytest.param({"day_sum": 1, "velocity_per_hour": 1}, ("day_sum", PARIS, 1), id="the first that it exceeds"),
        pytest.param({"day_sum": 5_999, "zone": ""}, ("day_sum", UTC, 5_999), id="without a zone the day is UTC's"),
    ],
)
def test_x_27_what_holds_a_payout(limits: dict[str, Any], held: tuple[str, int, int] | None) -> None:
    assert braked(**limits) == held


def test_x_27_only_refunds_are_held() -> None:
    """And those of a tenant that is known."""
    assert braked(EFFECT._replace(kind="capture"), day_sum=1) is None
    assert brake_on(EFFECT, None, outgo()) is None


def test_x_27_the_tenants_day_is_summed() -> None:
    """From its own midnight."""
    books = Books()
    brake_on(EFFECT, TenantPolicy(tenant="azur", version="azur/1", zone="Europe/Paris", day_sum=1), outgo(books))

    assert books.asked == [("azur", "camp-azur", PARIS - DAY_US, NOW)]
