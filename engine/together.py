"""A batch's transaction: everything in one, or else each thing in one of its own, so that one that fails takes nothing else with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from engine.clock import Clock
from engine.effect_batch import About, Batch
from engine.store.contract import Constraint, StoreAway
from engine.store.effects import EffectStore

_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")
log = structlog.get_logger(__name__)


class Partly(StoreAway):
    """The store went away between two things: `made` is what those before led to, `left` is still to be stored."""

    def __init__(self, away: StoreAway, made: Sequence[Any], left: Sequence[Any]) -> None:
        super().__init__(away.message, field=away.field, value=away.value)
        self.made, self.left = list(made), list(left)


class Steps(NamedTuple, Generic[_Thing, _Made]):
    """What is done with each thing of a batch.

    `about`: what it reads. `step`: stages what the thing means; what follows from it, if anything. `doubted`: what to take for a thing
    whose rows the store refuses. `failed`: stages as much as can be kept of a thing that cannot be stored even alone; asked a second
    time, as little as possible.
    """

    about: Callable[[Sequence[_Thing]], About]
    step: Callable[[Batch, _Thing], _Made | None]
    doubted: Callable[[_Thing], _Thing | None] = lambda _: None
    failed: Callable[[Batch, _Thing, bool], None] | None = None


def together(store: EffectStore, clock: Clock, things: Sequence[_Thing], steps: Steps[_Thing, _Made]) -> list[_Made]:
    """What follows from these. Raises StoreAway: nothing is stored; Partly: only those that are not `left`."""
    if not things:
        return []
    try:
        return _stored(store, clock, things, steps.about, steps.step)
    except StoreAway:
        raise
    except Exception as error:
        if len(things) == 1:
            return _alone(store, clock, things[0], steps, error)
    made: list[_Made] = []
    for place, thing in enumerate(things):
        try:
            made += together(store, clock, [thing], steps)
        except StoreAway as away:
            if not place:
                raise
            raise Partly(away, made, things[place:]) from away
    return made


def _stored(
    store: EffectStore,
    clock: Clock,
    things: Sequence[_Thing],
    about: Callable[[Sequence[_Thing]], About],
    step: Callable[[Batch, _Thing], _Made | None],
) -> list[_Made]:
    with store.transaction() as transaction:
        batch = Batch(transaction, clock.now(), about(things))
        made = [one for thing in things if (one := step(batch, thing)) is not None]
        batch.write()
    return made


def _alone(store: EffectStore, clock: Clock, thing: _Thing, steps: Steps[_Thing, _Made], error: Exception) -> list[_Made]:
    """What cannot be stored is not taken up again at once for ever: it comes later, and what was heard is kept."""
    again = steps.doubted(thing) if isinstance(error, Constraint) else None
    if again is not None:
        return together(store, clock, [again], steps)
    log.error("effect_failed", item=str(thing)[:500], exc_info=error)
    if steps.failed is not None:
        _kept(store, clock, thing, steps.about, steps.failed)
    return []


def _kept(
    store: EffectStore,
    clock: Clock,
    thing: _Thing,
    about: Callable[[Sequence[_Thing]], About],
    failed: Callable[[Batch, _Thing, bool], None],
) -> None:
    """As much of it as the store takes."""
    for little in (False, True):

        def step(batch: Batch, one: _Thing, little: bool = little) -> None:
            failed(batch, one, little)

        try:
            _stored(store, clock, [thing], about, step)
            return
        except StoreAway:
            raise
        except Exception:
            log.exception("effect_failed", item=str(thing)[:500], again=True)
