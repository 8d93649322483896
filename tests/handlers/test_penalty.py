"""Tranches, limits and penalties, edge by edge."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.penalty import capped, last_rate, next_limit, penalty, refund_rate, start_of_day, tranche_of
from schemas.policy import Boundary, Terms, Tranche, Unit

PARIS = ZoneInfo("Europe/Paris")
MARTINIQUE = ZoneInfo("America/Martinique")
ARRIVAL = date(2026, 7, 24)


def terms(
    rates: tuple[str, str, str] = ("1", "1/2", "0"), notice: tuple[int, int] = (4, 1), boundary: Boundary = Boundary.GUEST,
    unit: Unit = Unit.DAY, drop: time = time(16),
) -> Terms:  # fmt: skip
    """Three tranches; the shipped flexible ones by default."""
    first, second, third = (Fraction(rate) for rate in rates)
    return Terms(
        name="outdoor/t", version="outdoor/t/1", trade="outdoor", boundary=boundary, unit=unit, drop_time=drop,
        tranches=(
            Tranche(from_notice=notice[0], refund=first),
            Tranche(from_notice=notice[1], refund=second),
            Tranche(from_notice=0, refund=third),
        ),
    )  # fmt: skip


NANR = terms(("0", "0", "0"))


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """A wall clock time of the zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("boundary", "days", "rate"),
    [
        pytest.param(Boundary.GUEST, 10, "1", id="S4-4 ten days"),
        pytest.param(Boundary.GUEST, 4, "1", id="S4-6 four days is the guest's"),
        pytest.param(Boundary.GUEST, 3, "1/2", id="S4-4 three days"),
        pytest.param(Boundary.GUEST, 1, "1/2", id="S4-6 one day is the guest's"),
        pytest.param(Boundary.GUEST, 0, "0", id="S4-6 arrival day"),
        pytest.param(Boundary.GUEST, -1, "0", id="S4-42 day after"),
        pytest.param(Boundary.GUEST, -5, "0", id="S4-42 five days after is not five before"),
        pytest.param(Boundary.OWNER, 5, "1", id="A-1 owner five"),
        pytest.param(Boundary.OWNER, 4, "1/2", id="A-1 owner four"),
        pytest.param(Boundary.OWNER, 2, "1/2", id="A-1 owner two"),
        pytest.param(Boundary.OWNER, 1, "0", id="A-1 owner one"),
        pytest.param(Boundary.OWNER, 0, "0", id="A-1 owner arrival day"),
        pytest.param(Boundary.OWNER, -5, "0", id="A-1 owner after"),
    ],
)
@pytest.mark.parametrize("clock", [time(0), time(12), time(23, 59, 59, 999999)])
def test_a_1_s4_6_boundaries_are_whole_local_days(boundary: Boundary, days: int, rate: str, clock: time) -> None:
    """The same rate from the first to the last instant of the day."""
    act = datetime.combine(ARRIVAL - timedelta(days=days), clock, PARIS)

    assert Fraction(rate) == refund_rate(terms(boundary=boundary), ARRIVAL, act.astimezone(UTC), PARIS)


@pytest.mark.parametrize(
    ("boundary", "act", "rate"),
    [
        pytest.param(Boundary.GUEST, "2026-07-20T16:00:00", "1", id="96 hours to the instant is the guest's"),
        pytest.param(Boundary.OWNER, "2026-07-20T16:00:00", "1/2", id="96 hours to the instant is not the owner's"),
        pytest.param(Boundary.GUEST, "2026-07-20T16:00:01", "1/2", id="a second late"),
        pytest.param(Boundary.OWNER, "2026-07-20T15:59:59", "1", id="a second early"),
        pytest.param(Boundary.GUEST, "2026-07-23T16:00:00", "1/2", id="24 hours"),
        pytest.param(Boundary.GUEST, "2026-07-23T16:00:01", "0", id="less than 24 hours"),
        pytest.param(Boundary.GUEST, "2026-07-29T16:00:00", "0", id="S4-42 after"),
    ],
)
def test_a_2_hours_before_drop_time(boundary: Boundary, act: str, rate: str) -> None:
    """A-2 with the unit hour: elapsed hours before the drop time."""
    policy = terms(notice=(96, 24), boundary=boundary, unit=Unit.HOUR)

    assert Fraction(rate) == refund_rate(policy, ARRIVAL, at(act), PARIS)


def test_a_2_hours_are_elapsed_hours_over_a_day_of_23_hours() -> None:
    """24 hours before 16:00 on the Sunday that the clocks go forward is 15:00 the day before."""
    policy = terms(notice=(24, 0), unit=Unit.HOUR)
    arrival = date(2026, 3, 29)

    assert Fraction(1) == refund_rate(policy, arrival, at("2026-03-28T15:00:00"), PARIS)
    assert Fraction(1, 2) == refund_rate(policy, arrival, at("2026-03-28T15:00:01"), PARIS)


@pytest.mark.parametrize(
    ("zone", "arrival", "act", "limit"),
    [
        pytest.param(PARIS, ARRIVAL, "2026-07-15T10:00+02:00", "2026-07-20T22:00Z", id="end of the 4th day before"),
        pytest.param(PARIS, ARRIVAL, "2026-07-21T10:00+02:00", "2026-07-23T22:00Z", id="end of the day before"),
        pytest.param(PARIS, ARRIVAL, "2026-07-20T21:59:59Z", "2026-07-20T22:00Z", id="23:59:59 on the last day at 100 %"),
        pytest.param(PARIS, ARRIVAL, "2026-07-20T22:00:00Z", "2026-07-23T22:00Z", id="a midnight belongs to the new day"),
        pytest.param(PARIS, date(2026, 4, 1), "2026-03-27T10:00Z", "2026-03-28T23:00Z", id="limit before the 23-hour day"),
        pytest.param(PARIS, date(2026, 4, 2), "2026-03-29T10:00Z", "2026-03-29T22:00Z", id="limit after the 23-hour day"),
        pytest.param(PARIS, date(2026, 10, 29), "2026-10-25T00:30Z", "2026-10-25T23:00Z", id="limit after the 25-hour day"),
        pytest.param(MARTINIQUE, ARRIVAL, "2026-07-20T10:00Z", "2026-07-21T04:00Z", id="Martinique, four hours behind"),
        pytest.param(
            ZoneInfo("America/Havana"), date(2026, 3, 11), "2026-03-07T10:00Z", "2026-03-08T05:00Z", id="midnight is skipped"
        ),
        pytest.param(
            ZoneInfo("Pacific/Apia"), date(2011, 12, 30), "2011-12-29T20:00Z", "2011-12-30T10:00Z", id="a day that never was"
        ),
    ],
)
def test_s4_31_next_limit(zone: ZoneInfo, arrival: date, act: str, limit: str) -> None:
    """X-9: the limit is the start of a local day, whatever the clocks do."""
    assert datetime.fromisoformat(limit) == next_limit(terms(), arrival, datetime.fromisoformat(act), zone)


@pytest.mark.parametrize(
    ("policy", "act"),
    [
        pytest.param(NANR, "2026-07-01T10:00", id="NANR never changes"),
        pytest.param(terms(), "2026-07-24T00:00", id="tranche 3 is the last"),
        pytest.param(terms(), "2026-08-24T00:00", id="after arrival"),
    ],
)
def test_s4_31_no_limit_ahead(policy: Terms, act: str) -> None:
    """Nothing that would change the rate is ahead."""
    assert next_limit(policy, ARRIVAL, at(act), PARIS) is None


def test_s4_31_a_limit_between_equal_rates_is_none() -> None:
    """Tranches 1 and 2 alike: the limit is the end of tranche 2."""
    assert at("2026-07-24T00:00") == next_limit(terms(("1", "1", "0")), ARRIVAL, at("2026-07-10T08:00"), PARIS)


def test_s4_7_martinique_is_still_the_day_before() -> None:
    """00:30 on the 21st in Paris is 18:30 on the 20th in Fort-de-France: still four days."""
    act = at("2026-07-21T00:30")

    assert Fraction(1) == refund_rate(terms(), ARRIVAL, act, MARTINIQUE)
    assert Fraction(1, 2) == refund_rate(terms(), ARRIVAL, act, PARIS)


def test_s4_42_no_notice_reaches_beyond_the_arrival() -> None:
    """Terms written with a negative notice still end with the arrival day."""
    assert [Fraction(1, 2), Fraction(0)] == [
        refund_rate(terms(notice=(4, -3)), ARRIVAL, at(f"2026-07-{d}T12:00"), PARIS) for d in (24, 25)
    ]


def test_s4_8_nanr_gives_nothing_ever() -> None:
    """0 % in all tranches."""
    assert {Fraction(0)} == {refund_rate(NANR, ARRIVAL, at("2026-07-24T12:00") - timedelta(days=n), PARIS) for n in range(-5, 50)}


@pytest.mark.parametrize(
    ("price", "rate", "kept"),
    [
        pytest.param(20_000, "1", 0, id="V15 all back"),
        pytest.param(20_000, "1/2", 10_000, id="V15 half"),
        pytest.param(20_000, "0", 20_000, id="V15 nothing back"),
        pytest.param(10_001, "1/2", 5_001, id="V24 half a cent goes up into the penalty"),
        pytest.param(100, "1/3", 67, id="two thirds kept"),
        pytest.param(1, "1/2", 1, id="one cent"),
        pytest.param(0, "1/2", 0, id="nothing"),
    ],
)
def test_s4_32_penalty_is_rounded_once(price: int, rate: str, kept: int) -> None:
    """(1 - r) × price, half up."""
    assert kept == penalty(price, Fraction(rate))


def test_s4_45_cap_and_s4_35_last_rate() -> None:
    """A cap lowers, never raises; no cap changes nothing."""
    assert [Fraction(1, 2), Fraction(0), Fraction(1)] == [
        capped(Fraction(1), Fraction(1, 2)), capped(Fraction(0), Fraction(1, 2)), capped(Fraction(1), None),
    ]  # fmt: skip
    assert Fraction(0) == last_rate(terms())


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.sampled_from(list(Boundary)),
    st.sampled_from(list(Unit)),
    st.sampled_from(["Europe/Paris", "America/Martinique", "America/Havana"]),
)
def test_s4_31_rate_holds_until_the_limit_and_not_at_it(
    moment: datetime, arrival: date, boundary: Boundary, unit: Unit, name: str
) -> None:
    """The quote of one instant is that of every instant before its limit, and the limit lies ahead."""
    zone, act = ZoneInfo(name), moment.replace(tzinfo=UTC)
    policy = terms(boundary=boundary, unit=unit)
    limit = next_limit(policy, arrival, act, zone)
    if limit is None:
        assert refund_rate(policy, arrival, act, zone) == last_rate(policy)
        return

    assert limit > act
    before, after = (refund_rate(policy, arrival, t, zone) for t in (limit - timedelta(microseconds=1), limit))
    assert refund_rate(policy, arrival, act, zone) == before != after


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(0, 3000), st.sampled_from(list(Unit)))
def test_s4_4_rate_never_rises_as_arrival_nears(moment: datetime, hours: int, unit: Unit) -> None:
    """Monotone in notice, and so is the penalty."""
    policy, early = terms(unit=unit), moment.replace(tzinfo=UTC)
    first, later = (refund_rate(policy, ARRIVAL, t, PARIS) for t in (early, early + timedelta(hours=hours)))

    assert first >= later
    assert penalty(9_999, first) <= penalty(9_999, later)
    assert tranche_of(policy, ARRIVAL, early, PARIS) in {0, 1, 2}


def test_x9_days_have_23_or_25_hours() -> None:
    """Two local midnights are 23 and 25 hours apart when the clocks change."""
    hours = [
        (start_of_day(day + timedelta(days=1), PARIS) - start_of_day(day, PARIS)) / timedelta(hours=1)
        for day in (date(2026, 3, 29), date(2026, 10, 25))
    ]

    assert hours == [23, 25]
