"""S0: entering a voucher, and who may. The tables of docs/rules/voucher.md are the examples."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.entitlement import PLANS, SINCE, Feature
from handlers.voucher_schedule import split
from schemas.errors import Stale
from schemas.payment import Tender
from tests.handlers.campsite import TENANT, line
from tests.handlers.house import PREMIUM, House, camp, minor, named, ordered, refusal, rows


@pytest.mark.parametrize("row", rows("V8"), ids=lambda row: row[0])
def test_v8_v27_s0_5_s0_7_to_s0_12_what_is_due(row: list[str]) -> None:
    """S0-5, S0-7, S0-8, S0-9, S0-10, S0-12: each row of the page, from booking and voucher to the payments."""
    _, deposit, voucher, due_now, balance = row
    house = House()
    house.order(**({"booked_at": "2026-07-23T10:00:00+02:00"} if deposit == "500.00" else {}))
    assert house.plan() == (minor(deposit), 50_000 - minor(deposit))
    if due_now == "refused":
        assert refusal(house.enter, minor(voucher)) == ("amount_above_total", "amount")
        assert house.plan() == (15_000, 35_000)
        return
    house.enter(minor(voucher))

    assert house.plan() == (minor(due_now), minor(balance))
    assert sum(house.plan()) + minor(voucher) == 50_000


def test_s0_10_no_balance_is_ever_asked_for() -> None:
    """The second payment's day goes with the balance."""
    house = ordered()
    assert house.folio().second_payment_on is not None
    house.enter(50_000)

    assert house.folio().second_payment_on is None
    assert not [name for name in house.timers if name[2] == "second_payment:due"]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_s0_11_together_they_are_the_total(deposit: int, more: int, voucher: int) -> None:
    """voucher + due now + balance = total, whatever the deposit, for every voucher up to the total."""
    total = deposit + more
    voucher = min(voucher, total)
    due_now, balance = split(deposit, total, voucher)

    assert voucher + due_now + balance == total
    assert due_now >= 0 <= balance


def test_s0_4_s0_14_s0_16_the_merchant_is_asked() -> None:
    """Any number is taken; number and amount as typed reach the merchant."""
    told = ordered().enter(10_000, "  gift - 77 b ")
    asked = named(told, "VoucherCheckRequested")

    assert (asked.number, asked.amount, asked.origin, asked.flags, asked.known_value) == (
        "gift - 77 b",
        10_000,
        "unknown",
        (),
        None,
    )
    assert (asked.due_now, asked.balance, asked.stage) == (5_000, 35_000, "asked")


def test_s0_6_number_and_currency() -> None:
    """Trimmed and not empty, in the booking's currency, above nothing."""
    house = ordered()

    assert refusal(house.enter, 100, " - ") == ("voucher_number_empty", "number")
    assert refusal(house.enter, 100, currency="CHF") == ("currency_mismatch", "currency")


def test_s0_13_nothing_else_to_pay_with() -> None:
    """Refused, and nothing is kept; the knob both ways, and a method that the property does not have."""
    house = ordered(camp(second_tenders=()))
    assert refusal(house.enter, 10_000) == ("deposit_not_covered", "amount")
    assert house.folio().vouchers == ()
    assert not house.has("MER-1")
    house.enter(15_000)

    other = ordered(camp(second_tenders=(Tender.CARD,)))
    assert refusal(other.enter, 10_000, second_tender="cheque") == ("deposit_not_covered", "amount")
    other.enter(10_000, second_tender="card")


def test_s0_13_money_that_is_here_covers() -> None:
    """The card was authorised before the voucher was typed."""
    house = ordered(camp(second_tenders=()))
    house.authorise(5_000)
    house.enter(10_000)

    assert house.plan() == (5_000, 35_000)


def test_a_16_several_vouchers() -> None:
    """One by default; as many as the knob says, up to the total together."""
    house = ordered()
    house.enter(10_000, "A")
    assert refusal(house.enter, 10_000, "B") == ("too_many_vouchers", "number")

    more = ordered(camp(max_vouchers=3))
    more.enter(10_000, "A")
    more.enter(20_000, "B")
    assert refusal(more.enter, 20_001, "C") == ("amount_above_total", "amount")
    assert more.plan() == (0, 20_000)


def test_s0_20_the_same_number_twice_on_one_booking() -> None:
    """With the same amount nothing changes, with another it is refused."""
    house = ordered()
    house.enter(10_000, "ab-c")
    with pytest.raises(Stale):
        house.enter(10_000, "A B C")

    assert refusal(house.enter, 9_000, "abc") == ("voucher_entered", "amount")


@pytest.mark.parametrize(("feature", "since", "plans"), rows("Features"))
def test_s0_1_s0_3_features(feature: str, since: str, plans: str) -> None:
    """The page's table is the table."""
    one = Feature(feature.strip("`"))

    assert SINCE[one] == date.fromisoformat(since)
    assert {plans} - {"all"} == PLANS.get(one, set())


def test_s0_1_s0_2_only_of_the_plan() -> None:
    """Another plan, or none: refused; with it, nothing else needs to be set."""
    for plan in ("", "Pack Standard"):
        house = ordered(House(tenant=replace(PREMIUM, plan=plan)))
        assert refusal(house.enter, 10_000) == ("feature_not_available", "plan")
    ordered(House(tenant=replace(TENANT, plan="Pack Individual Premium"))).enter(10_000)


@pytest.mark.parametrize(
    ("at", "there"),
    [
        pytest.param("2020-04-01T21:59:59+00:00", False, id="a second before midnight in Paris"),
        pytest.param("2020-04-01T22:00:00+00:00", True, id="midnight in Paris"),
    ],
)
def test_s0_3_by_the_day_in_the_propertys_zone(at: str, there: bool) -> None:
    """Purchase with a voucher, and cancelling with one, from 2 April 2020."""
    for send in (lambda house: house.enter(10_000), lambda house: house.send("booking.cancel_with_voucher")):
        house = House()
        house.until(at)
        house.order(lines=[line(price=50_000, terms="outdoor/thirty", arrival="2020-07-24", departure="2020-07-31")])
        house.pay(15_000)
        if there:
            send(house)
        else:
            assert refusal(send, house) == ("feature_not_available", "requested_at")


def test_every_refusal_of_ours_is_on_the_page() -> None:
    """Codes are words that callers rely on."""
    handlers = Path(__file__).parents[2] / "handlers"
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(handlers.glob("voucher*.py")))
    codes = set(re.findall(r'code="(\w+)"', text)) | {"feature_not_available"}
    told = {code for row in rows("Refusals") for code in re.findall(r"`(\w+)`", row[0])}

    assert told - {"voucher_not_cash"} == codes
