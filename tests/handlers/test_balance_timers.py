"""S1-36 to S1-38, S1-43 to S1-45: when the mail goes, when the balance is overdue, when the merchant is asked."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from engine.routes import decision_of
from schemas.balance import BalanceOverdue, BalancePaid, BalanceSent, BalanceSuspended, CollectionUnreported
from schemas.balance_request import BalanceStatus
from schemas.booking import SecondPaymentOverdue
from schemas.cancellation import CancellationConfirmed
from schemas.errors import Stale
from schemas.folio import FolioStatus
from schemas.operations import TimerFired
from schemas.property_settings import Suspension
from tests.handlers.balances import ANSWERED, BOUGHT, SENT, Asked, answered, asked, asking, bought
from tests.handlers.campsite import line, ordered

OVER = "2026-07-11T00:00:00+02:00"
PROPERTY = Suspension(accommodation_type="", until=date(2026, 7, 5))


def names(told: list[Any]) -> list[str]:
    return [type(one).__name__ for one in told]


def test_s1_1_s1_5_the_mail_goes_by_itself_on_its_day() -> None:
    """30 June at nine, once, with all that it says (S1-41)."""
    stay = bought()
    assert stay.until("2026-06-30T08:59:59.999999+02:00") == []
    (sent,) = stay.until(SENT)

    assert isinstance(sent, BalanceSent)
    assert (sent.link, sent.attempt, sent.amount, sent.deadline) == (1, 1, 10_000, date(2026, 7, 10))
    assert sent.methods == ("card", "bank_transfer", "cheque")
    assert stay.queue() is BalanceStatus.SENT_NO_REPLY
    assert stay.until("2026-07-10T23:59:59+02:00") == []


def test_s1_41_a_timer_that_fires_twice_sends_once() -> None:
    """Whatever fires again finds the mail sent: nothing changes."""
    stay = bought()
    (timer,) = [one for one in stay.timers.values() if one.kind == "balance_send"]
    stay.until(SENT)
    again = TimerFired(name=timer.name, due=timer.due, kind=timer.kind, subject=timer.subject)
    with pytest.raises(Stale):
        decision_of("timer.fired", again)(again, stay.facts("timer.fired"))


@pytest.mark.parametrize(
    ("late", "told"),
    [
        pytest.param(timedelta(0), ["BalanceSent"], id="in time"),
        pytest.param(timedelta(days=10), ["BalanceSent"], id="on the deadline's day"),
        pytest.param(timedelta(days=13, hours=14), ["BalanceSent"], id="on the last day of grace"),
        pytest.param(timedelta(days=13, hours=15), [], id="a day more"),
        pytest.param(timedelta(days=30), [], id="during the stay"),
    ],
)
def test_s1_43_a_missed_mail_goes_on_recovery_unless_its_deadline_is_long_over(late: timedelta, told: list[str]) -> None:
    """The hub was away so long: once, or not at all after three days of grace; the request stays where operators see it."""
    stay = bought()
    stay.late_by = late

    assert names(stay.until(SENT)) == told
    assert names(stay.until(SENT)) == []
    assert stay.queue() is (BalanceStatus.SENT_NO_REPLY if told else BalanceStatus.PENDING)


def test_s1_43_the_grace_is_settled() -> None:
    """None at all: not a day after the deadline."""
    stay = bought(camp=asking(grace_days=0))
    stay.late_by = timedelta(days=11)

    assert stay.until(SENT) == []


@pytest.mark.parametrize(
    ("late", "told"),
    [
        pytest.param(timedelta(0), ["BalanceSent"], id="in time"),
        pytest.param(timedelta(days=3), ["BalanceSent"], id="within the grace"),
        pytest.param(timedelta(days=4), [], id="after it"),
    ],
)
@pytest.mark.parametrize("by", ["booking", "property"])
def test_s1_36_s1_43_a_suspension_that_outlasts_the_deadline_ends_in_a_mail(by: str, late: timedelta, told: list[str]) -> None:
    """The deadline stays on the 10th by the knob: sent on the 15th all the same; what is too late is counted from there."""
    stay = bought(camp=asking(suspend_moves_deadline=False))
    end = date(2026, 7, 15)
    if by == "booking":
        stay.say("suspend", at="2026-02-01T10:00:00+01:00", until=end.isoformat())
    else:
        stay.suspensions = (Suspension(accommodation_type="", until=end),)
    assert "BalanceSent" not in names(stay.until("2026-07-15T08:59:00+02:00"))
    stay.late_by = late

    assert names(stay.until("2026-07-15T09:00:00+02:00")) == told


def test_s1_38_a_hub_that_was_away_sends_nothing_during_the_stay() -> None:
    """Its arrival day has begun: told on site, whatever the grace says."""
    stay = bought(camp=asking(grace_days=3650))
    stay.late_by = timedelta(days=24)

    assert stay.until(SENT) == []
    assert stay.request.due_on_site


def test_s1_37_s1_44_overdue_from_the_next_local_day() -> None:
    """Told at midnight, once; the booking lives on, and no second payment is told overdue besides."""
    stay = asked()
    assert stay.until("2026-07-10T23:59:59+02:00") == []
    told = stay.until("2026-07-30T00:00:00+02:00")

    (overdue,) = told
    assert isinstance(overdue, BalanceOverdue)
    assert (overdue.deadline, overdue.amount, overdue.asked, overdue.remind) == (date(2026, 7, 10), 10_000, True, True)
    assert stay.request.overdue_since == date(2026, 7, 11)
    assert stay.folio.status is FolioStatus.CONFIRMED
    assert not [one for one in stay.said if isinstance(one, SecondPaymentOverdue)]


@pytest.mark.parametrize(
    ("moved_at", "on_time"),
    [("2026-07-10T23:59:59+02:00", True), ("2026-07-11T00:00:00+02:00", False)],
)
def test_s1_44_a_payment_on_the_deadlines_day_is_on_time(moved_at: str, on_time: bool) -> None:
    """Told after midnight, it counts by when the money moved."""
    stay = asked()
    stay.until("2026-07-12T00:00:00+02:00")
    out = stay.card(10_000, "P2", occurred_at=moved_at)
    (paid,) = [one for one in out.facts if isinstance(one, BalancePaid)]

    assert paid.on_time is on_time


def test_s1_37_a_payment_on_its_way_is_not_reminded() -> None:
    """Pending at the provider when the day ends: told, and nobody is to be reminded."""
    stay = asked()
    stay.card(10_000, "P2", name="payment.authorised", status="51", occurred_at="2026-07-10T22:00:00+02:00")
    (overdue,) = stay.until(OVER)

    assert isinstance(overdue, BalanceOverdue)
    assert overdue.remind is False


def test_s1_38_no_reminder_when_the_deadline_is_the_arrival() -> None:
    """Due on the arrival day: overdue the day after, during the stay."""
    stay = asked(camp=asking(due_days=0))
    told = stay.until("2026-07-25T00:00:00+02:00")

    assert names(told) == ["BalanceSent", "BalanceOverdue"]
    assert told[1].remind is False  # type: ignore[attr-defined]


def test_s1_37_a_12_the_booking_is_cancelled_where_that_is_switched_on() -> None:
    """By its terms, 13 days before: everything back. Its request goes with it (S1-35)."""
    stay = asked(camp=asking(auto_cancel_overdue=True))
    told = stay.until(OVER)

    assert names(told)[:2] == ["BalanceOverdue", "CancellationConfirmed"]
    assert names(told)[-1] == "BalanceCancelled"
    (confirmed,) = [one for one in told if isinstance(one, CancellationConfirmed)]
    assert confirmed.refund == 10_000
    assert stay.folio.status is FolioStatus.CANCELLED
    assert stay.timers == {}


@pytest.mark.parametrize("what", ["never asked", "answered", "paying"])
def test_a_12_who_was_not_asked_or_answered_or_pays_is_not_cancelled(what: str) -> None:
    """Only silence is taken for a no."""
    camp = asking(auto_cancel_overdue=True)
    stay = bought(camp=camp)
    if what == "never asked":
        stay.late_by = timedelta(days=20)
    stay.until(SENT)
    if what == "answered":
        stay.say("choose_method", at=ANSWERED, method="cheque")
    if what == "paying":
        stay.card(10_000, "P2", name="payment.authorised", occurred_at=ANSWERED)
    told = stay.until(OVER)

    assert "BalanceOverdue" in names(told)
    assert stay.folio.status is FolioStatus.CONFIRMED


def test_s1_36_a_suspended_property_puts_its_mails_off() -> None:
    """Read when the request's own timer fires: until 5 July, and then it goes, with a deadline ten days later."""
    stay = bought()
    stay.suspensions = (PROPERTY,)
    (told,) = stay.until(SENT)

    assert isinstance(told, BalanceSuspended)
    assert (told.scope, told.until, told.deadline, told.due_on_site) == ("property", date(2026, 7, 5), date(2026, 7, 15), False)
    (sent,) = stay.until("2026-07-05T09:00:00+02:00")
    assert isinstance(sent, BalanceSent)
    assert sent.deadline == date(2026, 7, 15)


@pytest.mark.parametrize(
    ("types", "told"),
    [
        pytest.param(("tent",), ["BalanceSuspended"], id="its type"),
        pytest.param(("tent", "chalet"), ["BalanceSuspended"], id="one of its types"),
        pytest.param(("chalet",), ["BalanceSent"], id="another type"),
    ],
)
def test_s1_36_a_suspended_type_concerns_its_bookings(types: tuple[str, ...], told: list[str]) -> None:
    lines = [line(str(n), 10_000, accommodation_type=one) for n, one in enumerate(types)]
    stay = bought("2026-01-01T10:00:00+01:00", *lines)
    stay.suspensions = (Suspension(accommodation_type="tent", until=date(2026, 7, 5)),)

    assert names(stay.until(SENT)) == told


def test_s1_36_a_property_suspended_past_the_arrival_asks_on_site() -> None:
    """No mail ever, and a flag; the balance is due by the arrival and told overdue after it, without a reminder."""
    stay = bought()
    stay.suspensions = (Suspension(accommodation_type="", until=date(2026, 9, 1)),)
    told = stay.until("2026-08-01T00:00:00+02:00")

    assert names(told) == ["BalanceSuspended", "BalanceOverdue"]
    assert told[0].due_on_site is True  # type: ignore[attr-defined]
    assert told[1].deadline == date(2026, 7, 24)  # type: ignore[attr-defined]
    assert (told[1].asked, told[1].remind) == (False, False)  # type: ignore[attr-defined]


def test_s1_36_a_suspension_that_began_after_the_mail_moves_the_deadline() -> None:
    """Asked on 30 June; the property was suspended meanwhile: not overdue on the 11th, but ten days after the end."""
    stay = asked()
    stay.suspensions = (Suspension(accommodation_type="", until=date(2026, 7, 12)),)
    told = stay.until("2026-07-23T00:00:00+02:00")

    assert names(told) == ["BalanceSuspended", "BalanceOverdue"]
    assert told[1].deadline == date(2026, 7, 22)  # type: ignore[attr-defined]
    assert stay.request.link == 1


LONG = Suspension(accommodation_type="", until=date(2026, 7, 15))


PAST_THE_STAY = Suspension(accommodation_type="", until=date(2026, 9, 1))


@pytest.mark.parametrize("kept_back", [pytest.param(LONG, id="until the 15th"), pytest.param(PAST_THE_STAY, id="past the stay")])
@pytest.mark.parametrize("changed", [False, True], ids=["", "and the booking was changed meanwhile"])
def test_s1_36_a_suspension_that_ends_sooner_brings_its_mails_forward(kept_back: Suspension, changed: bool) -> None:
    """Put off, then said again until 5 July only: sent then, with the deadline of a suspension until then."""
    stay = bought()
    stay.suspensions = (kept_back,)
    stay.until("2026-07-02T12:00:00+02:00")
    if changed:
        stay.book(ordered(line(price=30_000, departure="2026-07-30"), payment_plan="split", service_fee=0, booked_at=BOUGHT))
    stay.suspensions = (PROPERTY,)
    (told,) = stay.until("2026-07-05T08:59:59+02:00")

    assert isinstance(told, BalanceSuspended)
    assert (told.until, told.deadline, told.due_on_site) == (date(2026, 7, 5), date(2026, 7, 15), False)
    (sent,) = stay.until("2026-07-05T09:00:00+02:00")
    assert isinstance(sent, BalanceSent)
    assert sent.deadline == date(2026, 7, 15)


def test_s1_36_a_suspension_that_is_ended_lets_its_mails_go_the_next_morning() -> None:
    """On 2 July it is over: sent on the 3rd at nine, due ten days later; told as suspended until then."""
    stay = bought()
    stay.suspensions = (LONG,)
    stay.until("2026-07-02T12:00:00+02:00")
    stay.suspensions = ()
    told, sent = stay.until("2026-07-03T09:00:00+02:00")

    assert isinstance(told, BalanceSuspended)
    assert isinstance(sent, BalanceSent)
    assert (told.until, told.deadline, sent.deadline) == (date(2026, 7, 3), date(2026, 7, 13), date(2026, 7, 13))
    assert stay.until("2026-07-13T23:59:59+02:00") == []


def test_s1_36_while_it_is_suspended_nothing_is_told_twice() -> None:
    """It looks every morning, and says so once."""
    stay = bought()
    stay.suspensions = (LONG,)

    assert names(stay.until("2026-07-15T08:59:59+02:00")) == ["BalanceSuspended"]
    assert names(stay.until("2026-07-15T09:00:00+02:00")) == ["BalanceSent"]


def test_s1_36_a_hub_that_was_away_looks_once() -> None:
    """Away for a week: the next look is tomorrow's, not one for each day that is gone."""
    stay = bought()
    stay.suspensions = (LONG,)
    stay.late_by = timedelta(days=7)
    stay.until(SENT)

    assert stay.request.wake_at == datetime.fromisoformat("2026-07-08T09:00:00+02:00")


def test_s1_36_a_bookings_own_suspension_is_not_ended_by_its_propertys() -> None:
    """Until 8 July by an operator's word on this booking."""
    stay = bought()
    stay.say("suspend", until="2026-07-08")

    assert stay.until("2026-07-08T08:59:59+02:00") == []
    assert names(stay.until("2026-07-08T09:00:00+02:00")) == ["BalanceSent"]


def test_s1_36_a_suspended_property_reminds_nobody() -> None:
    """Asked before; the deadline stays by the knob: overdue, and nobody is reminded while it is suspended."""
    stay = asked(camp=asking(suspend_moves_deadline=False))
    stay.suspensions = (Suspension(accommodation_type="", until=date(2026, 7, 20)),)
    (told,) = stay.until(OVER)

    assert isinstance(told, BalanceOverdue)
    assert told.remind is False


def test_s1_36_the_latest_of_several_suspensions_counts() -> None:
    """The tents' ends later than the property's."""
    stay = bought("2026-01-01T10:00:00+01:00", line(accommodation_type="tent"))
    stay.suspensions = (PROPERTY, Suspension(accommodation_type="tent", until=date(2026, 7, 6)))
    (told,) = stay.until(SENT)

    assert isinstance(told, BalanceSuspended)
    assert (told.scope, told.property, told.accommodation_type, told.until) == ("type", "camp-azur", "tent", date(2026, 7, 6))


def test_s1_38_a_hub_that_was_away_reminds_nobody_during_the_stay() -> None:
    """Overdue on 11 July, decided on the 25th: the guest is there."""
    stay = asked()
    stay.late_by = timedelta(days=14)
    (told,) = stay.until(OVER)

    assert isinstance(told, BalanceOverdue)
    assert told.remind is False


def test_s1_36_a_purchase_during_a_suspension_is_not_asked_at_once() -> None:
    """Bought on 3 July, after the mail's day: it waits for the suspension's end (S1-9)."""
    stay = Asked()
    stay.suspensions = (PROPERTY,)
    stay.now = "2026-07-03T12:00:00+02:00"
    stay.book(ordered(payment_plan="split", booked_at=stay.now))

    assert names(stay.until("2026-07-05T08:00:00+02:00")) == ["BalanceSuspended"]
    assert names(stay.until("2026-07-05T09:00:00+02:00")) == ["BalanceSent"]


def test_s1_45_the_merchant_is_asked_once_an_attempt() -> None:
    """Chosen on 2 July: asked on the 7th at nine, and not again."""
    stay = answered()
    assert stay.until("2026-07-07T08:59:59+02:00") == []
    told = stay.until("2026-07-20T00:00:00+02:00")

    assert names(told) == ["CollectionUnreported", "BalanceOverdue"]
    assert isinstance(told[0], CollectionUnreported)
    assert (told[0].attempt, told[0].method, told[0].amount) == (1, "cheque", 10_000)


def test_s1_45_the_days_are_settled() -> None:
    stay = asked(camp=asking(collection_days=1))
    stay.say("choose_method", at=ANSWERED, method="card")

    assert names(stay.until("2026-07-03T09:00:00+02:00")) == ["CollectionUnreported"]


def test_s1_34_who_is_paying_is_not_asked_anew_until_that_is_over() -> None:
    """A dearer booking while the card is pending: nothing is sent; the money comes, and the difference is asked for by a new link."""
    stay = asked()
    stay.card(10_000, "P2", name="payment.authorised", status="51", occurred_at=ANSWERED)
    stay.now = ANSWERED
    stay.book(ordered(line(price=30_000), payment_plan="split", service_fee=0))
    assert names(stay.until("2026-07-03T00:00:00+02:00")) == []
    stay.card(10_000, "P2", status="9")
    (sent,) = stay.until("2026-07-03T00:00:01+02:00")

    assert isinstance(sent, BalanceSent)
    assert (sent.amount, sent.link) == (10_000, 2)


def test_a_timer_of_a_request_that_is_over_is_stale() -> None:
    stay = bought()
    timers = list(stay.timers.values())
    stay.say("cancel")
    for timer in timers:
        fired = TimerFired(name=timer.name, due=timer.due, kind=timer.kind, subject=timer.subject)
        with pytest.raises(Stale):
            decision_of("timer.fired", fired)(fired, stay.facts("timer.fired"))
