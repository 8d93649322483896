"""S1-10, S1-33 to S1-35, S1-39, S1-42, X-2, X-16, X-20: what every other decision means for the balance request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import account
from handlers.balance_record import LIVE
from schemas.balance import BalanceCancelled, BalancePaid, BalanceScheduled, BalanceSent
from schemas.balance_request import AttemptState, BalanceStatus
from schemas.booking import Overpaid
from schemas.errors import Rejected, Stale
from schemas.payment import UnappliedReceipt
from tests.handlers.balances import ANSWERED, BOUGHT, SENT, Asked, answered, asked, asking, bought, collected
from tests.handlers.campsite import CAMP, fact, kinds, line, ordered

BARE = {"provider": "", "merchant": "", "provider_reference": "", "order": ""}


def changed(stay: Asked, *lines: dict[str, Any], at: str = "", **more: Any) -> Any:
    """The booking as it is now: its lines, no fee, in split."""
    stay.now = at or stay.now
    return stay.book(ordered(*lines, **{"payment_plan": "split", "service_fee": 0, "booked_at": BOUGHT, **more}))


def test_a_property_without_settings_asks_for_nothing() -> None:
    """Every field of the folio, every timer and outcome is as it was without balances."""
    stay = bought(camp=CAMP)

    assert stay.folio.balance_requests == ()
    assert not [one for one in stay.said if type(one).__name__.startswith("Balance") and type(one).__name__ != "BalanceChanged"]
    assert stay.folio.second_payment_on == date(2026, 7, 23)


def test_s1_10_scheduled_with_the_booking() -> None:
    """In the booking's own decision, with amount and days."""
    stay = Asked()
    stay.now = BOUGHT
    told = fact(stay.book(ordered(payment_plan="split", service_fee=0, booked_at=BOUGHT)), BalanceScheduled)

    assert (told.amount, told.send_on, told.deadline) == (10_000, date(2026, 6, 30), date(2026, 7, 10))
    assert (told.fixed, told.clamped, told.due_on_site) == (False, False, False)


def test_s1_1_only_a_confirmed_booking_is_asked() -> None:
    """Requested: nothing; confirmed by the merchant: scheduled."""
    stay = Asked()
    stay.now = BOUGHT
    message = ordered(payment_plan="split", service_fee=0, booked_at=BOUGHT)
    assert "BalanceScheduled" not in kinds(stay.book(message, name="booking.requested"))

    assert "BalanceScheduled" in kinds(stay.book(message))


@pytest.mark.parametrize(
    ("paid", "amount"),
    [
        pytest.param(0, 10_000, id="nothing: the deposit is asked for at purchase"),
        pytest.param(4_000, 10_000, id="a part of the deposit"),
        pytest.param(10_000, 10_000, id="the deposit"),
        pytest.param(15_000, 5_000, id="more than the deposit lowers the balance"),
        pytest.param(19_999, 1, id="all but a cent"),
    ],
)
def test_s1_33_what_is_asked(paid: int, amount: int) -> None:
    """ordered - max(collected, due at purchase)."""
    stay = bought(deposit=False)
    if paid:
        stay.card(paid)

    assert stay.request.amount == amount


@pytest.mark.parametrize(("paid", "over"), [(20_000, 0), (25_000, 5_000)])
def test_s1_33_nothing_owed_nothing_asked(paid: int, over: int) -> None:
    """Paid in full: no request lives; more: told as overpaid."""
    stay = bought(deposit=False)
    out = stay.card(paid)

    assert fact(out, BalancePaid).amount == 10_000
    assert stay.timers == {}
    assert [one.amount for one in out.facts if isinstance(one, Overpaid)] == ([over] if over else [])


def test_s1_33_a_booking_that_is_paid_at_once_has_no_request() -> None:
    stay = bought(payment_plan="full")

    assert stay.folio.balance_requests == ()


def test_s1_42_a_transfer_on_the_5th_closes_the_request() -> None:
    """By a way that no link offered."""
    stay = asked()
    stay.until("2026-07-05T12:00:00+02:00")
    out = stay.card(10_000, "P2", tender="bank_transfer", **BARE)

    assert fact(out, BalancePaid).on_time is True
    assert stay.queue() is BalanceStatus.PAID
    assert stay.request.link == 0
    assert stay.until("2026-08-01T00:00:00+02:00") == []


def test_s1_34_a_part_that_comes_is_asked_for_no_more() -> None:
    """40 of 100 by transfer: the old link dies, 60 are asked for by a new one."""
    stay = asked()
    stay.now = ANSWERED
    stay.card(4_000, "P2", tender="bank_transfer", **BARE)
    assert stay.request.link == 0
    (sent,) = stay.until("2026-07-02T10:00:01+02:00")

    assert isinstance(sent, BalanceSent)
    assert (sent.amount, sent.link, sent.attempt) == (6_000, 2, 2)


def test_s1_34_a_late_deposit_asks_nobody_again() -> None:
    """It was never part of the balance."""
    stay = bought(deposit=False)
    stay.until(SENT)
    out = stay.card(10_000)

    assert kinds(out) == ["PaymentCaptured", "BalanceChanged"]
    assert stay.request.link == 1


@pytest.mark.parametrize(
    ("arrival", "mail", "deadline"),
    [
        pytest.param("2026-08-24", "2026-07-31", "2026-08-10", id="later"),
        pytest.param("2026-07-14", "2026-06-20", "2026-06-30", id="sooner"),
    ],
)
def test_s1_34_a_pending_request_follows_the_arrival(arrival: str, mail: str, deadline: str) -> None:
    """Rescheduled: one mail, on its new day."""
    stay = bought()
    told = fact(changed(stay, line(arrival=arrival, departure="2026-08-31")), BalanceScheduled)

    assert (told.send_on.isoformat(), told.deadline.isoformat()) == (mail, deadline)
    assert stay.until(f"{mail}T08:59:59+02:00") == []
    (sent,) = stay.until(f"{mail}T09:00:00+02:00")
    assert sent.deadline.isoformat() == deadline  # type: ignore[attr-defined]


def test_s1_34_a_change_too_late_for_its_deadline_has_until_the_end_of_the_day() -> None:
    """Moved on 20 June to 25 June: the deadline would be the 11th; it is asked for at once, and is overdue from midnight."""
    stay = bought()
    stay.until("2026-06-20T12:00:00+02:00")
    changed(stay, line(arrival="2026-06-25"))
    told = stay.until("2026-06-21T00:00:00+02:00")

    assert [type(one).__name__ for one in told] == ["BalanceSent", "BalanceOverdue"]
    assert told[0].deadline == date(2026, 6, 20)  # type: ignore[attr-defined]


def test_s1_34_once_asked_a_change_kills_the_link_and_asks_anew() -> None:
    """Dearer after the mail: 200 are owed; the old link is dead at once, a new notice goes with a new one."""
    stay = asked()
    out = changed(stay, line(price=30_000), at=ANSWERED)

    assert fact(out, BalanceScheduled).amount == 20_000
    assert stay.request.link == 0
    (sent,) = stay.until("2026-07-02T10:00:01+02:00")
    assert isinstance(sent, BalanceSent)
    assert (sent.amount, sent.link, sent.attempt, sent.again) == (20_000, 2, 2, False)
    assert len(stay.folio.balance_requests) == 1


def test_s1_34_a_change_that_changes_nothing_of_it_asks_nobody() -> None:
    stay = asked()
    out = changed(stay, line(accommodation="pitch-9"), at=ANSWERED)

    assert "BalanceScheduled" not in kinds(out)
    assert stay.request.link == 1


def test_s1_34_a_change_after_the_mail_and_the_deadline_is_asked_for() -> None:
    """Overdue, and dearer on the 15th: the whole difference, until the end of that day."""
    stay = asked()
    stay.until("2026-07-15T12:00:00+02:00")
    changed(stay, line(price=30_000))

    assert stay.request.amount == 20_000
    assert stay.plan() == (10_000, 20_000, date(2026, 7, 15))


@pytest.mark.parametrize(
    ("price", "amount", "clamped"),
    [
        pytest.param(30_000, 6_000, False, id="dearer: the amount by hand stays"),
        pytest.param(17_000, 6_000, False, id="cheaper, and it still fits"),
        pytest.param(13_000, 3_000, True, id="cheaper than that: clamped and flagged"),
    ],
)
def test_s1_34_an_amount_set_by_hand_wins(price: int, amount: int, clamped: bool) -> None:
    """60 of 100; above what is owed it is clamped, and comes back when that is owed again."""
    stay = bought()
    stay.say("set_amount", amount=6_000)
    changed(stay, line(price=price))
    assert (stay.request.amount, stay.request.clamped) == (amount, clamped)
    changed(stay, line())

    assert (stay.request.amount, stay.request.clamped) == (6_000, False)


def test_s1_34_what_an_amount_by_hand_left_is_not_asked_for_by_itself() -> None:
    """60 of 100 asked and paid; dearer by 50: those 50 are asked for, and the 40 stay left."""
    stay = bought()
    stay.say("set_amount", amount=6_000)
    stay.card(6_000, "P2")
    assert len(stay.folio.balance_requests) == 1
    changed(stay, line(price=25_000))

    assert (len(stay.folio.balance_requests), stay.request.amount) == (2, 5_000)


def test_s1_33_cheaper_than_what_was_paid_ends_the_request() -> None:
    """Nothing is owed: cancelled, not paid; dearer again: another one by itself."""
    stay = bought()
    out = changed(stay, line(price=10_000))
    assert fact(out, BalanceCancelled).reason == "nothing_owed"
    changed(stay, line(price=20_000))

    assert [one.status.value for one in stay.folio.balance_requests] == ["cancelled", "pending"]
    assert stay.request.amount == 10_000


def test_s1_34_dearer_after_it_was_paid_asks_for_the_difference() -> None:
    """The paid one stays paid; another asks, though the deadline has passed: until the end of the day."""
    stay = collected()
    stay.until("2026-07-12T10:00:00+02:00")
    changed(stay, line(price=25_000))
    (sent,) = stay.until("2026-07-12T10:00:01+02:00")

    assert isinstance(sent, BalanceSent)
    assert (sent.amount, sent.deadline) == (5_000, date(2026, 7, 12))


def test_x_19_money_taken_back_is_asked_for_again() -> None:
    """The cheque bounced: the balance is open, and another request asks for it."""
    stay = asked()
    stay.now = ANSWERED
    stay.card(10_000, "P2", tender="cheque", **BARE)
    stay.card(10_000, "P2", name="payment.reversed", tender="cheque", **BARE)

    assert [one.status.value for one in stay.folio.balance_requests] == ["paid", "pending"]
    assert stay.request.amount == 10_000


def test_x_3_what_others_gave_back_is_not_asked_for() -> None:
    """Refunded in the provider's back office after everything was paid: owed by the books, and nobody is mailed for it."""
    stay = asked()
    stay.card(10_000, "P2", occurred_at=ANSWERED)
    stay.foreign(5_000, "P2")

    assert stay.owes() == 5_000
    assert [one.status.value for one in stay.folio.balance_requests] == ["paid"]


@pytest.mark.parametrize("made", [bought, asked, answered], ids=["pending", "sent_no_reply", "sent_replied"])
def test_s0_25_s1_35_x_16_cancelled_with_the_booking_in_every_queue(made: Callable[[], Asked]) -> None:
    """Its timers and link are gone, its attempt is nobody's; money that moved afterwards has no home."""
    stay = made()
    out = stay.told_cancelled(at="2026-07-03T10:00:00+02:00", refund="none")
    assert fact(out, BalanceCancelled).reason == "booking_cancelled"
    assert stay.timers == {}
    assert not [one for one in stay.request.attempts if one.state is AttemptState.CHOSEN]
    late = stay.card(10_000, "P9", occurred_at="2026-07-04T10:00:00+02:00")

    assert fact(late, UnappliedReceipt).amount == 10_000
    assert stay.queue() is BalanceStatus.CANCELLED


def test_s1_35_no_request_of_a_cancelled_booking_is_made_anew() -> None:
    stay = bought()
    stay.told_cancelled(at="2026-07-03T10:00:00+02:00")
    with pytest.raises(Rejected) as no:
        stay.say("recreate")

    assert no.value.code == "already_cancelled"


def test_s1_34_one_accommodation_of_two_is_cancelled() -> None:
    """What is left is asked for, by the deadline of what is left."""
    lines = (line("1", 10_000, arrival="2026-07-20"), line("2", 20_000))
    stay = bought(BOUGHT, *lines)
    assert (stay.request.amount, stay.request.deadline) == (15_000, date(2026, 7, 6))
    stay.leave({"line": "1"}, at="2026-03-01T10:00:00+01:00")

    assert stay.request.deadline == date(2026, 7, 10)
    assert stay.request.amount == min(15_000, account.balance(stay.folio))


def test_x_20_what_a_channel_collects_is_not_asked_of_the_guest() -> None:
    """Neither from the start nor when it turns out later; when it turns out not to be so, he is asked."""
    stay = bought(deposit=False, collected_by="channel")
    assert stay.folio.balance_requests == ()
    other = asked()
    out = changed(other, line(), collected_by="channel")

    assert fact(out, BalanceCancelled).reason == "collected_by_channel"
    assert fact(changed(other, line()), BalanceScheduled).amount == 10_000


def test_s1_38_nothing_is_asked_for_by_itself_once_the_stay_has_begun() -> None:
    """Dearer on the third day: the guest is there."""
    stay = collected()
    stay.until("2026-07-26T10:00:00+02:00")
    changed(stay, line(price=25_000))

    assert len(stay.folio.balance_requests) == 1


def test_s1_34_paid_at_once_and_dearer_later_is_asked_for() -> None:
    """Bought inside the deadline, 100 % paid; dearer: the difference, at once."""
    stay = bought("2026-07-12T10:00:00+02:00")
    changed(stay, line(price=25_000), at="2026-07-13T10:00:00+02:00")

    assert (stay.request.amount, stay.request.deadline) == (5_000, date(2026, 7, 13))


def test_s1_39_one_request_for_each_accommodation() -> None:
    """The knob: 100 and 300 with deadlines in June and July, split by price to the cent; money pays the earlier first."""
    camp = asking(per_accommodation=True, due_days_by_type={"chalet": 30, "tent": 7})
    lines = (
        line("1", 10_001, accommodation="c1", accommodation_type="chalet"),
        line("2", 30_000, accommodation="t1", accommodation_type="tent"),
        line("3", 1_000, kind="service"),
    )
    stay = bought(BOUGHT, *lines, camp=camp)
    first, second = stay.folio.balance_requests
    assert [first.accommodation, second.accommodation] == ["c1", "t1"]
    assert [first.deadline, second.deadline] == [date(2026, 6, 24), date(2026, 7, 17)]
    assert first.amount + second.amount == account.balance(stay.folio)
    stay.card(first.amount, "P2")

    assert [one.status.value for one in stay.folio.balance_requests] == ["paid", "pending"]
    assert stay.request.amount == second.amount


def test_s1_20_s1_34_money_for_one_of_several_asks_nobody_else_anew() -> None:
    """Both were asked for 100: a payment of the first, or of a part of it, leaves the other's link alone."""
    camp = asking(per_accommodation=True)
    for paid, told in ((10_000, []), (4_000, [(6_000, 3)])):
        stay = bought(BOUGHT, line("1", accommodation="a"), line("2", accommodation="b"), camp=camp)
        stay.until(SENT)
        link = stay.folio.balance_requests[1].link
        stay.now = ANSWERED
        stay.card(paid, "P2")

        assert [(one.amount, one.link) for one in stay.until("2026-07-03T00:00:00+02:00") if isinstance(one, BalanceSent)] == told
        assert stay.folio.balance_requests[1].link == link


def test_s1_39_bought_inside_the_deadline_of_one() -> None:
    """The chalet is paid at once, the tent is asked for."""
    camp = asking(per_accommodation=True, due_days_by_type={"chalet": 30, "tent": 7})
    lines = (
        line("1", 10_000, accommodation="c1", accommodation_type="chalet"),
        line("2", 30_000, accommodation="t1", accommodation_type="tent"),
    )
    stay = bought("2026-07-01T10:00:00+02:00", *lines, camp=camp)

    assert stay.plan() == (25_000, 15_000, date(2026, 7, 17))
    assert [(one.accommodation, one.amount) for one in stay.folio.balance_requests] == [("t1", 15_000)]
    assert bought("2026-07-17T10:00:00+02:00", *lines, camp=camp).plan() == (40_000, 0, None)


def test_s1_39_with_several_live_requests_an_operator_says_which() -> None:
    camp = asking(per_accommodation=True)
    stay = bought(BOUGHT, line("1", accommodation="a"), line("2", accommodation="b"), camp=camp)
    with pytest.raises(Rejected) as no:
        stay.say("cancel")
    assert (no.value.code, no.value.field) == ("request_missing", "request")
    stay.say("cancel", request=stay.folio.balance_requests[0].request)

    assert [one.status.value for one in stay.folio.balance_requests] == ["cancelled", "pending"]


@given(st.lists(st.tuples(st.sampled_from(["pay", "first", "second", "cancel", "time"]), st.integers(1, 30)), max_size=10))
def test_s1_39_several_requests_never_ask_for_more_than_is_owed(acts: list[tuple[str, int]]) -> None:
    """Each accommodation at most one, together no more than the balance (`Asked.asks_once`), whatever is paid or changed."""
    camp = asking(per_accommodation=True, due_days_by_type={"chalet": 30})
    prices, kinds_, day = [20_000, 30_001], ("tent", "chalet"), 1

    def made() -> list[dict[str, Any]]:
        return [line(kind, price, accommodation=kind, accommodation_type=kind) for price, kind in zip(prices, kinds_, strict=True)]

    stay = bought(BOUGHT, *made(), camp=camp)
    for number, (act, size) in enumerate(acts):
        day += size if act == "time" else 0
        stay.until(f"2026-{min(12, 1 + day // 28):02}-{1 + day % 28:02}T12:00:00+01:00")
        try:
            if act == "pay":
                stay.card(700 * size, f"Q{number}", tender="bank_transfer", **BARE)
            elif act in ("first", "second"):
                prices[act == "second"] = 1_000 * size
                changed(stay, *made())
            elif act == "cancel":
                stay.say("cancel", request=stay.folio.balance_requests[size % len(stay.folio.balance_requests)].request)
        except (Rejected, Stale):
            continue
    assert stay.owes() == account.balance(stay.folio)


def standing(stay: Asked) -> tuple[Any, ...]:
    """What the guest is asked for in the end."""
    live = [one for one in stay.folio.balance_requests if one.status in LIVE]
    return [(one.amount, one.deadline, one.send_on, one.status.value) for one in live], stay.owes()  # type: ignore[return-value]


def test_x_2_money_in_any_order_comes_to_the_same() -> None:
    """Deposit, a part, another part, in all orders, between the booking and its mail."""
    ends = []
    for order in permutations([(10_000, "P1"), (3_000, "P2"), (2_000, "P3")]):
        stay = bought(deposit=False)
        for amount, name in order:
            stay.card(amount, name)
        ends.append(standing(stay))

    assert all(end == ends[0] for end in ends)
    assert ends[0][0] == [(5_000, date(2026, 7, 10), date(2026, 6, 30), "pending")]


@given(st.permutations(["cancel", "before", "after", "taken back"]))
def test_x_2_x_16_a_cancellation_and_money_in_any_order(order: list[str]) -> None:
    """Nobody is asked, whatever came first; money from before counts, money from after has no home."""
    stay = asked()
    acts: dict[str, Callable[[], object]] = {
        "cancel": lambda: stay.told_cancelled(at="2026-07-03T10:00:00+02:00", refund="policy"),
        "before": lambda: stay.card(3_000, "P2", occurred_at="2026-07-02T10:00:00+02:00"),
        "after": lambda: stay.card(10_000, "P3", occurred_at="2026-07-04T10:00:00+02:00") if stay.folio.cancelled_at else None,
        "taken back": lambda: stay.card(10_000, "P1", name="payment.reversed"),
    }
    stay.now = "2026-07-03T10:00:00+02:00"
    for name in order:
        acts[name]()

    assert {one.status for one in stay.folio.balance_requests} <= {BalanceStatus.CANCELLED, BalanceStatus.PAID}
    assert stay.timers == {}


@given(st.lists(st.tuples(st.sampled_from(["price", "arrival", "pay", "reverse", "amount", "cancel", "recreate", "send", "time"]),
                          st.integers(0, 40)), max_size=15))  # fmt: skip
def test_s1_17_s1_20_s1_34_whatever_happens_to_a_booking(acts: list[tuple[str, int]]) -> None:
    """One live request and link at most, never for more than is owed, what is over stays over (`Asked.asks_once`)."""
    stay, day = bought(), 1
    price, arrival = 20_000, "2026-07-24"
    for number, (act, size) in enumerate(acts):
        day += size if act == "time" else 0
        at = f"2026-{min(12, 1 + day // 28):02}-{1 + day % 28:02}T12:00:00+01:00"
        try:
            stay.until(at)
            match act:
                case "price":
                    price = 1_000 * size
                    changed(stay, line(price=price, arrival=arrival))
                case "arrival":
                    arrival = f"2026-07-{1 + size % 31:02}"
                    changed(stay, line(price=price, arrival=arrival))
                case "pay":
                    stay.card(500 * size + 1, f"Q{number}", tender="bank_transfer", **BARE)
                case "reverse":
                    stay.card(stay.payment("P1").captured, "P1", name="payment.reversed")
                case "amount":
                    stay.say("set_amount", amount=500 * size)
                case "cancel":
                    stay.say("cancel")
                case "recreate":
                    stay.say("recreate")
                case "send":
                    stay.say("send_now")
        except (Rejected, Stale):
            continue
    assert stay.owes() == account.balance(stay.folio)


def each(*prices: int, **more: Any) -> Asked:
    """One request for each of these accommodations, due a day later each; half is paid."""
    days = {name: 30 - n for n, name in enumerate("abc")}
    camp = asking(per_accommodation=True, due_days_by_accommodation=days)
    lines = [line(str(n), price, accommodation="abc"[n]) for n, price in enumerate(prices)]
    return bought(BOUGHT, *lines, camp=camp, **more)


def live(stay: Asked) -> dict[str, int]:
    return {one.accommodation: one.amount for one in stay.folio.balance_requests if one.status.value == "pending"}


def named(stay: Asked, accommodation: str) -> str:
    return [one.request for one in stay.folio.balance_requests if one.accommodation == accommodation][-1]


def test_s1_17_s1_39_an_operator_sets_the_amount_of_one() -> None:
    """60 of the 100 of the first: the second is as it was, 60 close the first, and nothing follows of what was left open."""
    stay = each(20_000, 20_000)
    told = fact(stay.say("set_amount", request=named(stay, "a"), amount=6_000), BalanceScheduled)

    assert (told.accommodation, told.amount, told.fixed, told.clamped) == ("a", 6_000, True, False)
    assert live(stay) == {"a": 6_000, "b": 10_000}
    stay.card(6_000, "P2")
    assert live(stay) == {"b": 10_000}
    assert [one.status.value for one in stay.folio.balance_requests] == ["paid", "pending"]
    stay.card(10_000, "P3")
    assert [one.status.value for one in stay.folio.balance_requests] == ["paid", "paid"]
    assert stay.owes() == 4_000


def test_s1_17_s1_39_a_part_that_came_before_counts() -> None:
    """30 of the first are paid when its amount is set to 20: 20 are asked for, and close it."""
    stay = each(20_000, 20_000)
    stay.card(3_000, "P2")
    stay.say("set_amount", request=named(stay, "a"), amount=2_000)

    assert live(stay) == {"a": 2_000, "b": 10_000}
    stay.card(2_000, "P3")
    assert live(stay) == {"b": 10_000}


@pytest.mark.parametrize(
    ("amount", "code"),
    [pytest.param(10_000, "", id="its own share"), pytest.param(10_001, "amount_above_balance", id="a cent of another's")],
)
def test_s1_17_s1_39_together_they_ask_for_no_more_than_is_owed(amount: int, code: str) -> None:
    stay = each(20_000, 20_000)
    if not code:
        stay.say("set_amount", request=named(stay, "b"), amount=amount)
        assert live(stay) == {"a": 10_000, "b": 10_000}
        return
    with pytest.raises(Rejected) as no:
        stay.say("set_amount", request=named(stay, "b"), amount=amount)

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == (code, "S1-17", "amount", str(amount))


def test_s1_17_s1_39_what_one_leaves_another_may_ask_for() -> None:
    """The first is cancelled by hand: its 100 may be asked for with the second, and money closes that."""
    stay = each(20_000, 20_000)
    stay.say("cancel", request=named(stay, "a"))
    stay.say("set_amount", request=named(stay, "b"), amount=20_000)

    assert live(stay) == {"b": 20_000}
    stay.card(20_000, "P2")
    assert (live(stay), stay.owes()) == ({}, 0)


def test_s1_34_s1_39_an_amount_by_hand_is_clamped_when_the_price_falls() -> None:
    """The first is 40 now, of which 20 are due later: flagged, and not more than that is asked for."""
    stay = each(20_000, 20_000)
    stay.say("set_amount", request=named(stay, "a"), amount=9_000)
    stay.book(ordered(line("0", 4_000, accommodation="a"), line("1", 20_000, accommodation="b"), payment_plan="split", service_fee=0,
                      booked_at=BOUGHT))  # fmt: skip

    assert sum(live(stay).values()) <= account.balance(stay.folio)
    assert [one.clamped for one in stay.folio.balance_requests if one.accommodation == "a"] == [True]


def test_s1_17_s1_39_nothing_cancels_that_one() -> None:
    stay = each(20_000, 20_000)
    stay.say("set_amount", request=named(stay, "a"), amount=0)

    assert live(stay) == {"b": 10_000}
