"""Whether a cancellation is possible at all: who may ask for which cause, and what the cause needs (S4-25, S4-36)."""

from __future__ import annotations

from collections.abc import Iterable

from handlers import account
from handlers.frozen import local, property_policy
from handlers.outcome import Facts
from handlers.quote_lines import ASIDE
from schemas.cancellation import Cause, LineChoice
from schemas.common import Actor, ActorKind
from schemas.errors import Rejected
from schemas.folio import AreaEvent, Folio, FolioLine
from schemas.personal import SEALED

HOUSE = frozenset({ActorKind.MERCHANT, ActorKind.PLATFORM, ActorKind.OPERATOR})
"""Who acts for the property."""

NEEDS_A_REASON = frozenset({Cause.NO_SHOW, Cause.FORCE_MAJEURE})
"""S4-36: causes that must be true on the day."""


def who(actor: Actor) -> str:
    """An actor as states and records name it: `guest:p-77`."""
    return f"{actor.kind}:{actor.id}"


def may_cancel(folio: Folio, kind: ActorKind, cause: Cause, facts: Facts) -> bool:
    """S4-25: by `who_may_cancel` of the frozen policy."""
    return kind in property_policy(facts, folio).who_may_cancel.get(cause, ())


def refused_to(actor: Actor, cause: Cause) -> Rejected:
    """The refusal of an actor who may not."""
    text = f"{actor.kind.value} may not cancel for {cause.value}"
    return Rejected(text, code="not_cancellable_by_requester", rule="S4-25", field="actor", value=actor.kind.value)


def check_requester(folio: Folio, actor: Actor, cause: Cause, facts: Facts) -> None:
    """S4-25. Raises Rejected `not_cancellable_by_requester`."""
    if not may_cancel(folio, actor.kind, cause, facts):
        raise refused_to(actor, cause)


def check_proof(proof: str) -> None:
    """X-26: a proof is kept by reference. What is none was sealed by the door that it came by, and is refused here. Raises Rejected
    `proof_not_a_reference`."""
    if proof.startswith(SEALED):
        text = "say where the proof is kept, by an address or a number without spaces, and not what it says: nothing of it is read here"
        raise Rejected(text, code="proof_not_a_reference", rule="X-26", field="proof", value="")


def check_cause(folio: Folio, choices: tuple[LineChoice, ...], cause: Cause, proof: str, facts: Facts) -> None:
    """S4-36: a no-show only once the arrival day is over at the property, force majeure only with an open event declared for one of
    its areas on a day of the stay, or by proof. Raises Rejected `no_show_too_early`, `no_force_majeure`."""
    if cause not in NEEDS_A_REASON:
        return
    named = {choice.line for choice in choices}
    lines = [line for line in account.live_lines(folio) if line.kind not in ASIDE and (not named or line.line in named)]
    if cause is Cause.NO_SHOW:
        _check_no_show(folio, lines, facts)
    elif not proof and not all(_hit(folio, line, facts) for line in lines):
        text = f"no open event is declared for the areas of {folio.property} during the stay, and no proof is given"
        raise Rejected(text, code="no_force_majeure", rule="S4-36", field="cause", value=cause.value)


def _check_no_show(folio: Folio, lines: Iterable[FolioLine], facts: Facts) -> None:
    today = local(facts, folio).today
    for line in lines:
        arrival = account.arrival_of(folio, line)
        if arrival is not None and today <= arrival:
            text = f"line {line.line}: a no-show can be declared after {arrival}, it is {today} there"
            raise Rejected(text, code="no_show_too_early", rule="S4-36", field="cause", value=Cause.NO_SHOW.value)


def _hit(folio: Folio, line: FolioLine, facts: Facts) -> bool:
    first = account.arrival_of(folio, line)
    if first is None:
        return False
    last = line.departure or first
    return any(event.start <= last and first <= event.end for event in _events(folio, facts))


def _events(folio: Folio, facts: Facts) -> Iterable[AreaEvent]:
    areas = set(property_policy(facts, folio).areas)
    current = facts.policies.properties.get(folio.property)
    if current is not None:
        areas |= set(current.areas)
    return (event for area in facts.areas if area.area in areas for event in area.events)
