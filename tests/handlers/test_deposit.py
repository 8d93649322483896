"""S4-10 to S4-21: what is due at purchase and what later."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from handlers.deposit import line_deposit, months_after, second_payment_days
from handlers.penalty import penalty
from schemas.errors import Rejected
from schemas.policy import Boundary, DepositBasis, Unit
from tests.handlers.campsite import CAMP, FLEXIBLE, HOTEL, NANR, STRICT, TWO_LINES, Stay, line, ordered, terms

DUE = date(2026, 7, 23)


def split(*lines: dict[str, Any], stay: Stay | None = None, **more: Any) -> tuple[int, int, date | None]:
    """The payments of a booking in split."""
    stay = stay or Stay()
    stay.book(ordered(*lines, payment_plan="split", **more))
    return stay.plan()


def test_s4_13_full_is_all_at_once() -> None:
    """200 and fee 5: 205 now."""
    stay = Stay()
    stay.book(ordered())

    assert stay.plan() == (20_500, 0, None)


def test_s4_14_v29_split_takes_tranche_2() -> None:
    """V29: 50 % and the fee now (S4-11, S4-19), the rest until 23 July."""
    assert split() == (10_500, 10_000, DUE)


def test_v25_first_payment_is_145() -> None:
    """60 of the flexible 120, all 80 of the NANR, fee 5."""
    assert split(*TWO_LINES) == (14_500, 6_000, DUE)


def test_s4_20_v20_half_a_cent_goes_up() -> None:
    """100.01 in two: 50.01 and 50.00."""
    assert split(line(price=10_001), service_fee=0) == (5_001, 5_000, DUE)


def test_s4_20_rounded_per_line_then_summed() -> None:
    """Three lines of 0.01 are 0.01 each, not 0.02 together."""
    assert split(*(line(str(n), 1) for n in range(3)), service_fee=0) == (3, 0, None)
    assert split(*(line(str(n), 3) for n in range(3)), service_fee=0) == (6, 3, DUE)


@pytest.mark.parametrize(
    ("offer", "basis", "now"),
    [
        pytest.param(STRICT, DepositBasis.RETAINED, 15_000, id="1 - 25 % is kept"),
        pytest.param(STRICT, DepositBasis.REFUND_RATE, 5_000, id="25 % literally"),
        pytest.param(NANR, DepositBasis.RETAINED, 20_000, id="NANR: all"),
        pytest.param(NANR, DepositBasis.REFUND_RATE, 0, id="NANR literally: nothing"),
        pytest.param(terms("outdoor/free", "1", "1", "0"), DepositBasis.RETAINED, 0, id="free tranche 2: nothing"),
        pytest.param(terms("outdoor/third", "1", "2/3", "0"), DepositBasis.RETAINED, 6_667, id="a third, half-up"),
    ],
)
def test_s4_18_deposit_basis(offer: Any, basis: DepositBasis, now: int) -> None:
    """A-3: the kept part, or the number itself."""
    stay = Stay(replace(offer, deposit_basis=basis))

    assert now == split(line(terms=offer.name), stay=stay, service_fee=0)[0]


def test_s4_15_v17_split_cap() -> None:
    """V17: the cap is on: 205 whatever the plan."""
    assert split(stay=Stay(camp=replace(CAMP, split_cap=True))) == (20_500, 0, None)


@pytest.mark.parametrize(
    ("price", "plan"),
    [
        pytest.param(14_999, (15_499, 0, None), id="149.99 is below: 100 %"),
        pytest.param(15_000, (8_000, 7_500, DUE), id="150.00 is not: split"),
    ],
)
def test_s4_17_v18_threshold(price: int, plan: tuple[int, int, date | None]) -> None:
    """V18: strictly below, on the price without the fee (which would lift 149.99 over it)."""
    stay = Stay(camp=replace(CAMP, split_thresholds={"outdoor": 15_000}))

    assert plan == split(line(price=price), stay=stay)


def test_s4_16_each_trade_meets_its_own_threshold() -> None:
    """Outdoor 100 + 60 together reach 150 and split; hotel 100 is below its 120: all of it now."""
    stay = Stay(camp=replace(CAMP, split_thresholds={"outdoor": 15_000, "hotel": 12_000}))
    lines = [line("1", 10_000), line("2", 6_000), line("3", 10_000, trade="hotel", terms=HOTEL.name)]

    assert split(*lines, stay=stay) == (5_000 + 3_000 + 10_000 + 500, 8_000, DUE)


@pytest.mark.parametrize(
    ("booked_at", "plan"),
    [
        pytest.param("2026-07-22T23:59:59+02:00", (10_500, 10_000, DUE), id="the evening before: split"),
        pytest.param("2026-07-23T00:00:00+02:00", (20_500, 0, None), id="on the day: 100 %"),
        pytest.param("2026-07-22T22:00:00Z", (20_500, 0, None), id="midnight in Paris is the day"),
        pytest.param("2026-07-24T12:00:00+02:00", (20_500, 0, None), id="arrival day: 100 %"),
    ],
)
def test_s4_21_purchase_on_or_after_the_second_date(booked_at: str, plan: tuple[int, int, date | None]) -> None:
    """The local day of the purchase in the property's zone decides."""
    assert plan == split(booked_at=booked_at)


def test_s4_21_without_booked_at_the_act_is_the_purchase() -> None:
    """The act's instant stands in."""
    stay = Stay()
    stay.now = "2026-07-22T22:00:00+00:00"

    assert split(booked_at=None, stay=stay) == (20_500, 0, None)


@pytest.mark.parametrize(
    ("knobs", "days"),
    [
        pytest.param({}, 1, id="lower bound of tranche 2"),
        pytest.param({"second_payment_days": 30}, 30, id="as set"),
        pytest.param({"second_payment_days": 0}, 0, id="zero is the arrival day"),
        pytest.param({"boundary": Boundary.OWNER}, 2, id="A-1 owner: tranche 2 ends at 2 days"),
    ],
)
def test_s4_13_second_payment_days(knobs: dict[str, Any], days: int) -> None:
    """Days before arrival."""
    assert days == second_payment_days(terms("outdoor/flexible", "1", "1/2", "0", **knobs))


@pytest.mark.parametrize(("hours", "days"), [(24, 1), (25, 2), (0, 0), (48, 2)])
def test_s4_13_hours_are_whole_days(hours: int, days: int) -> None:
    """A-2: an hour more is a day more."""
    first, second, third = FLEXIBLE.tranches
    in_hours = replace(FLEXIBLE, unit=Unit.HOUR, tranches=(first, replace(second, from_notice=hours), third))

    assert days == second_payment_days(in_hours)


def test_s1_39_the_earliest_date_wins() -> None:
    """Two lines in two parts: one second payment, at the earlier date; a line that is all paid does not count."""
    late = [line("1", 10_000, arrival="2026-07-26"), line("2", 10_000)]
    assert split(*late)[2] == DUE
    paid_at_once = [line("1", 10_000), line("2", 8_000, terms="outdoor/nanr", arrival="2026-07-20")]
    assert split(*paid_at_once)[2] == DUE


def test_x_23_taxes_and_insurance_are_outside() -> None:
    """Tax 10 and insurance 20 come with the second payment, and count in no threshold."""
    aside = [line("2", 1_000, kind="tourist_tax", terms=""), line("3", 2_000, kind="insurance", terms="")]
    assert split(line(), *aside) == (10_500, 13_000, DUE)
    capped = Stay(camp=replace(CAMP, split_thresholds={"outdoor": 20_001}))
    assert split(line(), *aside, stay=capped) == (23_500, 0, None)


@pytest.mark.parametrize(
    ("months", "booked", "plan", "refused"),
    [
        pytest.param(6, "2026-01-23", "split", True, id="more than six months before: 50 % is above 25 %"),
        pytest.param(6, "2026-01-24", "split", False, id="six months to the day: no maximum"),
        pytest.param(None, "2026-07-01", "split", True, id="without months always"),
        pytest.param(None, "2026-07-01", "full", True, id="100 % too"),
    ],
)
def test_x_25_max_advance(months: int | None, booked: str, plan: str, refused: bool) -> None:
    """The plan is refused by name; the fee does not count."""
    message = ordered(payment_plan=plan, booked_at=f"{booked}T10:00:00+02:00", max_advance_rate="25 %", max_advance_months=months)
    if not refused:
        stay = Stay()
        stay.book(message)
        assert stay.plan() == (10_500, 10_000, DUE)
        return
    with pytest.raises(Rejected) as caught:
        Stay().book(message)
    assert ("advance_above_maximum", "payment_plan", plan) == (caught.value.code, caught.value.field, caught.value.value)


def test_x_25_the_first_arrival_counts() -> None:
    """A second stay in winter takes the first one's nearness away from nobody."""
    winter = line("2", arrival="2026-12-24", departure="2026-12-31")
    more = {"max_advance_rate": "25 %", "max_advance_months": 6}

    assert split(line(), winter, booked_at="2026-02-01T10:00:00+01:00", **more)[:2] == (20_500, 20_000)


def test_x_25_at_the_maximum_is_allowed() -> None:
    """50 % of the services; with the fee it would be more."""
    assert split(max_advance_rate="50 %") == (10_500, 10_000, DUE)
    with pytest.raises(Rejected, match="max_advance_rate"):
        split(max_advance_rate="49.99 %")


def test_x_25_months_alone_allow_nothing_before_them() -> None:
    """No advance at all more than six months ahead."""
    with pytest.raises(Rejected):
        split(booked_at="2026-01-01T10:00:00Z", max_advance_months=6)
    assert split(booked_at="2026-02-01T10:00:00Z", max_advance_months=6) == (10_500, 10_000, DUE)


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 12, 1), 0, date(2026, 12, 1)),
    ],
)
def test_months_after(day: date, months: int, then: date) -> None:
    """A month that is too short ends the count at its last day."""
    assert then == months_after(day, months)


lines = st.lists(
    st.builds(
        lambda price, offer, kind, day: {"price": price, "terms": offer, "kind": kind, "arrival": f"2026-07-{day}"},
        st.integers(0, 10**7),
        st.sampled_from([FLEXIBLE.name, NANR.name, STRICT.name]),
        st.sampled_from(["stay", "service", "tourist_tax", "insurance"]),
        st.integers(20, 29),
    ),
    min_size=1,
    max_size=8,
)


@given(lines, st.integers(0, 10_000), st.sampled_from(["full", "split"]), st.integers(0, 10**7), st.integers(1, 28))
def test_s4_20_first_and_second_are_all(some: list[dict[str, Any]], fee: int, plan: str, threshold: int, day: int) -> None:
    """Whatever is sold and how: both payments together are what is ordered, neither is negative, the fee is in the first."""
    stay = Stay(camp=replace(CAMP, split_thresholds={"outdoor": threshold}))
    sold = [line(str(n), **one) | {"departure": None} for n, one in enumerate(some)]
    stay.book(ordered(*sold, service_fee=fee, payment_plan=plan, booked_at=f"2026-07-{day:02}T10:00:00Z"))
    now, later, due_on = stay.plan()

    assert now + later == account.ordered(stay.folio)
    assert now >= fee
    assert later >= 0
    assert (due_on is None) == (later == 0)


@given(st.integers(0, 10**9), st.sampled_from([FLEXIBLE, NANR, STRICT, terms("outdoor/t", "1", "1/3", "0")]))
def test_s4_12_the_deposit_is_what_tranche_2_keeps(price: int, offer: Any) -> None:
    """To the cent: one function rounds both (S4-32)."""
    assert penalty(price, offer.tranches[1].refund) == line_deposit(price, offer)
