"""Records that are nobody's for now, and those that change nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.reconcile import Known, Open, after_result, compare, moved_money
from schemas.effect import EffectKind, EffectState, ProviderRecord, RecordKind, Result

GIVEN = ProviderRecord(
    reference="30", level="1", kind=RecordKind.REFUND, result=Result.CONFIRMED, status="8", currency="EUR", minor=5_000
)
OURS = Open("E1", EffectKind.REFUND, EffectState.UNKNOWN, 5_000, "", 1_000, "EUR")


def test_a_new_record_while_a_request_of_its_kind_is_on_its_way() -> None:
    """Its answer will tell: neither foreign nor ours until then; what it was not asked for is told at once."""
    taken = replace(GIVEN, level="2", kind=RecordKind.CAPTURE)
    found = compare([GIVEN, taken], {}, [OURS._replace(state=EffectState.SENDING)])

    assert (found.aside, found.foreign, found.bound, found.unclear, found.absent) == ((GIVEN,), (), (), (), ())
    assert found.payment == (taken,)


def test_another_word_for_what_is_still_uncertain_is_no_news() -> None:
    """What was the payment's and shows itself as something that nobody asked for, uncertain as before."""
    unsure = replace(GIVEN, kind=RecordKind.VOID, result=Result.UNKNOWN)
    known = {"1": Known("payment", RecordKind.CAPTURE, Result.UNKNOWN, 0)}

    found = compare([unsure], known, [])

    assert (found.payment, found.foreign, found.hazy, found.aside) == ((), (), (), ())


def test_two_that_could_be_ours_are_for_a_person() -> None:
    """And so is one of another amount; none of them is told as somebody else's before that."""
    twin = replace(GIVEN, level="2")
    for records in ([GIVEN, twin], [replace(GIVEN, minor=4_999)]):
        found = compare(records, {}, [OURS])

        assert [id_ for id_, _ in found.unclear] == ["E1"]
        assert (found.bound, found.foreign, found.absent) == ((), (), ())


def test_two_of_ours_in_doubt_and_one_record_are_for_a_person() -> None:
    """Either could be it."""
    found = compare([GIVEN], {}, [OURS, OURS._replace(id="E2")])

    assert sorted(id_ for id_, _ in found.unclear) == ["E1", "E2"]
    assert found.bound == ()


def test_what_a_person_confirmed_finds_its_record() -> None:
    """The first that fits; the next one is for the request that is still in doubt."""
    twin = replace(GIVEN, level="2")
    done = OURS._replace(id="E0", state=EffectState.CONFIRMED)

    found = compare([GIVEN, twin], {}, [done, OURS])

    assert found.bound == (("E0", GIVEN), ("E1", twin))


def test_a_record_that_a_person_named_is_bound_by_its_number() -> None:
    """Whatever its amount."""
    found = compare([replace(GIVEN, minor=1)], {}, [OURS._replace(record="1", state=EffectState.CONFIRMED)])

    assert found.bound == (("E1", replace(GIVEN, minor=1)),)


def test_what_is_known_is_told_again_only_when_it_changed() -> None:
    """By its owner: a request's moves it, a foreign one and the payment's are told."""
    same = {level: Known(owner, RecordKind.REFUND, Result.CONFIRMED, 0) for level, owner in (("1", "effect:E1"), ("2", "foreign"))}
    both = [GIVEN, replace(GIVEN, level="2")]
    assert compare(both, same, []) == compare([], {}, [])

    reversed_ = [replace(one, result=Result.REVERSED, status="96") for one in both]
    found = compare(reversed_, same, [])

    assert (found.moved, found.foreign) == ((("E1", reversed_[0]),), (reversed_[1],))


@pytest.mark.parametrize("result", list(Result))
def test_whether_money_moved(result: Result) -> None:
    """Everything but an explicit no may have moved it."""
    assert moved_money(replace(GIVEN, result=result)) is (result not in (Result.REFUSED, Result.REVERSED))


@pytest.mark.parametrize(
    ("state", "result", "after"),
    [
        (EffectState.CONFIRMED, Result.REFUSED, EffectState.REVERSED),
        (EffectState.CONFIRMED, Result.REVERSED, EffectState.REVERSED),
        (EffectState.CONFIRMED, Result.UNKNOWN, EffectState.CONFIRMED),
        (EffectState.REFUSED, Result.CONFIRMED, EffectState.REFUSED),
        (EffectState.REVERSED, Result.CONFIRMED, EffectState.REVERSED),
        (EffectState.UNKNOWN, Result.UNKNOWN, EffectState.UNKNOWN),
        (EffectState.ACCEPTED, Result.UNKNOWN, EffectState.ACCEPTED),
        (EffectState.SENDING, Result.UNKNOWN, EffectState.UNKNOWN),
        (EffectState.SENDING, Result.NOT_SENT, EffectState.PLANNED),
        (EffectState.UNKNOWN, Result.REVERSED, EffectState.REFUSED),
        (EffectState.ACCEPTED, Result.CONFIRMED, EffectState.CONFIRMED),
    ],
)
def test_where_a_result_leads(state: EffectState, result: Result, after: EffectState) -> None:
    """A no after a success is its reversal; what is final stays."""
    assert after_result(state, result) is after
