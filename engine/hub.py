"""The hub: one store, and of its lanes all or those that are given to this process. Everything that has a thread in `serving` is a plain
call here, so that a dry run and a simulation drive the very same engine by hand.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

import structlog

from config.settings import Configuration
from connectors.psp.contract import PaymentConnector
from engine import effect_messages
from engine.clock import Clock, SystemClock
from engine.effects import EffectsRunner
from engine.histories import Timing
from engine.intake import DurableIntake
from engine.lane import CHUNK, Lanes, Ran
from engine.luck import Luck, drawn
from engine.notices import NoticeRunner
from engine.settled import Settled, settle
from engine.store.contract import LaneStore, News, Store, StoreTaken
from engine.store.effects import Effect
from engine.store.opening import effects_of, lanes_of, notices_of, open_store
from engine.store.reading import Reading
from engine.store.rows import InternalRow, OutboxRow
from engine.store.shelf import Shelf
from engine.vault import Vault, master_key
from engine.watching import Watch
from schemas.effect import EffectState
from schemas.errors import HubError
from schemas.registry import OUT, family

if TYPE_CHECKING:
    from engine.post import Post
    from engine.spans import Tracer

_COLLECT = (20_000, 20, 50)
"""When Python's collector looks for cycles. A chunk makes tens of thousands of values that live as long as it does and refer to each
other in one direction: looking through them every 700 took 6 % of the time and found nothing."""

SLACK_US: Final = 250_000
"""How far behind the clock timers fire where other processes take messages in: so long is one on its way from its stamp to the log."""

log = structlog.get_logger(__name__)


class Shared(NamedTuple):
    """What is different where several processes have one store. `log`: the store as it is when its log lies elsewhere. `owned`: lanes
    that are claimed at once. `horizon`: the instant up to which timers may fire, since no other process has an earlier message."""

    log: Callable[[LaneStore], LaneStore] = lambda store: store
    owned: Collection[int] = ()
    horizon: Callable[[int], int] = lambda now: now - SLACK_US


class Hub:
    """Opens the store (raises StoreTaken when another hub has it), takes the configuration into force, and owns the lanes.

    `store`: its address, or a store that is open already; the hub closes either. `connectors` by merchant. `luck`: what codes
    are made of. `post`: what sends notices; without it they wait.
    """

    def __init__(
        self,
        configuration: Configuration,
        store: str | Store,
        connectors: Mapping[str, PaymentConnector],
        *,
        clock: Clock | None = None,
        chunk: int = CHUNK,
        lanes: int | None = None,
        master: bytes | None = None,
        shared: Shared | None = None,
        tracer: Tracer | None = None,
        luck: Luck = drawn,
        post: Post | None = None,
    ) -> None:
        gc.set_threshold(*_COLLECT)
        self.configuration = configuration
        self.clock = clock or SystemClock()
        self.database = open_store(store, lanes=lanes) if isinstance(store, str) else store
        try:
            if shared is None:
                self._refuse_others()
            self.shelf = Shelf(self.database)
            self.settled: Settled = settle(configuration, self.shelf, self.clock.now())
            self.vault = Vault(master or self._master(), self.shelf)
            self.reading = Reading(self.database)
            self.store = lanes_of(self.database) if shared is None else shared.log(lanes_of(self.database))
            self.watch = Watch(self.store.lanes, tracer)
            self._new_generation()
            self.wake = threading.Event()
            self.intake = DurableIntake(
                self.store, self.shelf, self.vault, lambda: self.settled, self.clock, self.wake.set, self.watch, luck
            )  # fmt: skip
            self.lanes = Lanes(
                self.store, self.settled, self.clock, chunk=chunk, brokers=_wanted(configuration),
                horizon=self.intake.horizon if shared is None else self._horizon(shared.horizon),
                lanes=None if shared is None else shared.owned, watch=self.watch,
            )  # fmt: skip
            self.effects = EffectsRunner(
                effects_of(self.database), connectors, self.settled.tenants, self.clock, _timing(configuration),
                self.settled.merchants, self.watch,
            )  # fmt: skip
            self.notices = None if post is None else NoticeRunner(notices_of(self.database), post, self.vault, self.clock)
        except BaseException:
            self.database.close()
            raise
        self._waiters: dict[bytes, list[Callable[[Sequence[OutboxRow]], None]]] = {}
        self._waiting = threading.Lock()
        self.unshredded = False
        self.on_news: list[Callable[[News], None]] = []
        self._deaf: Callable[[], None] = lambda: None

    def _refuse_others(self) -> None:
        """One process alone decides nothing beside others, nor in the place of a log that it does not read. Raises HubError."""
        name = self.database.name
        if self.database.log_elsewhere:
            raise HubError(
                f"the log of {name} is Kafka: say --profile distributed, with the [kafka] bootstrap of its cluster",
                code="log_elsewhere", field="profile", value="embedded",
            )  # fmt: skip
        if others := self.database.members():
            raise StoreTaken(
                f"{name} has {len(others)} processes at work ({others[0]}): say --profile distributed, or stop them first",
                field="store", value=name,
            )  # fmt: skip

    def _master(self) -> bytes:
        return os.urandom(32) if self.database.memory else master_key(self.database.name, self.shelf)

    def _horizon(self, others: Callable[[int], int]) -> Callable[[int], int]:
        """Up to which instant nothing is on its way in, here or elsewhere."""
        return lambda now: min(self.intake.horizon(now), others(now))

    def _new_generation(self) -> None:
        """A restored backup or a moved store (design, effects): nothing leaves until a person has looked. It is known as what it was
        until all of that is stored."""
        now = self.clock.now()
        with self.database.write():
            reason, epoch = self.database.renewed()
            if not reason:
                return

            def told(effect: Effect) -> InternalRow:
                return effect_messages.reply(effect, EffectState.UNKNOWN, None, "restored", reason, now)

            doubted = effects_of(self.database).new_generation(self.settled.tenants, reason, epoch, now, told)
            notices = notices_of(self.database).new_generation(now)
        log.critical("new_generation", store=self.database.name, reason=reason, in_doubt=doubted, notices_in_doubt=notices,
                     then="foliohub payouts start")  # fmt: skip

    # -- by hand ---------------------------------------------------------------------------------------------------------------

    def run_lanes(self) -> Ran:
        """One lane transaction; whoever waits for an answer is told after its commit."""
        ran = self.lanes.run()
        if ran.forgotten:
            self.unshredded = True
            for tenant, subject in ran.forgotten:
                self.vault.forget(tenant, subject)
            self.shred()
        for message, rows in ran.answers.items():
            for tell in self._take_waiters(message):
                tell(rows)
        return ran

    def drain(self) -> list[OutboxRow]:
        """Everything that can be done at this instant: decisions, then requests, then notices, until nothing is left. Outcomes in
        order."""
        outbox: list[OutboxRow] = []
        while True:
            ran = self.run_lanes()
            outbox.extend(ran.outbox)
            if ran.more:
                continue
            due = self.effects.due()
            if due:
                self.effects.work(due)
            elif self.notices is None or not self.notices.carry():
                return outbox

    def shred(self) -> None:
        """Leave no copy of destroyed keys beside the store; while a reader is in the way, `unshredded` says to call again."""
        self.unshredded = not self.database.shred()

    def next_due(self) -> int | None:
        """When time alone will next change something: a timer, a request to send or to ask about, a notice to send."""
        mail = self.notices.next_due() if self.notices is not None else None
        instants = [at for at in (self.reading.next_timer(), self.effects.next_due(), mail) if at is not None]
        return min(instants, default=None)

    # -- other processes -------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """From now on what other processes store wakes this one, and answers its callers that wait."""
        self._deaf = self.database.listen(self._heard)

    def _heard(self, news: News) -> None:
        if news.waiting:
            self.wake.set()
        for tell in self.on_news:
            tell(news)
        with self._waiting:
            wanted = [key for key in self._waiters if news.tells_of(key)]
        for key in wanted:
            stored = self.reading.answer(key)
            for waiter in self._take_waiters(key) if stored is not None else ():
                waiter(stored or ())

    # -- callers that wait -----------------------------------------------------------------------------------------------------

    def on_answer(self, message: str, tell: Callable[[Sequence[OutboxRow]], None]) -> Callable[[], None]:
        """Call `tell` once with the outcomes of a message, now if they are stored; the function returned ends the wait."""
        key = UUID(message).bytes
        with self._waiting:
            self._waiters.setdefault(key, []).append(tell)
        stored = self.reading.answer(key)
        for waiter in self._take_waiters(key) if stored is not None else ():
            waiter(stored or ())

        def stop() -> None:
            with self._waiting:
                waiters = self._waiters.get(key, [])
                if tell in waiters:
                    waiters.remove(tell)
                if not waiters:
                    self._waiters.pop(key, None)

        return stop

    def _take_waiters(self, message: bytes) -> list[Callable[[Sequence[OutboxRow]], None]]:
        if not self._waiters:
            return []
        with self._waiting:
            return self._waiters.pop(message, [])

    def close(self) -> None:
        """Stop in good order: nothing is left half done, the file is free."""
        self._deaf()
        self.lanes.revoke(list(self.lanes.claim.epochs))
        self.database.close()


def _wanted(configuration: Configuration) -> frozenset[str]:
    """Families of outcomes that go to a broker: all to Kafka, to another those that a source asked for."""
    if configuration.kafka.bootstrap:
        return frozenset(family(name) for name in OUT)
    if not configuration.amqp.url:
        return frozenset()
    return frozenset(family(f"{name}.") for source in configuration.sources.values() for name in source.outcomes)


def _timing(configuration: Configuration) -> Timing:
    effects = configuration.effects
    return Timing(effects.deadline_s, effects.lease_s, effects.query_after_s, effects.pending_after_s)
