"""Notices about vouchers: the merchant is asked to check, the guest hears what came of it, and a number lies in no notice (S0)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.notice_number import hidden, numbered, whole
from handlers.notice_table import NOTICES
from handlers.voucher_accept import check_requested
from schemas.notice import Audience, NoticeRequest
from schemas.voucher import Stage, VoucherCheckRequested
from schemas.voucher_code import masked
from tests.handlers.balances import BALANCE, METHODS
from tests.handlers.campsite import line
from tests.handlers.house import CODES
from tests.handlers.writing import WritingHouse


def ordered(**more: Any) -> WritingHouse:
    """A stay of 500.00 that is asked for, 150.00 of it due at purchase; the guest reads Italian."""
    house = WritingHouse(**more)
    house.order(language="it")
    return house


def the(house: WritingHouse, kind: str) -> NoticeRequest:
    """The only notice of that kind."""
    (found,) = [one for one in house.written if one.kind == kind]
    return found


def test_s0_16_the_merchant_is_asked_with_number_and_amount() -> None:
    """And with what the hub can say of it; the number is whole in the mail alone."""
    house = ordered()
    house.enter(10_000, "MERCHANT-77")
    told = the(house, "voucher_check")

    assert (told.audience, told.language) == (Audience.MERCHANT, "fr")
    said = whole(told.variables, house.folio())
    assert (said["number"], said["amount"], said["origin"], said["stage"]) == ("MERCHANT-77", 10_000, "unknown", "asked")
    assert "MERCHANT-77" not in str(told)


def test_s0_35_reminded_urged_and_told_of_the_authorisation() -> None:
    """At 24 and at 48 hours, and a day before the money is gone; each once."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000)
    house.until("2026-05-20T00:00:00+00:00")

    assert house.kinds() == ["voucher_check", "voucher_check_reminder", "voucher_check_escalation", "authorisation_expires"]
    assert the(house, "authorisation_expires").variables["payment"] == "P1"


@pytest.mark.parametrize(
    ("stage", "kinds"),
    [
        (Stage.ASKED, {"voucher_check", "voucher_duplicate"}),
        (Stage.NOT_COVERED, {"voucher_check", "voucher_duplicate"}),
        (Stage.REMINDER, {"voucher_check_reminder"}),
        (Stage.ESCALATION, {"voucher_check_escalation"}),
        (Stage.AUTHORISATION_EXPIRES, {"authorisation_expires"}),
    ],
)
def test_s0_20_s0_35_each_stage_has_its_kind(stage: Stage, kinds: set[str]) -> None:
    """Of a voucher that stands on two bookings; a duplicate is told where a check begins, not at every reminder."""
    house = ordered()
    house.enter(10_000)
    house.order("B-2")
    house.enter(10_000, folio="B-2")
    folio = house.folio("B-2")
    fact = check_requested(folio, folio.vouchers[0], stage)

    about = [one for one in NOTICES if one.about is VoucherCheckRequested]
    assert {one.kind.value for one in about if one.when is not None and one.when(fact, folio)} == kinds


def test_s0_35_s1_41_each_authorisation_and_each_voucher_is_told_of() -> None:
    """Two facts are two mails."""
    house = ordered(max_vouchers=2)
    house.enter(5_000, "MER-1")
    house.enter(5_000, "MER-2")
    house.authorise(3_000, "P1")
    house.authorise(2_000, "P2")
    house.until("2026-05-20T00:00:00+00:00")

    ends = [one for one in house.written if one.kind == "authorisation_expires"]
    assert sorted((one.variables["payment"], one.variables["voucher"]) for one in ends) == [
        ("P1", 1),
        ("P1", 2),
        ("P2", 1),
        ("P2", 2),
    ]
    assert len({one.notice for one in ends}) == 4
    assert house.kinds().count("voucher_check_reminder") == 2


def test_s0_21_s1_41_a_check_that_begins_anew_is_asked_and_reminded_anew() -> None:
    """Its own book had less by the time it was accepted."""
    house = WritingHouse(voucher_hold_days=1)
    house.send("voucher.register", "", number="PMS-1", value=10_000, currency="EUR", property="camp-azur")
    house.order("B-1")
    house.enter(10_000, "PMS-1")
    house.now += timedelta(days=3)
    house.until(house.now.isoformat())
    house.order("B-2")
    house.enter(10_000, "PMS-1", "B-2")
    house.check("accepted", "B-2")
    house.check("accepted", "B-1", number="PMS-1")
    house.now += timedelta(days=3)
    house.until(house.now.isoformat())

    asked = [one.variables for one in house.written if one.kind == "voucher_check" and one.variables["folio"] == "B-1"]
    assert [(one["stage"], one["again"]) for one in asked] == [("asked", None), ("not_covered", 1)]
    assert house.kinds("B-1").count("voucher_check_reminder") == house.kinds("B-1").count("voucher_check_escalation") == 2


def test_s0_20_the_same_number_on_two_bookings_is_flagged() -> None:
    """By the booking that comes second, beside what is to be checked."""
    house = ordered()
    house.enter(10_000)
    assert "voucher_duplicate" not in house.kinds()
    house.order("B-2")
    house.enter(10_000, folio="B-2")

    assert house.kinds("B-2") == ["voucher_check", "voucher_duplicate"]


def test_s0_19_accepted_is_told_to_the_guest() -> None:
    """With what is paid by it and what stays; the house's goodwill is no second voucher."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000)
    house.check()
    told = the(house, "voucher_accepted")
    assert (told.audience, told.language, told.variables["amount"]) == (Audience.GUEST, "it", 10_000)
    assert house.kinds() == ["voucher_check", "voucher_accepted", "booking_confirmed"]

    kind = ordered()
    kind.enter(20_000)
    kind.check("goodwill", value=15_000)
    told = the(kind, "voucher_accepted").variables
    assert (told["amount"], told["typed"], told["goodwill"]) == (15_000, 20_000, 5_000)
    assert "voucher_goodwill" not in kind.kinds(), "one mail about one voucher"


def test_s0_21_goodwill_alone_is_told_to_the_guest() -> None:
    """Nothing of the voucher was taken: what the house gives in its place is a mail of its own, and no voucher is told as accepted."""
    house = ordered(override_above=20_000)
    house.enter(20_000)
    house.check("goodwill", value=0)
    told = the(house, "voucher_goodwill")

    assert (told.audience, told.language, told.variables["amount"], told.variables["balance"]) == (
        Audience.GUEST,
        "it",
        20_000,
        30_000,
    )
    assert house.kinds() == ["voucher_check", "voucher_goodwill", "booking_confirmed"]


def test_s0_19_worth_less_with_what_is_due_at_hand_is_told_with_what_was_typed() -> None:
    """Nobody waits for a top-up, and the guest sees both amounts."""
    house = ordered()
    house.enter(30_000)
    house.check("lower_value", value=20_000)
    told = the(house, "voucher_accepted").variables

    assert (told["amount"], told["typed"], told["balance"]) == (20_000, 30_000, 30_000)


def test_s0_19_a_voucher_that_is_refused_while_the_booking_stands() -> None:
    """Its deposit was paid before: the guest hears what is due by other means, and until when; once the day is over: now."""
    house = ordered()
    house.pay(15_000)
    house.enter(10_000)
    house.check("refused", reason="unknown code")
    told = the(house, "voucher_declined")

    assert (told.audience, told.language) == (Audience.GUEST, "it")
    said = told.variables
    assert (said["amount"], said["open_now"], said["open_later"], said["open_later_by"]) == (10_000, 0, 35_000, "2026-07-23")
    assert said["number"] == masked("MER-1")
    assert whole(said, house.folio())["number"] == "MER-1"
    assert "booking_declined" not in house.kinds()

    late = ordered()
    late.pay(15_000)
    late.enter(10_000)
    late.until("2026-07-25T08:00:00+00:00")
    late.check("refused")
    said = the(late, "voucher_declined").variables
    assert (said["open_now"], said["open_later"], said["open_later_by"]) == (35_000, 0, None)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        pytest.param("2026-06-01", (0, 35_000, None), id="two days are to come"),
        pytest.param("2026-06-26", (17_500, 17_500, "2026-07-10"), id="the first is over"),
        pytest.param("2026-07-12", (35_000, 0, None), id="both are"),
    ],
)
def test_s1_39_s4_13_accommodations_have_days_of_their_own(at: str, due: tuple[int, int, str | None]) -> None:
    """A chalet until 24 June and a pitch until 10 July: no sum is said to be due on the day of another."""
    each = replace(BALANCE, per_accommodation=True, due_days_by_type={"chalet": 30})
    house = WritingHouse(balance=each, payment_methods=METHODS)
    sold = [line(kind, 25_000, terms="outdoor/thirty", accommodation=kind, accommodation_type=kind) for kind in ("chalet", "pitch")]
    house.order(name="booking.confirmed", lines=sold)
    said = the(house, "booking_confirmed").variables
    assert (said["open_now"], said["open_later"], said["open_later_by"]) == (15_000, 35_000, None)

    house.pay(15_000)
    house.enter(10_000)
    house.until(f"{at}T10:00:00+02:00")
    house.check("refused")
    said = the(house, "voucher_declined").variables
    assert (said["open_now"], said["open_later"], said["open_later_by"]) == due


def test_s0_28_a_voucher_that_is_about_to_expire_is_told_of_on_each_day() -> None:
    """With what is free of it, its last day, and its number in the mail alone; never when nothing is left."""
    house = ordered(voucher_warning_days=(30, 7), voucher_months=3)
    house.pay(15_000)
    house.send("booking.cancel_with_voucher", number=CODES[0])
    assert house.folio().issued is not None
    house.order("B-2", lines=[line(price=50_000, terms="outdoor/thirty")])
    house.until("2026-07-10T08:00:00+00:00")
    house.enter(5_000, CODES[0], "B-2")
    house.check("accepted", "B-2")
    house.until("2026-09-01T08:00:00+00:00")

    told = [one.variables for one in house.written if one.kind == "voucher_expiring"]
    assert [(one["days_before"], one["amount"], one["expires"], one["folio"]) for one in told] == [
        (30, 15_000, "2026-08-01", "B-1"),
        (7, 10_000, "2026-08-01", "B-1"),
    ]
    assert whole(told[0], house.folio())["number"] == house.book(CODES[0]).number
    assert CODES[0] not in str(told)


def test_s0_28_nobody_is_warned_of_what_is_spent_or_lasts_for_ever() -> None:
    """Nor where the policy names no day."""
    for more, price in (({"voucher_months": 0}, 0), ({"voucher_warning_days": ()}, 0), ({}, 50_000)):
        house = ordered(**more)
        house.pay(15_000)
        house.send("booking.cancel_with_voucher", number=CODES[0])
        if price:
            house.order("B-2", lines=[line(price=price, terms="outdoor/thirty")])
            house.enter(15_000, CODES[0], "B-2")
            house.check("accepted", "B-2")
        house.until("2029-01-01T08:00:00+00:00")

        assert "voucher_expiring" not in [one.kind for one in house.written]


def test_s0_19_worth_less_a_top_up_is_awaited_until_an_instant_of_the_property() -> None:
    """What is missing, and until when; then it is told that the booking ended."""
    house = ordered()
    house.enter(10_000)
    house.authorise(5_000)
    house.check("lower_value", value=4_000)
    told = the(house, "voucher_top_up_awaited").variables
    assert (told["value"], told["missing"], told["due_now"], told["until"]) == (4_000, 6_000, 11_000, "2026-05-03T10:00:00+02:00")
    house.until("2026-05-04T00:00:00+00:00")

    assert house.kinds() == ["voucher_check", "voucher_top_up_awaited", "booking_declined"]


def test_s0_19_a_refused_voucher_is_a_declined_booking() -> None:
    """One mail, and none about a cancellation that nobody asked for."""
    house = ordered()
    house.enter(10_000)
    house.check("refused", reason="unknown code")

    assert house.kinds() == ["voucher_check", "booking_declined"]
    assert the(house, "booking_declined").audience is Audience.GUEST


def test_s0_26_s0_32_the_code_of_an_own_voucher_is_told_and_not_kept() -> None:
    """It is found when the mail is sent; value that went into it is no refund that an account will show."""
    house = ordered()
    house.pay(15_000)
    house.send("booking.cancel_with_voucher", number=CODES[0])
    told = the(house, "voucher_issued")
    number = house.folio().issued
    assert number is not None

    assert whole(told.variables, house.folio())["number"] == number.number
    assert told.variables["voucher"] == 0
    assert not {number.number, number.number.replace("-", "")} & set(str(house.written).replace("'", " ").replace(":", " ").split())
    assert house.kinds() == ["voucher_issued"], "neither a cancellation that gives money back, nor a refund, nor a credit"


def test_s0_31_issued_once_is_told_once() -> None:
    """Asked for again, the same code is said again, and nobody is written to."""
    house = ordered()
    house.pay(15_000)
    for _ in range(2):
        house.send("booking.cancel_with_voucher", number=CODES[0])

    assert house.kinds().count("voucher_issued") == 1


def test_s0_29_value_that_goes_back_to_its_voucher_is_told_so() -> None:
    """Neither as money, nor with the number; what the house had added is the house's."""
    house = WritingHouse()
    house.order("B-1")
    house.pay(15_000)
    house.send("booking.cancel_with_voucher", number=CODES[0])
    house.order("B-2", lines=[line(price=50_000, terms="outdoor/thirty")])
    house.enter(15_000, CODES[0], "B-2")
    house.check("accepted", "B-2")
    house.send("cancellation.request", "B-2", request="R1", cause="guest", confirm=True)
    told = the(house, "voucher_credited").variables

    assert told["amount"] > 0
    assert told["provider_record"] == f"voucher:{masked(CODES[0].replace('-', ''))}"
    assert "refund_executed" not in house.kinds("B-2")

    generous = ordered()
    generous.enter(20_000)
    generous.check("goodwill", value=15_000)
    generous.send("cancellation.request", request="R1", cause="guest", confirm=True)
    assert "voucher_credited" not in generous.kinds()


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        pytest.param("EG6V-H4Y5-NFC4", "…NFC4", id="ours"),
        pytest.param("MERCHANT-7", "…NT-7", id="somebody's"),
        pytest.param("MER-1", "…", id="a short one: its end would be most of it"),
        pytest.param("", "…", id="none"),
    ],
)
def test_s0_32_of_a_number_only_its_end_is_kept(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_s0_32_a_number_that_the_folio_does_not_have_stays_hidden() -> None:
    """And what names none is what it was."""
    house = ordered()
    folio = house.folio()
    assert whole({"number": "…NFC4", "voucher": 0}, folio)["number"] == "…NFC4"
    assert whole({"number": "…NFC4", "voucher": 3}, folio)["number"] == "…NFC4"
    assert whole({"number": "…NFC4", "voucher": 1}, None)["number"] == "…NFC4"
    assert not numbered({"amount": 1})
    assert hidden({"amount": 1, "provider_record": "30/1"}, folio) == {"amount": 1, "provider_record": "30/1"}
