"""Force majeure declared for an area."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from handlers import force_majeure
from handlers.outcome import Outcome
from schemas.cancellation import ForceMajeureDeclare, ForceMajeureDeclared
from schemas.errors import Rejected
from schemas.folio import Area, AreaEvent
from tests.handlers.campsite import Stay
from tests.handlers.cancelling import GUEST, PLATFORM

EVENT = AreaEvent(event="E-1", start=date(2026, 7, 20), end=date(2026, 7, 25), cause="fire")


def declare(*areas: Area, **more: Any) -> Outcome:
    """The event E-1 of the area var."""
    body = {"actor": PLATFORM, "event": "E-1", "area": "var", "from": "2026-07-20", "to": "2026-07-25", "cause": "fire", **more}
    facts = replace(Stay().facts("force_majeure.declare"), areas=areas, key="var")
    return force_majeure.decide_declare(msgspec.convert(body, ForceMajeureDeclare), facts)


def test_s4_36_declared() -> None:
    """The area knows it."""
    out = declare(Area(area="lot"))

    assert Area(area="var", events=(EVENT,)) == out.state
    assert (ForceMajeureDeclared(event="E-1", area="var"),) == out.facts


def test_s4_36_instants_are_the_days_they_are_written_on() -> None:
    """In the sender's own offset."""
    out = declare(**{"from": "2026-07-20T00:30:00+02:00", "to": "2026-07-25T23:30:00-04:00"})

    assert isinstance(out.state, Area)
    assert list(out.state.events) == [EVENT]


def test_x_1_again_is_nothing_and_more_is_more() -> None:
    """Same event, same content; another event joins."""
    known = Area(area="var", events=(EVENT,))
    assert (declare(known).state, declare(known).facts) == (None, ())
    more = declare(known, event="E-2").state
    assert isinstance(more, Area)
    assert [event.event for event in more.events] == ["E-1", "E-2"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"to": "2026-07-26"}, ("duplicate_identity", "X-1", "event", "E-1")),
        ({"to": "2026-07-19", "event": "E-2"}, ("dates_out_of_order", "S4-36", "to", "2026-07-19")),
        ({"actor": GUEST}, ("not_allowed", "S4-36", "actor", "guest")),
    ],
)
def test_s4_36_refused(more: dict[str, Any], said: tuple[str, ...]) -> None:
    """Another content, days that run backwards, somebody else."""
    with pytest.raises(Rejected) as why:
        declare(Area(area="var", events=(EVENT,)), **more)
    error = why.value

    assert (error.code, error.rule, error.field, error.value) == said


def test_s4_36_one_day_is_an_event() -> None:
    """It may end on the day on which it starts."""
    out = declare(to="2026-07-20")

    assert isinstance(out.state, Area)
    assert (out.state.events[0].start, out.state.events[0].end) == (date(2026, 7, 20), date(2026, 7, 20))


@pytest.mark.parametrize(("areas", "rule"), [((), "S4-36"), ((Area(area="var", events=(EVENT,)),), "X-1")])
def test_x_7_a_declaration_names_its_rule(areas: tuple[Area, ...], rule: str) -> None:
    """Also one that changes nothing."""
    assert [step.rule for step in declare(*areas).trace] == [rule]


@pytest.mark.parametrize("kind", ["system", "merchant", "platform", "operator"])
def test_s4_36_who_may_declare(kind: str) -> None:
    """The house, and systems of theirs."""
    assert declare(actor={"kind": kind, "id": "x"}).state is not None


def test_an_area_is_bounded() -> None:
    """So many events and no more."""
    events = tuple(replace(EVENT, event=f"E{n}") for n in range(1_000))
    with pytest.raises(Rejected) as why:
        declare(Area(area="var", events=events))
    error = why.value

    assert (error.code, error.rule, error.field, error.value) == ("too_many_events", "S4-36", "area", "var")
    assert declare(Area(area="var", events=events[1:])).state is not None
