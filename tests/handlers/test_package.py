"""X-24: packages. What is unavoidable, or the organiser's doing, gives everything back, fee and all, within 14 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.operations import EffectNeedsPerson
from schemas.refund import RefundDecided
from tests.handlers.campsite import CAMP, fact, kinds, ordered, paid
from tests.handlers.cancelling import MERCHANT, Leaving, before, leaving


@pytest.mark.parametrize(("first", "then", "package"), [(True, False, True), (False, True, True), (False, False, False)])
def test_x_24_what_was_sold_as_a_package_stays_one(first: bool, then: bool, package: bool) -> None:
    """A change that leaves the word out takes no right away; one that says it gives it."""
    stay = leaving(20_500, is_package=first)
    stay.book(ordered(is_package=then), "booking.changed")

    assert stay.folio.is_package is package
    assert fact(stay.leave(at=before(3), cause="force_majeure", proof="prefecture-12"), RefundDecided).amount == (
        20_500 if package else 20_000
    )


def test_x_24_a_request_is_not_sold_yet() -> None:
    """While it is only requested, the last word counts."""
    stay = Leaving()
    stay.book(ordered(is_package=True), "booking.requested")
    stay.book(ordered(), "booking.confirmed")

    assert not stay.folio.is_package


@pytest.mark.parametrize(("package", "days"), [(True, 14), (False, 30)])
def test_x_24_every_refund_of_a_package_is_due_in_fourteen_days(package: bool, days: int) -> None:
    """Arrhes that are returned double too; each has its alarm."""
    stay = leaving(20_500, camp=replace(CAMP, refund_due_days=30, arrhes_double=True), is_package=package)
    out = stay.leave(at=before(3), cause="owner", actor=MERCHANT)
    decided = [one for one in out.facts if isinstance(one, RefundDecided)]

    assert len(decided) == 2
    assert {one.refund_due_by - stay.facts("x").act for one in decided} == {timedelta(days=days)}
    assert len([timer for timer in out.timers if timer.kind == "refund_due"]) == 2


@pytest.mark.parametrize(
    ("said", "package", "kept"),
    [
        ({"reason": "force_majeure", "refund": "none"}, True, 20_500),
        ({"reason": "owner", "refund": 15_000}, True, 5_500),
        ({"reason": "owner", "refund": "full"}, True, 0),
        ({"reason": "force_majeure"}, True, 0),
        ({"reason": "guest", "refund": "none"}, True, 0),
        ({"reason": "owner", "refund": "none"}, False, 0),
    ],
)
def test_x_24_a_record_that_keeps_money_of_a_package(said: dict[str, Any], package: bool, kept: int) -> None:
    """What it says stands (S4-25), and a person is told of what is due all the same."""
    stay = leaving(20_500, is_package=package)
    out = stay.told_cancelled(at=before(3), **said)

    assert [one.amount for one in out.facts if isinstance(one, EffectNeedsPerson)] == ([kept] if kept else [])


def test_x_24_by_the_tenders_that_paid() -> None:
    """Cash, holiday vouchers and card, each gives its own."""
    stay = leaving(10_000, is_package=True)
    stay.pay(paid(5_500, "P2", tender="holiday_voucher"))
    stay.pay(paid(5_000, "P3", tender="cash"))
    stay.leave(at=before(0), cause="force_majeure", proof="prefecture-12")

    assert {part.payment: part.minor for part in stay.parts()} == {"P1": 10_000, "P2": 5_500, "P3": 5_000}


def test_x_24_a_guest_who_changes_his_mind_has_the_terms() -> None:
    """It is none of its causes."""
    stay = leaving(20_500, is_package=True)
    assert fact(stay.leave(at=before(3)), RefundDecided).amount == 10_000
    assert "EffectNeedsPerson" not in kinds(stay.card(100, "P2"))
