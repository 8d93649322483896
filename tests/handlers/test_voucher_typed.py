"""S0-4 to S0-6, S0-19: what may be typed, when, and what becomes of a voucher that nobody accepts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from handlers import account
from schemas.cards import CARD
from schemas.errors import Rejected, Stale
from schemas.folio import FolioStatus
from schemas.voucher import VoucherStatus
from schemas.voucher_book import HoldState
from tests.handlers.campsite import CAMP, line
from tests.handlers.house import CODES, PREMIUM, House, camp, issued, named, names, ordered, refusal


def test_s0_5_nothing_is_owed() -> None:
    """At most what is still owed beside money that is here and vouchers that wait."""
    paid = ordered(camp(max_vouchers=3))
    paid.pay(20_000)
    assert refusal(paid.enter, 30_001) == ("amount_above_balance", "amount")
    assert refusal(paid.enter, 50_001) == ("amount_above_total", "amount")
    paid.enter(20_000)
    assert refusal(paid.enter, 10_001, "MER-2") == ("amount_above_balance", "amount")
    paid.enter(10_000, "MER-2")


def test_s0_5_s0_19_a_bogus_voucher_is_no_free_cancellation() -> None:
    """Everything is paid, and nothing of it comes back by the terms: no voucher can be entered to be refused."""
    house = ordered(lines=[line(price=50_000, terms="outdoor/nanr")], service_fee=500)
    house.pay(50_500)

    assert refusal(house.enter, 50_500) == ("nothing_owed", "amount")


def test_s0_19_refused_after_the_deposit_was_here() -> None:
    """The booking stands without the voucher, and owes the balance; the number is not checked a second time."""
    house = ordered(name="booking.confirmed")
    house.pay(15_000)
    house.enter(35_000)
    assert house.plan() == (0, 15_000)
    told = house.check("refused")
    folio = house.folio()

    assert "BookingDeclined" not in names(told)
    assert (folio.status, folio.vouchers[0].status) == (FolioStatus.CONFIRMED, VoucherStatus.REFUSED)
    assert (house.plan(), account.balance(folio), house.requests) == ((15_000, 35_000), 35_000, [])
    assert house.book("MER-1").holds[0].state is HoldState.RELEASED
    assert refusal(house.enter, 35_000) == ("voucher_checked", "number")
    assert "VoucherCheckRequested" in names(house.enter(35_000, "MER-2"))


def test_s0_19_refused_before_the_deposit_was_here() -> None:
    """The other way: a cent less than the deposit, and it is declined, everything back."""
    house = ordered(name="booking.confirmed")
    house.pay(14_999)
    house.enter(35_000)

    assert "BookingDeclined" in names(house.check("refused"))
    assert [(one.kind.value, one.minor) for one in house.requests] == [("refund", 14_999)]


@pytest.mark.parametrize(
    ("amount", "moved", "stands"),
    [
        pytest.param(15_000, "2026-05-01T12:00:00+00:00", True, id="the deposit had moved before"),
        pytest.param(14_999, "2026-05-01T12:00:00+00:00", False, id="a cent less had"),
        pytest.param(15_000, "2026-05-02T12:00:00+00:00", False, id="it moved after"),
    ],
)
def test_x_2_s0_19_a_deposit_that_is_told_after_the_voucher(amount: int, moved: str, stands: bool) -> None:
    """Refused: when the money moved decides, and not when it was told."""
    house = ordered(name="booking.confirmed")
    house.until("2026-05-02T08:00:00+00:00")
    house.enter(35_000)
    house.until("2026-05-02T13:00:00+00:00")
    house.pay(amount, occurred_at=moved)
    told = names(house.check("refused"))

    assert ("VoucherDeclined" in told, "BookingDeclined" in told) == (stands, not stands)
    assert (house.requests == []) is stands


def test_x_17_s0_19_a_card_that_was_promised_before_the_voucher_is_no_deposit() -> None:
    """Authorised before and taken since: the booking depends on the voucher."""
    house = ordered(name="booking.confirmed")
    house.authorise(15_000)
    house.until("2026-05-02T08:00:00+00:00")
    house.enter(35_000)
    house.pay(15_000)

    assert "BookingDeclined" in names(house.check("refused"))


def test_s0_19_one_that_was_let_go_is_entered_again() -> None:
    """Paid otherwise meanwhile, and that payment is charged back: the same number may pay after all."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(20_000, number)
    house.pay(50_000)
    house.check()
    assert house.folio().vouchers[0].status is VoucherStatus.RELEASED
    assert refusal(house.enter, 20_000, number) == ("nothing_owed", "amount")
    house.send("payment.reversed", payment="P1", amount=50_000, currency="EUR", tender="card")
    house.enter(20_000, number)
    house.check()

    assert (house.folio().vouchers[0].status, house.book(number).left) == (VoucherStatus.ACCEPTED, 10_000)
    with pytest.raises(Stale):
        house.enter(20_000, number)


def test_s0_19_x_17_a_card_that_is_not_needed_is_released() -> None:
    """The voucher pays everything: what was only authorised is released; where something is owed yet, it stays."""
    for amount, asked in ((50_000, [("void", 50_000)]), (40_000, [])):
        house = ordered()
        house.enter(amount)
        house.authorise(50_000)
        house.check()

        assert [(one.kind.value, one.minor) for one in house.requests] == asked


def test_s0_6_amounts_and_numbers_that_are_none() -> None:
    """Refused with a word and a field, and nothing is held."""
    house = ordered()

    assert refusal(house.enter, 0) == ("value_out_of_range", "amount")
    assert refusal(house.enter, -5) == ("value_out_of_range", "amount")
    assert refusal(house.enter, 100, "x" * 65) == ("voucher_number_too_long", "number")
    with pytest.raises(Rejected) as long:
        house.enter(100, "x" * 65)
    assert long.value.value == "65"
    house.enter(100, "x" * 64)


@pytest.mark.parametrize("number", [CARD, f"gift {CARD}", "cvc [code removed]"])
def test_s0_6_x_10_a_number_that_was_removed_at_the_door(number: str) -> None:
    """Everybody's would be the same voucher: entered, registered or checked, it is refused."""
    house = ordered()

    assert refusal(house.enter, 100, number) == ("card_number_removed", "number")
    assert refusal(house.send, "voucher.register", number=number, value=100, currency="EUR") == ("card_number_removed", "number")
    house.enter(100)
    assert refusal(house.check, number=number) == ("card_number_removed", "number")
    assert not house.has(number)


def test_s0_32_x_2_a_check_of_a_mistyped_number_is_refused_at_once() -> None:
    """Our own check character catches it, entered on another number or on none; it would wait for good."""
    house = House()
    number = issued(house)
    wrong = number[:-1] + ("2" if number[-1] != "2" else "3")
    house.order()
    assert refusal(house.check, number=wrong) == ("voucher_number_mistyped", "number")
    house.enter(10_000, number)
    assert refusal(house.check, number=wrong) == ("voucher_number_mistyped", "number")
    assert not any(house.parked.values())
    house.check(number=number)

    assert house.folio().vouchers[0].status is VoucherStatus.ACCEPTED


@pytest.mark.parametrize("number", [CODES[0], "MER-1", "MER 1 AND TWELVE"])
def test_s0_32_x_2_an_unknown_number_may_be_entered_yet(number: str) -> None:
    """Of ours, or of others: the check waits, and is taken up."""
    house = ordered()
    assert house.check(number=number) == []
    assert any(house.parked.values())
    house.enter(10_000, number)

    assert house.folio().vouchers[0].status is VoucherStatus.ACCEPTED


def test_s0_21_s0_32_one_that_was_entered_with_a_wrong_character_is_checked() -> None:
    """Others may make codes that look like ours: a warning, never a refusal."""
    wrong = CODES[0][:-1] + ("2" if CODES[0][-1] != "2" else "3")
    house = ordered()
    told = house.enter(10_000, wrong)
    assert "voucher_check_character" in named(told, "VoucherCheckRequested").flags
    house.check(number=wrong)

    assert house.folio().vouchers[0].status is VoucherStatus.ACCEPTED


def test_s0_19_accepted_is_all_that_was_typed() -> None:
    """Another value is no acceptance."""
    house = ordered()
    house.enter(20_000)
    assert refusal(house.check, value=19_999) == ("value_out_of_range", "value")
    house.check(value=20_000)

    assert house.folio().vouchers[0].status is VoucherStatus.ACCEPTED


@pytest.mark.parametrize(("verdict", "number"), [("accepted", "MER-1"), ("goodwill", "PMS-1")])
def test_s0_19_s0_21_the_merchant_thinks_better_of_it(verdict: str, number: str) -> None:
    """While the top-up is awaited: all that was typed after all, and nothing is awaited any more."""
    house = ordered()
    if number == "PMS-1":
        house.send("voucher.register", number=number, value=12_000, currency="EUR")
    house.enter(20_000, number)
    house.check("lower_value", value=12_000)
    assert house.folio().top_up_until is not None
    assert refusal(house.check, "lower_value", value=5_000) == ("voucher_checked", "verdict")
    house.check(verdict)

    assert (account.collected(house.folio()), house.folio().top_up_until) == (20_000, None)
    assert "BookingDeclined" not in names(house.until("2026-05-10T00:00:00+00:00"))


def test_a_14_an_amount_or_a_percentage_is_a_rule() -> None:
    """Without `value_rule`: which was meant is clear, unless both are there."""
    for data, value in (({"value_percent": "33 1/3 %"}, 5_000), ({"value_amount": 9_000}, 9_000)):
        house = ordered()
        house.pay(15_001)
        assert named(house.send("booking.cancel_with_voucher", **data), "VoucherIssued").value == value
    house = ordered()
    house.pay(15_001)
    both = {"value_percent": "50 %", "value_amount": 9_000}
    assert refusal(house.send, "booking.cancel_with_voucher", **both) == ("value_rule_missing", "value_rule")
    assert refusal(house.send, "booking.cancel_with_voucher", value_amount=0) == ("value_out_of_range", "value_amount")


def test_s0_28_a_last_day_that_is_over() -> None:
    """The day of the act in the property's zone is good enough; the day before is refused."""
    house = ordered()
    house.pay(15_000)
    house.until("2026-05-03T22:30:00+00:00")
    assert refusal(house.send, "booking.cancel_with_voucher", expires="2026-05-03") == ("expires_in_past", "expires")

    assert named(house.send("booking.cancel_with_voucher", expires="2026-05-04"), "VoucherIssued").value == 15_000


def test_s0_17_s0_23_registered_after_its_last_day() -> None:
    """It is known, it is over, and both are told."""
    house = House()
    told = house.send("voucher.register", number="PMS-1", value=100, currency="EUR", expires="2026-04-30")

    assert (named(told, "VoucherExpired").amount, house.book("PMS-1").left) == (100, 0)
    assert named(ordered(house).enter(100, "PMS-1"), "VoucherCheckRequested").flags == ("voucher_value_exceeded", "voucher_expired")


def test_s0_17_number_and_value_are_enough() -> None:
    """The tenant's currency, and the zone of its only property; one of several is named."""
    alone = House(tenant=replace(PREMIUM, zone="", currency="CHF"))
    alone.send("voucher.register", number="PMS-1", value=100, expires="2026-12-31")
    book = alone.book("PMS-1")
    assert (book.currency, book.property, str(book.expires_at)) == ("CHF", "camp-azur", "2026-12-31 23:00:00+00:00")

    two = House(camps=(CAMP, replace(CAMP, property="other", version="other/1")), tenant=replace(PREMIUM, zone=""))
    late = {"number": "PMS-1", "value": 100, "expires": "2026-12-31"}
    assert refusal(two.send, "voucher.register", **late) == ("unknown_zone", "property")
    two.send("voucher.register", **late, property="other")
