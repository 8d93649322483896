"""Whose each record of a provider's history is: an effect's, the payment's, somebody else's, or nobody's until it says more."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.reconcile import Known, Open, compare
from schemas.effect import EffectKind, EffectState, ProviderRecord, RecordKind, Result

SENT = 1_000
PAID = ProviderRecord(
    reference="30", level="0", kind=RecordKind.CAPTURE, result=Result.CONFIRMED, status="9", currency="EUR", minor=20_000
)
HAZY = replace(PAID, level="1", result=Result.UNKNOWN, status="92", minor=5_000)
GIVEN = replace(HAZY, kind=RecordKind.REFUND, result=Result.CONFIRMED, status="8")
BEFORE = {"0": Known("payment", RecordKind.CAPTURE, Result.CONFIRMED, 0)}


def refund(state: EffectState = EffectState.UNKNOWN, **more: Any) -> Open:
    """Ours, of 50 euros."""
    return Open("E1", EffectKind.REFUND, state, 5_000, "", SENT, "EUR")._replace(**more)


def hazy_before(owner: str = "payment", *, seen_at: int = SENT + 1, result: Result = Result.UNKNOWN) -> dict[str, Known]:
    """The level as it was stored when it said nothing."""
    return {**BEFORE, "1": Known(owner, RecordKind.CAPTURE, result, seen_at)}


def test_an_uncertain_level_is_nobodys_while_a_request_is_in_doubt() -> None:
    """Neither the payment's nor an absence of ours."""
    found = compare([PAID, HAZY], BEFORE, [refund()])

    assert found.hazy == (HAZY,)
    assert (found.bound, found.payment, found.foreign, found.absent, found.unclear) == ((), (), (), (), ())


def test_an_uncertain_level_that_becomes_our_refund_is_bound() -> None:
    """It was never stored, so that it is as new as any."""
    assert compare([PAID, GIVEN], BEFORE, [refund()]).bound == (("E1", GIVEN),)


SEEKING = ("unknown", "accepted", "confirmed", "needs_person")


@pytest.mark.parametrize("state", list(EffectState))
def test_a_request_that_was_sent_finds_its_record(state: EffectState) -> None:
    """Whatever is known of it, as long as it has none yet; of one that is under way its answer will tell. One that was never sent, or
    is over, made nothing."""
    found = compare([PAID, GIVEN], BEFORE, [refund(state)])
    ours, aside = state in SEEKING, state is EffectState.SENDING

    assert found.bound == ((("E1", GIVEN),) if ours else ())
    assert found.aside == ((GIVEN,) if aside else ())
    assert found.foreign == (() if ours or aside else (GIVEN,))


@pytest.mark.parametrize("result", [Result.UNKNOWN, Result.ACCEPTED, Result.REFUSED])
def test_what_was_the_payments_is_matched_again_when_it_shows_itself_as_a_refund(result: Result) -> None:
    """Its kind has changed: ours, when it came after our request and has our amount."""
    found = compare([PAID, GIVEN], hazy_before(result=result), [refund()])

    assert (found.bound, found.payment, found.foreign) == ((("E1", GIVEN),), (), ())


def test_what_was_there_before_our_request_cannot_be_ours() -> None:
    """A refund, but somebody else's; of ours nothing is to be seen."""
    found = compare([PAID, GIVEN], hazy_before(seen_at=SENT - 1), [refund()])

    assert (found.bound, found.foreign, found.absent) == ((), (GIVEN,), ("E1",))


def test_a_turned_record_without_a_request_in_doubt_is_foreign() -> None:
    """Nobody of ours asked for it."""
    found = compare([PAID, GIVEN], hazy_before(), [])

    assert (found.bound, found.payment, found.foreign) == ((), (), (GIVEN,))


def test_what_was_told_as_foreign_stays_foreign() -> None:
    """The folio counts with it already."""
    found = compare([PAID, GIVEN], hazy_before("foreign"), [refund()])

    assert (found.bound, found.foreign) == ((), (GIVEN,))


def test_a_capture_that_stood_stays_the_payments() -> None:
    """A level that was a success of the payment is not taken for a refund of ours."""
    turned = replace(PAID, kind=RecordKind.REFUND, status="8", minor=5_000)

    found = compare([turned], {"0": BEFORE["0"]._replace(seen_at=SENT + 1)}, [refund()])

    assert (found.bound, found.foreign, found.absent) == ((), (), ("E1",))


def test_an_uncertain_level_that_turns_out_to_be_the_payments() -> None:
    """92, then 9: a capture."""
    taken = replace(HAZY, result=Result.CONFIRMED, status="9")

    found = compare([PAID, taken], BEFORE, [refund()])

    assert (found.payment, found.absent) == ((taken,), ("E1",))


def test_beside_an_uncertain_level_that_could_be_ours_nothing_is_certain() -> None:
    """A new refund of our amount and a new level that says nothing: a person decides."""
    other = replace(GIVEN, level="2")

    found = compare([PAID, HAZY, other], BEFORE, [refund()])

    assert found.bound == ()
    assert found.unclear == (("E1", "asked for 5000, the provider shows new refunds 2: 5000 (8), 1: 5000 (92)"),)


def test_an_uncertain_level_of_another_amount_is_the_payments() -> None:
    """It cannot be ours."""
    other = replace(HAZY, minor=4_000)

    found = compare([PAID, other, replace(GIVEN, level="2")], BEFORE, [refund()])

    assert (found.payment, found.hazy, [id_ for id_, _ in found.bound]) == ((other,), (), ["E1"])


def test_an_uncertain_level_without_a_request_in_doubt_is_the_payments() -> None:
    """As before any refund."""
    assert compare([PAID, HAZY], BEFORE, [refund(EffectState.PLANNED)]).payment == (HAZY,)


def test_an_uncertain_level_is_set_aside_while_the_request_is_under_way() -> None:
    """Its answer will tell."""
    found = compare([PAID, HAZY], BEFORE, [refund(EffectState.SENDING)])

    assert (found.aside, found.payment) == ((HAZY,), ())


HELD = replace(PAID, kind=RecordKind.AUTHORISATION, status="5")
HELD_BEFORE = {"0": Known("payment", RecordKind.AUTHORISATION, Result.CONFIRMED, 0)}


def test_an_authorisation_that_has_become_a_capture_is_news() -> None:
    """In the same place, a success as before: taken by others, or by us where that is in doubt and nothing else could be it."""
    ours = refund(kind=EffectKind.CAPTURE, minor=20_000)

    assert compare([HELD], HELD_BEFORE, []).payment == ()
    assert compare([PAID], HELD_BEFORE, []).payment == (PAID,)
    assert compare([PAID], HELD_BEFORE, [ours]).bound == (("E1", PAID),)
    assert compare([PAID], HELD_BEFORE, [ours._replace(minor=10_000)]).bound == ()
    assert compare([PAID], BEFORE, [ours]).absent == ("E1",)


def test_x_4_a_record_in_another_currency_is_not_ours() -> None:
    """As much of something else: a person decides, and is told both currencies. One that names none may be ours."""
    dollars = replace(GIVEN, currency="USD")

    found = compare([PAID, dollars], BEFORE, [refund()])

    assert (found.bound, found.foreign, found.absent) == ((), (), ())
    assert found.unclear == (("E1", "asked for 5000 EUR, the provider shows new refunds 1: 5000 USD (8)"),)
    assert compare([PAID, replace(GIVEN, currency="")], BEFORE, [refund()]).bound != ()


@pytest.mark.parametrize(
    ("record", "veiled"), [(GIVEN, True), (replace(GIVEN, result=Result.REFUSED, status="83"), False), (HAZY, False)]
)
def test_a_record_of_money_without_its_amount_is_nobodys_until_it_is_shown(record: ProviderRecord, veiled: bool) -> None:
    """Then it is as new as any. One that says that nothing moved, or does not say yet, is as it was."""
    bare = replace(record, minor=None)
    found = compare([PAID, bare], BEFORE, [])

    assert found.veiled == ((bare,) if veiled else ())
    assert (bare in (*found.foreign, *found.payment)) is not veiled
    assert compare([PAID, record], BEFORE, []).veiled == ()


def test_an_amount_that_an_answer_lacks_is_the_one_that_was_shown_before() -> None:
    """Of the same kind: a capture of 50 that is taken back is of 50."""
    taken = replace(HAZY, result=Result.CONFIRMED, status="9")
    known = {**BEFORE, "1": Known("payment", RecordKind.CAPTURE, Result.CONFIRMED, 0, 5_000)}
    back = replace(taken, result=Result.REFUSED, status="93")

    assert compare([PAID, replace(back, minor=None)], known, []).payment == (back,)
    given = replace(GIVEN, minor=None)
    assert compare([PAID, given], {**known, "1": known["1"]._replace(result=Result.UNKNOWN)}, []).veiled == (given,)
