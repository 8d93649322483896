"""S0-28, S0-29, X-3: voucher value never becomes cash, and nothing goes back that is not here."""

from __future__ import annotations

from typing import Any

import pytest

from handlers import account
from schemas.errors import Stale
from schemas.folio import FolioStatus, PartStatus
from schemas.operations import EffectNeedsPerson
from tests.handlers.campsite import line
from tests.handlers.house import House, camp, issued, named, names, ordered, refusal

LAST_DAY = "2026-06-30"
OVER = "2026-07-01T00:00:00+00:00"


def back(house: House) -> list[tuple[str, int]]:
    """What providers are asked to give back."""
    return [(one.payment, one.minor) for one in house.requests if one.kind.value == "refund"]


def for_a_person(house: House) -> list[int]:
    return [fact.amount for fact in house.said if type(fact).__name__ == "EffectNeedsPerson"]


@pytest.mark.parametrize(("taken_back", "goes_back"), [(50_000, 0), (100, 49_900), (0, 50_000)])
def test_s0_28_x_3_only_what_is_still_here_goes_back(taken_back: int, goes_back: int) -> None:
    """Charged back, whole or in part, before the voucher expires: never more than the payment holds; a person is told of the rest."""
    house = ordered()
    house.pay(50_000)
    house.send("booking.cancel_with_voucher", expires=LAST_DAY, refund_on_expiry=True)
    if taken_back:
        house.send("payment.reversed", payment="P1", amount=taken_back, currency="EUR", tender="card")
    before = len(house.said)
    told = house.until(OVER)

    assert named(told, "VoucherExpired").refund == 50_000
    assert back(house) == ([("P1", goes_back)] if goes_back else [])
    missing = [fact.amount for fact in house.said[before:] if type(fact).__name__ == "EffectNeedsPerson"]
    assert missing == ([taken_back] if taken_back else [])
    assert account.balance(house.folio()) == 0


def test_s0_28_x_3_what_the_booking_owes_stays() -> None:
    """Two payments and a fee: one is charged back, the other one gives back what it holds and is not owed."""
    house = ordered(service_fee=500)
    house.pay(30_000)
    house.pay(20_500, "P2")
    house.send("booking.cancel_with_voucher", expires=LAST_DAY, refund_on_expiry=True)
    house.send("payment.reversed", payment="P1", amount=30_000, currency="EUR", tender="card")
    house.until(OVER)

    assert back(house) == [("P2", 20_000)]
    assert for_a_person(house) == [30_000, 30_000]
    assert account.balance(house.folio()) == 0


def test_s0_28_x_3_a_payment_gives_its_part_once() -> None:
    """What was held expires later than what was free: each payment's part comes out of the voucher once."""
    house = ordered()
    house.pay(40_000)
    house.pay(10_000, "P2")
    number = named(house.send("booking.cancel_with_voucher", expires=LAST_DAY, refund_on_expiry=True), "VoucherIssued").number
    house.until("2026-06-20T08:00:00+00:00")
    house.order("B")
    house.enter(40_000, number, "B")
    house.until(OVER)
    assert back(house) == [("P2", 10_000)]
    house.answer_provider()
    house.check("refused", "B")

    assert back(house) == [("P1", 40_000)]


def test_s0_36_s0_28_bonus_is_taken_off_once() -> None:
    """240.00 of which 40.00 are bonus: 140.00 expire while 100.00 are held, which expire later: 200.00 go back."""
    house = House()
    bonus = {"value_rule": "percent_of_collected", "value_percent": "120 %"}
    number = issued(house, value=20_000, **bonus, refund_on_expiry=True, expires=LAST_DAY)
    house.until("2026-06-20T08:00:00+00:00")
    house.order()
    house.enter(10_000, number)
    first = named(house.until(OVER), "VoucherExpired")
    later = named(house.check("refused"), "VoucherExpired")

    assert [(one.amount, one.refund) for one in (first, later)] == [(14_000, 10_000), (10_000, 10_000)]
    assert house.accounts["breakage:camp-azur"] == -4_000


def told_voucher(house: House, amount: int = 50_000, **more: Any) -> None:
    house.send("payment.received", payment="V1", tender="voucher", amount=amount, currency="EUR", **more)


@pytest.mark.parametrize("looks", [{}, {"provider": "ogone", "merchant": "azur", "provider_reference": "9126502"}])
def test_s0_29_a_voucher_told_as_a_payment_is_no_cash(looks: dict[str, str]) -> None:
    """Its tender decides, whatever else it looks like: by hand, as a voucher, and never told as given back without its refund."""
    house = ordered()
    told_voucher(house, **looks)
    told = house.send("cancellation.request", request="C1", confirm=True)
    part = house.folio().refunds[0].parts[0]

    assert (part.destination, part.status, back(house)) == ("voucher", PartStatus.MANUAL, [])
    assert "never as money" in named(told, "RefundManualRequired").reason
    given = {"payment": "V1", "amount": 50_000}
    assert refusal(house.send, "refund.executed_externally", **given) == ("voucher_not_cash", "payment")
    house.send("refund.executed_externally", refund=house.folio().refunds[0].refund, amount=50_000)
    assert house.folio().refunds[0].parts[0].status is PartStatus.EXECUTED


def test_s0_29_s0_28_a_voucher_told_as_a_payment_goes_into_no_cash_voucher() -> None:
    """Cancelled with a voucher that nobody uses: only the card's part goes back in money."""
    house = ordered()
    told_voucher(house, 30_000)
    house.pay(20_000)
    house.send("booking.cancel_with_voucher", expires=LAST_DAY, refund_on_expiry=True)
    expired = named(house.until(OVER), "VoucherExpired")

    assert (expired.amount, expired.refund, back(house)) == (50_000, 20_000, [("P1", 20_000)])


def test_s0_20_x_1_the_same_voucher_told_as_a_payment() -> None:
    """By its number, as the payment's id or its provider's reference: counted once, in whatever order."""
    house = ordered()
    house.enter(40_000, "abc-1")
    data = {"tender": "voucher", "amount": 40_000, "currency": "EUR"}
    assert refusal(house.send, "payment.received", payment="ABC1", **data) == ("voucher_entered", "payment")
    house.check()
    with pytest.raises(Stale):
        house.send("payment.received", payment="V1", provider_reference="abc 1", **data)
    assert account.collected(house.folio()) == 40_000

    other = ordered()
    told_voucher(other, 30_000, provider_reference="abc1")
    assert refusal(other.enter, 20_000, "ABC-1") == ("voucher_entered", "number")


def test_s0_23_x_19_a_voucher_whose_money_was_taken_back() -> None:
    """It stays good: the merchant who checks it is warned."""
    house = House()
    number = issued(house)
    house.order()
    assert named(house.enter(10_000, number), "VoucherCheckRequested").flags == ()
    house.check()
    house.send("payment.reversed", "A", payment="P1", amount=30_000, currency="EUR", tender="card")
    house.order("B-2")

    assert named(house.enter(10_000, number, "B-2"), "VoucherCheckRequested").flags == ("voucher_duplicate", "voucher_money_gone")
    assert house.check(folio="B-2")


@pytest.mark.parametrize("nature", ["acompte", "arrhes"])
def test_x_3_more_gone_than_was_ever_here(nature: str) -> None:
    """Given back by hand and charged back as well: a person is told, and no sum of the cancellation is below zero or a penalty for it."""
    house = ordered(deposit_nature=nature)
    house.pay(10_000)
    house.send("refund.executed_externally", payment="P1", amount=10_000, occurred_at=house.now.isoformat())
    told = house.send("payment.reversed", payment="P1", amount=10_000, currency="EUR", tender="card")
    assert named(told, "EffectNeedsPerson").amount == 10_000
    confirmed = named(house.send("cancellation.request", request="C1", confirm=True), "CancellationConfirmed")

    assert (confirmed.kept, confirmed.refund, confirmed.claim, confirmed.penalty) == (0, 0, 0, 0)
    assert (account.balance(house.folio()), house.folio().waived) == (10_000, 0)


def test_s0_31_money_back_beside_a_voucher() -> None:
    """`booking.cancelled` that wants money after a cancellation with voucher is refused; its echo changes nothing."""
    house = ordered()
    house.pay(15_000)
    house.send("booking.cancel_with_voucher")
    for refund in ("full", 100):
        assert refusal(house.send, "booking.cancelled", refund=refund) == ("already_cancelled", "refund")
    assert names(house.send("booking.cancelled")) == []
    assert house.folio().status is FolioStatus.CANCELLED


def test_s0_27_s4_37_what_was_kept_before_is_no_value() -> None:
    """A line was cancelled with half kept: the rest of what was collected is the voucher, and nothing is owed."""
    lines = [line("1", 20_001), line("2", 30_000)]
    house = ordered(lines=lines)
    house.pay(50_001)
    house.until("2026-07-21T08:00:00+00:00")
    house.send("cancellation.request", request="C1", lines=[{"line": "1"}], confirm=True)
    kept = house.folio().lines[0].kept
    value = named(house.send("booking.cancel_with_voucher"), "VoucherIssued").value

    assert (kept, value) == (10_001, 30_000)
    assert account.balance(house.folio()) == 0


def test_x_10_an_own_code_is_shown_masked_where_nobody_needs_it() -> None:
    """Who reads a refund's record cannot spend the voucher."""
    house = House()
    number = issued(house)
    record = named(house.said, "RefundExecuted").provider_record

    assert record == "voucher:…" + number[-4:]
    house.order()
    house.enter(20_000, number)
    house.check()
    assert named(house.send("cancellation.request", request="C1", confirm=True), "RefundExecuted").provider_record == record


def test_a_camp_without_refund_on_expiry_keeps_it() -> None:
    """The other way of the knob: nothing goes back."""
    house = ordered(camp(refund_on_expiry=False))
    house.pay(50_000)
    house.send("booking.cancel_with_voucher", expires=LAST_DAY)

    assert named(house.until(OVER), "VoucherExpired").refund == 0
    assert back(house) == []


def test_x_13_x_3_a_voucher_was_given_for_what_is_lost() -> None:
    """A person hears of it once, and that a voucher stands for it, not that it was refunded."""
    house = House()
    issued(house, "A", 20_000)
    house.send("dispute.opened", "A", payment="P1", amount=8_000, dispute="D1", funds_taken=True)
    house.send("dispute.closed", "A", payment="P1", amount=8_000, dispute="D1", outcome="lost")

    told = [fact for fact in house.said if isinstance(fact, EffectNeedsPerson)]
    assert [fact.amount for fact in told] == [8_000]
    assert told[0].reason.endswith("; 80.00 EUR of it had been given for a voucher")


def test_x_13_x_3_a_part_in_money_and_a_voucher_for_the_rest() -> None:
    """Both are said."""
    house = House()
    house.order("A", price=20_000)
    house.pay(20_000, folio="A")
    house.send("refund.executed_externally", "A", payment="P1", amount=5_000)
    house.send("booking.cancel_with_voucher", "A")
    house.send("payment.reversed", "A", payment="P1", tender="card", amount=8_000, currency="EUR")

    reasons = [fact.reason for fact in house.said if isinstance(fact, EffectNeedsPerson)]
    assert [reason for reason in reasons if reason.endswith("; 80.00 EUR of it had been given back, in part for a voucher")]
