"""Two outcomes of one decision become one and lose nothing; terms are offered by name and day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import asdict, replace

from handlers.outcome import Facts, Internal, Outcome, Policies, Step, Timer, merge
from ledger.transfer import Transfer
from schemas.booking import BalanceChanged
from schemas.effect import EffectKind, EffectMove, EffectRequest, Move, PaymentQuery
from schemas.errors import Rejected
from schemas.folio import Area
from schemas.operations import TimerFired
from tests.handlers.campsite import FLEXIBLE, Stay

DUE = datetime(2026, 7, 1, tzinfo=UTC)


def whole(name: str) -> Outcome:
    """One of everything, called so."""
    request = EffectRequest(
        effect=name, business_key=name, kind=EffectKind.REFUND, provider="ogone", merchant="azur", payment=name, reference="",
        order="", minor=1, currency="EUR", refund="", property="camp-azur",
    )  # fmt: skip
    return Outcome(
        state=Area(area=name),
        facts=(BalanceChanged(ordered=1, collected=1, balance=0, currency=name),),
        entries=(Transfer(entry=name, debit="guest:A", credit="fees:A", minor=1, currency="EUR"),),
        requests=(request,),
        moves=(EffectMove(effect=name, move=Move.WITHDRAW),),
        queries=(PaymentQuery(provider="ogone", merchant="azur", reference=name, order="", folio="A", payment=""),),
        timers=(Timer(name=name, due=DUE, kind=name),),
        cancel=(name,),
        messages=(Internal(kind="folio", key=name, name=name, body=TimerFired(name=name, due=DUE, kind=name)),),
        unparks=(name,),
        trace=(Step(name, name),),
        policy_version=name,
    )


def test_both_are_there_in_order() -> None:
    """The later state and policy, everything else of both."""
    first, second = asdict(whole("a")), asdict(whole("b"))
    both = asdict(merge(whole("a"), whole("b")))

    assert both == {
        name: second[name] if name in ("state", "policy_version") else first[name] + second[name]
        for name in Outcome.__struct_fields__
    }


def test_what_the_other_does_not_say_stays() -> None:
    """On either side."""
    assert merge(whole("a"), Outcome()) == whole("a")
    assert merge(Outcome(), whole("b")) == whole("b")


def test_x_8_terms_are_offered_from_their_first_day_to_their_last() -> None:
    """Of one name, those of the day; both ends count."""
    spring = replace(FLEXIBLE, version="spring/1", valid_from=date(2026, 3, 1), valid_to=date(2026, 5, 31))
    summer = replace(FLEXIBLE, version="summer/1", valid_from=date(2026, 6, 1))
    policies = Policies(properties={}, terms=(spring, summer), frozen_properties={}, frozen_terms={})
    days = {date(2026, 3, 1): "spring/1", date(2026, 5, 31): "spring/1", date(2026, 6, 1): "summer/1", date(2030, 1, 1): "summer/1"}

    assert {day: policies.offered(FLEXIBLE.name, day).version for day in days} == days
    for name, day in ((FLEXIBLE.name, date(2026, 2, 28)), ("outdoor/none", date(2026, 6, 1))):
        with pytest.raises(Rejected) as no:
            policies.offered(name, day)
        assert (no.value.code, no.value.rule, no.value.field, no.value.value) == ("unknown_terms", "X-8", "terms", name)


def test_ids_are_of_the_message_and_of_the_thing() -> None:
    """The same for the same, another for any other."""
    stay = Stay()
    facts: tuple[Facts, Facts] = (stay.facts("x"), stay.facts("x"))
    ids = [one.id(thing) for one in facts for thing in ("refund", "quote", 1, 2)]

    assert len(set(ids)) == len(ids)
    assert ids == [one.id(thing) for one in facts for thing in ("refund", "quote", 1, 2)]
