"""The system of record cancels: always accepted, with what it says of the money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.booking import DepositNature
from schemas.cancellation import CancellationConfirmed
from schemas.effect import EffectKind
from schemas.errors import Early, Rejected, Stale
from schemas.folio import FolioStatus, RequestStatus
from tests.handlers.campsite import CAMP, TWO_LINES, Stay, fact, kinds, line, ordered
from tests.handlers.cancelling import Leaving, before, leaving


@pytest.mark.parametrize(
    ("refund", "paid", "days", "gives", "penalty"),
    [
        pytest.param("policy", 20_500, 3, 6_000, 14_000, id="policy: V19"),
        pytest.param("policy", 20_500, -5, 0, 20_000, id="policy, after arrival"),
        pytest.param("full", 20_500, 0, 20_500, 0, id="full: the fee too"),
        pytest.param("full", 10_500, 0, 10_500, 0, id="full of what was paid"),
        pytest.param("none", 20_500, 10, 0, 20_000, id="none"),
        pytest.param("none", 30_000, 10, 0, 20_000, id="none, although overpaid"),
        pytest.param(8_500, 20_500, 0, 8_500, 11_500, id="an amount"),
        pytest.param(20_200, 20_500, 0, 20_200, 0, id="an amount that takes of the fee"),
        pytest.param(99_999, 20_500, 0, 20_500, 0, id="X-3 an amount above what was collected"),
        pytest.param(0, 10_500, 10, 0, 10_000, id="zero"),
    ],
)
def test_s4_25_what_is_said_of_the_money(refund: object, paid: int, days: int, gives: int, penalty: int) -> None:
    """policy, full, none, or an amount, of which the fee is kept first (A-5); judged at the act."""
    stay = leaving(paid, *TWO_LINES)
    out = stay.told_cancelled(at=before(days), refund=refund)

    done = fact(out, CancellationConfirmed)
    assert (gives, penalty, paid - gives) == (done.refund, done.penalty, done.kept)
    assert gives == sum(request.minor for request in out.requests)
    assert stay.folio.status is FolioStatus.CANCELLED
    assert stay.owes() == min(0, 20_500 - paid) if refund == "none" else stay.owes() == 0
    assert {"StockReleased", "CancellationConfirmed"} <= set(kinds(out))


@pytest.mark.parametrize(
    ("refund", "gives", "goodwill"), [("full", 20_500, 8_000), (15_000, 15_000, 2_500), (12_500, 12_500, 0), (500, 500, 0)]
)
def test_s4_25_s4_46_what_goes_back_of_an_earlier_penalty_is_owed_no_more(refund: object, gives: int, goodwill: int) -> None:
    """80 were kept of the service that was cancelled before; what the record gives back beyond the rest is goodwill, whatever the nature
    of the deposit."""
    for nature in DepositNature:
        stay = leaving(20_500, *TWO_LINES, deposit_nature=nature.value)
        stay.leave({"line": "2"}, at=before(3))
        assert stay.folio.lines[1].kept == 8_000
        done = fact(stay.told_cancelled(at=before(2), refund=refund), CancellationConfirmed)

        assert (done.refund, stay.folio.goodwill, stay.folio.claim, stay.owes()) == (gives, goodwill, 0, 0)


@pytest.mark.parametrize(
    ("reason", "days", "gives"),
    [("owner", 0, 20_500), ("force_majeure", 0, 20_000), ("no_show", 10, 0), ("changed plans", 10, 20_000)],
)
def test_s4_25_a_reason_that_is_a_cause(reason: str, days: int, gives: int) -> None:
    """A fact: no check of who and when."""
    assert gives == fact(leaving().told_cancelled(at=before(days), reason=reason), CancellationConfirmed).refund


def test_x_2_before_its_booking_it_waits() -> None:
    """Parked."""
    stay = Leaving()
    with pytest.raises(Early) as why:
        stay.told_cancelled()
    assert why.value.waits_for == "booking"


def test_x_2_an_older_revision_cancels_nothing() -> None:
    """Older than what its source said; another source counts for itself."""
    stay = Leaving()
    stay.book(ordered(revision=5))
    with pytest.raises(Stale):
        stay.told_cancelled(revision=4)
    assert stay.told_cancelled(revision=5).facts
    other = Leaving()
    other.book(ordered(revision=5))
    assert other.told_cancelled(revision=1, source="ota.demo").facts


def test_s4_41_the_echo_of_a_cancellation_moves_nothing() -> None:
    """The PMS tells the hub what the hub told it."""
    stay = leaving()
    stay.leave(at=before(3))
    out = stay.told_cancelled(at=before(0), revision=9, refund="full")

    assert (out.facts, out.entries, out.requests, [step.rule for step in out.trace]) == ((), (), (), ["S4-25"])
    assert stay.folio.revisions["pms.thais"] == 9


def test_s4_30_the_record_has_states_too() -> None:
    """refunding, then refunded; a guest's own request finds it done."""
    stay = leaving()
    stay.ask(at=before(10))
    stay.told_cancelled(at=before(10))
    assert stay.folio.requests[-1].status is RequestStatus.REFUNDING
    with pytest.raises(Rejected) as why:
        stay.confirm()
    assert why.value.code == "already_cancelled"
    stay.reply("confirmed")
    assert stay.folio.requests[-1].status is RequestStatus.REFUNDED


@pytest.mark.parametrize(
    ("refund", "kind", "minor"), [("policy", "capture", 10_500), ("full", "void", 20_500), ("none", "capture", 20_500)]
)
def test_x_17_authorised_money_follows(refund: str, kind: str, minor: int) -> None:
    """What the words leave to pay is taken, all else released."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    (request,) = stay.told_cancelled(at=before(3), refund=refund).requests

    assert (EffectKind(kind), minor) == (request.kind, request.minor)
    stay.reply("confirmed")
    assert stay.owes() == 0


def test_s4_25_after_a_part_was_cancelled() -> None:
    """Full is what the rest may give: the first line's penalty of 60 stays."""
    stay = leaving(20_500, *TWO_LINES)
    stay.leave("1", at=before(3))
    out = stay.told_cancelled(at=before(3), refund=8_500)

    assert (fact(out, CancellationConfirmed).refund, stay.owes()) == (8_500, 0)


@given(
    st.integers(0, 40_000), st.lists(st.integers(0, 20_000), min_size=1, max_size=4), st.integers(0, 60_000), st.integers(0, 900)
)
def test_s4_25_any_amount_adds_up(paid: int, prices: list[int], refund: int, fee: int) -> None:
    """refund + kept = collected, and nobody owes anything but what was overpaid."""
    stay = leaving(paid, *(line(str(n), price) for n, price in enumerate(prices)), service_fee=fee)
    done = fact(stay.told_cancelled(at=before(3), refund=refund), CancellationConfirmed)

    assert (done.refund, done.kept) == (min(refund, paid), paid - min(refund, paid))
    assert stay.owes() == -max(0, done.kept - fee - sum(prices))


def test_x_27_a_large_refund_of_the_record_waits_for_a_person() -> None:
    """approval_above holds for facts too."""
    stay = leaving(camp=replace(CAMP, approval_above=19_999))
    (request,) = stay.told_cancelled(at=before(10)).requests

    assert request.needs_approval
    assert isinstance(stay, Stay)
