"""The lane transaction: what waits is taken, decided once, and stored with everything it led to, or not at all (design, way of a
message). A message's consequences inside (timers that came due before it, messages to other aggregates, early messages that it
releases) are decided in the same transaction, in one order, so that neither chunk size nor a restart changes any outcome.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
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
from schemas.errors import HubError
from schemas.operations import TimerFired

CHUNK = 500
DEATHS = 3  # a message in flight at so many deaths of the process is tried alone, then is a defect
_PASSES = frozenset({"reply.arrived", "foreign_record.seen", "dead_letter.replay", "dead_letter.discard"})
"""What a blocked folio still takes: replies settle their effects, and operators mend it."""
DIED = "the process died each time this was decided, the last time with nothing else in flight"

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
        self,
        store: LaneStore,
        settled: Settled,
        clock: Clock,
        *,
        chunk: int = CHUNK,
        brokers: frozenset[str] = frozenset(),
        horizon: Callable[[int], int] = lambda now: now,
    ) -> None:
        """`horizon`: the instant up to which timers may fire now, since no message with an earlier one is still on its way in."""
        self._store = store
        self._horizon = horizon
        self.settled = settled
        self._clock = clock
        self._limit = chunk
        self._brokers = brokers
        self._claim: Claim = store.claim()
        self._positions = dict(self._claim.positions)
        self._careful = 0  # so many messages are taken `_small` at a time: one of them is refused by the store
        self._small = 1

    def run(self) -> Ran:
        """One transaction over what waits. Raises StoreAway (nothing happened: wait, and again) and Fenced (stop)."""
        suspect = self._suspect()
        if suspect is not None:
            return self._alone(*suspect)
        while True:
            limit = self._small if self._careful > 0 else self._limit
            try:
                ran = self._chunk(limit)
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
        """The next message or timer in a transaction of its own; a defect if the store refuses even that."""
        try:
            return self._chunk(1, single=True)
        except Constraint as refused:
            return self._chunk(1, single=True, condemned=f"the store refused what follows from it: {refused}")

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
            chunk.run(transaction.take({lane: offset}, 1, internal=False), 0, condemned=DIED if died else "")
            return True

        try:
            ran = self._transaction(suspect)
        except Constraint as refused:
            log.warning("constraint_alone", lane=lane, offset=offset, reason=str(refused))
            ran = Ran(0, (), {}, True)
        deaths = {other: count for other, count in self._claim.deaths.items() if other != lane}
        self._claim = msgspec.structs.replace(self._claim, deaths=deaths)
        return ran if ran.decided else self.run()

    def _chunk(self, limit: int, *, single: bool = False, condemned: str = "") -> Ran:
        def fill(transaction: ChunkTransaction, chunk: Chunk) -> bool:
            waiting = transaction.take(self._positions, limit)
            more = len(waiting) >= limit
            chunk.run(waiting, 0 if more else self._horizon(self._clock.now()), single=single, condemned=condemned)
            return more or single

        return self._transaction(fill)

    def _transaction(self, fill: Callable[[ChunkTransaction, Chunk], bool]) -> Ran:
        """`fill` decides on a fresh chunk and says whether more waits; all that it staged is committed, or nothing happened."""
        with self._store.chunk() as transaction:
            chunk = Chunk(self, transaction)
            more = fill(transaction, chunk)
            if not chunk.decided:
                return Ran(0, (), {}, False)
            write = chunk.staging.finish(self._store.lanes)
            transaction.write(write, self._claim.epoch)
        self._positions.update((lane, next_) for lane, (_, next_) in write.positions.items())
        return Ran(chunk.decided, write.outbox, chunk.answers, more or chunk.cut, tuple(write.forgotten))

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
        self.cut = False  # more timers are due than one transaction takes
        self.defects: dict[int, str] = {}  # decisions that are defects before they are made, with the reason
        self.shown: dict[str, str] = {}  # effects of the folio as the decision at hand was shown them
        self._heap: list[tuple[int, str, str, str, str, TimerRow]] = []
        self._seen: dict[bytes, bytes] = {}
        self._single = False

    # -- the order of things -------------------------------------------------------------------------------------------------

    def run(self, waiting: Sequence[Waiting], until: int, *, single: bool = False, condemned: str = "") -> None:
        """Decide what waits, oldest first; timers due before a message fire before it, those due by `until` after all.

        `single`: only the first of all these. `condemned`: the first is a defect, for this reason.
        """
        horizon = max((row.received_at for row in waiting), default=0)
        timers = self.staging.read.due(max(horizon, until), CHUNK)
        for timer in timers:
            self.push(timer)
        if len(timers) == CHUNK:  # after a long outage: as far as these reach, the rest in the next transaction
            self.cut = True
            until = min(max(horizon, until), timers[-1].due)
            waiting = list(itertools.takewhile(lambda row: row.origin == "internal" or row.received_at < until, waiting))
        fresh = [row.message for row in waiting if row.origin == "intake"]
        self._seen.update(self.staging.read.seen(fresh) if fresh else {})
        messages = [self.decoded(row) for row in waiting]
        self.staging.load(key for row, message in zip(waiting, messages, strict=True) for key in self._keys(row, message))
        if condemned:
            self.defects[self.staging.next_decision] = condemned
        self._single = single
        for row, message in zip(waiting, messages, strict=True):
            if row.origin == "intake":
                self._fire(row.received_at)
            if not self._enough():
                self.root(row, message)
        self._fire(until)

    def _enough(self) -> bool:
        return self._single and self.decided > 0

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
        while self._heap and self._heap[0][0] <= until and not self._enough():
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
        try:
            return applying.apply(self, row, message, staged, seq, parent, verdict)
        except HubError:
            raise
        except Exception as failure:  # half of it is staged: nothing of this chunk is kept, and the message is found
            log.exception("cannot_apply", name=row.name, tenant=row.tenant, key=row.key, message=row.message.hex())
            raise Constraint(f"{row.name} {row.id}: {type(failure).__name__}: {failure}") from failure

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
