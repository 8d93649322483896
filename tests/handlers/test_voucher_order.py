"""X-2, S0-21, S0-29: messages in any order, and whole lives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers import account
from schemas.errors import Rejected, Stale
from schemas.folio import FolioStatus, PartStatus
from tests.handlers.house import House, camp, issued, named

PARTS: dict[str, Any] = {
    "book": lambda house: house.order(),
    "enter": lambda house: house.enter(10_000),
    "authorise": lambda house: house.authorise(5_000, occurred_at="2026-05-01T08:00:00Z"),
    "check": lambda house: house.check(number="MER-1"),
    "consent": lambda house: house.send("voucher.consent", text_version="cgv/3"),
}


@given(st.permutations(sorted(PARTS)), st.sampled_from(["accepted", "refused", "lower_value"]))
@settings(max_examples=120, deadline=None)
def test_x_2_any_order_of_arrival(order: list[str], verdict: str) -> None:
    """Booking, voucher, card and check in whatever order: the same in the end."""
    ends = []
    for some in (["book", "enter", "authorise", "check", "consent"], order):
        house = House()
        for name in some:
            if name == "check":
                house.check(verdict, number="MER-1", **({"value": 4_000} if verdict == "lower_value" else {}))
            else:
                PARTS[name](house)
        house.answer_provider()
        folio = house.folio()
        moved = sorted((one.tender.value, one.status.value, one.captured, one.authorised) for one in folio.payments)
        voucher = folio.vouchers[0]
        ends.append(
            (folio.status, house.plan(), moved, voucher.status, voucher.counts, dict(house.accounts), folio.voucher_consent)
        )

    assert ends[0] == ends[1]


WORDS = (
    "enter", "accept", "lower", "goodwill", "refuse", "pay", "authorise", "cancel", "with_voucher", "provider", "wait", "change", "hands",
)  # fmt: skip
steps = st.lists(
    st.tuples(
        st.sampled_from(WORDS),
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(1, 60_000),
    ),
    max_size=25,
)  # fmt: skip


def play(house: House, step: tuple[str, int, int, int], numbers: list[str]) -> None:
    """One message of a life; what is refused, stale or early changes nothing."""
    what, booking, number, amount = step
    folio = f"B-{booking}"
    voucher = numbers[number % len(numbers)]
    match what:
        case "enter":
            house.enter(amount, voucher, folio)
        case "accept":
            house.check("accepted", folio, number=voucher)
        case "lower":
            house.check("lower_value", folio, number=voucher, value=amount)
        case "goodwill":
            house.check("goodwill", folio, number=voucher, value=amount)
        case "refuse":
            house.check("refused", folio, number=voucher)
        case "pay":
            house.pay(amount, f"P{number}", folio)
        case "authorise":
            house.authorise(amount, f"A{number}", folio)
        case "cancel":
            house.send("cancellation.request", folio, request=f"C{number}", confirm=True)
        case "with_voucher":
            told = house.send("booking.cancel_with_voucher", folio, refund_on_expiry=bool(number % 2))
            numbers.append(str(named(told, "VoucherIssued").number))
        case "provider":
            house.answer_provider()
        case "hands":
            for refund in house.folio(folio).refunds:
                for part in [part for part in refund.parts if part.status is PartStatus.MANUAL]:
                    given = {"refund": refund.refund, "payment": part.payment, "amount": part.minor}
                    house.send("refund.executed_externally", folio, **given)
        case "wait":
            house.until((house.now + timedelta(days=amount % 40)).isoformat())
        case _:
            house.order(folio, price=amount, name="booking.changed", revision=house.folio(folio).changes + 10)


@given(steps, st.booleans())
@settings(max_examples=250, deadline=None)
def test_s0_21_s0_29_no_life_spends_twice_or_makes_cash(life: list[tuple[str, int, int, int]], enforced: bool) -> None:
    """Whatever legal messages come: the books agree after each (the house checks it), an own voucher never gives more than its value, and
    what goes out to cards is never more than cards have brought."""
    house = camp(max_vouchers=3, enforce_known_vouchers=enforced, voucher_hold_days=10)
    numbers = ["FOREIGN-1"]
    numbers.append(issued(house, "S", 20_000))
    for booking in range(3):
        house.order(f"B-{booking}")
    for step in life:
        try:
            play(house, step, numbers)
        except (Rejected, Stale):
            continue
    house.answer_provider()
    for kind, key in house.states:
        if kind == "voucher":
            book = house.book(key)
            assert not book.known or sum(hold.taken for hold in book.holds) <= book.value
        else:
            folio = house.folio(key)
            for refund in folio.refunds:
                for part in refund.parts:
                    paid = account.payment_of(folio, part.payment)
                    assert paid is not None
                    assert not paid.voucher or part.destination == "voucher", part
            if folio.vouchers and folio.status is not FolioStatus.CANCELLED and folio.planned is not None:
                counted = sum(voucher.counts for voucher in folio.vouchers)
                total = folio.planned.deposit + folio.planned.second_payment
                assert counted > total or counted + folio.due_now + folio.second_payment == total
