"""S0-11: what is due beside vouchers follows what is ordered, while they wait and afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import account
from schemas.folio import Folio
from tests.handlers.campsite import line
from tests.handlers.house import House, named, names, ordered

LINES = [line("1", 20_000), line("2", 30_000)]


def together(folio: Folio) -> int:
    """Vouchers, due now and balance."""
    return sum(voucher.counts for voucher in folio.vouchers) + folio.due_now + folio.second_payment


@pytest.mark.parametrize("typed", [10_000, 30_000, 50_000])
@pytest.mark.parametrize("accepted_before", [True, False])
def test_s0_11_a_partial_cancellation(typed: int, accepted_before: bool) -> None:
    """voucher + due now + balance = what is ordered, while it waits, once it is accepted, and where part of it went back."""
    house = ordered(lines=LINES)
    house.enter(typed)
    if accepted_before:
        house.check()
    told = house.send("cancellation.request", request="C1", lines=[{"line": "1"}], confirm=True)
    assert together(house.folio()) == account.ordered(house.folio()) == 30_000
    assert "PaymentScheduleSet" in names(told) or house.plan() == (0, 0)
    if not accepted_before:
        house.check()

    assert together(house.folio()) == 30_000
    assert account.balance(house.folio()) == 30_000 - min(typed, 30_000)


def test_s0_11_s0_19_worth_less_after_a_partial_cancellation() -> None:
    """300.00 are ordered by now: 100.00 of the voucher, 150.00 of the deposit that are awaited, 50.00 balance."""
    house = ordered(lines=LINES)
    house.enter(30_000)
    house.send("cancellation.request", request="C1", lines=[{"line": "1"}], confirm=True)
    told = named(house.check("lower_value", value=10_000), "VoucherTopUpAwaited")

    assert (told.due_now, told.missing, house.plan()) == (15_000, 15_000, (15_000, 5_000))


def test_s0_16_s0_11_a_lower_price_and_a_higher_one() -> None:
    """The merchant is asked for what the booking has room for; a price that rises again makes room again."""
    house = ordered()
    house.enter(40_000)
    for price, asked in ((30_000, 30_000), (35_000, 35_000), (60_000, 40_000)):
        house.order(price=price, name="booking.changed")
        assert (house.folio().vouchers[0].counts, together(house.folio())) == (asked, price)
    house.order(price=30_000, name="booking.changed")
    reminded = named(house.until("2026-05-02T09:00:00+00:00"), "VoucherCheckRequested")
    assert (reminded.stage, reminded.amount, reminded.due_now, reminded.balance) == ("reminder", 30_000, 0, 0)
    house.check()

    assert (account.collected(house.folio()), account.balance(house.folio())) == (30_000, 0)


def test_s0_21_a_known_voucher_that_covers_the_lower_price() -> None:
    """Less is held than was typed, and enough for what is ordered by now: it is accepted."""
    house = House()
    house.send("voucher.register", number="PMS-1", value=30_000, currency="EUR")
    house.order()
    house.enter(40_000, "PMS-1")
    house.order(price=30_000, name="booking.changed")
    house.check()

    assert account.balance(house.folio()) == 0


@pytest.mark.parametrize("nature", ["acompte", "arrhes"])
def test_s4_34_s0_19_the_penalty_under_a_voucher_that_waits(nature: str) -> None:
    """Half of 200.01 is kept: the voucher that waits covers it as an authorised card would: neither given up nor claimed."""
    house = ordered(lines=[line("1", 20_001), line("2", 30_000)], deposit_nature=nature, booked_at="2026-07-18T10:00:00+02:00")
    house.until("2026-07-21T08:00:00+00:00")
    house.enter(50_001)
    told = house.send("cancellation.request", request="C1", lines=[{"line": "1"}], confirm=True)
    confirmed = named(told, "CancellationConfirmed")

    assert (confirmed.penalty, confirmed.claim, house.folio().waived) == (10_001, 0, 0)
    assert account.ordered(house.folio()) == 40_001
    house.check()
    assert account.balance(house.folio()) == 0


@given(
    paid=st.integers(1, 60_000),
    typed=st.integers(1, 50_000),
    nature=st.sampled_from(["acompte", "arrhes"]),
    plan=st.sampled_from(["full", "split"]),
)
def test_x_16_s0_11_s4_34_order_of_arrival_does_not_matter_beside_a_voucher(paid: int, typed: int, nature: str, plan: str) -> None:
    """A voucher waits, 200 of a line are kept: what was paid between is the same for what is kept and for what is due, whenever told; a
    second payment that the cancellation left nothing of is due with the first."""
    ends = []
    for late in (False, True):
        house = ordered(lines=[line("1", terms="outdoor/nanr"), line("2", 30_000)], deposit_nature=nature, payment_plan=plan)
        house.enter(typed)
        moved = house.now
        if not late:
            house.pay(paid)
        house.until((moved + timedelta(hours=1)).isoformat())
        house.send("cancellation.request", request="C1", lines=[{"line": "1"}], confirm=True)
        if late:
            house.pay(paid, occurred_at=moved.isoformat())
        folio = house.folio()
        due = house.plan() if plan == "full" else sum(house.plan())
        ends.append((account.ordered(folio), account.balance(folio), folio.waived, folio.claim, due))

    assert ends[0] == ends[1]
