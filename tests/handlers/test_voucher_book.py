"""S0-20 to S0-23, S0-28, S0-36: a voucher's own side, as bookings meet it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from handlers import account
from handlers.voucher_holds import NEXT, Ask, Move
from handlers.voucher_worth import MOST_HOLDS, with_hold
from schemas.errors import Stale
from schemas.voucher import Flag, VoucherScope, VoucherStatus
from schemas.voucher_book import HoldState, Voucher, VoucherHold
from tests.handlers.campsite import CAMP
from tests.handlers.house import PREMIUM, House, camp, issued, named, names, ordered, refusal, rows


def test_s0_20_s0_22_an_own_voucher() -> None:
    """Held, then spent; the rest stays on it."""
    house = House()
    number = issued(house)
    house.order()
    told = house.enter(20_000, number.lower())
    assert (named(told, "VoucherHeld").amount, named(told, "VoucherHeld").remainder) == (20_000, 10_000)
    assert (named(told, "VoucherCheckRequested").origin, named(told, "VoucherCheckRequested").known_value) == (
        "issued_here",
        20_000,
    )
    told = house.check()

    assert (named(told, "VoucherConsumed").amount, named(told, "VoucherConsumed").remainder) == (20_000, 10_000)
    assert house.book(number).left == 10_000
    assert account.balance(house.folio()) == 30_000


def test_s0_20_two_bookings_hold_what_is_there() -> None:
    """min(typed, remaining) each, under the flag; together never more than the value."""
    house = House()
    number = issued(house)
    house.order("B-1")
    house.order("B-2")
    house.enter(20_000, number, "B-1")
    told = house.enter(20_000, number, "B-2")
    asked = named(told, "VoucherCheckRequested")

    assert (asked.known_value, asked.flags) == (10_000, ("voucher_duplicate", "voucher_value_exceeded"))
    assert named(told, "VoucherDuplicateFlagged").folios == ("B-1", "B-2")
    house.check(folio="B-1")
    assert refusal(house.check, folio="B-2") == ("voucher_value_exceeded", "verdict")
    house.check("lower_value", "B-2", value=10_000)
    assert house.book(number).left == 10_000  # the top-up is awaited, and the hold stands
    house.authorise(5_000, folio="B-2")
    assert house.book(number).left == 0


def test_s0_20_a_foreign_number_twice() -> None:
    """Accepted, and flagged."""
    house = House()
    house.order("B-1")
    house.order("B-2")
    house.enter(10_000, "X-1", "B-1")
    told = house.enter(10_000, "x1", "B-2")

    assert named(told, "VoucherCheckRequested").flags == ("voucher_duplicate",)
    house.check("refused", "B-1")
    house.order("B-3")
    assert named(house.enter(1_000, "X1", "B-3"), "VoucherDuplicateFlagged").folios == ("B-2", "B-3")


def test_s0_21_a_15_more_than_it_holds() -> None:
    """Flagged by default; the knob refuses at once."""
    for enforced in (False, True):
        house = camp(enforce_known_vouchers=enforced)
        number = issued(house)
        house.order()
        if enforced:
            assert refusal(house.enter, 30_001, number) == ("voucher_value_exceeded", "amount")
            assert house.folio().vouchers == ()
            house.enter(30_000, number)
        else:
            assert named(house.enter(30_001, number), "VoucherCheckRequested").flags == ("voucher_value_exceeded",)


def test_s0_21_goodwill_is_the_houses() -> None:
    """The rest comes from another account; a refund gives it back to the house, and the voucher's part to the voucher."""
    house = House()
    number = issued(house)
    house.order()
    house.enter(40_000, number)
    house.check("goodwill")
    assert (house.book(number).left, house.accounts["goodwill:camp-azur"]) == (0, 10_000)
    assert account.collected(house.folio()) == 40_000
    house.send("cancellation.request", request="C1", confirm=True)

    assert (house.book(number).left, house.accounts["goodwill:camp-azur"]) == (30_000, 0)
    assert house.requests == []


def test_s0_21_goodwill_for_a_foreign_code() -> None:
    """The merchant says what the code is worth; above `override_above` it waits for a second person."""
    house = ordered(camp(override_above=5_000))
    house.enter(10_000)
    assert named(house.check("goodwill", value=4_999), "ApprovalRequested").amount == 5_001
    assert house.accounts["till:voucher"] == 0
    house.check("goodwill", value=5_000)

    assert (house.accounts["till:voucher"], house.accounts["goodwill:camp-azur"]) == (5_000, 5_000)


@pytest.mark.parametrize(("flag", "rule", "when"), rows("Warnings"))
def test_s0_23_every_warning_is_on_the_page(flag: str, rule: str, when: str) -> None:
    """And nothing that is none."""
    assert Flag(flag.strip("`")) in Flag
    assert len(rows("Warnings")) == len(Flag)
    assert rule
    assert when


def test_s0_23_s0_36_warnings() -> None:
    """Holder, property, entity, group, currency, last day, check character: told, and nothing is refused."""
    here = replace(CAMP, voucher_scope=VoucherScope.PROPERTY, currencies=("EUR", "CHF"))
    other = replace(CAMP, property="les-dunes", version="les-dunes/1", company="732829320", currencies=("EUR", "CHF"))
    for scope, warned in ((VoucherScope.PROPERTY, True), (VoucherScope.ENTITY, True), (VoucherScope.GROUP, False)):
        house = House(camps=(replace(here, voucher_scope=scope), other))
        house.order("A", price=30_000, guest={"person": "p-1"})
        house.pay(30_000, folio="A")
        number = named(house.send("booking.cancel_with_voucher", "A"), "VoucherIssued").number
        house.order("B-1", property="les-dunes", guest={"person": "p-2"})
        flags = named(house.enter(10_000, number), "VoucherCheckRequested").flags

        assert flags == ("voucher_other_holder", *(("voucher_out_of_scope",) if warned else ()))
        house.check("refused")
        house.order("B-2", currency="CHF", guest={"person": "p-1"})
        asked = named(house.enter(10_000, number, "B-2"), "VoucherCheckRequested")
        assert (asked.flags, asked.known_value) == (("voucher_value_exceeded", "voucher_other_currency"), 0)


def test_s0_32_a_mistyped_character() -> None:
    """Our own check sees it: origin unknown, a warning, no refusal."""
    house = House()
    number = issued(house).replace("-", "")
    wrong = number[:5] + ("2" if number[5] != "2" else "3") + number[6:]
    house.order()
    asked = named(house.enter(10_000, wrong), "VoucherCheckRequested")

    assert (asked.flags, asked.origin) == (("voucher_check_character",), "unknown")


def test_s0_6_a_known_code_is_known_however_it_is_typed() -> None:
    """With characters that nobody sees, or in letters of another script: the same voucher, whose value is spent once."""
    house = House()
    code = issued(house).replace("-", "")
    own = "".join({"B": "В", "C": "С", "H": "Н", "K": "К", "M": "М", "T": "Т", "X": "Х"}.get(letter, letter) for letter in code)
    for folio, typed in (("B-1", "\u200b".join(code)), ("B-2", own), ("B-3", code.replace(code[4:], "." + code[4:]))):
        house.order(folio)
        asked = named(house.enter(10_000, typed, folio), "VoucherCheckRequested")
        assert (asked.origin, "voucher_duplicate" in asked.flags) == ("issued_here", folio != "B-1")


def test_s0_6_letters_of_two_scripts() -> None:
    """What may be taken for a code that it is not: a warning, no refusal."""
    house = House()
    house.order()
    asked = named(house.enter(10_000, "MER-Ж7"), "VoucherCheckRequested")

    assert (asked.flags, asked.origin) == (("voucher_mixed_scripts",), "unknown")


def test_s0_23_s0_28_the_last_day() -> None:
    """Good to the end of its last local day; then what is free is earned, and it holds nothing."""
    house = House()
    number = issued(house, expires="2026-06-30")
    assert [type(fact).__name__ for fact in house.until("2026-06-30T21:59:59+00:00")] == ["VoucherExpiring"]
    told = house.until("2026-06-30T22:00:00+00:00")
    assert (named(told, "VoucherExpired").amount, named(told, "VoucherExpired").refund) == (30_000, 0)
    assert house.accounts["breakage:camp-azur"] == -30_000
    house.order()
    asked = named(house.enter(10_000, number), "VoucherCheckRequested")

    assert (asked.flags, asked.known_value) == (("voucher_value_exceeded", "voucher_expired"), 0)
    house.check("goodwill")
    assert (house.accounts["goodwill:camp-azur"], account.balance(house.folio())) == (10_000, 40_000)


def test_s0_23_presented_in_time() -> None:
    """What a booking holds on the last day stays held; let go later, it expires at once."""
    for verdict, left in (("accepted", 0), ("refused", 0)):
        house = House()
        number = issued(house, expires="2026-05-10")
        house.order()
        house.enter(20_000, number)
        told = house.until("2026-05-12T08:00:00+00:00")
        assert named(told, "VoucherExpired").amount == 10_000
        told = house.check(verdict)

        assert house.book(number).left == left
        assert ("VoucherExpired" in names(told)) is (verdict == "refused")


def test_s0_28_money_back_of_what_was_not_used() -> None:
    """`refund_on_expiry`: to the card it came from; bonus and what came from vouchers never."""
    house = House()
    number = issued(house, value_rule="percent_of_collected", value_percent="120 %", refund_on_expiry=True, expires="2026-06-30")
    house.order()
    house.enter(10_000, number)
    house.check()
    assert house.requests == []
    told = house.until("2026-07-01T00:00:00+00:00")
    expired = named(told, "VoucherExpired")

    assert (expired.amount, expired.refund) == (26_000, 20_000)
    assert [(one.kind.value, one.payment, one.minor) for one in house.requests] == [("refund", "P1", 20_000)]
    assert house.accounts["breakage:camp-azur"] == -6_000


def test_the_hold_table_is_the_pages() -> None:
    """Every state and every word of a booking; the page says the same."""
    assert set(NEXT) == {(state, ask) for state in (None, *HoldState) for ask in Ask}
    asks = [Ask.HOLD, Ask.SETTLE, Ask.RELEASE, Ask.CREDIT, Ask.LAPSE]
    told = {
        (None if row[0] == "nothing" else HoldState(row[0]), ask): Move(cell)
        for row in rows("What a booking may ask of a voucher")
        for ask, cell in zip(asks, row[1:], strict=True)
    }

    assert told == NEXT


def test_s0_20_a_check_after_the_hold_has_expired() -> None:
    """Holds again where the value is still there; where it is gone, the merchant is asked anew, and nothing was spent twice."""
    for spent, status in ((False, VoucherStatus.ACCEPTED), (True, VoucherStatus.PENDING_CHECK)):
        house = camp(voucher_hold_days=5)
        number = issued(house)
        house.order("B-1")
        house.order("B-2")
        house.enter(30_000, number, "B-1")
        house.until("2026-05-07T08:00:00+00:00")
        assert house.book(number).holds[0].state is HoldState.EXPIRED
        if spent:
            house.enter(20_000, number, "B-2")
            house.check(folio="B-2")
        told = house.check(folio="B-1")

        assert house.folio().vouchers[0].status is status
        if spent:
            asked = named(told, "VoucherCheckRequested")
            assert (asked.stage, asked.known_value, house.book(number).left) == ("not_covered", 10_000, 10_000)
            house.check("lower_value", "B-1", value=10_000)
            assert house.book(number).holds[0].taken in (0, 10_000)


def test_s0_17_register() -> None:
    """A code of a PMS: its value is known from then on, what was spent of it before is taken off; known again changes nothing."""
    house = House()
    house.order()
    house.enter(10_000, "PMS-9")
    house.check()
    told = house.send("voucher.register", number="pms 9", value=25_000, currency="EUR", property="camp-azur", expires="2026-12-31")
    assert (named(told, "VoucherRegistered").value, house.book("PMS-9").left) == (25_000, 15_000)
    with pytest.raises(Stale):
        house.send("voucher.register", number="PMS9", value=25_000, currency="EUR", property="camp-azur", expires="2026-12-31")
    house.order("B-2")
    asked = named(house.enter(20_000, "PMS-9", "B-2"), "VoucherCheckRequested")

    assert (asked.origin, asked.known_value) == ("pms", 15_000)
    house.check("lower_value", "B-2", value=15_000)
    assert (house.book("PMS-9").left, house.accounts["till:voucher"]) == (0, 25_000)


def test_s0_17_register_refusals() -> None:
    """Who may not, what is none, and another value for a known number."""
    house = House(camps=(CAMP, replace(CAMP, property="other", version="other/1")), tenant=replace(PREMIUM, zone=""))
    good = {"number": "P", "value": 100, "currency": "EUR"}
    send = house.send

    assert refusal(send, "voucher.register", **good, actor={"kind": "guest", "id": "x"}) == ("not_allowed", "actor")
    assert refusal(send, "voucher.register", **{**good, "currency": "XQX"}) == ("unknown_currency", "currency")
    assert refusal(send, "voucher.register", **good, property="elsewhere") == ("unknown_property", "property")
    assert refusal(send, "voucher.register", **good, expires="2026-12-31") == ("unknown_zone", "property")
    send("voucher.register", **good)
    assert refusal(send, "voucher.register", **{**good, "value": 101}) == ("duplicate_identity", "number")


def test_a_number_that_everybody_types() -> None:
    """It is flagged, and its book stays small: those that hold it are all there, of the others the latest."""
    book = Voucher(number="GIFT", key="GIFT")
    for number in range(2 * MOST_HOLDS):
        state = HoldState.HELD if number % 100 == 0 else HoldState.CONFIRMED
        book = with_hold(book, VoucherHold(folio=f"B-{number}", state=state, asked=1, at=datetime(2026, 5, 1, tzinfo=UTC), held=1))

    assert len(book.holds) == MOST_HOLDS
    assert len([hold for hold in book.holds if hold.state is HoldState.HELD]) == 10
    assert book.holds[-1].folio == f"B-{2 * MOST_HOLDS - 1}"
