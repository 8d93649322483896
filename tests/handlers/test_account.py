"""What a folio says of itself: from which day a line counts, and what moved before or after it was cancelled."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from handlers import account
from schemas.folio import Folio, FolioPayment, PaymentStatus
from schemas.payment import Tender
from tests.handlers.campsite import Stay, line, ordered

AT = datetime(2026, 7, 14, 10, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def folio(**more: object) -> Folio:
    """Two stays a week apart, and a service without dates."""
    stay = Stay()
    stay.book(
        ordered(
            line("1", arrival="2026-07-31", departure="2026-08-07"),
            line("2"),
            line("3", 500, kind="service", arrival=None, departure=None),
        )
    )
    return replace(stay.folio, **more)


def test_s4_7_a_line_without_dates_counts_from_the_first_arrival() -> None:
    """The others from their own."""
    stays = folio()

    assert [account.arrival_of(stays, one) for one in stays.lines] == [date(2026, 7, 31), date(2026, 7, 24), date(2026, 7, 24)]
    bare = replace(stays, lines=(stays.lines[2],))
    assert account.arrival_of(bare, bare.lines[0]) is None


@pytest.mark.parametrize(
    ("moved_at", "reduced_at", "cancelled_at", "before"),
    [
        pytest.param(AT - TICK, AT, None, True, id="before"),
        pytest.param(AT, AT, None, True, id="at the very moment"),
        pytest.param(AT + TICK, AT, None, False, id="after"),
        pytest.param(AT, None, None, False, id="nothing was cancelled"),
        pytest.param(AT - TICK, AT, AT, False, id="the whole is cancelled since"),
        pytest.param(None, AT, None, False, id="nobody knows when it moved"),
    ],
)
def test_x_16_s4_37_what_moved_before_a_part_was_cancelled(
    moved_at: datetime | None, reduced_at: datetime | None, cancelled_at: datetime | None, before: bool
) -> None:
    payment = FolioPayment(
        payment="P1", tender=Tender.CARD, status=PaymentStatus.CAPTURED, position=0, captured=1, occurred_at=moved_at
    )

    assert account.before_reduction(folio(reduced_at=reduced_at, cancelled_at=cancelled_at), payment) is before


@pytest.mark.parametrize(("cancelled_at", "before"), [(None, False), (AT - TICK, True), (AT, False), (AT + TICK, False)])
def test_x_16_cancelled_before(cancelled_at: datetime | None, before: bool) -> None:
    assert account.cancelled_before(folio(cancelled_at=cancelled_at), AT) is before


def test_in_place_of_the_one_of_its_name() -> None:
    """Or added last."""
    stays = folio()
    changed, added = replace(stays.lines[1], kept=5), replace(stays.lines[1], line="4")

    assert account.replace_line(stays, changed).lines == (stays.lines[0], changed, stays.lines[2])
    assert account.replace_line(stays, added).lines == (*stays.lines, added)
    first, second = (
        FolioPayment(payment=name, tender=Tender.CARD, status=PaymentStatus.CAPTURED, position=0) for name in ("P1", "P2")
    )
    paid = account.replace_payment(account.replace_payment(stays, first), second)
    again = replace(first, captured=7)
    assert account.replace_payment(paid, again).payments == (again, second)
    assert (account.payment_of(paid, "P2"), account.payment_of(paid, "P3")) == (second, None)
    assert (account.line_of(stays, "2"), account.line_of(stays, "9")) == (stays.lines[1], None)
