"""S0-15 to S0-19, S0-35: what the merchant's check comes to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers import account
from schemas.errors import Stale
from schemas.folio import FolioStatus, PaymentStatus
from schemas.payment import Tender
from schemas.voucher import VoucherStatus
from schemas.voucher_book import HoldState
from tests.handlers.house import House, camp, issued, named, names, ordered, refusal


def test_s0_15_s0_19_accepted_then_captured() -> None:
    """S0-7's example: the card is only authorised; accepted, the voucher is money and 50 are captured."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000)
    assert (house.requests, account.collected(house.folio())) == ([], 0)
    told = house.check()

    assert "BookingAccepted" in names(told)
    assert [(one.kind, one.minor) for one in house.requests] == [("capture", 5_000)]
    assert house.folio().status is FolioStatus.CONFIRMED
    house.answer_provider()
    assert account.balance(house.folio()) == 35_000
    assert house.accounts["till:voucher"] == 10_000


def test_s0_19_x_2_the_card_comes_after_the_check() -> None:
    """In whatever order: captured all the same, and never more than is due."""
    house = ordered()
    house.enter(10_000)
    house.check()
    assert house.requests == []
    house.authorise(20_000)

    assert [(one.kind, one.minor) for one in house.requests] == [("capture", 5_000)]


def test_s0_19_refused_everything_back() -> None:
    """The hold goes, the authorisation is voided, captured money goes back in full, fee too; stock is free; declined."""
    house = ordered(service_fee=500)
    house.enter(10_000)
    house.authorise(5_000, "P1")
    house.pay(2_000, "P2")
    told = house.check("refused", reason="not one of ours")

    assert named(told, "BookingDeclined").reason == "not one of ours"
    assert "CancellationConfirmed" not in names(told)
    assert named(told, "StockReleased").lines[0].line == "1"
    assert sorted((one.kind.value, one.minor) for one in house.requests) == [("refund", 2_000), ("void", 5_000)]
    assert house.book("MER-1").holds[0].state is HoldState.RELEASED
    assert house.folio().vouchers[0].status is VoucherStatus.REFUSED
    assert (house.folio().status, account.balance(house.folio())) == (FolioStatus.CANCELLED, 0)
    assert not [name for name in house.timers if "voucher" in name[2]]


def test_s0_19_money_that_comes_after_the_refusal() -> None:
    """An authorisation is released; money that moved before goes back."""
    house = ordered()
    house.enter(10_000)
    house.check("refused")
    house.now += timedelta(hours=1)
    house.authorise(5_000, occurred_at="2026-05-01T08:00:00Z")
    house.pay(2_000, "P2", occurred_at="2026-05-01T08:00:00Z")

    assert sorted((one.kind.value, one.minor) for one in house.requests) == [("refund", 2_000), ("void", 5_000)]


@pytest.mark.parametrize(
    ("typed", "value", "at_hand", "plan", "awaited"),
    [
        pytest.param(40_000, 20_000, 0, (0, 30_000), False, id="still above the deposit: nothing more is due now"),
        pytest.param(40_000, 10_000, 0, (5_000, 35_000), True, id="below it: the rest is awaited"),
        pytest.param(10_000, 4_000, 5_000, (11_000, 35_000), True, id="the card does not reach"),
        pytest.param(10_000, 4_000, 11_000, (11_000, 35_000), False, id="the card reaches"),
    ],
)
def test_s0_19_lower_value(typed: int, value: int, at_hand: int, plan: tuple[int, int], awaited: bool) -> None:
    """Recomputed by S0-11; accepted at once unless more is due now than is at hand."""
    house = ordered()
    house.enter(typed)
    if at_hand:
        house.authorise(at_hand)
    told = house.check("lower_value", value=value)

    assert house.plan() == plan
    assert ("VoucherTopUpAwaited" in names(told)) is awaited
    assert (house.folio().vouchers[0].status is VoucherStatus.AWAITING_TOP_UP) is awaited
    assert account.collected(house.folio()) == (0 if awaited else value)


def test_s0_19_the_top_up_comes() -> None:
    """Then the voucher is settled, and all that is due now is captured."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000)
    missing = named(house.check("lower_value", value=4_000), "VoucherTopUpAwaited")
    assert (missing.due_now, missing.missing, missing.until.isoformat()) == (11_000, 6_000, "2026-05-03T08:00:00+00:00")
    house.authorise(6_000, "P2")

    assert [(one.kind.value, one.minor) for one in house.requests] == [("capture", 5_000), ("capture", 6_000)]
    assert house.folio().vouchers[0].status is VoucherStatus.LOWER
    house.answer_provider()
    assert account.collected(house.folio()) == 15_000
    house.until("2026-05-10T00:00:00+00:00")
    assert house.folio().status is FolioStatus.CONFIRMED


def test_s0_19_the_top_up_does_not_come() -> None:
    """To the second: declined, everything voided; `top_up_hours` moves it."""
    for hours, last in ((48, "2026-05-03T07:59:59+00:00"), (24, "2026-05-02T07:59:59+00:00")):
        house = ordered(camp(top_up_hours=hours))
        house.enter(10_000)
        house.authorise(5_000)
        house.check("lower_value", value=4_000)
        assert "BookingDeclined" not in names(house.until(last))
        told = house.until((house.now + timedelta(seconds=1)).isoformat())

        assert "BookingDeclined" in names(told)
        assert [(one.kind.value, one.minor) for one in house.requests] == [("void", 5_000)]
        assert house.book("MER-1").holds[0].state is HoldState.RELEASED


def test_s0_19_the_guest_withdraws_for_nothing() -> None:
    """While the top-up is awaited: everything back, on a day when the terms would keep half."""
    house = ordered(booked_at="2026-07-18T10:00:00+02:00", service_fee=500)
    house.until("2026-07-21T10:00:00+00:00")
    house.enter(20_000)
    house.pay(1_000)
    house.check("lower_value", value=4_000)
    assert house.folio().top_up_until is not None
    told = house.send("cancellation.request", request="C1", confirm=True)

    assert named(told, "CancellationConfirmed").refund == 1_000
    assert house.folio().top_up_until is None
    assert house.book("MER-1").holds[0].state is HoldState.RELEASED


def test_s0_19_without_a_top_up_the_terms_decide() -> None:
    """The other way of the same: nothing is awaited, so half is kept."""
    house = ordered(booked_at="2026-07-18T10:00:00+02:00", service_fee=500)
    house.until("2026-07-21T10:00:00+00:00")
    house.pay(50_500)
    told = house.send("cancellation.request", request="C1", confirm=True)

    assert named(told, "CancellationConfirmed").refund == 35_000


def test_s0_35_the_silent_merchant() -> None:
    """Reminded at 24 hours, urged at 48, told a day before the authorisation ends; never accepted."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000, occurred_at="2026-05-01T08:00:00Z")
    told = [
        (fact.stage, house_at)
        for house_at in (
            "2026-05-02T07:59:59",
            "2026-05-02T08:00:00",
            "2026-05-03T08:00:00",
            "2026-05-07T08:00:00",
            "2026-06-30T00:00:00",
        )
        for fact in house.until(f"{house_at}+00:00")
    ]

    assert told == [
        ("reminder", "2026-05-02T08:00:00"),
        ("escalation", "2026-05-03T08:00:00"),
        ("authorisation_expires", "2026-05-07T08:00:00"),
    ]
    assert house.folio().vouchers[0].status is VoucherStatus.PENDING_CHECK
    assert house.requests == []


def test_s0_35_knobs() -> None:
    """Other hours, and an authorisation of three days."""
    house = ordered(camp(voucher_reminder_hours=1, voucher_escalation_hours=2, authorisation_days=3))
    house.enter(10_000)
    house.authorise(5_000)

    assert [fact.stage for fact in house.until("2026-05-01T10:00:00+00:00")] == ["reminder", "escalation"]
    assert [fact.stage for fact in house.until("2026-05-03T08:00:00+00:00")] == ["authorisation_expires"]


def test_s0_35_a_checked_voucher_is_not_reminded_of() -> None:
    """Its timers are gone."""
    house = ordered()
    house.enter(10_000)
    house.check()

    assert house.until("2026-05-10T08:00:00+00:00") == []


def test_s0_15_who_checks() -> None:
    """Not the guest; once; the same again changes nothing."""
    house = ordered()
    house.enter(10_000)
    assert refusal(house.check, actor={"kind": "guest", "id": "x"}) == ("not_allowed", "actor")
    house.check()
    with pytest.raises(Stale):
        house.check()

    assert refusal(house.check, "refused") == ("voucher_checked", "verdict")


def test_s0_17_the_merchant_says_whose_code_it_is() -> None:
    """Never that it is one of ours."""
    for said, origin in (("pms", "pms"), ("merchant", "merchant"), ("issued_here", "merchant"), ("unknown", "unknown")):
        house = ordered()
        house.enter(10_000)
        house.check(origin=said)
        assert house.folio().vouchers[0].origin == origin
        assert house.accounts["till:voucher"] == 10_000


@pytest.mark.parametrize(
    ("value", "code"), [(0, "value_out_of_range"), (None, "value_out_of_range"), (10_001, "value_out_of_range")]
)
def test_s0_19_a_lower_value_is_one(value: int | None, code: str) -> None:
    """From one cent to what was typed."""
    house = ordered()
    house.enter(10_000)

    assert refusal(house.check, "lower_value", **({} if value is None else {"value": value})) == (code, "value")
    house.check("lower_value", value=10_000)
    assert house.folio().vouchers[0].status is VoucherStatus.ACCEPTED


def test_s0_19_several_vouchers_one_refused() -> None:
    """The booking is declined as a whole; what was accepted of the other goes back to it."""
    house = camp(max_vouchers=2)
    number = issued(house)
    house.order()
    house.enter(10_000, number)
    house.enter(20_000, "OTHER")
    assert refusal(house.check) == ("voucher_number_missing", "number")
    house.check(number=number)
    house.authorise(5_000)
    assert house.requests == [] or {one.kind.value for one in house.requests} == {"refund"}
    house.check("refused", number="OTHER")

    assert house.book(number).left == 30_000
    assert account.balance(house.folio()) == 0


def test_voucher_payments_are_final() -> None:
    """A voucher that was accepted is collected money like any other (S0-8)."""
    house = ordered()
    house.enter(10_000)
    house.check()
    (payment,) = house.folio().payments

    assert (payment.tender, payment.status, payment.captured) == (Tender.VOUCHER, PaymentStatus.CAPTURED, 10_000)


def test_s0_5_paid_otherwise_meanwhile() -> None:
    """Nothing is owed when the merchant accepts: the booking stands, and the voucher keeps its value."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(20_000, number)
    house.pay(50_000)
    told = house.check()

    assert "BookingAccepted" in names(told)
    assert (house.book(number).left, house.book(number).holds[0].state) == (30_000, HoldState.RELEASED)
    assert (house.folio().vouchers[0].status, account.balance(house.folio())) == (VoucherStatus.RELEASED, 0)
    assert sum(house.plan()) == 50_000


def test_s0_19_a_change_makes_the_top_up_unneeded() -> None:
    """What the lower price leaves is at hand: settled, and not declined when the time is over."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000)
    house.check("lower_value", value=4_000)
    house.order(price=9_000, name="booking.changed", revision=2)

    assert house.folio().vouchers[0].status is VoucherStatus.LOWER
    assert [(one.kind.value, one.minor) for one in house.requests] == [("capture", 5_000)]
    house.until("2026-05-10T08:00:00+00:00")
    assert house.folio().status is FolioStatus.CONFIRMED


def test_s0_35_checked_anew_is_reminded_of_anew() -> None:
    """What the hold has lost is asked about again, and again after that."""
    house = camp(voucher_hold_days=5)
    number = issued(house)
    house.order("B-1")
    house.order("B-2")
    house.enter(30_000, number, "B-1")
    house.until("2026-05-07T08:00:00+00:00")
    house.enter(20_000, number, "B-2")
    house.check(folio="B-2")
    house.check(folio="B-1")

    told = [fact.stage for fact in house.until("2026-05-09T08:00:00+00:00") if type(fact).__name__ == "VoucherCheckRequested"]  # type: ignore[attr-defined]
    assert told == ["reminder", "escalation"]
