"""S0-25 to S0-32: value that goes back to its voucher, and cancelling with one."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from handlers import account
from schemas.errors import Rejected
from schemas.folio import FolioStatus, PartStatus
from schemas.voucher import ValueRule, VatKind, VoucherIssued
from schemas.voucher_book import HoldState
from schemas.voucher_code import normalised, written
from tests.handlers.campsite import CAMP, line
from tests.handlers.house import CODES, PREMIUM, House, camp, issued, minor, named, names, ordered, refusal, rows


def test_s0_29_s0_30_a_mixed_booking_is_cancelled() -> None:
    """Proportional by tender (A-17): the voucher's part to the voucher, the card's to the card."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(20_000, number)
    house.check()
    house.pay(30_000)
    house.send("cancellation.request", request="C1", confirm=True)

    assert house.book(number).left == 30_000
    assert [(one.kind.value, one.minor) for one in house.requests] == [("refund", 30_000)]
    assert named(house.said, "RefundDecided").destinations[0].destination in ("voucher", "original_card")


def test_s0_29_a_partial_refund_by_share() -> None:
    """Half of the price is kept: 60 % card and 40 % voucher give back in that share."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(20_000, number)
    house.check()
    house.pay(30_000)
    house.until("2026-07-22T10:00:00+00:00")
    house.send("cancellation.request", request="C1", confirm=True)

    assert [one.minor for one in house.requests] == [21_000]
    assert house.book(number).left == 10_000 + 14_000


def test_s0_29_a_foreign_voucher_goes_back_by_hand() -> None:
    """A person issues its value again; destination voucher."""
    house = ordered()
    house.enter(10_000)
    house.check()
    told = house.send("cancellation.request", request="C1", confirm=True)
    (part,) = house.folio().refunds[0].parts

    assert (part.destination, part.status) == ("voucher", PartStatus.MANUAL)
    assert "RefundManualRequired" in names(told)
    house.send("refund.executed_externally", refund=house.folio().refunds[0].refund, amount=10_000)
    assert house.folio().refunds[0].parts[0].status is PartStatus.EXECUTED


def test_s0_29_no_way_to_cash() -> None:
    """A voucher's payment is neither reversed nor given back by hand from outside."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(20_000, number)
    house.check()
    payment = house.folio().vouchers[0].payment

    assert refusal(house.send, "refund.executed_externally", payment=payment, amount=100) == ("voucher_not_cash", "payment")
    reversed_ = {"payment": payment, "amount": 100, "currency": "EUR", "tender": "voucher"}
    assert refusal(house.send, "payment.reversed", **reversed_) == ("voucher_not_cash", "payment")


def test_s0_29_after_its_last_day_by_hand() -> None:
    """What comes back to a voucher that has expired meanwhile is a person's to issue anew."""
    house = House()
    number = issued(house, expires="2026-05-10")
    house.order()
    house.enter(30_000, number)
    house.check()
    house.until("2026-05-12T08:00:00+00:00")
    told = house.send("cancellation.request", request="C1", confirm=True)

    assert named(told, "RefundManualRequired").amount == 30_000
    assert house.book(number).left == 0
    house.send("refund.executed_externally", refund=house.folio().refunds[0].refund, amount=30_000)
    assert (house.accounts["till:voucher"], house.accounts[f"vouchers:{normalised(number)}"]) == (-30_000, 0)
    assert house.book(number).holds[0].taken == 30_000


@pytest.mark.parametrize("row", rows("Cancel with voucher"), ids=lambda row: f"{row[0]} {row[1]}")
def test_s0_26_s0_27_a_14_what_it_is_worth(row: list[str]) -> None:
    """Each row of the page, by the message and by the knob."""
    rule, setting, value, bonus = row
    knobs: dict[str, Any] = {"voucher_value_rule": ValueRule(rule.strip("`"))}
    said: dict[str, Any] = {"value_rule": rule.strip("`")}
    if rule == "`fixed_amount`":
        knobs["voucher_value_amount"] = said["value_amount"] = minor(setting)
    if rule == "`percent_of_collected`":
        knobs["voucher_value_percent"], said["value_percent"] = Fraction(int(setting.split()[0]), 100), setting
    for house, data in ((House(), said), (camp(**knobs), {})):
        house.order(price=20_000, service_fee=500, lines=[line(price=20_000)], booked_at="2026-07-01T10:00:00+02:00")
        house.pay(20_500)
        house.until("2026-07-21T10:00:00+00:00")
        told = house.send("booking.cancel_with_voucher", **data)
        voucher = named(told, "VoucherIssued")

        assert (voucher.value, voucher.bonus) == (minor(value), minor(bonus))
        assert house.book(voucher.number).left == voucher.value
        assert house.requests == []
        assert house.accounts["bonus:camp-azur"] == voucher.bonus
        assert house.accounts["penalties:camp-azur"] == -(20_000 - min(20_000, voucher.value))


def test_s0_26_the_code_can_be_used() -> None:
    """What was issued pays another booking (S0-14, S0-17)."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(30_000, number)
    house.check()

    assert account.balance(house.folio()) == 20_000


def test_s0_27_vouchers_that_were_used_count() -> None:
    """Money and voucher go into the new code; its voucher part is never money again, even with `refund_on_expiry`."""
    house = House()
    first = issued(house)
    house.order()
    house.enter(20_000, first)
    house.check()
    house.pay(10_000)
    told = house.send("booking.cancel_with_voucher", refund_on_expiry=True, expires="2026-06-30")
    second = named(told, "VoucherIssued").number
    assert (house.book(second).value, house.book(second).uncashable, house.book(first).left) == (30_000, 20_000, 10_000)
    house.until("2026-07-01T00:00:00+00:00")

    assert [(one.kind.value, one.minor) for one in house.requests] == [("refund", 10_000)]


def test_s0_28_no_money_back_any_more() -> None:
    """Closed: no cancellation after it, and what was authorised is released."""
    house = ordered()
    house.pay(15_000)
    house.authorise(5_000, "P2")
    house.send("booking.cancel_with_voucher")

    assert [(one.kind.value, one.minor) for one in house.requests] == [("void", 5_000)]
    with pytest.raises(Rejected, match="cancelled") as caught:
        house.send("cancellation.request", request="C1", confirm=True)
    assert caught.value.code == "already_cancelled"


def test_s0_28_x_24_consent() -> None:
    """Where it is wanted, and of a package always."""
    for knob, package in ((True, False), (False, True), (False, False)):
        house = ordered(camp(voucher_consent=knob), is_package=package)
        house.pay(15_000)
        if knob or package:
            assert refusal(house.send, "booking.cancel_with_voucher") == ("consent_required", "folio")
            assert refusal(house.send, "voucher.consent", text_version="cgv/3", actor={"kind": "merchant", "id": "x"}) == (
                "not_allowed",
                "actor",
            )
            house.send("voucher.consent", text_version="cgv/3")
            assert house.folio().voucher_consent == "cgv/3"
        assert "VoucherIssued" in names(house.send("booking.cancel_with_voucher"))


def test_s0_28_how_long_it_is_good() -> None:
    """18 months; the knob, for ever, and the message's own day."""
    for knobs, data, day in (
        ({}, {}, date(2027, 11, 1)),
        ({"voucher_months": 12}, {}, date(2027, 5, 1)),
        ({"voucher_months": 0}, {}, None),
        ({}, {"expires": "2026-12-31"}, date(2026, 12, 31)),
    ):
        house = camp(**knobs)
        assert house.book(issued(house, **data)).expires == day


@pytest.mark.parametrize(("kind", "rate"), [(VatKind.SPV, "10 %"), (VatKind.MPV, ""), (VatKind.UNKNOWN, "")])
def test_s0_36_which_vat_it_bears(kind: VatKind, rate: str) -> None:
    """Taxed when it is issued or when it is used, as the property says: told with it, and kept in its book."""
    house = camp(voucher_vat_kind=kind, voucher_vat_rate=rate)
    number = issued(house)
    told = named(house.said, "VoucherIssued")

    assert (told.vat_kind, told.vat_rate) == (kind, rate)
    assert (house.book(number).vat_kind, house.book(number).vat_rate) == (kind, rate)


def test_s0_31_twice() -> None:
    """The first code again, and nothing else happens."""
    house = ordered()
    house.pay(15_000)
    first = named(house.send("booking.cancel_with_voucher"), "VoucherIssued")
    before = dict(house.accounts)
    told = house.send("booking.cancel_with_voucher")

    assert names(told) == ["VoucherIssued"]
    assert (told[0].number, told[0].value, told[0].expires) == (first.number, first.value, first.expires)  # type: ignore[attr-defined]
    assert before == house.accounts
    assert len([key for key in house.states if key[0] == "voucher"]) == 1


@pytest.mark.parametrize(
    ("spent", "at", "state", "left"),
    [
        pytest.param(0, "2026-06-01T00:00:00+02:00", "good", 15_000, id="as it was issued"),
        pytest.param(10_000, "2026-06-01T00:00:00+02:00", "good", 5_000, id="used in part"),
        pytest.param(15_000, "2026-06-01T00:00:00+02:00", "used", 0, id="used up"),
        pytest.param(10_000, "2027-12-01T00:00:00+02:00", "expired", 0, id="its last day is over"),
    ],
)
def test_s0_31_the_first_code_again_with_what_became_of_it(spent: int, at: str, state: str, left: int) -> None:
    """Nobody takes a code that is dead for one that can be spent."""
    house = ordered()
    house.pay(15_000)
    first = named(house.send("booking.cancel_with_voucher"), "VoucherIssued")
    assert (first.state, first.left) == ("good", None)
    if spent:
        house.order("B-2")
        house.enter(spent, first.number, "B-2")
        house.check(folio="B-2")
    house.until(at)
    before = dict(house.accounts)
    (again,) = house.send("booking.cancel_with_voucher")

    assert isinstance(again, VoucherIssued)
    assert (again.number, again.value, again.state, again.left) == (first.number, 15_000, state, left)
    assert before == house.accounts


def test_s0_31_expired_by_the_instant_of_the_asking() -> None:
    """Its timer has not come yet: over is over."""
    house = ordered()
    house.pay(15_000)
    house.send("booking.cancel_with_voucher", expires="2026-05-10")
    house.now = datetime.fromisoformat("2026-05-11T00:00:00+02:00")

    assert named(house.send("booking.cancel_with_voucher"), "VoucherIssued").state == "expired"


@pytest.mark.parametrize("data", [{"value_amount": 10**15}, {"value_percent": "999 %"}, {"value_amount": 25_001}])
def test_s4_46_a_14_no_voucher_of_any_value_by_one_word(data: dict[str, Any]) -> None:
    """Nothing is settled: a bonus above 100.00 that the message chose waits for a second person, and the booking stands."""
    house = ordered()
    house.pay(15_000)

    assert names(house.send("booking.cancel_with_voucher", **data)) == ["ApprovalRequested"]
    assert (house.folio().issued, house.folio().status) == (None, FolioStatus.REQUESTED)


def test_s4_46_a_14_a_bonus_that_one_person_may_give() -> None:
    """100.00 beyond what was collected; what the policy gives is nobody's choice, whatever it is."""
    house = ordered()
    house.pay(15_000)
    assert named(house.send("booking.cancel_with_voucher", value_amount=25_000), "VoucherIssued").bonus == 10_000

    house = ordered(camp(voucher_value_rule=ValueRule.PERCENT_OF_COLLECTED, voucher_value_percent=Fraction(2)))
    house.pay(15_000)
    assert named(house.send("booking.cancel_with_voucher"), "VoucherIssued").bonus == 15_000


def test_s0_31_after_a_plain_cancellation() -> None:
    """Refused; so is the reverse (S0-28)."""
    house = ordered()
    house.pay(15_000)
    house.send("cancellation.request", request="C1", confirm=True)

    assert refusal(house.send, "booking.cancel_with_voucher") == ("already_cancelled", "folio")


def test_s0_25_a_cancelled_booking_lets_go() -> None:
    """What was not checked yet is free again, and nobody is reminded."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(20_000, number)
    house.send("cancellation.request", request="C1", confirm=True)

    assert house.book(number).holds[0].state is HoldState.RELEASED
    assert refusal(house.check) == ("already_cancelled", "folio")
    assert refusal(house.enter, 100, "NEW") == ("already_cancelled", "folio")


def test_cancel_with_voucher_refusals() -> None:
    """Each leaves the booking as it was."""
    house = ordered()
    send = house.send
    assert refusal(send, "booking.cancel_with_voucher", "B-9") == ("unknown_folio", "folio")
    assert refusal(send, "booking.cancel_with_voucher", actor={"kind": "guest", "id": "x"}) == ("not_allowed", "actor")
    assert refusal(send, "booking.cancel_with_voucher") == ("nothing_to_issue", "value_rule")
    house.pay(15_000)
    assert refusal(send, "booking.cancel_with_voucher", value_rule="fixed_amount") == ("value_missing", "value_amount")
    half = {"value_rule": "percent_of_collected", "value_percent": "half"}
    assert refusal(send, "booking.cancel_with_voucher", **half) == ("bad_rate", "value_percent")
    assert refusal(send, "booking.cancel_with_voucher", number="GUESS-1") == ("voucher_number_malformed", "number")
    assert refusal(send, "booking.cancel_with_voucher", number="  ") == ("voucher_number_empty", "number")
    house.order("B-2")
    house.enter(100, CODES[0], "B-2")
    assert refusal(send, "booking.cancel_with_voucher", number=CODES[0]) == ("voucher_number_taken", "number")
    assert house.folio().status is FolioStatus.REQUESTED
    channel = ordered(collected_by="channel")
    channel.pay(15_000)
    assert refusal(channel.send, "booking.cancel_with_voucher") == ("collected_elsewhere", "collected_by")


def test_s0_32_a_number_of_the_senders_own() -> None:
    """Taken if it is drawn as the hub draws them."""
    house = ordered()
    house.pay(15_000)

    assert named(house.send("booking.cancel_with_voucher", number=written(CODES[1])), "VoucherIssued").number == written(CODES[1])


def test_the_issuer_is_the_legal_entity() -> None:
    """S0-36: the property's company, else the tenant's, else the tenant."""
    for tenant, company, entity in (("", "", "azur"), ("433265618", "", "433265618"), ("433265618", "73282932000074", "732829320")):
        house = House(camps=(replace(CAMP, company=company),), tenant=replace(PREMIUM, company=tenant))
        assert house.book(issued(house)).entity == entity


def test_a_booking_that_changes_keeps_its_voucher() -> None:
    """S0-11 of the new price, before and after the check."""
    house = ordered()
    house.enter(10_000)
    house.order(price=60_000, name="booking.changed", revision=2)
    assert house.plan() == (8_000, 42_000)
    house.check()
    house.order(price=40_000, name="booking.changed", revision=3)

    assert sum(house.plan()) + 10_000 == 40_000


def test_s4_46_a_bonus_of_the_merchants_own() -> None:
    """Above `override_above` not by one person's word alone; what the policy gives it gives."""
    more = {"value_rule": "percent_of_collected", "value_percent": "120 %"}
    house = ordered(camp(override_above=2_999))
    house.pay(15_000)
    assert names(house.send("booking.cancel_with_voucher", **more)) == ["ApprovalRequested"]

    for knobs, said in (
        ({"override_above": 3_000}, more),
        ({"override_above": 0, "voucher_value_rule": ValueRule.PERCENT_OF_COLLECTED, "voucher_value_percent": Fraction(6, 5)}, {}),
    ):
        other = ordered(camp(**knobs))
        other.pay(15_000)
        assert named(other.send("booking.cancel_with_voucher", **said), "VoucherIssued").bonus == 3_000


def test_no_value_is_larger_than_any_amount() -> None:
    """A percentage of a very large stay."""
    house = House()
    house.order(price=10**14)
    house.pay(10**14)
    said = {"value_rule": "percent_of_collected", "value_percent": "999999 %"}

    assert refusal(house.send, "booking.cancel_with_voucher", **said) == ("value_out_of_range", "value_percent")


@pytest.mark.parametrize(("package", "value"), [(True, 15_000), (False, 14_500)])
def test_x_24_a_voucher_for_a_package_stands_for_all_of_it(package: bool, value: int) -> None:
    """The fee would go back in money, and so it is in the voucher that the guest agreed to."""
    house = ordered(camp(), is_package=package, service_fee=500)
    house.pay(15_000)
    house.send("voucher.consent", text_version="eu/1")

    assert named(house.send("booking.cancel_with_voucher"), "VoucherIssued").value == value


def test_x_13_no_voucher_for_contested_money() -> None:
    """It may leave yet: refused until the dispute has ended."""
    house = ordered()
    house.pay(15_000)
    payment = house.folio().payments[0].payment
    house.send("dispute.opened", payment=payment, amount=1_000, dispute="D1")
    assert refusal(house.send, "booking.cancel_with_voucher") == ("disputed", "folio")
    house.send("dispute.closed", payment=payment, amount=1_000, dispute="D1", outcome="won")

    assert named(house.send("booking.cancel_with_voucher"), "VoucherIssued").value == 15_000
