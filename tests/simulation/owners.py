"""Who owns the store: hubs one after the other, as each dies, stops or is paused; a paused one wakes up when another has long taken
over, in the middle of a call or between two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from engine.calls import Act, Answer, Call
from engine.hub import Hub
from engine.luck import derived
from engine.relay import OfAll, Relay, wanted
from engine.store.contract import Fenced
from engine.store.effects import Effect, PaymentAsk
from schemas.errors import Retryable
from schemas.notice import NoticeState
from tests.simulation.calls import Calling
from tests.simulation.luck import IN_FLIGHT, Crash
from tests.simulation.scripts import NOT_ALLOWED

if TYPE_CHECKING:
    from tests.simulation.world import World

SECOND = 1_000_000
MASTER = b"a master key of 32 bytes, public"
ROUNDS = 400


class Stuck(AssertionError):
    """Time stands still: the hub says there is something to do and does nothing."""


class Owners:
    """The hubs of one world. `hub` is the one that owns the lanes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calling: list[Calling] = []
        self._asleep: list[Hub] = []
        self._answers: dict[str, Answer] = {}  # the last answer to each request, by effect
        self.swift = False  # the next one is there at once
        self.fenced = 0
        self._more = self._napping = False
        world.provider.wire.under_way = lambda: self.calling[-1]
        self.hub = self._open()

    # -- life and death --------------------------------------------------------------------------------------------------------

    def alive(self, act: Callable[[Hub], None]) -> bool:
        """Let the owner do something; whether it lived. After a death another hub has been started."""
        mine = self.hub
        if any(call.hub is mine for call in self.calling):
            act(mine)  # a call of this very process is under way: it dies with it
            return True
        try:
            act(mine)
        except Crash:
            self.world.disk.lose()
            if mine is self.hub:
                self.start_again()
            return False
        if mine is not self.hub:
            self._wake(mine)
        return True

    def start_again(self) -> None:
        """After a death, as soon as the seed wants."""
        delay_s = 0 if self.swift else self.world.chance.choice((0, 1, 100, 3_600))
        self.world.clock.advance(self.world.clock.now() + delay_s * SECOND)
        self.hub = self._open()

    def stop(self, hub: Hub) -> None:
        """In good order."""
        hub.close()
        self.hub = self._open()

    def _open(self) -> Hub:
        world = self.world
        connectors = {"azur": world.provider.connector}
        while True:
            try:
                return Hub(
                    world.configuration, world.disk, connectors, clock=world.clock, chunk=world.chunk, master=MASTER, luck=derived,
                    post=world.mails.post(world.configuration) if world.mails is not None else None,
                )  # fmt: skip
            except Crash:
                world.disk.lose()

    # -- a paused owner --------------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The owner stops between two steps; another one takes over."""
        if self.world.luck.in_flight < IN_FLIGHT and not self.calling:
            self.world.luck.trace.append("paused")
            self._asleep.append(self.hub)
            self.hub = self._open()

    def wake(self) -> None:
        """One that was paused goes on where it was."""
        if self._asleep and not self.calling:
            self._wake(self._asleep.pop(0))

    def _wake(self, old: Hub) -> None:
        """What an older owner does when it goes on: it may carry effects, whose rows protect themselves, and take messages, which is
        nobody's privilege. Its lanes are another's: its next chunk is fenced and writes nothing, and it ends."""
        world, chance = self.world, self.world.chance
        world.luck.trace.append("woken")
        try:
            if chance.random() < 0.3:
                self._carry(old, old.effects.due())
                self._mail(old)
            if chance.random() < 0.3:
                world.post(old)
            while not self.alive(lambda hub: world.repeat_one(hub)):
                pass
            commits = world.disk.commits
            try:
                with structlog.testing.capture_logs():  # what it says of what it remembers is about nothing that is stored
                    ran = old.run_lanes()
            except Fenced:
                self.fenced += 1
                assert world.disk.commits == commits, f"seed {world.seed}: an older owner was fenced and wrote"
            else:  # one that was stopped in good order has given its lanes up
                given_up = not old.lanes.claim.epochs and not ran.decided
                assert given_up, f"seed {world.seed}: an older owner was not fenced: {ran.decided} decided"
        except Crash:
            world.disk.lose()

    # -- working ---------------------------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Everything that can be done at this instant."""
        for _ in range(ROUNDS):
            self._more = False
            self.world.tempt()
            if not self.alive(self._lanes):
                continue
            self.world.tempt()
            if not self.alive(self._effects) or not self.alive(self._mail):
                continue
            if self.world.chance.random() < 0.15 and not self.alive(self.relay):
                continue
            if not self._more:
                return
        raise Stuck(f"seed {self.world.seed}: {self.world.now()}: due again and again")

    def _lanes(self, hub: Hub) -> None:
        self._more |= hub.run_lanes().more

    def _effects(self, hub: Hub) -> None:
        due = hub.effects.due()
        self._carry(hub, due)
        self._more |= bool(due)

    def _mail(self, hub: Hub) -> None:
        """Notices that are due, one after the other; its sender may be stopped behind its mark, and before the answer is stored."""
        while hub.notices is not None and (notice := hub.notices.take()) is not None:
            if notice.state == NoticeState.SENDING:
                self._nap(hub)
                delivery = hub.notices.hand_in(notice)
                self._nap(hub)
                hub.notices.settle(notice, delivery)
            self._more = True  # at last: others may have worked meanwhile

    def _nap(self, hub: Hub) -> None:
        if hub is self.hub and not self.calling and not self._napping and self.world.chance.random() < 0.05:
            self._napping = True
            self._sleep(lambda: False, self.world.chance.choice((20, 100, 130, 100_000)))
            self._napping = False

    def _carry(self, hub: Hub, due: list[Effect | PaymentAsk]) -> None:
        """Requests as far as they go now, in whatever order; answers are stored as they come or together."""
        chance = self.world.chance
        if len(due) > 1 and chance.random() < 0.3:
            due = chance.sample(due, chance.randrange(1, len(due)))
        ready = hub.effects.begin(due)
        while ready:
            heard: list[Answer] = []
            chance.shuffle(ready)
            while ready:
                heard.append(self._make(hub, ready.pop()))
                if ready and chance.random() < 0.3:
                    ready += self._absorb(hub, heard)
                    heard = []
            ready = self._absorb(hub, heard)

    def _absorb(self, hub: Hub, heard: list[Answer]) -> list[Call]:
        standing = self.world.disk.standing
        late = {one.call.item.id for one in heard if one.call.act is Act.SEND and standing[one.call.item.id].state != "sending"}
        refused = self.world.holds.refused()
        ready = hub.effects.absorb(heard)
        self.world.late |= late
        self.world.holds.marked(hub, [call.item.id for call in ready if call.act is Act.SEND], refused)
        return ready

    def carry_payment(self, hub: Hub, reference: str) -> None:
        """Ask about one payment that is due to be asked about."""
        self._carry(hub, [item for item in hub.effects.due() if isinstance(item, PaymentAsk) and item.reference == reference])

    def _make(self, hub: Hub, call: Call) -> Answer:
        if call.act is Act.SEND and hub is self.hub and len(self.calling) < 2 and self.world.chance.random() < 0.05:
            self._sleep(lambda: False, self.world.chance.choice((20, 100, 100_000)))  # between its mark and its call
        self.calling.append(Calling(self, hub, call))
        try:
            answer = hub.effects.make(call)
        finally:
            self.calling.pop()
        if call.act is Act.SEND:
            self._answers[call.item.id] = answer
        return answer

    def hear_again(self, hub: Hub, effect: str) -> None:
        """Who is not sure that an answer was stored hands it on once more; others have long gone on with the request."""
        if effect in self._answers:
            self._absorb(hub, [self._answers[effect]])

    def relay(self, hub: Hub) -> None:
        """Outcomes to the broker, one batch."""
        try:
            Relay(OfAll(hub.reading), self.world.broker, wanted(hub.configuration)).once()
        except Retryable:
            self.world.luck.trace.append("broker away")

    # -- while a call is under way ---------------------------------------------------------------------------------------------

    def meanwhile(self, call: Calling, when: str) -> None:
        """The request, or its answer, is on its way."""
        world, chance = self.world, self.world.chance
        if call.hub is not self.hub or len(self.calling) > 2:
            return
        if call.name == "send":
            if when == "before" and world.aims.script == NOT_ALLOWED:
                self._forestall(call.reference)
            if when == "after" or world.aims.goal == "sending":
                world.tempt()
            late = world.luck.wants("late answer") & (_LATE - {"sending"})
            in_time = len(world.writes) <= 2 and world.aims.goal in world.luck.wants("answer")
            if when == "after" and late and not in_time and world.in_focus(call.effect):
                if world.luck.in_flight:  # none is to be suspected by the time that another one takes over
                    self.alive(self._lanes)
                self._sleep(lambda: world.disk.standing[call.effect].state in late, 60 * 86_400)
                return
        if chance.random() < (0.1 if call.name == "send" else 0.01):
            self._sleep(lambda: False, chance.choice((20, 100, 1_000, 100_000)))
        elif chance.random() < (0.3 if call.name == "send" else 0.03):
            if chance.random() < 0.5:
                world.repeat()
            world.until(world.clock.now() + chance.choice((0, 1, 20)) * SECOND)

    def _forestall(self, reference: str) -> None:
        """Others are at the provider first: they give back all that is left, or nearly. Of a refund nobody can say whose it is while
        ours is on its way; that the sale was none is learned even then, and `payment learned` wants it."""
        world, chance = self.world, self.world.chance
        a_sale = world.provider.books.operations(reference)[0].status == "9"
        if a_sale and world.aims.goal == "sending" and chance.random() < 0.7:
            world.turn(reference, "", "93")
        else:
            world.back_office(reference, world.provider.left(reference) - chance.randrange(2))

    def _sleep(self, enough: Callable[[], bool], at_most_s: int) -> None:
        """The process is stopped in the middle of its call; another one takes over, and for a while the world goes on with that."""
        if self.world.luck.in_flight >= IN_FLIGHT:
            return
        self.world.luck.trace.append("stopped in a call")
        self.hub = self._open()
        self.world.until(self.world.clock.now() + at_most_s * SECOND, enough)
        while self.world.luck.in_flight and not self.alive(self._lanes):  # so that he who wakes may die
            pass


_LATE = frozenset({"unknown", "accepted", "confirmed", "refused", "needs_person", "reversed"})
