"""Captures by the provider's records (X-1, X-3, X-6): each counts once, whoever told of its money first."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from handlers.capture_records import gave_back, shown, told_back, told_so_far, took
from schemas.folio import CaptureRecord, FolioPayment, PaymentStatus
from schemas.payment import Tender

Told = tuple[str, int, bool]  # record, minor, stands


def payment(status: PaymentStatus = PaymentStatus.AUTHORISED, captured: int = 0, reversed_: int = 0) -> FolioPayment:
    """A card payment of 200 authorised, told by words so far."""
    return FolioPayment(
        payment="P", tender=Tender.CARD, status=status, position=0, authorised=200, captured=captured, reversed=reversed_
    )


AUTHORISED = payment()
BY_WORD = payment(PaymentStatus.CAPTURED, 100)
CHARGED_BACK = payment(PaymentStatus.REVERSED, 100, 100)
PARTLY = payment(PaymentStatus.CAPTURED, 100, 30)


@pytest.mark.parametrize(
    ("before", "told", "moves", "after"),
    [
        pytest.param(AUTHORISED, [("1", 80, True)], [80], ("captured", 80, 0), id="new"),
        pytest.param(AUTHORISED, [("1", 80, True)] * 2, [80, 0], ("captured", 80, 0), id="twice"),
        pytest.param(AUTHORISED, [("1", 80, True), ("2", 80, True)], [80, 80], ("captured", 160, 0), id="two of one amount"),
        pytest.param(AUTHORISED, [("1", 80, False)], [0], ("authorised", 0, 0), id="refused: nothing was taken"),
        pytest.param(AUTHORISED, [("1", 80, False), ("1", 80, True)], [0, 80], ("captured", 80, 0), id="refused, then made"),
        pytest.param(BY_WORD, [("1", 100, True)], [0], ("captured", 100, 0), id="told by word before"),
        pytest.param(BY_WORD, [("1", 100, True), ("2", 40, True)], [0, 40], ("captured", 140, 0), id="and another one"),
        pytest.param(BY_WORD, [("1", 60, True), ("2", 70, True)], [0, 30], ("captured", 130, 0), id="told by word in one sum"),
        pytest.param(BY_WORD, [("1", 120, True)], [20], ("captured", 120, 0), id="more than was told by word"),
        pytest.param(BY_WORD, [("1", 100, False)], [-100], ("reversed", 100, 100), id="told by word, and refused"),
        pytest.param(BY_WORD, [("1", 120, False)], [-100], ("reversed", 100, 100), id="refused: no more than was told"),
        pytest.param(BY_WORD, [("1", 60, True), ("2", 60, False)], [0, -40], ("captured", 100, 40), id="refused beside another"),
        pytest.param(
            AUTHORISED, [("1", 80, True), ("1", 80, False)], [80, -80], ("reversed", 80, 80), id="taken back"
        ),
        pytest.param(
            AUTHORISED, [("1", 80, True), ("2", 50, True), ("1", 80, False)], [80, 50, -80], ("captured", 130, 80), id="one of two"
        ),
        pytest.param(
            AUTHORISED, [("1", 80, True), ("1", 80, False), ("1", 80, True), ("1", 80, False)], [80, -80, 80, -80],
            ("reversed", 80, 80), id="again and again",
        ),
        pytest.param(CHARGED_BACK, [("1", 100, True)], [0], ("reversed", 100, 100), id="charged back, and shown for the first time"),
        pytest.param(
            CHARGED_BACK, [("1", 100, True), ("1", 100, False)], [0, 0], ("reversed", 100, 100), id="taken back by word before"
        ),
        pytest.param(CHARGED_BACK, [("1", 100, False)], [0], ("reversed", 100, 100), id="taken back by word, never shown as made"),
        pytest.param(
            PARTLY, [("1", 100, True), ("1", 100, False)], [0, -70], ("reversed", 100, 100), id="a part was taken back by word"
        ),
        pytest.param(
            BY_WORD, [("1", 100, False), ("1", 100, True), ("2", 30, True)], [-100, 100, 30], ("captured", 130, 0), id="stands again"
        ),
    ],
)  # fmt: skip
def test_each_record_counts_once(before: FolioPayment, told: list[Told], moves: list[int], after: tuple[str, int, int]) -> None:
    """What each turn adds to the money or takes away, and how the payment stands then."""
    now, moved = before, []
    for record, minor, stands in told:
        now, move = shown(now, record, minor, stands=stands)
        moved.append(move)

    assert (moved, (now.status, now.captured, now.reversed)) == (moves, after)
    assert now.collected() == before.collected() + sum(moves)


def test_what_says_nothing_new_changes_nothing() -> None:
    """Not even what is kept of records."""
    once, _ = shown(AUTHORISED, "1", 80, stands=True)

    assert once.captures == (CaptureRecord(record="1", minor=80),)
    assert shown(once, "1", 80, stands=True) == (once, 0)
    assert shown(AUTHORISED, "1", 80, stands=False) == (AUTHORISED, 0)


def test_nothing_moves_nothing() -> None:
    """A voided payment stays so."""
    voided = payment(PaymentStatus.VOIDED)

    assert (took(voided, 0), gave_back(voided, 0)) == (voided, voided)


def test_what_is_here_again_was_captured_once() -> None:
    """Never more captured than was there at one time."""
    assert took(replace(CHARGED_BACK), 100, 100) == payment(PaymentStatus.CAPTURED, 100)


@pytest.mark.parametrize(
    ("record", "words", "less", "reversed_"),
    [
        pytest.param(0, [30, 20], [30, 20], 50, id="two by word"),
        pytest.param(60, [60], [0], 60, id="shown, then told"),
        pytest.param(60, [40, 20, 30], [0, 0, 30], 90, id="shown in one, told in parts, and one more"),
        pytest.param(60, [80], [20], 80, id="more is told than was shown"),
    ],
)
def test_a_charge_back_that_is_shown_and_told_is_one(record: int, words: list[int], less: list[int], reversed_: int) -> None:
    """Whoever comes first; what of it was told is known, and is not kept where it is all of it, as in states of before."""
    now = BY_WORD
    if record:
        now, _ = shown(now, "1", record, stands=True)
        now, moved = shown(now, "1", record, stands=False)
        assert moved == -record
    taken = []
    for word in words:
        now, one = told_back(now, word)
        taken.append(one)

    assert (taken, now.reversed, told_so_far(now)) == (less, reversed_, sum(words))
    assert now.reversed_told is (None if sum(words) == reversed_ else now.reversed_told)


def test_what_was_told_back_before_is_shown_afterwards() -> None:
    """30 by word, then the whole capture of 100 by its record: 70 more."""
    told, _ = told_back(BY_WORD, 30)
    known, _ = shown(told, "1", 100, stands=True)
    now, moved = shown(known, "1", 100, stands=False)

    assert (moved, now.reversed, now.status, told_so_far(now)) == (-70, 100, "reversed", 30)
