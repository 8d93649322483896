"""One transaction's worth of decisions: every message with what it leads to inside, timers in their place, all of it staged.

What comes due before a message, what it says to other aggregates and what it releases are decided beside it, in one order, so that
neither chunk size nor a restart changes any outcome.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from engine import applying, deciding
from engine.address import lane_of, reference_key, references_of
from engine.clock import instant
from engine.staging import Remembered, Staged, Staging
from engine.store.contract import SLICE_US, ChunkTransaction, Constraint
from engine.store.rows import DecisionRow, Key, OutboxRow, TimerRow, Waiting
from engine.watching import failing
from schemas import registry
from schemas.envelope import derived, uuid_bytes
from schemas.errors import HubError
from schemas.folio import ReferenceState
from schemas.operations import TimerFired

if TYPE_CHECKING:
    from engine.lane import Lanes

TIMERS = 500  # at most so many that came due are read for one transaction
_PASSES = frozenset({"reply.arrived", "foreign_record.seen", "notice.carried", "dead_letter.replay", "dead_letter.discard"})
"""What a blocked folio still takes: replies settle their effects, and operators mend it."""

NOBODY: Final[Mapping[bytes, str]] = MappingProxyType({})

log = structlog.get_logger(__name__)
_ENCODER = msgspec.json.Encoder()


class Chunk:
    """One transaction's worth of decisions, staged."""

    def __init__(self, lanes: Lanes, transaction: ChunkTransaction, remembered: Remembered | None = None) -> None:
        self.lanes = lanes
        self.settled = lanes.settled
        self.staging = Staging(transaction, remembered)
        self.now = lanes.clock.now()
        self.decided = 0
        self.answers: dict[bytes, list[OutboxRow]] = {}
        self.cut = False  # more timers are due than one transaction takes
        self.defects: dict[int, str] = {}  # decisions that are defects before they are made, with the reason
        self.shown: dict[str, str] = {}  # effects of the folio as the decision at hand was shown them
        self._names: dict[bytes, tuple[Key, ...]] = {}
        self._heap: list[tuple[int, str, str, str, str, TimerRow]] = []
        self._seen: dict[bytes, bytes] = {}
        self._condemned: Mapping[bytes, str] = NOBODY
        self._elsewhere: int | None = None  # since when a message waits in a lane of others
        self._single = False
        self.first = b""  # the message of the first decision

    # -- the order of things -------------------------------------------------------------------------------------------------

    def run(
        self, waiting: Sequence[Waiting], until: int, *, single: bool = False, condemned: Mapping[bytes, str] = NOBODY
    ) -> None:  # fmt: skip
        """Decide what waits, oldest first; timers due before a message fire before it, those due by `until` after all.

        `single`: only the first of all these. `condemned`: by message id, those that are defects, with the reason.
        """
        horizon = max((row.received_at for row in waiting), default=0)
        timers = self.staging.read.due(max(horizon, until), TIMERS)
        for timer in timers:
            self.push(timer)
        if len(timers) == TIMERS:  # after a long outage: as far as these reach, the rest in the next transaction
            self.cut = True
            until = min(max(horizon, until), timers[-1].due)
            waiting = list(itertools.takewhile(lambda row: row.origin == "internal" or row.received_at < until, waiting))
        fresh = [row.message for row in waiting if row.origin == "intake"]
        self._seen.update(self.staging.read.seen(fresh) if fresh else {})
        messages = [self.decoded(row) for row in waiting]
        keys = [self._keys(row, message) for row, message in zip(waiting, messages, strict=True)]
        self.staging.load(key for some in keys for key in some)
        folios = {key for some in keys for key in self._folios(some)}
        self.staging.load(folios)
        self._condemned, self._single = condemned, single
        self._elsewhere = self.staging.read.others_wait()
        self._fetch_timers(folios, horizon)
        for row, message, some in zip(waiting, messages, keys, strict=True):
            if row.origin == "intake":
                self._fire(row.received_at, some)
            if not self._enough():
                self.root(row, message)
        self._fire(until)

    def _folios(self, keys: Sequence[Key]) -> Iterator[Key]:
        """The folios that a message which has these keys is about, as far as its names are bound."""
        for key in keys:
            body = self.staging.state(key).body if key.kind == "reference" else None
            if isinstance(body, ReferenceState) and body.folio:
                yield Key(key.tenant, "folio", body.folio)
            elif key.kind == "folio":
                yield key

    def _fetch_timers(self, folios: Collection[Key], until: int) -> None:
        """What is due of folios that others own, and that messages of ours are about."""
        foreign = [key for key in folios if self.lane_of(key) not in self.lanes.claim.epochs]
        for timer in self.staging.read.due_of(foreign, until) if foreign else ():
            self.push(timer)

    def _enough(self) -> bool:
        return self._single and self.decided > 0

    def _keys(self, row: Waiting, message: Any) -> tuple[Key, ...]:
        return (row.owner, *(self.names(row, message) if message is not None else ()))

    def names(self, row: Waiting, message: Any) -> tuple[Key, ...]:
        """The other names of the folio that a message from outside carries; asked again as it goes from a name to its folio."""
        if row.name not in registry.IN:
            return ()
        known = self._names.get(row.message)
        if known is None:
            known = tuple(reference_key(row.tenant, reference) for reference in references_of(row.name, message))
            self._names[row.message] = known
        return known

    @staticmethod
    def decoded(row: Waiting) -> Any:
        try:
            return registry.decode_data(row.name, row.body)
        except Exception:
            return None  # decided again, and dead-lettered there with its reason

    def push(self, timer: TimerRow) -> None:
        """A timer that may come due inside this chunk."""
        heapq.heappush(self._heap, (timer.due, timer.tenant, timer.kind, timer.key, timer.name, timer))

    def _fire(self, until: int, keys: Sequence[Key] = ()) -> None:
        """What is due; what a message that waits elsewhere may yet come before is left, unless it is about the folio of `keys`, whose
        message comes now."""
        left = []
        while self._heap and self._heap[0][0] <= until and not self._enough():
            timer = heapq.heappop(self._heap)[-1]
            if self._elsewhere is not None and timer.due > self._elsewhere and timer[:3] not in set(self._folios(keys)):
                left.append(timer)
                continue
            name = (timer.tenant, timer.kind, timer.key, timer.name)
            if self.staging.write.timers.get(name, timer) == timer:  # else moved or cancelled since
                self.fire(timer)
        for timer in left:
            self.push(timer)

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
        self.first = self.first or row.message
        if row.message in self._condemned:
            self.defects[seq] = self._condemned[row.message]
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
            applying.queued(self, row, staged, seq, parent)
            return []
        verdict = deciding.decide(self, row, message, staged, condemned=self.defects.get(seq, ""))
        try:
            return applying.apply(self, row, message, staged, seq, parent, verdict)
        except HubError:
            raise
        except Exception as failure:  # half of it is staged: nothing of this chunk is kept, and the message is found
            log.exception("cannot_apply", **failing(row))
            raise Constraint(f"{row.name} {row.id}: {type(failure).__name__}: {failure}") from failure

    def record(self, row: Waiting, staged: Staged, seq: int, parent: int, result: str, record: dict[str, Any]) -> None:
        """X-7: stage the decision's own row, with what it was shown that no log tells."""
        if self.shown:
            record, self.shown = {**record, "effects": self.shown}, {}
        if not staged.since:
            staged.since, staged.changed = seq, True
        self.staging.write.decisions.append(
            DecisionRow(
                seq,
                parent,
                staged.since,
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
                row.correlation or row.id,
                row.traceparent,
                _ENCODER.encode(record),
            )
        )

    def lane_of(self, key: Key) -> int:
        """The lane that owns a key."""
        return lane_of(key, self.lanes.lanes)


def timer_message(timer: TimerRow) -> bytes:
    """The id of the message that a timer becomes: a second run gives the same one."""
    return derived(_TIMERS, "\x1f".join((timer.tenant, timer.kind, timer.key, timer.name, str(timer.due))))


_TIMERS = uuid_bytes("2d9f1a52-7a64-5d1b-9d0c-7469656d7273")
