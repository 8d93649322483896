"""Force majeure declared for an area (S4-35, S4-36). What it does to a cancellation is `handlers.cancellation_right`."""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import replace

from handlers.cancellation_right import HOUSE
from handlers.outcome import Facts, Outcome, Step
from schemas.cancellation import ForceMajeureDeclare, ForceMajeureDeclared
from schemas.common import ActorKind
from schemas.errors import Rejected
from schemas.folio import Area, AreaEvent

MOST_EVENTS = 1000
"""An area knows so many events at most."""


def decide_declare(message: ForceMajeureDeclare, facts: Facts) -> Outcome:
    """`force_majeure.declare`: the area knows the event; its days are those that the sender wrote, in the offset it wrote them.

    The same event again changes nothing. Raises Rejected `not_allowed` for who does not act for the house, `duplicate_identity` for
    the same event with other content, `dates_out_of_order`, `too_many_events`.
    """
    if message.actor.kind not in HOUSE and message.actor.kind is not ActorKind.SYSTEM:
        text = f"{message.actor.kind.value} may not declare force majeure"
        raise Rejected(text, code="not_allowed", rule="S4-36", field="actor", value=message.actor.kind.value)
    area = next((known for known in facts.areas if known.area == message.area), Area(area=message.area))
    event = AreaEvent(event=message.event, start=_day(message.begins()), end=_day(message.ends()), cause=message.cause)
    if event.end < event.start:
        text = f"event {event.event} ends {event.end}, before it starts {event.start}"
        raise Rejected(text, code="dates_out_of_order", rule="S4-36", field="to", value=event.end)
    known = next((other for other in area.events if other.event == event.event), None)
    if known == event:
        return Outcome(trace=(Step("X-1", f"event {event.event} is known"),))
    if known is not None:
        text = f"event {event.event} is declared with other days or another cause"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="event", value=event.event)
    if len(area.events) >= MOST_EVENTS:
        raise Rejected(
            f"area {area.area} has {MOST_EVENTS} events", code="too_many_events", rule="S4-36", field="area", value=area.area
        )
    return Outcome(
        state=replace(area, events=(*area.events, event)),
        facts=(ForceMajeureDeclared(event=event.event, area=area.area),),
        trace=(Step("S4-36", f"area {area.area}: {event.event} from {event.start} to {event.end}, both included"),),
    )


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
