"""The lane transaction: what waits is taken, decided once, and stored with everything it led to, or not at all (design, way of a
message). A message's consequences inside (timers that came due before it, messages to other aggregates, early messages that it
releases) are decided in the same transaction, in one order, so that neither chunk size nor a restart changes any outcome.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from engine import applying, deciding
from engine.address import key_of, lane_of, reference_key, references_of
from engine.clock import Clock, instant
from engine.settled import Settled
from engine.staging import Staging
from engine.store.contract import ChunkTransaction, Claim, Constraint, LaneStore
from engine.store.rows import BlockedRow, DecisionRow, Key, OutboxRow, TimerRow, Waiting
from engine.store.sqlite.lanes import SLICE_US
from schemas import registry
from schemas.envelope import derived, uuid_bytes
from schemas.operations import TimerFired

CHUNK = 500
DEATHS = 3  # a message in flight at so many deaths of the process is tried alone, then is a defect
_PASSES = frozenset({"reply.arrived", "foreign_record.seen", "dead_letter.replay", "dead_letter.discard"})
"""What a blocked folio still takes: replies settle their effects, and operators mend it."""
CONDEMNED = "the store refuses what this message leads to, or the process died with it too often"

log = structlog.get_logger(__name__)


class Ran(NamedTuple):
    """What one transaction did: messages decided (timers included), outcomes in order, and outcomes by the root's message id.

    `more`: there is more to do at this instant. `forgotten`: (tenant, subject) whose keys were destroyed (X-11).
    """

    decided: int
    outbox: Sequence[OutboxRow]
    answers: dict[bytes, list[OutboxRow]]
    more: bool
    forgotten: Sequence[tuple[str, str]] = ()


class Lanes:
    """The owner of this store's lanes. One thread runs it."""

    def __init__(
        self, store: LaneStore, settled: Settled, clock: Clock, *, chunk: int = CHUNK, brokers: frozenset[str] = frozenset()
    ) -> None:
        self._store = store
        self.settled = settled
        self._clock = clock
        self._limit = chunk
        self._brokers = brokers
        self._claim: Claim = store.claim()
        self._positions = dict(self._claim.positions)

    def run(self) -> Ran:
        """One transaction over what waits. Raises StoreAway (nothing happened: wait, and again) and Fenced (stop)."""
        suspect = self._suspect()
        if suspect is not None:
            return self._alone(*suspect)
        limit = self._limit
        while True:
            try:
                return self._chunk(limit, frozenset())
            except Constraint as refused:
                log.warning("constraint_in_chunk", limit=limit, reason=str(refused))
                if limit == 1:
                    return self._chunk(1, frozenset(("first",)))
                limit = max(1, limit // 8)

    def _suspect(self) -> tuple[int, int] | None:
        """The message that was in flight when the process last died too often, if it is still next."""
        return next(((lane, self._positions[lane]) for lane, deaths in self._claim.deaths.items() if deaths >= DEATHS), None)

    def _alone(self, lane: int, offset: int) -> Ran:
        if (lane, offset) in self._claim.suspects:
            log.error("died_alone", lane=lane, offset=offset)
            ran = self._chunk(1, frozenset(("first",)))
        else:
            self._store.try_alone(lane, offset)
            ran = self._chunk(1, frozenset())
        self._claim = msgspec.structs.replace(self._claim, deaths={}, suspects=frozenset())
        return ran

    def _chunk(self, limit: int, condemned: frozenset[str]) -> Ran:
        with self._store.chunk() as transaction:
            chunk = Chunk(self, transaction)
            waiting = transaction.take(self._positions, limit)[: limit if limit == 1 else None]
            more = len(waiting) >= limit
            chunk.run(waiting, self._clock.now() if not more else 0, condemned)
            if not chunk.decided:
                return Ran(0, (), {}, False)
            transaction.write(chunk.staging.finish(self._store.lanes), self._claim.epoch)
        for lane, (_, next_) in chunk.staging.write.positions.items():
            self._positions[lane] = next_
        write = chunk.staging.write
        return Ran(chunk.decided, write.outbox, chunk.answers, more or chunk.more_timers, tuple(write.forgotten))

    def new_chunk(self, transaction: ChunkTransaction) -> Chunk:
        """A chunk on a transaction of somebody else's: verification replays with it."""
        return Chunk(self, transaction)

    @property
    def epoch(self) -> int:
        """The epoch under which these lanes are owned."""
        return self._claim.epoch

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def lanes(self) -> int:
        return self._store.lanes

    def to_broker(self, name: str) -> bool:
        """Whether a broker is to get outcomes of this family."""
        return registry.family(name) in self._brokers


class Chunk:
    """One transaction's worth of decisions, staged."""

    def __init__(self, lanes: Lanes, transaction: ChunkTransaction) -> None:
        self.lanes = lanes
        self.settled = lanes.settled
        self.staging = Staging(transaction)
        self.now = lanes.clock.now()
        self.decided = 0
        self.answers: dict[bytes, list[OutboxRow]] = {}
        self.more_timers = False
        self.defects: dict[int, str] = {}  # decisions that are defects before they are made, with the reason
        self.shown: dict[str, str] = {}  # effects of the folio as the decision at hand was shown them
        self._heap: list[tuple[int, str, str, str, str, TimerRow]] = []
        self._seen: dict[bytes, bytes] = {}

    # -- the order of things -------------------------------------------------------------------------------------------------

    def run(self, waiting: Sequence[Waiting], until: int, condemned: frozenset[str] = frozenset()) -> None:
        """Decide what waits, oldest first; timers due before a message fire before it, those due by `until` after all."""
        horizon = max((row.received_at for row in waiting), default=0)
        timers = self.staging.read.due(max(horizon, until), CHUNK)
        for timer in timers:
            self.push(timer)
        fresh = [row.message for row in waiting if row.origin == "intake"]
        self._seen.update(self.staging.read.seen(fresh) if fresh else {})
        if len(timers) == CHUNK:  # a long outage: timers first, as far as these reach
            self.more_timers = True
            return self._fire(timers[-1].due)
        messages = [self.decoded(row) for row in waiting]
        self.staging.load(key for row, message in zip(waiting, messages, strict=True) for key in self._keys(row, message))
        for place, (row, message) in enumerate(zip(waiting, messages, strict=True)):
            if row.origin == "intake":
                self._fire(row.received_at)
            if condemned and place == 0:
                self.defects[self.staging.next_decision] = CONDEMNED
            self.root(row, message)
        self._fire(until)
        return None

    def _keys(self, row: Waiting, message: Any) -> list[Key]:
        keys = [row.owner]
        if message is not None and row.name in registry.IN:
            keys += (reference_key(row.tenant, reference) for reference in references_of(row.name, message))
        return keys

    @staticmethod
    def decoded(row: Waiting) -> Any:
        try:
            return registry.decode_data(row.name, row.body)
        except Exception:
            return None  # decided again, and dead-lettered there with its reason

    def push(self, timer: TimerRow) -> None:
        """A timer that may come due inside this chunk."""
        heapq.heappush(self._heap, (timer.due, timer.tenant, timer.kind, timer.key, timer.name, timer))

    def _fire(self, until: int) -> None:
        while self._heap and self._heap[0][0] <= until:
            timer = heapq.heappop(self._heap)[-1]
            name = (timer.tenant, timer.kind, timer.key, timer.name)
            if self.staging.write.timers.get(name, timer) == timer:  # else moved or cancelled since
                self.fire(timer)

    def fire(self, timer: TimerRow) -> None:
        """Decide what a timer says, and take it away."""
        self.staging.write.timers[timer.tenant, timer.kind, timer.key, timer.name] = None
        body = TimerFired(name=timer.name, due=instant(timer.due), kind=timer.what, subject=timer.subject)
        row = Waiting(
            "timer",
            timer.lane,
            timer.due,
            timer_message(timer),
            timer.tenant,
            "foliohub",
            timer.name,
            "timer.fired",
            timer.kind,
            timer.key,
            timer.due,
            timer.due,
            "",
            "",
            registry.encode(body),
        )
        self.root(row, body)

    def knows(self, message: bytes, fingerprint: bytes) -> None:
        """The inbox has this identity, with this fingerprint."""
        self._seen[message] = fingerprint

    # -- one message ---------------------------------------------------------------------------------------------------------

    def root(self, row: Waiting, message: Any) -> None:
        """Decide a message and everything that it leads to inside."""
        seq = self.staging.decision()
        self.decided += 1
        if row.origin == "intake":
            base, _ = self.staging.write.positions.setdefault(row.lane, (row.place, row.place))
            self.staging.write.positions[row.lane] = (base, row.place + 1)
            known = self._seen.get(row.message)
            if known is not None:
                return applying.repeated(self, row, seq, same=known == row.fingerprint)
            self._seen[row.message] = row.fingerprint
            self.staging.write.inbox.append((row.received_at // SLICE_US, row.message, row.fingerprint, row.lane, row.place))
        elif row.origin == "internal":
            self.staging.write.done.append((seq, row.place))
        first = len(self.staging.write.outbox)
        children = deque(self.one(row, message, seq, 0))
        number = 0
        while children:
            number += 1
            child = children.popleft()._replace(origin="inline", place=number, lane=row.lane)
            children.extendleft(reversed(self.one(child, self.decoded(child), self.staging.decision(), seq)))
        if row.origin == "intake":
            self.answers[row.message] = self.staging.write.outbox[first:]
        return None

    def one(self, row: Waiting, message: Any, seq: int, parent: int) -> list[Waiting]:
        """Decide one message for its key and stage what follows; the messages to decide next, in order."""
        staged = self.staging.state(row.owner)
        if staged.blocked and row.name not in _PASSES:
            self.staging.write.blocked.append(BlockedRow(row.owner, staged.blocked, row.cargo))
            self.record(row, seq, parent, "queued", {"behind": staged.blocked})
            return []
        verdict = deciding.decide(self, row, message, staged, condemned=self.defects.get(seq, ""))
        return applying.apply(self, row, message, staged, seq, parent, verdict)

    def record(self, row: Waiting, seq: int, parent: int, result: str, record: dict[str, Any]) -> None:
        """Stage the decision's own row, with what it was shown that no log tells."""
        if self.shown:
            record, self.shown = {**record, "effects": self.shown}, {}
        self.staging.write.decisions.append(
            DecisionRow(
                seq,
                parent,
                row.origin,
                row.lane,
                row.place,
                row.message,
                row.tenant,
                row.kind,
                row.key,
                row.name,
                result,
                row.act,
                row.received_at,
                self.now,
                self.settled.configuration,
                msgspec.json.encode(record),
            )
        )

    def lane_of(self, key: Key) -> int:
        """The lane that owns a key."""
        return lane_of(key, self.lanes.lanes)


def timer_message(timer: TimerRow) -> bytes:
    """The id of the message that a timer becomes: a second run gives the same one."""
    return derived(_TIMERS, "\x1f".join((timer.tenant, timer.kind, timer.key, timer.name, str(timer.due))))


_TIMERS = uuid_bytes("2d9f1a52-7a64-5d1b-9d0c-7469656d7273")

__all__ = ["CHUNK", "Chunk", "Lanes", "Ran", "key_of"]
