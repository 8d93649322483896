"""S0-5 to S0-13, S0-19, S1-33: vouchers of a property that asks for its balances. Voucher, due now and what is asked are the total."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from handlers.balance_record import LIVE
from handlers.booking import SECOND_PAYMENT
from handlers.outcome import Timer
from handlers.voucher_schedule import counted, waiting
from schemas.balance_request import BalanceRequest, BalanceStatus
from schemas.errors import Rejected, Stale
from schemas.folio import FolioStatus, PaymentStatus
from schemas.payment import Tender
from tests.handlers.balances import ASKS, BALANCE
from tests.handlers.campsite import line
from tests.handlers.house import House, minor, named, names, rows

MAIL, DEADLINE = "2026-06-30T09:00:00+02:00", "2026-07-10T23:59:00+02:00"
ORDERS = (
    ("request", "enter", "pay", "check"),
    ("request", "enter", "check", "pay"),
    ("request", "enter", "pay", "confirm", "check"),
    ("request", "enter", "confirm", "check", "pay"),
    ("request", "confirm", "enter", "pay", "check"),
    ("confirm", "enter", "check", "pay"),
    ("confirm", "pay", "enter", "check"),
    ("check", "pay", "enter", "confirm"),
    ("enter", "confirm", "check"),
)
"""In which orders booking, voucher, card and check come; by the last one the guest pays nothing at purchase."""


def house(**knobs: Any) -> House:
    """A house whose campsite asks for its balances; `balance` has knobs of those."""
    asks = replace(ASKS, balance=replace(BALANCE, **knobs.pop("balance", {})), **knobs)
    return House(camps=(asks,))


def booked(voucher: int = 0, **knobs: Any) -> House:
    """500 with a deposit of 150, confirmed; with a voucher that nobody has checked yet."""
    made = house(**knobs)
    made.order(name="booking.confirmed")
    if voucher:
        made.enter(voucher)
    return made


def live(made: House) -> list[BalanceRequest]:
    return [one for one in made.folio().balance_requests if one.status in LIVE]


def amounts(told: list[Any]) -> list[int]:
    """What mails asked for."""
    return [one.amount for one in told if type(one).__name__ == "BalanceSent"]


def money(made: House) -> int:
    """What other means than vouchers have brought."""
    return sum(one.collected() for one in made.folio().payments if one.tender is not Tender.VOUCHER and not one.unapplied)


def play(made: House, what: str, voucher: int, due_now: int) -> None:
    """One of the messages of `ORDERS`."""
    match what:
        case "request" | "confirm":
            made.order(name=f"booking.{what}ed", revision=1 if what == "request" else 2)
        case "enter":
            made.enter(voucher)
        case "check":
            made.check(number="MER-1")
        case _:
            if due_now:
                made.pay(due_now, occurred_at=made.now.isoformat())


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("row", [row for row in rows("V8") if row[3] != "refused"], ids=lambda row: row[0])
def test_v8_v27_s0_7_to_s0_12_what_is_asked_later(row: list[str], order: tuple[str, ...]) -> None:
    """Each row of the vouchers' page, in each order: one mail of exactly the balance, or none ever; the schedule says the same."""
    _, deposit, voucher, due_now, balance = row
    made = house()
    if deposit == "500.00":
        made.until("2026-07-23T10:00:00+02:00")
    for what in order:
        play(made, what, minor(voucher), minor(due_now))
    told = made.until(max(DEADLINE, made.now.isoformat()))

    assert made.plan() == (minor(due_now), minor(balance))
    assert amounts(told) == ([minor(balance)] if minor(balance) else [])
    assert sum(one.amount for one in live(made)) == minor(balance)
    assert minor(voucher) + minor(due_now) + minor(balance) == 50_000


def test_s0_5_above_the_total_nothing_moves() -> None:
    """The last row: refused, and the request stands as it stood."""
    made = booked()
    with pytest.raises(Rejected, match="above"):
        made.enter(50_100)

    assert [one.amount for one in live(made)] == [35_000]


@pytest.mark.parametrize("order", [order for order in ORDERS if order[0] in ("request", "confirm")], ids="-".join)
def test_s0_10_the_whole_by_voucher_is_never_asked_for(order: tuple[str, ...]) -> None:
    """Scheduled only where the booking was confirmed before its voucher came, which cancels it."""
    made = house()
    for what in order:
        play(made, what, 50_000, 0)
    told = made.until("2026-08-01T00:00:00+02:00")

    first = "confirm" in order and order.index("confirm") < order.index("enter")
    balances = [name for name in names(made.said) if name in ("BalanceScheduled", "BalanceSent", "BalanceCancelled")]
    assert balances == (["BalanceScheduled", "BalanceCancelled"] if first else [])
    assert live(made) == []
    assert "BalanceOverdue" not in names(told)


def test_s0_19_nothing_is_scheduled_before_the_merchant_accepts() -> None:
    """The system of record confirms while the check is open: the booking is a request all the same."""
    made = house()
    made.order()
    made.enter(10_000)
    assert "BalanceScheduled" not in names(made.order(name="booking.confirmed", revision=2))

    assert named(made.check(), "BalanceScheduled").amount == 35_000


def test_s0_19_a_mail_waits_for_the_check() -> None:
    """Its instant comes and nothing is asked, by nobody; accepted: at once, and once."""
    made = booked(40_000)
    assert [one.amount for one in live(made)] == [10_000]
    assert amounts(made.until("2026-07-02T10:00:00+02:00")) == []
    assert refused(made, "balance.send_now") == ("voucher_check_open", "folio")
    made.check()

    assert amounts(made.until(DEADLINE)) == [10_000]


def test_s0_19_s1_34_who_was_asked_before_is_asked_anew_after_the_check() -> None:
    """The link over 350 dies with the voucher of 400; the new one is over 100, once it is accepted."""
    made = booked()
    assert amounts(made.until("2026-07-01T10:00:00+02:00")) == [35_000]
    made.enter(40_000)
    assert [(one.amount, one.link) for one in live(made)] == [(10_000, 0)]
    assert refused(made, "balance.resend") == ("voucher_check_open", "folio")
    assert amounts(made.until("2026-07-02T10:00:00+02:00")) == []
    made.check()

    assert amounts(made.until(DEADLINE)) == [10_000]
    assert [one.link for one in live(made)] == [2]


def test_s0_19_back_to_the_same_amount_is_asked_anew() -> None:
    """The voucher of 400 is worth 150: the 350 of the dead link are asked for by a new one."""
    made = booked()
    made.until("2026-07-01T10:00:00+02:00")
    made.enter(40_000)
    made.check("lower_value", value=15_000)

    assert amounts(made.until(DEADLINE)) == [35_000]
    assert [one.link for one in live(made)] == [2]


def test_s0_19_s1_34_there_and_back_while_the_check_is_open() -> None:
    """Dearer and as before again: the link that died in between is followed by a new one, once the voucher is accepted."""
    made = booked()
    made.until("2026-07-01T10:00:00+02:00")
    made.enter(10_000)
    made.order(price=60_000, name="booking.changed", revision=3)
    assert [(one.amount, one.link) for one in live(made)] == [(45_000, 0)]
    made.order(price=50_000, name="booking.changed", revision=4)
    made.check()

    assert amounts(made.until(DEADLINE)) == [35_000]


def test_s0_9_what_stays_the_same_is_not_asked_twice() -> None:
    """A voucher within the deposit leaves the balance as it was asked for."""
    made = booked()
    made.until("2026-07-01T10:00:00+02:00")
    made.enter(10_000)
    made.check()

    assert amounts(made.until(DEADLINE)) == []
    assert [(one.amount, one.link) for one in live(made)] == [(35_000, 1)]


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        pytest.param(20_000, [30_000], id="still above the deposit"),
        pytest.param(15_000, [35_000], id="the deposit"),
        pytest.param(10_000, [], id="below it: the top-up is awaited first"),
    ],
)
def test_s0_19_worth_less_is_asked_for_more(value: int, asked: list[int]) -> None:
    """400 typed: what the merchant accepts counts; while a top-up is awaited nothing is asked, once it is here the balance is."""
    made = booked(40_000)
    made.until("2026-06-29T10:00:00+02:00")
    made.check("lower_value", value=value)
    assert amounts(made.until("2026-06-30T10:00:00+02:00")) == asked
    assert [one.amount for one in live(made)] == [50_000 - max(value, 15_000)]
    if not asked:
        made.pay(5_000)

    assert amounts(made.until(DEADLINE)) == ([] if asked else [35_000])


@pytest.mark.parametrize("at", ["2026-06-01T10:00:00+02:00", "2026-07-01T10:00:00+02:00"])
def test_s0_19_s1_35_refused_or_without_top_up(at: str) -> None:
    """The booking is declined: nobody is asked by anything any more."""
    for verdict in ("refused", "lower_value"):
        made = booked()
        made.until(at)
        made.enter(40_000)
        made.check(verdict, **({"value": 100} if verdict == "lower_value" else {}))
        told = made.until("2026-07-20T00:00:00+02:00")

        assert made.folio().status is FolioStatus.CANCELLED
        assert [one.status for one in made.folio().balance_requests] == [BalanceStatus.CANCELLED]
        assert amounts(told) == []


def test_s0_19_s1_18_nothing_is_made_anew_while_the_check_is_open() -> None:
    made = booked()
    made.send("balance.cancel")
    made.enter(10_000)
    assert refused(made, "balance.recreate") == ("voucher_check_open", "folio")
    made.check()

    assert named(made.send("balance.recreate"), "BalanceScheduled").amount == 35_000


def test_s1_17_an_operator_asks_for_no_more_than_vouchers_leave() -> None:
    """500 less a voucher of 200 that is not checked yet; in all 300, on top of the deposit that the voucher pays."""
    made = booked(20_000)
    assert refused(made, "balance.set_amount", amount=30_001) == ("amount_above_balance", "amount")
    made.send("balance.set_amount", amount=30_000)
    assert [one.amount for one in live(made)] == [30_000]
    made.send("balance.set_amount", amount=10_000)
    made.check()
    assert [one.amount for one in live(made)] == [10_000]
    made.pay(4_000)

    assert [(one.amount, one.clamped) for one in live(made)] == [(6_000, False)]


def test_s1_17_an_operators_amount_counts_vouchers_as_money() -> None:
    """200 of the 350 beyond the deposit: of a voucher of 200, 50 go to them, checked or not. 400, deposit included, are asked for on top of
    a voucher of 100."""
    made = booked()
    made.send("balance.set_amount", amount=20_000)
    made.enter(20_000)
    assert [one.amount for one in live(made)] == [15_000]
    made.check()
    assert [one.amount for one in live(made)] == [15_000]

    more = booked(10_000)
    more.send("balance.set_amount", amount=40_000)
    more.until("2026-06-01T10:00:00+02:00")
    more.check()
    assert [one.amount for one in live(more)] == [40_000]


@pytest.mark.parametrize(("voucher", "asked"), [(10_000, [17_500, 17_500]), (40_000, [10_000]), (50_000, [])])
def test_s0_11_s1_39_each_accommodation_has_its_part_of_the_rest(voucher: int, asked: list[int]) -> None:
    """Two at 250: what the voucher leaves of the 350 that are owed later, split by price; it pays the earliest first."""
    made = house(balance={"per_accommodation": True})
    lines = [line(name, 25_000, terms="outdoor/thirty", accommodation=name) for name in ("a", "b")]
    made.order(name="booking.confirmed", lines=lines)
    made.enter(voucher)
    assert [one.amount for one in live(made)] == asked
    made.check()

    assert [one.amount for one in live(made)] == asked


def test_s1_18_a_voucher_pays_what_an_operator_asks_for() -> None:
    """350 are owed later and 100 asked for: a voucher above both ends the request, and what was left open on purpose stays so."""
    made = booked()
    made.send("balance.set_amount", amount=10_000)
    made.enter(40_000)
    made.check()

    assert live(made) == []
    assert amounts(made.until(DEADLINE)) == []


def test_s0_19_s1_23_a_disfunction_while_the_check_is_open() -> None:
    """Told, and he is invited again once the voucher is accepted."""
    made = booked()
    made.until(MAIL)
    made.send("balance.choose_method", method="cheque")
    made.enter(40_000)
    told = made.send("balance.report_disfunction", reason="other")
    assert named(told, "BalanceDisfunction").link == 0
    assert amounts(made.until("2026-07-02T10:00:00+02:00")) == []
    made.check()

    assert amounts(made.until(DEADLINE)) == [10_000]


def test_s0_19_a_12_no_booking_ends_while_its_voucher_is_checked() -> None:
    """He was asked and has typed a voucher since: overdue is told, without a reminder, and the booking lives."""
    made = booked(balance={"auto_cancel_overdue": True}, voucher_hold_days=90)
    made.until("2026-07-09T10:00:00+02:00")
    made.enter(10_000)
    told = named(made.until("2026-07-11T10:00:00+02:00"), "BalanceOverdue")

    assert (told.asked, told.remind) == (True, False)
    assert made.folio().status is FolioStatus.CONFIRMED


def test_s1_37_overdue_is_told_by_the_request_alone() -> None:
    """A second payment that moves with a voucher has no timer of its own where a balance is asked for."""
    made = booked(50_000)
    made.check("lower_value", value=20_000)
    told = names(made.until("2026-08-01T00:00:00+02:00"))

    assert told.count("BalanceOverdue") == 1
    assert "SecondPaymentOverdue" not in told


@pytest.mark.parametrize("checked", [False, True])
def test_s0_19_s1_37_nobody_is_chased_beside_the_request(checked: bool) -> None:
    """A voucher moves the second payment: no timer is set for it, and while the check is open nobody is told that it is late."""
    made = house(voucher_hold_days=90)
    made.order()
    made.enter(20_000)
    if checked:
        made.check()
    assert SECOND_PAYMENT not in [name for *_, name in made.timers]
    told = names(made.until("2026-08-01T00:00:00+02:00"))

    assert (told.count("BalanceSent"), told.count("BalanceOverdue")) == ((1, 1) if checked else (0, 0))
    assert "SecondPaymentOverdue" not in told


def test_s1_37_a_timer_of_before_says_nothing() -> None:
    """One that was set beside the request of a booking with an open check, by an earlier version."""
    made = booked(20_000)
    due = datetime.fromisoformat("2026-07-11T00:00:00+02:00")
    made.timers["folio", "B-1", SECOND_PAYMENT] = Timer(name=SECOND_PAYMENT, due=due, kind=SECOND_PAYMENT, subject="2026-07-10")

    assert "SecondPaymentOverdue" not in names(made.until("2026-07-12T00:00:00+02:00"))


@pytest.mark.parametrize("at", ["2026-06-01T10:00:00+02:00", "2026-07-01T10:00:00+02:00"], ids=["pending", "sent"])
def test_s1_12_s1_33_s0_19_a_voucher_over_all_leaves_nothing_to_ask_for(at: str) -> None:
    """It is no money yet: the request is cancelled and its link dead, and stays so once the voucher is accepted."""
    made = booked()
    made.until(at)
    told = made.enter(50_000)
    assert named(told, "BalanceCancelled").reason == "nothing_owed"
    assert [(one.status, one.link) for one in made.folio().balance_requests] == [(BalanceStatus.CANCELLED, 0)]
    done = names(made.check())

    assert ("PaymentCaptured" in done, "BalancePaid" in done) == (True, False)
    assert amounts(made.until("2026-08-01T00:00:00+02:00")) == []


def test_s1_12_s0_19_worth_less_is_another_request() -> None:
    """The one that the voucher had ended stays ended; the next one has a link of its own."""
    made = booked()
    made.until("2026-07-01T10:00:00+02:00")
    made.enter(50_000)
    made.check("lower_value", value=20_000)
    made.until(DEADLINE)

    requests = made.folio().balance_requests
    assert [(one.status, one.link, one.amount) for one in requests] == [
        (BalanceStatus.CANCELLED, 0, 35_000),
        (BalanceStatus.SENT_NO_REPLY, 2, 30_000),
    ]


def test_s1_42_a_voucher_told_as_a_payment_is_money() -> None:
    """The PMS says that it was taken: the request is paid."""
    made = booked()
    made.until("2026-07-01T10:00:00+02:00")
    told = made.pay(
        50_000, "MER-9", tender="voucher", provider="", merchant="", provider_reference="", occurred_at=made.now.isoformat()
    )

    assert named(told, "BalancePaid").on_time
    assert [one.status for one in made.folio().balance_requests] == [BalanceStatus.PAID]


def refused(made: House, name: str, **data: Any) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        made.send(name, **data)
    return caught.value.code, caught.value.field


WORDS = ("confirm", "enter", "accept", "lower", "refuse", "pay", "authorise", "provider", "wait", "change", "send_now")
lives = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 2), st.integers(1, 50_000)), max_size=18)


def step(made: House, what: str, number: int, amount: int) -> None:
    """One message of a life; what is refused or stale changes nothing."""
    match what:
        case "confirm":
            made.order(name="booking.confirmed", revision=2)
        case "enter":
            made.enter(amount, f"MER-{number}")
        case "accept":
            made.check(number=f"MER-{number}")
        case "lower":
            made.check("lower_value", number=f"MER-{number}", value=amount)
        case "refuse":
            made.check("refused", number=f"MER-{number}")
        case "pay":
            made.pay(amount, f"P{number}", occurred_at=made.now.isoformat())
        case "authorise":
            made.authorise(amount, f"A{number}", occurred_at=made.now.isoformat())
        case "provider":
            made.answer_provider()
        case "wait":
            made.until((made.now + timedelta(days=amount % 30)).isoformat())
        case "change":
            made.order(price=amount + 100, name="booking.changed", revision=10 + made.folio().changes)
        case _:
            made.send("balance.send_now")


@given(lives)
@settings(max_examples=300, deadline=None)
def test_s0_11_s0_19_voucher_due_now_and_asked_are_the_total(life: list[tuple[str, int, int]]) -> None:
    """Whatever comes in whatever order: what is asked later is the total less the larger of deposit and what came, vouchers that are not
    checked yet too; nothing is asked while one is not. At the end, nothing waiting, the last mail said so."""
    made = house(max_vouchers=3, voucher_hold_days=400)
    made.order()
    for word in life:
        said = len(made.said)
        try:
            step(made, *word)
        except (Rejected, Stale):
            continue
        holds(made, made.said[said:])
    made.answer_provider()
    folio = made.folio()
    if folio.status is not FolioStatus.CONFIRMED or waiting(folio):
        return
    made.until((made.now + timedelta(seconds=1)).isoformat())
    flying = any(one.status is PaymentStatus.AUTHORISED for one in folio.payments)
    begun = made.now >= datetime.fromisoformat("2026-07-23T22:00:00+00:00")
    for request in live(made):
        late = made.now.date() > request.deadline + timedelta(days=BALANCE.grace_days)  # S1-43
        if request.status is BalanceStatus.SENT_NO_REPLY and not flying and not begun and not late:
            assert request.asked == (request.amount, request.deadline)
            assert request.link


def holds(made: House, told: list[Any]) -> None:
    """S0-11, in every moment."""
    folio = made.folio()
    if folio.status is FolioStatus.CANCELLED or folio.planned is None:
        return
    voucher, total, deposit = counted(folio), account.ordered(folio), folio.planned.deposit
    later = max(0, total - max(voucher + money(made), deposit))
    asked = live(made)
    assert [one.amount for one in asked] in ([later], [])
    if asked and money(made) <= folio.due_now:
        assert voucher + folio.due_now + later == total
    if waiting(folio):
        assert not amounts(told)
