"""S1-20, S1-34, S1-35: money of an answer, after the booking or its request has become another one meanwhile."""

from __future__ import annotations

import pytest

from schemas.balance import CollectionUnreported
from schemas.balance_request import BalanceStatus
from schemas.booking import Overpaid
from schemas.payment import PaymentCaptured
from tests.handlers.balances import Asked, answered
from tests.handlers.campsite import fact, kinds, line, ordered

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
