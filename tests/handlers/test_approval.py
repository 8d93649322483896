"""S4-46, X-27: goodwill, a voucher's bonus and a voucher's part of a refund are put to a second person, then carried out or dropped."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.address import approval_key
from handlers import account
from handlers.approval import subject_of
from schemas.common import Actor, ActorKind, Fact
from schemas.folio import FolioStatus, PartStatus
from schemas.operations import ApprovalDecided, ApprovalRequested, Operate
from schemas.voucher import VoucherStatus
from tests.handlers.house import House, camp, issued, named, names, ordered, refusal

OLGA, MERCHANT, GUEST = ({"kind": kind, "id": name} for kind, name in (("operator", "olga"), ("merchant", "x"), ("guest", "p-1")))
SOMEBODY = Actor(kind=ActorKind.OPERATOR, id="olga")
BONUS = {"value_rule": "percent_of_collected", "value_percent": "120 %"}


def asked(told: list[Fact]) -> ApprovalRequested:
    found = [one for one in told if isinstance(one, ApprovalRequested)]
    assert len(found) == 1, told
    return found[0]


def said(house: House, name: str, subject: str, actor: dict[str, str] = OLGA, **more: Any) -> list[Fact]:
    return house.send(f"approval.{name}", subject=subject, reason="seen", actor=actor, **more)


def goodwill() -> tuple[House, ApprovalRequested]:
    """100 typed, the merchant says it is worth 40 and gives the rest; 50 is for one person to give."""
    house = ordered(camp(override_above=5_000))
    house.enter(10_000)
    return house, asked(house.check("goodwill", value=4_000))


def bonus() -> tuple[House, ApprovalRequested]:
    """150 collected, 180 chosen, 29.99 is for one person to give."""
    house = ordered(camp(override_above=2_999))
    house.pay(15_000)
    return house, asked(house.send("booking.cancel_with_voucher", **BONUS))


def part() -> tuple[House, ApprovalRequested]:
    """300 of an own voucher and 200 by card are to go back; 100 is for one person to give."""
    house = camp(approval_above=10_000)
    number = issued(house)
    house.order()
    house.enter(30_000, number)
    house.check()
    house.pay(20_000)
    told = house.send("cancellation.request", request="C1", confirm=True)
    held = [one for one in told if isinstance(one, ApprovalRequested) and house.folio().effects[0].effect != one.subject]
    assert len(held) == 1, told
    return house, held[0]


def test_s4_46_goodwill_waits_for_a_second_person_and_is_given() -> None:
    """Nothing is taken before; granted, it is as if it had been checked then."""
    house, told = goodwill()

    assert (told.amount, told.asked_by, house.folio().vouchers[0].status) == (6_000, "merchant:x", VoucherStatus.PENDING_CHECK)
    assert (house.accounts["till:voucher"], house.accounts["goodwill:camp-azur"]) == (0, 0)
    done = said(house, "grant", told.subject)

    assert named(done, "ApprovalDecided").by == "operator:olga"
    assert (house.accounts["till:voucher"], house.accounts["goodwill:camp-azur"]) == (4_000, 6_000)
    assert (house.folio().approvals, house.folio().vouchers[0].status) == ((), VoucherStatus.ACCEPTED)
    assert refusal(said, house, "grant", told.subject) == ("unknown_effect", "subject")


def test_s4_46_goodwill_that_is_denied_leaves_the_check_open() -> None:
    """The merchant may still accept the lower value, and is reminded as before (S0-35)."""
    house, told = goodwill()
    said(house, "deny", told.subject)

    assert (house.folio().approvals, house.folio().vouchers[0].status) == ((), VoucherStatus.PENDING_CHECK)
    house.check("lower_value", value=4_000)
    assert house.accounts["goodwill:camp-azur"] == 0


def test_s4_46_another_check_takes_the_place_of_what_waits() -> None:
    """Accepted as worth less meanwhile: there is nothing to grant any more, and nobody is told again."""
    house, told = goodwill()
    house.check("lower_value", value=9_000)

    assert house.folio().approvals == ()
    assert not [name for *_, name in house.timers if name.startswith("approval")]
    assert refusal(said, house, "grant", told.subject) == ("unknown_effect", "subject")


def test_x_1_the_same_check_again_is_the_same_approval() -> None:
    """Another amount is another one, in its place."""
    house, told = goodwill()
    assert asked(house.check("goodwill", value=4_000)).subject == told.subject
    other = asked(house.check("goodwill", value=3_000))

    assert (other.amount, other.subject == told.subject) == (7_000, False)
    assert [one.subject for one in house.folio().approvals] == [other.subject]


@pytest.mark.parametrize("made", [goodwill, bonus, part])
@pytest.mark.parametrize("actor", [MERCHANT, {"kind": "operator", "id": " X "}, GUEST, {"kind": "system", "id": "olga"}])
def test_x_27_not_by_who_asked_and_not_from_outside(made: Any, actor: dict[str, str]) -> None:
    """Whatever hat they wear; it waits on."""
    house, told = made()

    assert refusal(said, house, "grant", told.subject, actor) == ("approval_required", "actor")
    assert told.subject in [one.subject for one in house.folio().approvals]


def test_s4_46_a_bonus_waits_and_the_booking_stands() -> None:
    """Granted: cancelled, and the voucher is issued with the number that was drawn when it was asked for."""
    house, told = bonus()

    assert (told.amount, house.folio().status) == (3_000, FolioStatus.REQUESTED)
    assert [key for kind, key in house.states if kind == "voucher"] == []
    wanted = house.folio().approvals[0].issue
    done = said(house, "grant", told.subject)

    assert wanted is not None
    assert (named(done, "VoucherIssued").number.replace("-", ""), named(done, "VoucherIssued").bonus) == (
        wanted.number.replace("-", ""),
        3_000,
    )
    assert (house.folio().status, house.folio().approvals) == (FolioStatus.CANCELLED, ())


def test_s4_46_a_bonus_that_is_denied_cancels_nothing() -> None:
    """Nor does one that nobody decides on: it is told again every day."""
    house, told = bonus()
    again = house.until("2026-05-03T08:00:00+00:00")
    assert [one.subject for one in again if isinstance(one, ApprovalRequested)] == [told.subject, told.subject]
    said(house, "deny", told.subject)

    assert (house.folio().status, house.folio().approvals) == (FolioStatus.REQUESTED, ())
    assert house.until("2026-05-06T08:00:00+00:00") == []


def test_s4_46_a_bonus_that_has_grown_is_put_to_somebody_again() -> None:
    """More was collected meanwhile: 20 % of it is more than was granted."""
    house, told = bonus()
    house.pay(5_000, "P2")
    done = said(house, "grant", told.subject)

    assert asked(done).amount == 4_000
    assert house.folio().status is FolioStatus.REQUESTED
    said(house, "grant", asked(done).subject)
    assert house.folio().status is FolioStatus.CANCELLED


def test_s0_31_cancelled_otherwise_meanwhile_nothing_is_granted() -> None:
    """What waited for the booking that is gone waits no longer."""
    house, told = bonus()
    house.send("cancellation.request", request="C1", confirm=True)

    assert house.folio().approvals == ()
    assert refusal(said, house, "grant", told.subject) == ("unknown_effect", "subject")


def test_s0_32_a_number_that_was_taken_meanwhile_is_not_issued() -> None:
    """It waits on, and may be denied."""
    house, told = bonus()
    one = house.folio().approvals[0].issue
    assert one is not None
    house.send("voucher.register", number=one.number, value=500, currency="EUR")

    assert refusal(said, house, "grant", told.subject) == ("voucher_number_taken", "number")
    said(house, "deny", told.subject)
    assert house.folio().status is FolioStatus.REQUESTED


def test_x_27_a_vouchers_part_of_a_refund_waits_too() -> None:
    """300 of 500: not back on the voucher before it was granted."""
    house, told = part()
    own = house.folio().vouchers[0].number

    assert (told.amount, house.book(own).left) == (30_000, 0)
    assert account.under_way(house.folio()) == 0
    done = said(house, "grant", told.subject)

    assert [type(one).__name__ for one in done][:2] == ["ApprovalDecided", "RefundRequested"]
    assert house.book(own).left == 30_000
    assert {one.tender.value: one.status for one in house.folio().refunds[-1].parts} == {
        "card": PartStatus.REQUESTED,
        "voucher": PartStatus.EXECUTED,
    }


def test_x_27_a_vouchers_part_that_is_denied_is_for_a_person() -> None:
    """Never in money by the hub; the voucher stays empty."""
    house, told = part()
    done = said(house, "deny", told.subject)

    assert named(done, "RefundManualRequired").reason == "denied by operator:olga: seen"
    assert house.book(house.folio().vouchers[0].number).left == 0
    assert PartStatus.MANUAL in [one.status for one in house.folio().refunds[-1].parts]


def test_the_decision_is_told() -> None:
    """With who and why (X-15)."""
    house, told = goodwill()
    (decided,) = [one for one in said(house, "deny", told.subject) if isinstance(one, ApprovalDecided)]

    assert (decided.subject, decided.by, decided.reason) == (told.subject, "operator:olga", "seen")


def test_the_name_tells_whose_it_is() -> None:
    """A folio is found by it alone; one with a very long id has to be named beside it."""
    house, told = goodwill()
    folio = house.folio()

    assert told.subject.startswith("B-1/")
    assert approval_key("azur", "approval.grant", Operate(actor=SOMEBODY, subject=told.subject)) == ("azur", "folio", "B-1")
    assert approval_key("azur", "effect.settle", Operate(actor=SOMEBODY, subject=told.subject)) is None
    assert approval_key("azur", "approval.grant", Operate(actor=SOMEBODY, subject="0b2e6a4e-5d3f-5d0b")) is None
    longest, made = replace(folio, folio="B" * 51), "5e0c7a4e-5d3f-5d0b-8a77-0123456789ab"
    assert subject_of(longest, made) == "B" * 51 + "/5e0c7a4e5d3f"
    assert subject_of(replace(folio, folio="B" * 52), made) == made


@pytest.mark.parametrize("made", [goodwill, bonus])
def test_s4_46_x_27_what_nobody_grants_lapses(made: Any) -> None:
    """Told every day for a week; then nothing of it happens, nobody is told again, and it may be asked for anew."""
    house, told = made()
    before = dict(house.accounts)
    said_ = house.until("2026-05-20T00:00:00+00:00")

    assert [one.subject for one in said_ if isinstance(one, ApprovalRequested)] == [told.subject] * 6
    (denied,) = [one for one in said_ if isinstance(one, ApprovalDecided)]
    assert (denied.subject, denied.by) == (told.subject, "system:approval")
    assert denied.reason.startswith("nobody has decided within 7 days: ")
    assert (house.folio().approvals, dict(house.accounts)) == ((), before)
    assert house.folio().status is FolioStatus.REQUESTED
    assert not [name for *_, name in house.timers if name.startswith("approval")]
    assert refusal(said, house, "grant", told.subject) == ("unknown_effect", "subject")
    again = house.check("goodwill", value=4_000) if made is goodwill else house.send("booking.cancel_with_voucher", **BONUS)
    assert asked(again).subject != told.subject


def test_s4_46_x_1_the_same_again_does_not_begin_another_week() -> None:
    """Else whoever asks could keep it waiting for good."""
    house, told = goodwill()
    house.until("2026-05-07T08:00:00+00:00")
    assert asked(house.check("goodwill", value=4_000)).subject == told.subject

    assert named(house.until("2026-05-08T09:00:00+00:00"), "ApprovalDecided").by == "system:approval"


def test_x_27_a_refund_is_owed_whatever_nobody_says() -> None:
    """Its part is told for a week, and on its day as overdue; it waits on, and is granted late all the same."""
    house, told = part()
    said_ = house.until("2026-06-30T00:00:00+00:00")

    assert [one.subject for one in said_ if isinstance(one, ApprovalRequested)] == [told.subject] * 6
    assert names(said_).count("RefundOverdue") == 1
    assert "ApprovalDecided" not in names(said_)
    said(house, "grant", told.subject)
    assert house.folio().approvals == ()
