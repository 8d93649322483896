"""S4-37, X-2: the first payment at a change of the booking, by when money moved and not by when it was told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.booking import SECOND_PAYMENT
from schemas.balance_request import BalanceStatus
from schemas.booking import PaymentScheduleSet
from schemas.voucher import VoucherStatus
from tests.handlers.balances import ASKS
from tests.handlers.campsite import Stay, fact, kinds, line, ordered, paid
from tests.handlers.cancelling import Leaving
from tests.handlers.house import House, names

PAGE = Path(__file__).parents[2].joinpath("docs/rules/booking.md").read_text(encoding="utf-8")
BOOKED, EARLY, CHANGE, LATE, TOLD = (f"2026-05-{day:02}T08:00:00+00:00" for day in (1, 3, 5, 7, 9))


def _rows() -> list[list[str]]:
    part = PAGE.partition("\n## Money and a change")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")][2:]


def _booked(price: int = 20_000, **more: Any) -> Stay:
    stay = Stay()
    stay.book(ordered(line(price=price), payment_plan="split", service_fee=0, revision=1, **more))
    return stay


def _change(stay: Stay, price: int, at: str, revision: int = 2, **more: Any) -> Any:
    stay.now = at
    message = ordered(line(price=price), service_fee=0, revision=revision, **{"payment_plan": "split", **more})
    return stay.book(message, "booking.changed")


def _pay(stay: Stay, moved: str, told: str) -> Any:
    stay.now = told
    return stay.pay(paid(9_000, occurred_at=moved))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row[0]}, told {row[1]}")
def test_x_2_s4_37_when_money_moved_decides(row: list[str]) -> None:
    """The page's table: 200 become 300, 90 are paid."""
    moved, told, *plan = row
    stay = _booked()
    moved = EARLY if moved == "before the change" else LATE
    if told == "before it":
        _pay(stay, moved, moved)
        _change(stay, 30_000, CHANGE)
    else:
        _change(stay, 30_000, CHANGE)
        _pay(stay, moved, TOLD)

    assert [f"{minor / 100:.2f}" for minor in stay.plan()[:2]] == plan
    assert sum(stay.plan()[:2]) == 30_000


def test_x_2_what_a_late_payment_moves_is_told() -> None:
    """Once, with its reason and the second payment's timer; the same payment again says nothing more."""
    stay = _booked()
    _change(stay, 30_000, CHANGE)
    out = _pay(stay, EARLY, TOLD)

    assert (fact(out, PaymentScheduleSet).due_now, fact(out, PaymentScheduleSet).second_payment) == (10_000, 20_000)
    assert ("X-2", f"payment P1 moved before the change of {CHANGE}: first payment stays 100.00 EUR") in [
        (step.rule, step.text) for step in out.trace
    ]
    assert "PaymentScheduleSet" not in kinds(stay.pay(paid(1_000, "P2", occurred_at=EARLY)))
    assert stay.folio.other_plans == ()


def test_x_2_at_the_instant_of_the_change_is_in_time() -> None:
    """Money that had moved by then."""
    stay = _booked()
    _change(stay, 30_000, CHANGE)
    _pay(stay, CHANGE, TOLD)

    assert stay.plan()[:2] == (10_000, 20_000)


@pytest.mark.parametrize("status", ["51", "5"])
def test_x_2_x_17_promised_money_counts_as_it_does_in_time(status: str) -> None:
    """Pending or authorised before the change: as if it had been told then."""
    stay = _booked()
    _change(stay, 30_000, CHANGE)
    stay.now = TOLD
    card = {"provider": "ogone", "merchant": "azur", "provider_reference": "301"}
    stay.pay(paid(9_000, occurred_at=EARLY, status=status, **card), "payment.authorised")

    assert stay.plan()[:2] == (10_000, 20_000)


def test_s4_37_confirmed_as_it_was_requested_keeps_nothing_of_it() -> None:
    """No other plan is kept where it would say the same."""
    stay = Stay()
    stay.book(ordered(payment_plan="split", revision=1), "booking.requested")
    stay.book(ordered(payment_plan="split", revision=1))

    assert stay.folio.other_plans == ()


def test_x_2_s0_11_beside_a_voucher() -> None:
    """Of the deposit of before the change the voucher pays its part."""
    plans = set()
    for late in (False, True):
        house = House()
        house.order(revision=1, name="booking.confirmed")
        house.enter(10_000)
        if not late:
            house.pay(1_000, occurred_at=house.now.isoformat())
        moved = house.now.isoformat()
        house.until("2026-05-03T08:00:00+00:00")
        house.order(price=60_000, name="booking.changed", revision=2)
        house.until("2026-05-04T08:00:00+00:00")
        if late:
            house.pay(1_000, occurred_at=moved)
        plans.add(house.plan())

    assert plans == {(5_000, 45_000)}


def test_x_2_s1_34_where_a_balance_is_asked_for() -> None:
    """The request asks for what the first payment leaves; no second timer is set."""
    house = House(camps=(ASKS,))
    house.order(revision=1, name="booking.confirmed")
    moved = house.now.isoformat()
    house.until("2026-05-03T08:00:00+00:00")
    house.order(price=60_000, name="booking.changed", revision=2)
    assert [one.amount for one in house.folio().balance_requests] == [42_000]
    house.pay(9_000, occurred_at=moved)

    assert [one.amount for one in house.folio().balance_requests] == [45_000]
    assert SECOND_PAYMENT not in [name for *_, name in house.timers]


def test_s0_19_s4_37_a_voucher_that_the_change_settles_came_after_it() -> None:
    """The top-up that was awaited is not needed at the new price: deposit by voucher, and the request for the rest stands."""
    house = House(camps=(ASKS,))
    house.order(revision=1, name="booking.confirmed")
    house.enter(15_000)
    house.check("lower_value", value=2_000)
    told = house.order(price=5_000, name="booking.changed", revision=2)

    assert house.folio().vouchers[0].status is VoucherStatus.LOWER
    assert house.plan() == (0, 3_000)
    assert [(one.status, one.amount) for one in house.folio().balance_requests] == [(BalanceStatus.PENDING, 3_000)]
    assert "BalancePaid" not in names(told)


@pytest.mark.parametrize(("left", "told"), [(10_000, (10_000, 0, None)), (26_000, (10_000, 16_000, date(2026, 7, 23)))])
def test_s4_20_x_2_what_is_told_late_adds_up_to_what_is_ordered(left: int, told: tuple[int, int, date | None]) -> None:
    """200 become 300, then nights are given up: what had moved before is told with the sums of now, and kept as it is in time."""
    plans = set()
    for moved in (EARLY, TOLD):
        stay = Leaving()
        stay.book(ordered(line(), payment_plan="split", service_fee=0, revision=1))
        out = _pay(stay, EARLY, EARLY) if moved == EARLY else None
        _change(stay, 30_000, CHANGE)
        stay.leave({"line": "1", "new_departure": "2026-07-29", "new_price": left}, at=LATE)
        out = out or _pay(stay, EARLY, TOLD)
        plans.add(stay.plan())

    tells = fact(out, PaymentScheduleSet)
    assert (tells.due_now, tells.second_payment, tells.due_on) == told
    assert plans == {(10_000, 20_000, date(2026, 7, 23))}


def _day(number: int) -> str:
    return (datetime(2026, 4, 30, 9, tzinfo=UTC) + timedelta(days=number)).isoformat()


_CHANGES = st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from(("split", "split", "full"))), min_size=1, max_size=4)
_MONEY = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3)


@given(_CHANGES, _MONEY)
def test_x_2_no_order_of_arrival_changes_the_payments(changes: list[tuple[int, str]], money: list[tuple[int, int]]) -> None:
    """Changes on even days from the second on, payments that moved on odd ones, told on that day or so many later."""
    plans = []
    for delayed in (False, True):
        stay = _booked()
        events = [(2 * n + 2, "change", n) for n in range(len(changes))]
        events += [(2 * day + 1 + (2 * delay if delayed else 0), "pay", n) for n, (day, delay) in enumerate(money)]
        for day, what, n in sorted(events):
            at = _day(day)
            if what == "change":
                _change(stay, changes[n][0], at, n + 2, payment_plan=changes[n][1])
                continue
            stay.now = at
            stay.pay(paid(100, f"P{n}", occurred_at=_day(2 * money[n][0] + 1)))
        plans.append(stay.plan())

    assert plans[0] == plans[1]
