"""A provider's call while it is under way: the caller dies, sleeps, or is not connected; time passes and other things happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.psp.ogone.wire import Answered, NotConnected
from engine.calls import Act, Call
from engine.hub import Hub
from engine.store.effects import Effect
from tests.simulation.luck import Step
from tests.simulation.provider import failed_query
from tests.simulation.scripts import NEVER_CALLED, QUERIES

if TYPE_CHECKING:
    from tests.simulation.owners import Owners

DEADLINE_US = 30_000_000
_OF_EFFECTS = {Act.LOOK: "look", Act.ASK: "ask", Act.SEND: "send"}


class Calling:
    """One call of one hub."""

    def __init__(self, owners: Owners, hub: Hub, call: Call) -> None:
        self.hub = hub
        self._owners, self._world, self._call = owners, owners.world, call
        self.effect = call.item.id if isinstance(call.item, Effect) else ""
        self.name = _OF_EFFECTS[call.act] if self.effect else "ask payment"
        self.reference = call.item.reference
        self._state = "sending" if call.act is Act.SEND else call.item.state if isinstance(call.item, Effect) else ""
        self._failing, self._exchanges = self._fails(), 0

    def _fails(self) -> str:
        """How this query fails, or empty. One on whose failure a wanted death depends does, a few times."""
        world, chance = self._world, self._world.chance
        if self._call.act is Act.SEND:
            return ""
        focus = world.aims.script
        wanted = {"look": "put off", "ask": "learn", "ask payment": "payment again"}[self.name]
        if world.failures[wanted] < 10 and (world.luck.armed.endswith(wanted) or self._depends(wanted)):
            world.failures[wanted] += 1
        elif not world.queries_fail and not world.fate.nobody_answers and chance.random() > (0.3 if focus in QUERIES else 0.02):
            return ""
        return focus if focus in QUERIES and chance.random() < 0.9 else chance.choice(QUERIES)

    def _depends(self, step: str) -> bool:
        """Whether this world is yet to die at a step to which the failure of this query leads."""
        states = self._world.luck.wants(step)
        return bool(self.effect) and (self._state in states if step == "learn" else bool(states)) and self._in_focus()

    def _is_to_fail(self) -> bool:
        """Whether a wanted death depends on that nothing of this request is written."""
        world = self._world
        states = world.luck.wants("answer")
        wanted = "planned" in states or (world.aims.script == NEVER_CALLED and "sending" in states)
        if self.name != "send" or not wanted or world.failures["answer"] >= 10 or not world.in_focus(self.effect):
            return False
        world.failures["answer"] += 1
        return True

    def _in_focus(self) -> bool:
        state = self._world.disk.standing[self.effect].state
        return self._world.aims.script in (*QUERIES, *self._world.scripts_of("", self.effect, state))

    # -- on the wire -----------------------------------------------------------------------------------------------------------

    def before(self, *, first: bool) -> None:
        world = self._world
        if first and self._call.act is not Act.SEND:
            for name in [self.reference, *(id_ for id_, one in world.disk.standing.items() if one.reference == self.reference)]:
                world.failed.pop(name, None)
        self._exchanges += 1
        if self._call.act is Act.SEND:
            world.holds.written(self._call)
        self._step("before")
        if first:
            began = world.clock.now()
            self._owners.meanwhile(self, "before")
            if world.clock.now() - began >= DEADLINE_US:
                raise NotConnected("the deadline was over before anything was written")
        if world.chance.random() < world.unreachable or (first and self._is_to_fail()):
            raise NotConnected("connection refused")

    def answer(self) -> Answered | None:
        """At once, or half-way through the history."""
        if not self._failing or self._exchanges != 1 + len(self._failing) % 2:
            return None
        self._world.failed[self.effect or self.reference] = self._failing
        return failed_query(self._failing)

    def after(self, *, first: bool) -> None:
        if first:
            self._owners.meanwhile(self, "after")
        self._step("after")

    def reached(self, script: str) -> None:
        self._world.reached(self.effect, self.reference, script)

    def _step(self, when: str) -> None:
        """A death now; but not that of one who slept so long that others have gone on."""
        standing = self._world.disk.standing
        if self.effect:
            if standing[self.effect].state != self._state:
                return
            at_hand = [(self.effect, self._state)]
        else:
            at_hand = [(id_, one.state) for id_, one in standing.items() if one.reference == self.reference]
        self._world.luck.step(when, [Step(self.name, at_hand)])
