"""S1-2 to S1-9, S1-29 to S1-32, S1-44: the days of a balance request, and when they begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.balance_dates import (
    at_send_time,
    collection_instant,
    deadline,
    due_days,
    inside,
    mail_day,
    mail_instant,
    overdue_instant,
    put_off,
)
from schemas.balance import BalanceScheduled, BalanceSent
from schemas.booking import PaymentScheduleSet
from schemas.errors import Rejected
from schemas.policy import BalancePolicy
from tests.handlers.balance_tables import minor, table
from tests.handlers.balances import ASKS, BALANCE, Asked, asking, bought
from tests.handlers.campsite import fact, line, ordered

PARIS = ZoneInfo("Europe/Paris")
DAYS = st.dates(date(2019, 1, 1), date(2040, 12, 31))
ZONES = st.sampled_from(
    ["Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca"]
)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["example"]) for row in table("Days")])
def test_s1_4_s1_5_s1_30_s1_31_s1_32_v1_to_v6(row: dict[str, str]) -> None:
    """The table of the document: leap years, a year crossed, the arrival day itself."""
    arrival = date.fromisoformat(row["arrival"])
    stay = bought(
        (arrival - timedelta(days=200)).isoformat() + "T10:00:00+01:00",
        line(arrival=row["arrival"], departure=(arrival + timedelta(days=7)).isoformat()),
        camp=asking(due_days=int(row["due days"])),
    )

    assert (stay.request.deadline.isoformat(), stay.request.send_on.isoformat()) == (row["deadline"], row["mail"])
    assert stay.folio.second_payment_on == stay.request.deadline


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['example']} {row['bought']}") for row in table("Bought when")])
def test_s1_5_s1_7_s1_8_s1_9_a_8_a_9_v7(row: dict[str, str]) -> None:
    """V7 through messages: what is asked at purchase, and when the mail goes."""
    stay = Asked()
    stay.now = row["bought"].replace("+", ":00+")
    out = stay.book(ordered(payment_plan="split", service_fee=0, booked_at=stay.now))
    told = [one for one in out.facts if isinstance(one, BalanceScheduled)]

    assert fact(out, PaymentScheduleSet).due_now == minor(row["now"])
    if row["balance"] == "–":
        assert told == []
        assert stay.timers == {}
        return
    assert [one.amount for one in told] == [minor(row["balance"])]
    assert told[0].deadline.isoformat() == row["deadline"]
    stay.card(minor(row["now"]))
    (sent,) = stay.until("2026-07-10T23:00:00+02:00")
    assert isinstance(sent, BalanceSent)
    assert stay.request.sent_at == datetime.fromisoformat(row["mail"].replace("+", ":00+"))


@pytest.mark.parametrize(
    ("accommodation", "kind", "days"),
    [
        pytest.param("pitch-12", "chalet", 7, id="its own"),
        pytest.param("pitch-1", "chalet", 30, id="its type's"),
        pytest.param("pitch-1", "tent", 14, id="all"),
        pytest.param("", "", 14, id="neither is said"),
    ],
)
def test_s1_2_s1_3_a_10_the_most_specific_days_count(accommodation: str, kind: str, days: int) -> None:
    """accommodation > type > all."""
    camp = asking(due_days_by_type={"chalet": 30}, due_days_by_accommodation={"pitch-12": 7})
    stay = bought("2026-01-01T10:00:00+01:00", line(accommodation=accommodation, accommodation_type=kind), camp=camp)
    assert camp.balance is not None

    assert due_days(stay.folio.lines[0], camp.balance) == days
    assert stay.request.deadline == date(2026, 7, 24) - timedelta(days=days)


def test_s1_39_the_earliest_deadline_of_several_accommodations() -> None:
    """7 and 30 days: one request 30 days before, and a purchase after that day is 100 % of all."""
    camp = asking(due_days_by_type={"chalet": 30, "tent": 7})
    lines = (line("1", accommodation_type="tent"), line("2", accommodation_type="chalet"))
    stay = bought("2026-01-01T10:00:00+01:00", *lines, camp=camp)
    assert [one.deadline for one in stay.folio.balance_requests] == [date(2026, 6, 24)]
    late = bought("2026-06-24T10:00:00+02:00", *lines, camp=camp)

    assert late.plan() == (40_000, 0, None)
    assert late.folio.balance_requests == ()


def test_s1_2_a_service_sets_no_deadline_where_there_is_an_accommodation() -> None:
    """Breakfast without a type does not bring the 14 days of all to a tent of 7."""
    camp = asking(due_days_by_type={"tent": 7})
    stay = bought("2026-01-01T10:00:00+01:00", line(accommodation_type="tent"), line("2", 5_000, kind="service"), camp=camp)

    assert stay.request.deadline == date(2026, 7, 17)


@pytest.mark.parametrize(
    ("zone", "day", "send_time", "instant"),
    [
        pytest.param("Europe/Paris", "2026-06-30", "09:00", "2026-06-30T07:00:00Z", id="summer"),
        pytest.param("Europe/Paris", "2026-12-12", "09:00", "2026-12-12T08:00:00Z", id="winter"),
        pytest.param("Europe/Paris", "2026-03-29", "09:00", "2026-03-29T07:00:00Z", id="a day of 23 hours"),
        pytest.param("Europe/Paris", "2026-10-25", "09:00", "2026-10-25T08:00:00Z", id="a day of 25 hours"),
        pytest.param("Europe/Paris", "2026-03-29", "02:30", "2026-03-29T01:30:00Z", id="an hour that spring leaves out"),
        pytest.param("Europe/Paris", "2026-10-25", "02:30", "2026-10-25T00:30:00Z", id="an hour that autumn has twice"),
        pytest.param("America/Santiago", "2026-09-06", "00:00", "2026-09-06T04:00:00Z", id="a midnight that is left out"),
        pytest.param("Pacific/Auckland", "2026-07-01", "09:00", "2026-06-30T21:00:00Z", id="another day in UTC"),
    ],
)
def test_s1_29_x_9_the_instant_of_a_mail(zone: str, day: str, send_time: str, instant: str) -> None:
    """Computed from the local send time, whatever the clocks do that day."""
    policy = replace(BALANCE, send_time=time.fromisoformat(send_time))

    assert at_send_time(date.fromisoformat(day), policy, ZoneInfo(zone)) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("zone", "deadline", "instant"),
    [
        pytest.param("Europe/Paris", "2026-07-10", "2026-07-10T22:00:00Z", id="summer"),
        pytest.param("Europe/Paris", "2026-03-29", "2026-03-29T22:00:00Z", id="23 hours"),
        pytest.param("Europe/Paris", "2026-10-25", "2026-10-25T23:00:00Z", id="25 hours"),
        pytest.param("America/Santiago", "2026-09-05", "2026-09-06T04:00:00Z", id="midnight does not exist"),
    ],
)
def test_s1_44_overdue_from_midnight_of_the_next_local_day(zone: str, deadline: str, instant: str) -> None:
    """The deadline's day is whole, with 23, 24 or 25 hours."""
    assert overdue_instant(date.fromisoformat(deadline), ZoneInfo(zone)) == datetime.fromisoformat(instant)


@given(DAYS, st.integers(0, 400), st.integers(0, 400), ZONES)
def test_s1_29_days_are_calendar_days_in_any_zone(arrival: date, days: int, notice: int, zone: str) -> None:
    """Mail, deadline and arrival are whole days apart; the mail is not after the end of its day, the deadline's day over after it."""
    policy = BalancePolicy(due_days=days, methods=BALANCE.methods, notice_days=notice)
    there = ZoneInfo(zone)
    planned = arrival - timedelta(days=days)
    mail = mail_instant(planned, None, policy, there)

    assert (planned - mail_day(planned, policy)).days == notice
    assert mail.astimezone(there).date() in (mail_day(planned, policy), mail_day(planned, policy) + timedelta(days=1))
    assert overdue_instant(planned, there).astimezone(there).date() == planned + timedelta(days=1)
    assert inside(planned, planned)
    assert not inside(planned - timedelta(days=1), planned)


@given(DAYS, st.integers(0, 60), st.integers(-60, 60), st.integers(0, 30))
def test_s1_36_a_11_a_suspension_never_asks_sooner_nor_after_the_arrival(arrival: date, days: int, after: int, notice: int) -> None:
    """Between the original deadline and the arrival, and not sooner for a later end."""
    policy = replace(BALANCE, notice_days=notice)
    planned = arrival - timedelta(days=days)
    until = planned + timedelta(days=after)
    put = put_off(planned, until, arrival, policy)

    assert planned <= put <= arrival
    assert put == planned or put <= until + timedelta(days=notice)
    assert put <= put_off(planned, until + timedelta(days=1), arrival, policy)
    assert put_off(planned, until, arrival, replace(policy, suspend_moves_deadline=False)) == planned


def test_s1_45_the_merchant_is_asked_five_local_days_later() -> None:
    """Chosen on the evening before clocks change: five days later at nine there."""
    chosen = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)

    assert collection_instant(chosen, BALANCE, PARIS) == datetime(2026, 4, 2, 7, 0, tzinfo=UTC)


def test_a_32_without_a_zone_nothing_is_scheduled() -> None:
    """Refused with the booking, and no timer."""
    stay = Asked(camp=replace(ASKS, zone="Europe/Atlantis"))
    with pytest.raises(Rejected) as no:
        stay.book()

    assert (no.value.code, no.value.field, no.value.value) == ("unknown_zone", "zone", "Europe/Atlantis")
    assert stay.timers == {}


def test_s1_32_more_due_days_than_any_lead_time_is_100_percent() -> None:
    """3650 days: every sale is paid at once."""
    stay = bought(camp=asking(due_days=3650))

    assert stay.plan() == (20_000, 0, None)
    assert stay.folio.balance_requests == ()


def test_s1_4_no_arrival_no_deadline() -> None:
    """A gift without dates is never late."""
    folio = bought().folio

    assert deadline(replace(folio, lines=()), BALANCE) is None
