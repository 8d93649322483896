"""S0-20, S0-21: a voucher whose value the hub knows, told as a payment by its number: taken once, through its own book."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from handlers import account
from handlers.voucher_told import told_keys
from schemas.errors import Rejected, Stale
from schemas.folio import PaymentStatus
from schemas.payment import Payment, Tender
from schemas.voucher_code import masked, normalised
from tests.handlers.balances import ASKS, BALANCE
from tests.handlers.house import SYSTEM, House, camp, issued, named, names, ordered, refusal

VOUCHER = {"tender": "voucher", "currency": "EUR"}
FIELDS = ("payment", "provider_reference")


def by(field: str, number: str) -> dict[str, Any]:
    """A voucher's payment that names it there, as somebody writes it."""
    typed = number.lower().replace("-", ".")
    return {"amount": 40_000, **VOUCHER, "payment": "V1", field: typed}


def sold() -> tuple[House, str]:
    """A code of ours over 500.00, and bookings C and D of as much."""
    house = House()
    number = issued(house, value=50_000)
    for folio in ("C", "D"):
        house.order(folio)
    return house, number


def tell(house: House, folio: str, name: str = "payment.received", **data: Any) -> tuple[str, str]:
    """Told and refused: nothing of the house has changed."""
    before = dict(house.states), dict(house.accounts)
    found = refusal(house.send, name, folio, **data)
    assert (house.states, house.accounts) == before
    return found


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["payment.received", "payment.authorised"])
def test_s0_21_told_first_and_entered_after(field: str, name: str) -> None:
    """It is refused where it is told, by either name, and is all there for who enters it, on that booking or another."""
    for folio in ("C", "D"):
        house, number = sold()
        assert tell(house, "C", name, **by(field, number)) == ("own_voucher", field)
        house.enter(50_000, number, folio)
        house.check(folio=folio)

        assert [account.collected(house.folio(one)) for one in ("C", "D")] == [50_000 * (one == folio) for one in ("C", "D")]
        assert (house.book(number).left, house.accounts["till:voucher"]) == (0, 0)


@pytest.mark.parametrize("field", FIELDS)
def test_s0_21_spent_elsewhere_and_told_after(field: str) -> None:
    """No second payment of it, and so no second code."""
    house, number = sold()
    house.enter(50_000, number, "D")
    assert tell(house, "C", **by(field, number)) == ("own_voucher", field)
    house.check(folio="D")
    assert tell(house, "C", **by(field, number)) == ("own_voucher", field)

    assert refusal(house.send, "booking.cancel_with_voucher", "C") == ("nothing_to_issue", "value_rule")
    assert [fact.number for fact in house.said if type(fact).__name__ == "VoucherIssued"] == [number]


def test_s0_20_entered_here_it_counts_once_as_before() -> None:
    """While it waits it is the voucher that was entered; once it is accepted, telling it changes nothing."""
    house, number = sold()
    house.enter(40_000, number, "C")
    assert tell(house, "C", **by("payment", number)) == ("voucher_entered", "payment")
    house.check(folio="C")
    with pytest.raises(Stale):
        house.send("payment.received", "C", **by("provider_reference", number))

    assert account.collected(house.folio("C")) == 40_000


def test_s0_21_what_was_let_go_is_in_its_book() -> None:
    """A booking that let go of it has no more of it than any other."""
    house = camp(second_tenders=(Tender.CARD,))
    number = issued(house, value=50_000)
    house.order("C")
    house.enter(15_000, number, "C")
    house.send("cancellation.request", "C", request="C1", confirm=True)

    assert tell(house, "C", **by("payment", number)) == ("own_voucher", "payment")
    assert house.book(number).left == 50_000


@pytest.mark.parametrize("field", FIELDS)
def test_s0_17_s0_21_a_code_of_the_pms_with_a_value(field: str) -> None:
    """Registered, its value is kept here, and is taken here; a code that nobody registered is its payment alone, as before."""
    house = ordered()
    assert names(house.send("payment.received", **by(field, "THAIS-8")))[0] == "PaymentCaptured"
    house.send("voucher.register", number="THAIS-9", value=20_000, currency="EUR", property="camp-azur")

    house.order("C")
    assert tell(house, "C", **by(field, "THAIS-9")) == ("own_voucher", field)


def test_s0_21_of_two_names_the_one_with_a_value() -> None:
    """A merchant's own number as the payment's id, which stands on a booking as well, hides no code of ours."""
    house, number = sold()
    house.enter(1_000, "MER-1", "D")

    assert tell(house, "C", **{**by("provider_reference", number), "payment": "MER-1"}) == ("own_voucher", "provider_reference")


@pytest.mark.parametrize("name", ["payment.received", "payment.authorised"])
def test_s0_21_a_name_that_comes_later(name: str) -> None:
    """The code that a payment is given afterwards, whatever tender its last message says."""
    house, number = sold()
    house.send("payment.authorised", "C", **by("provider_reference", ""))
    data = by("provider_reference", number)
    assert tell(house, "C", name, **data) == ("own_voucher", "provider_reference")
    assert tell(house, "C", name, **{**data, "tender": "card"}) == ("own_voucher", "provider_reference")
    house.send("payment.received", "C", **by("provider_reference", ""))

    assert tell(house, "C", name, **data) == ("own_voucher", "provider_reference")
    with pytest.raises(Stale):
        house.send("payment.received", "C", **by("provider_reference", ""))


def test_s0_21_told_before_anybody_said_its_value() -> None:
    """What was collected stays, may be told again and taken back; what was only promised is not taken."""
    house = ordered()
    house.order("C")
    house.send("payment.received", **by("payment", "THAIS-9"))
    house.send("payment.authorised", "C", **by("provider_reference", "THAIS-9"))
    house.send("voucher.register", number="THAIS-9", value=50_000, currency="EUR", property="camp-azur")

    with pytest.raises(Stale):
        house.send("payment.received", **by("payment", "THAIS-9"))
    assert tell(house, "C", **by("provider_reference", "THAIS-9")) == ("own_voucher", "provider_reference")
    house.send("payment.reversed", **by("payment", "THAIS-9"))
    house.send("payment.reversed", "C", **by("provider_reference", "THAIS-9"))
    assert [house.folio(one).payments[0].status for one in ("B-1", "C")] == [PaymentStatus.REVERSED, PaymentStatus.VOIDED]


def test_s0_21_another_tender_is_no_voucher() -> None:
    """Money is money, whatever it is called."""
    house, number = sold()
    house.send("payment.received", "C", **{**by("payment", number), "tender": "cash"})

    assert account.collected(house.folio("C")) == 40_000


def test_x_10_s0_21_the_code_is_shown_masked() -> None:
    """Who reads the refusal cannot spend it."""
    house, number = sold()
    with pytest.raises(Rejected) as caught:
        house.send("payment.received", "C", **by("payment", number))

    key = normalised(number)
    assert (caught.value.rule, caught.value.value) == ("S0-21", masked(key))
    assert masked(key) in str(caught.value)
    assert key not in normalised(str(caught.value))
    assert "voucher.enter" in str(caught.value)


def replied(entered: str = "", checked: bool = False) -> House:
    """A code of ours, and a booking whose guest would pay the balance by a voucher; `entered`: another stands on it."""
    methods = (Tender.CARD, Tender.VOUCHER)
    house = House(camps=(replace(ASKS, payment_methods=methods, balance=replace(BALANCE, methods=methods)),))
    issued(house, value=50_000)
    house.order(name="booking.confirmed")
    if entered and checked:
        house.enter(10_000, entered)
        house.check()
    house.until("2026-07-01T10:00:00+02:00")
    house.send("balance.choose_method", method="voucher")
    if entered and not checked:
        house.enter(10_000, entered)
    return house


@pytest.mark.parametrize("field", FIELDS)
def test_s1_45_s0_21_reported_of_a_balance(field: str) -> None:
    """The merchant's word that a code of ours was the money is the same claim; another code is taken."""
    house = replied()
    number = named(house.said, "VoucherIssued").number
    merchant = {"actor": {"kind": "merchant", "id": "m-1"}}
    assert tell(house, "B-1", "balance.report_collected", **merchant, **{field: number}) == ("own_voucher", field)
    house.send("balance.report_collected", **merchant, **{field: "MER-9"}, amount=10_000)

    assert account.collected(house.folio()) == 10_000
    typed = {**by("provider_reference", number), "amount": 10_000, "payment": "V1"}
    assert tell(house, "B-1", **typed) == ("own_voucher", "provider_reference")


@pytest.mark.parametrize("checked", [False, True])
def test_s1_45_s0_20_reported_of_a_balance_and_entered(checked: bool) -> None:
    """A voucher that stands on the booking is counted by its check."""
    house = replied("MER-9", checked)
    merchant = {"actor": {"kind": "merchant", "id": "m-1"}}

    assert tell(house, "B-1", "balance.report_collected", **merchant, payment="mer 9") == ("voucher_entered", "payment")


def as_read(**data: Any) -> Payment:
    """A payment as it is read."""
    return msgspec.convert({"actor": SYSTEM, "folio": "B-1", **data}, Payment)


def test_only_what_may_be_a_voucher_is_looked_up() -> None:
    """A card's payment costs no look at a voucher's book."""
    data = {"payment": "P-1", "amount": 1, "currency": "EUR", "provider_reference": "r 2"}
    house = ordered()
    messages = [as_read(**data, tender=tender) for tender in (Tender.CARD, Tender.VOUCHER)]

    assert [told_keys(one, house.folio()) for one in messages] == [(), ("R2", "P1")]
    assert told_keys(messages[1], None) == ()
