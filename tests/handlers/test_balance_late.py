"""S1-20, S1-34, S1-35: money of an answer, after the booking or its request has become another one meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.balance import balance
from schemas.balance import CollectionUnreported
from schemas.balance_request import AttemptState, BalanceStatus
from schemas.booking import Overpaid
from schemas.errors import Rejected
from schemas.payment import PaymentCaptured, UnappliedReceipt
from tests.handlers.balances import ANSWERED, Asked, answered, asked
from tests.handlers.campsite import fact, kinds, line, ordered
from tests.handlers.house import House, named, names
from tests.handlers.test_balance_vouchers import amounts, booked, live

LATER = "2026-07-04T10:00:00+02:00"


def priced(stay: Asked, price: int) -> None:
    """The booking of 200.00, changed; 100.00 of it are paid."""
    stay.book(ordered(line(price=price), payment_plan="split", service_fee=0))


@pytest.mark.parametrize(
    ("price", "taken"),
    [
        pytest.param(17_500, 7_500, id="cheaper: what is owed now"),
        pytest.param(20_000, 10_000, id="as before"),
        pytest.param(30_000, 10_000, id="dearer: what was chosen"),
    ],
)
def test_s1_34_an_attempt_takes_no_more_than_is_owed(price: int, taken: int) -> None:
    """The merchant who says no amount has taken that, and is asked for that; nothing is overpaid."""
    stay = answered()
    priced(stay, price)
    (asked,) = [one for one in stay.until("2026-07-07T09:00:00+02:00") if isinstance(one, CollectionUnreported)]
    out = stay.say("report_collected")

    assert asked.amount == fact(out, PaymentCaptured).amount == taken
    assert "Overpaid" not in kinds(out)
    assert stay.owes() == price - 10_000 - taken


def test_s1_34_what_was_really_taken_is_booked_as_told() -> None:
    """100 were taken of the 75 that are owed since: overpaid, and that is a fact."""
    stay = answered()
    priced(stay, 17_500)
    out = stay.say("report_collected", at=LATER, amount=10_000)

    assert (fact(out, PaymentCaptured).amount, fact(out, Overpaid).amount) == (10_000, 2_500)
    assert stay.queue() is BalanceStatus.PAID


def cancelled(method: str = "cheque", **more: Any) -> Asked:
    """V1, whose guest has chosen on 2 July; on the 3rd the booking is cancelled."""
    stay = answered(method, **more)
    stay.told_cancelled(at="2026-07-03T10:00:00+02:00")
    assert stay.queue() is BalanceStatus.CANCELLED
    return stay


def test_s1_35_x_16_reported_after_the_booking_was_cancelled() -> None:
    """The merchant had the money on his terminal: a receipt without a home, of the attempt that was open."""
    stay = cancelled("card", token="tok_1", mandate="M-1", mandate_version="1")
    owed = stay.owes()
    out = stay.say("report_collected", at=LATER)

    assert (fact(out, PaymentCaptured).amount, fact(out, UnappliedReceipt).amount) == (10_000, 10_000)
    assert (stay.folio.payments[-1].unapplied, stay.folio.payments[-1].mandate) == (True, "M-1")
    assert (stay.owes(), stay.queue()) == (owed, BalanceStatus.CANCELLED)
    assert [(one.state, one.payment) for one in stay.request.attempts] == [
        (AttemptState.COLLECTED, f"{stay.request.request}/1"),
    ]


def test_s1_27_s1_35_once_an_attempt() -> None:
    """Told again it changes nothing; other money, and a failure, are not of that attempt."""
    stay = cancelled()
    stay.say("report_collected", at=LATER)
    assert stay.say("report_collected").facts == stay.say("report_collected", amount=10_000).facts == ()
    before = stay.state
    for act, more in (("collected", {"amount": 6_000}), ("collected", {"payment": "P-8"}), ("disfunction", {})):
        with pytest.raises(Rejected) as no:
            stay.say(f"report_{act}", **more)
        assert (no.value.code, no.value.rule, no.value.field, no.value.value) == ("already_collected", "S1-27", "attempt", "1")

    assert stay.state is before
    assert len(stay.folio.payments) == 2


def test_s1_16_s1_35_where_nothing_was_chosen() -> None:
    """Refused, with the way that such money is told by."""
    stay = asked()
    stay.told_cancelled(at=ANSWERED)
    with pytest.raises(Rejected, match=r"payment\.received") as no:
        stay.say("report_collected", at=LATER)

    assert (no.value.code, no.value.rule, no.value.field, no.value.value) == ("wrong_queue", "S1-16", "request", "cancelled")


def test_s1_20_s1_27_an_attempt_that_was_replaced_before_is_not_the_open_one() -> None:
    stay = answered("cheque")
    stay.say("choose_method", method="card", through="phone")
    stay.told_cancelled(at="2026-07-03T10:00:00+02:00")
    with pytest.raises(Rejected) as no:
        stay.say("report_collected", at=LATER, attempt=1)
    assert no.value.code == "wrong_queue"
    stay.say("report_collected")

    assert [one.state.value for one in stay.request.attempts] == ["replaced", "collected"]


@pytest.mark.parametrize("first", ["message", "report"])
@pytest.mark.parametrize("named", ["P2", ""], ids=["named", "by its amount"])
def test_x_1_x_16_s1_45_the_same_money_told_twice_is_one_receipt(first: str, named: str) -> None:
    """By the message of the payment and by the report, in both orders: at the provider, in nobody's account."""
    stay = cancelled("card", through="phone")
    told = lambda: stay.card(10_000, "P2", occurred_at=LATER)  # noqa: E731
    report = lambda: stay.say("report_collected", at=LATER, **({"payment": named} if named else {}))  # noqa: E731
    for tell in (told, report) if first == "message" else (report, told):
        tell()

    assert [(one.captured, one.unapplied) for one in stay.folio.payments] == [(10_000, False), (10_000, True)]
    assert balance(stay.entries, "till:card", "EUR") == 0
    assert balance(stay.entries, "money:ogone/azur", "EUR") == 20_000
    assert stay.request.attempts[0].state is AttemptState.COLLECTED


def test_x_16_s1_45_a_message_that_says_when_it_moved_gives_it_its_home() -> None:
    """Reported after the cancellation, moved before it: collected then, as if it had been told in time."""
    stay, other = cancelled("card", through="phone"), cancelled("card", through="phone")
    stay.say("report_collected", at=LATER)
    stay.card(10_000, "P2", occurred_at=ANSWERED)
    other.now = LATER
    other.card(10_000, "P2", occurred_at=ANSWERED)

    assert stay.owes() == other.owes()
    assert [one.unapplied for one in stay.folio.payments] == [False, False]
    accounts = {account for one in (*stay.entries, *other.entries) for account in (one.debit, one.credit)}
    assert {name: balance(stay.entries, name, "EUR") for name in accounts} == {
        name: balance(other.entries, name, "EUR") for name in accounts
    }


def test_s1_34_s1_35_nothing_was_owed_any_more_and_the_money_was_taken() -> None:
    """So cheap that nobody is asked: what the merchant took is the guest's, told as overpaid."""
    stay = answered()
    priced(stay, 10_000)
    assert stay.queue() is BalanceStatus.CANCELLED
    out = stay.say("report_collected", at=LATER)

    assert (fact(out, PaymentCaptured).amount, fact(out, Overpaid).amount) == (10_000, 10_000)
    assert stay.queue() is BalanceStatus.CANCELLED


def test_s1_35_s1_42_paid_by_another_way_and_taken_as_well() -> None:
    """A transfer closed the request; the cheque that was chosen is in the till all the same."""
    stay = answered("cheque")
    stay.card(10_000, "P2", tender="bank_transfer", provider="", merchant="", provider_reference="", order="")
    assert stay.queue() is BalanceStatus.PAID
    out = stay.say("report_collected", at=LATER)

    assert fact(out, Overpaid).amount == 10_000
    assert balance(stay.entries, "till:cheque", "EUR") == 10_000


def test_s1_20_s1_35_late_money_is_no_answer_to_the_next_request() -> None:
    """Cheaper, dearer, asked and chosen anew: the first cheque, reported late, leaves the second attempt open for what is left."""
    stay = answered("cheque")
    gone = stay.request.request
    priced(stay, 10_000)
    priced(stay, 40_000)
    stay.until("2026-07-03T10:00:00+02:00")
    stay.say("choose_method", method="cheque")
    assert stay.request.request != gone
    stay.say("report_collected", at=LATER, request=gone)

    assert (stay.queue(), stay.request.amount) == (BalanceStatus.SENT_REPLIED, 20_000)
    assert stay.request.attempts[0].state is AttemptState.CHOSEN


def chosen(voucher: int, **knobs: Any) -> House:
    """500, of which 350 are asked for later; the guest has chosen a card, and types a voucher."""
    made = booked(**knobs)
    made.until("2026-07-01T10:00:00+02:00")
    made.send("balance.choose_method", method="cheque")
    made.enter(voucher)
    return made


def test_s1_20_s0_19_a_voucher_that_nobody_has_checked_ends_no_attempt() -> None:
    """It may be worth nothing: the guest is paying, and what the merchant takes is booked; the request is paid by that."""
    made = chosen(50_000)
    assert [(one.status, one.amount) for one in live(made)] == [(BalanceStatus.SENT_REPLIED, 35_000)]
    told = made.send("balance.report_collected")

    assert (named(told, "PaymentCaptured").amount, named(told, "BalancePaid").amount) == (35_000, 35_000)
    assert live(made) == []


def test_s1_20_s0_19_when_the_attempt_fails_the_voucher_counts() -> None:
    """Then nothing is left to ask for while it is checked."""
    made = chosen(50_000)
    told = made.send("balance.report_disfunction", reason="other")

    assert named(told, "BalanceCancelled").reason == "nothing_owed"
    assert live(made) == []
    assert amounts(made.until("2026-07-09T10:00:00+02:00")) == []


def test_s1_20_s1_42_an_accepted_voucher_is_money_and_closes_the_request() -> None:
    """What the merchant took beside it is told all the same, and overpaid."""
    made = chosen(50_000)
    told = made.check()
    assert "BalancePaid" in names(told)
    told = made.send("balance.report_collected")

    assert (named(told, "PaymentCaptured").amount, named(told, "Overpaid").amount) == (35_000, 35_000)


def test_s0_19_s1_20_s1_35_a_refused_voucher_declines_the_booking() -> None:
    """With its request; what was taken by the open attempt is a receipt without a home."""
    made = chosen(50_000)
    made.check("refused")
    assert [one.status for one in made.folio().balance_requests] == [BalanceStatus.CANCELLED]
    made.until("2026-07-02T10:00:00+02:00")

    assert named(made.send("balance.report_collected"), "UnappliedReceipt").amount == 35_000


def test_s1_20_s1_34_two_vouchers_one_after_the_other() -> None:
    """100 are left by the first: the second, which covers them, does not bring back the 350."""
    made = chosen(40_000, max_vouchers=2)
    assert [one.amount for one in live(made)] == [10_000]
    made.enter(10_000, "MER-2")

    assert [(one.status, one.amount) for one in live(made)] == [(BalanceStatus.SENT_REPLIED, 10_000)]
