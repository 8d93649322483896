"""S0-24, S1-36: a property, or a type there, is suspended."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from handlers.balance_suspension import MOST_SUSPENSIONS, decide_suspend
from handlers.outcome import Outcome
from schemas.balance import BalanceSuspend
from schemas.errors import Rejected
from schemas.policy import TenantPolicy
from schemas.property_settings import PropertySettings, Suspension
from tests.handlers.balances import ASKS, Asked, bought
from tests.handlers.campsite import CAMP
from tests.handlers.cancelling import GUEST, OPERATOR

KNOWN = PropertySettings(property="camp-azur", suspensions=(Suspension(accommodation_type="tent", until=date(2026, 6, 1)),))


def suspend(known: PropertySettings | None = None, *, stay: Asked | None = None, **more: Any) -> Outcome:
    """The whole of camp-azur until 5 July, said on 1 May."""
    body = {"actor": OPERATOR, "until": "2026-07-05", "scope": "property", "property": "camp-azur", **more}
    facts = replace((stay or Asked()).facts("balance.suspend"), settings=known, key="camp-azur")
    return decide_suspend(msgspec.convert(body, BalanceSuspend), facts)


def kept(out: Outcome) -> dict[str, str]:
    assert isinstance(out.state, PropertySettings)
    return {one.accommodation_type: one.until.isoformat() for one in out.state.suspensions}


def test_s0_24_s1_36_a_property_is_suspended() -> None:
    """Told with what is suspended and until when; of no single request."""
    out = suspend()

    assert kept(out) == {"": "2026-07-05"}
    (told,) = out.facts
    assert (told.scope, told.property, told.request, told.deadline) == ("property", "camp-azur", "", None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("more", "after"),
    [
        pytest.param({}, {"tent": "2026-06-01", "": "2026-07-05"}, id="the property beside a type"),
        pytest.param({"scope": "type", "accommodation_type": "tent"}, {"tent": "2026-07-05"}, id="the last word counts"),
        pytest.param(
            {"scope": "type", "accommodation_type": "chalet"}, {"tent": "2026-06-01", "chalet": "2026-07-05"}, id="another type"
        ),
        pytest.param({"scope": "type", "accommodation_type": "tent", "until": "2026-05-01"}, {}, id="until today: it ends"),
    ],
)
def test_s1_36_each_type_has_its_own_day(more: dict[str, str], after: dict[str, str]) -> None:
    assert kept(suspend(KNOWN, **more)) == after


def test_s1_36_what_is_over_is_forgotten() -> None:
    """Of another type, until yesterday."""
    old = PropertySettings(property="camp-azur", suspensions=(Suspension(accommodation_type="tent", until=date(2026, 4, 30)),))

    assert kept(suspend(old)) == {"": "2026-07-05"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"actor": GUEST}, ("not_allowed", "X-15", "actor", "guest"), id="a guest"),
        pytest.param({"property": "camp-vert"}, ("unknown_property", "X-12", "property", "camp-vert"), id="no such property"),
        pytest.param(
            {"until": "2026-05-01"}, ("suspension_in_the_past", "S1-36", "until", "2026-05-01"), id="until today, and none stands"
        ),
        pytest.param(
            {"until": "2020-01-01", "scope": "type", "accommodation_type": "chalet"},
            ("suspension_in_the_past", "S1-36", "until", "2020-01-01"),
            id="long over, and none of that type stands",
        ),
        pytest.param({"scope": "type"}, ("type_missing", "S1-36", "accommodation_type", ""), id="which type"),
    ],
)
def test_s1_36_refusals(more: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    with pytest.raises(Rejected) as no:
        suspend(**more)

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == expected


def test_s1_36_one_that_is_over_cannot_be_ended() -> None:
    """Nor the one of the property by a type that has none."""
    over = PropertySettings(property="camp-azur", suspensions=(Suspension(accommodation_type="", until=date(2026, 5, 1)),))
    for known, more in ((over, {}), (KNOWN, {}), (KNOWN, {"scope": "type", "accommodation_type": "chalet"})):
        with pytest.raises(Rejected) as no:
            suspend(known, until="2026-04-30", **more)
        assert (no.value.code, no.value.value) == ("suspension_in_the_past", "2026-04-30")


@pytest.mark.parametrize(
    ("more", "stay"),
    [
        pytest.param({"folio": "B-1"}, bought(), id="the booking's"),
        pytest.param({}, Asked(), id="the only one"),
    ],
)
def test_s1_36_the_property_that_is_meant(more: dict[str, str], stay: Asked) -> None:
    """Without `property`: handed on to its own key as if it had been named; nothing is told before."""
    out = suspend(stay=stay, property="", scope="type", accommodation_type="tent", **more)
    (told,) = out.messages

    assert (told.kind, told.key, told.name) == ("property", "camp-azur", "balance.suspend")
    assert isinstance(told.body, BalanceSuspend)
    assert (told.body.property, told.body.accommodation_type) == ("camp-azur", "tent")
    assert (out.state, out.facts) == (None, ())


def test_s1_36_no_property_that_is_meant() -> None:
    """A booking that nobody knows; a tenant with several, or none."""
    for more, stay, expected in (
        ({"folio": "B-9"}, Asked(), ("unknown_folio", "X-2", "folio", "camp-azur")),
        ({}, Asked(tenant=TenantPolicy(tenant="other", version="other/1")), ("property_missing", "S1-36", "property", "")),
    ):
        with pytest.raises(Rejected) as no:
            suspend(stay=stay, property="", **more)
        assert (no.value.code, no.value.rule, no.value.field, no.value.value) == expected


def test_x_12_a_property_of_another_tenant_is_unknown() -> None:
    stay = Asked(tenant=TenantPolicy(tenant="other", version="other/1"))
    with pytest.raises(Rejected) as no:
        suspend(stay=stay)

    assert no.value.code == "unknown_property"


def test_a_32_a_property_without_a_zone() -> None:
    with pytest.raises(Rejected) as no:
        suspend(stay=Asked(camp=replace(CAMP, zone="Europe/Atlantis")))

    assert (no.value.code, no.value.value) == ("unknown_zone", "Europe/Atlantis")


def test_s0_3_not_before_its_day() -> None:
    stay = Asked()
    stay.now = "2020-03-30T12:00:00+02:00"
    with pytest.raises(Rejected) as no:
        suspend(stay=stay)

    assert no.value.code == "feature_not_available"


def test_a_property_has_so_many_suspensions_at_most() -> None:
    many = tuple(Suspension(accommodation_type=f"t{n}", until=date(2026, 6, 1)) for n in range(MOST_SUSPENSIONS))
    with pytest.raises(Rejected) as no:
        suspend(PropertySettings(property="camp-azur", suspensions=many))

    assert (no.value.code, no.value.value) == ("too_many_suspensions", ASKS.property)
