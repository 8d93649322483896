"""The owner of lanes: takes what waits, has it decided (`engine.chunk`) and stored with everything it led to, or not at all, and
finds the one message that the store, our code or the process trips over.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog
from prometheus_client import Counter

from engine.chunk import NOBODY, Chunk
from engine.clock import Clock
from engine.settled import Settled
from engine.staging import Remembered
from engine.store.contract import ChunkTransaction, Claim, Constraint, Contended, LaneStore
from engine.store.rows import OutboxRow
from engine.watching import Watch
from schemas import registry

CHUNK = 500
DEATHS = 3  # a message in flight at so many deaths of the process is tried alone, then is a defect
PAUSE_S = 0.25  # at most so long somebody else has what we wanted for itself, before we read it again
DIED = "the process died each time this was decided, the last time with nothing else in flight"

log = structlog.get_logger(__name__)
contended = Counter("foliohub_contended_total", "Lane transactions that were done again, since somebody else was faster")


class Ran(NamedTuple):
    """What one transaction did: messages decided (timers included), outcomes in order, and outcomes by the root's message id.

    `more`: there is more to do at this instant. `forgotten`: (tenant, subject) whose keys were destroyed (X-11).
    """

    decided: int
    outbox: Sequence[OutboxRow]
    answers: dict[bytes, list[OutboxRow]]
    more: bool
    forgotten: Sequence[tuple[str, str]] = ()


IDLE: Final = Ran(0, (), {}, False)
NOTHING: Final = Claim(epochs={}, positions={}, deaths={}, suspects=frozenset())


class Lanes:
    """The owner of lanes. One thread runs it; `assign` and `revoke` come from any, and wait for the transaction under way."""

    def __init__(
        self,
        store: LaneStore,
        settled: Settled,
        clock: Clock,
        *,
        lanes: Collection[int] | None = None,
        chunk: int = CHUNK,
        brokers: frozenset[str] = frozenset(),
        horizon: Callable[[int], int] = lambda now: now,
        watch: Watch | None = None,
    ) -> None:
        """`lanes`: those that are claimed at once; None: all of the store's. `horizon`: the instant up to which timers may fire
        now, since no message with an earlier one is still on its way in."""
        self._store = store
        self._horizon = horizon
        self.settled = settled
        self._clock = clock
        self._limit = chunk
        self._brokers = brokers
        self._watch = watch or Watch(store.lanes)
        self._owning = threading.Lock()
        self._claim = NOTHING if lanes is not None and not lanes else store.claim(lanes)
        self._positions = dict(self._claim.positions)
        self._remembered = Remembered()
        self._careful = 0  # so many messages are taken `_small` at a time: one of them is refused by the store
        self._small = 1
        self._tried = b""  # the first message of the transaction that failed last

    # -- whose they are --------------------------------------------------------------------------------------------------------

    def assign(self, lanes: Collection[int]) -> Mapping[int, int]:
        """These lanes are ours from now on, whoever had them; the next offset by lane. Raises StoreAway."""
        with self._owning:
            fresh = self._store.claim(lanes)
            held = self._claim
            self._claim = Claim(
                epochs={**held.epochs, **fresh.epochs},
                positions={**held.positions, **fresh.positions},
                deaths={**held.deaths, **fresh.deaths},
                suspects=frozenset(one for one in held.suspects if one[0] not in fresh.epochs) | fresh.suspects,
            )
            self._positions.update(fresh.positions)
            self._remembered.forget()
            return fresh.positions

    def revoke(self, lanes: Collection[int]) -> None:
        """These lanes are not ours any more, given up in good order. When this returns, nothing of theirs is under way."""
        with self._owning:
            ours = sorted(set(lanes) & set(self._claim.epochs))
            if not ours:
                return
            held, left = self._claim, set(self._claim.epochs) - set(ours)
            self._claim = Claim(
                epochs={lane: held.epochs[lane] for lane in left},
                positions={lane: held.positions[lane] for lane in left},
                deaths={lane: count for lane, count in held.deaths.items() if lane in left},
                suspects=frozenset(one for one in held.suspects if one[0] in left),
            )
            self._positions = {lane: self._positions[lane] for lane in left}
            self._store.release(ours)

    @property
    def positions(self) -> Mapping[int, int]:
        """The next offset of each lane that is ours."""
        return self._positions

    # -- deciding --------------------------------------------------------------------------------------------------------------

    def run(self) -> Ran:
        """One transaction over what waits. Raises StoreAway (nothing happened: wait, and again) and Fenced (stop)."""
        with self._owning:
            return self._run() if self._claim.epochs else IDLE

    def _run(self) -> Ran:
        suspect = self._suspect()
        if suspect is not None:
            return self._alone(*suspect)
        missed = 0
        while True:
            limit = self._small if self._careful > 0 else self._limit
            try:
                ran = self._chunk(limit)
            except Contended:  # somebody else was faster with an aggregate of ours: read again, and less at once each time
                self._careful, self._small = limit, max(1, limit // 4)
                missed += 1
                contended.inc()
                time.sleep(random.uniform(0, min(PAUSE_S, 0.004 * 2**missed)))  # noqa: S311  (of two one goes first)
                continue
            except Constraint as refused:
                log.warning("constraint_in_chunk", limit=limit, reason=str(refused))
                if limit == 1:
                    ran = self._single()
                else:
                    self._careful, self._small = limit, max(1, limit // 8)
                    continue
            self._careful = max(0, self._careful - ran.decided)
            return ran

    def _single(self) -> Ran:
        """The next message or timer in a transaction of its own; a defect if the store refuses even that. What comes before it
        meanwhile is not taken for it."""
        condemned: dict[bytes, str] = {}
        while True:
            try:
                return self._chunk(1, single=True, condemned=condemned)
            except Constraint as refused:
                if self._tried in condemned:
                    raise
                condemned[self._tried] = f"the store refused what follows from it: {refused}"

    def _suspect(self) -> tuple[int, int] | None:
        """The message that was in flight when the process last died too often, if it is still next."""
        return next(((lane, self._positions[lane]) for lane, deaths in self._claim.deaths.items() if deaths >= DEATHS), None)

    def _alone(self, lane: int, offset: int) -> Ran:
        """What came due before the suspect, then the suspect with nothing else in flight, marked durably before it is tried."""

        def timers(transaction: ChunkTransaction, chunk: Chunk) -> bool:
            for suspect in transaction.take({lane: offset}, 1, internal=False):
                chunk.run((), suspect.received_at)
            return True

        ran = self._transaction(timers)
        if ran.decided:
            return ran
        died = (lane, offset) in self._claim.suspects
        if died:
            log.error("died_alone", lane=lane, offset=offset)
        else:
            self._store.try_alone(lane, offset)

        def suspect(transaction: ChunkTransaction, chunk: Chunk) -> bool:
            waiting = transaction.take({lane: offset}, 1, internal=False)
            chunk.run(waiting, 0, condemned={row.message: DIED for row in waiting if died})
            return True

        try:
            ran = self._transaction(suspect)
        except Constraint as refused:
            log.warning("constraint_alone", lane=lane, offset=offset, reason=str(refused))
            ran = Ran(0, (), {}, True)
        deaths = {other: count for other, count in self._claim.deaths.items() if other != lane}
        self._claim = msgspec.structs.replace(self._claim, deaths=deaths)
        return ran if ran.decided else self._run()

    def _chunk(self, limit: int, *, single: bool = False, condemned: Mapping[bytes, str] = NOBODY) -> Ran:
        def fill(transaction: ChunkTransaction, chunk: Chunk) -> bool:
            until = self._horizon(self._clock.now())  # asked first: what comes to a mailbox after this is no earlier
            waiting = transaction.take(self._positions, limit)
            more = len(waiting) >= limit
            chunk.run(waiting, 0 if more else until, single=single, condemned=condemned)
            return more or single

        return self._transaction(fill)

    def _transaction(self, fill: Callable[[ChunkTransaction, Chunk], bool]) -> Ran:
        """`fill` decides on a fresh chunk and says whether more waits; all that it staged is committed, or nothing happened."""
        chunk: Chunk | None = None
        began_ns = time.time_ns()
        try:
            with self._store.chunk(self._claim) as transaction:
                chunk = Chunk(self, transaction, self._remembered)
                more = fill(transaction, chunk)
                if chunk.decided:
                    write = chunk.staging.finish(self._store.lanes)
                    transaction.write(write)
        except BaseException:
            self._tried = chunk.first if chunk is not None else b""
            self._remembered.forget()
            raise
        self._remembered.keep(chunk.staging.kept())
        if not chunk.decided:
            return IDLE
        self._positions.update((lane, next_) for lane, (_, next_) in write.positions.items())
        self._watch.committed(write, began_ns)
        return Ran(chunk.decided, write.outbox, chunk.answers, more or chunk.cut, tuple(write.forgotten))

    def new_chunk(self, transaction: ChunkTransaction) -> Chunk:
        """A chunk on a transaction of somebody else's: verification replays with it."""
        return Chunk(self, transaction)

    @property
    def claim(self) -> Claim:
        """Under which these lanes are owned."""
        return self._claim

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def lanes(self) -> int:
        return self._store.lanes

    def to_broker(self, name: str) -> bool:
        """Whether a broker is to get outcomes of this family."""
        return bool(self._brokers) and registry.family(name) in self._brokers
