"""What a chunk has read and will write: aggregates as they stand after each decision, and the rows staged so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from engine.address import lane_of
from engine.store.contract import ChunkTransaction
from engine.store.rows import ChunkWrite, DeadLetterRow, Key, ParkedRow, StateRow, StateWrite
from schemas.folio import Area, Folio, ReferenceState, State

SHAPES: Final[dict[str, tuple[int, type[State]]]] = {
    "folio": (1, Folio),
    "area": (1, Area),
    "reference": (1, ReferenceState),
    "tenant": (1, State),
}
"""What each kind of aggregate keeps, and the version of its shape."""

_DECODERS = {kind: msgspec.json.Decoder(type_) for kind, (_, type_) in SHAPES.items()}
_ENCODER = msgspec.json.Encoder()
_ABSENT = StateRow(0, 0, "", 0, None)


class Staged:
    """One aggregate inside a chunk. `body` None: nothing is known of it yet."""

    __slots__ = ("blocked", "body", "changed", "sequence", "since", "version")

    def __init__(self, kind: str, row: StateRow) -> None:
        self.version = row.version
        self.sequence = row.sequence
        self.blocked = row.blocked
        self.since = row.since
        self.body: State | None = None if row.body is None else _DECODERS[kind].decode(row.body)
        self.changed = False

    def row(self, key: Key, lane: int) -> StateWrite:
        """As it is stored next."""
        return StateWrite(
            id=key.digest(),
            lane=lane,
            tenant=key.tenant,
            kind=key.kind,
            key=key.key,
            version=self.version + 1,
            sequence=self.sequence,
            shape=SHAPES[key.kind][0],
            blocked=self.blocked,
            since=self.since,
            body=None if self.body is None else _ENCODER.encode(self.body),
        )


class Staging:
    """All that one transaction reads at once and writes at once."""

    def __init__(self, transaction: ChunkTransaction) -> None:
        self.read = transaction
        self.write = ChunkWrite()
        self.next_decision = transaction.next_decision
        self._states: dict[Key, Staged] = {}
        self._parked: dict[Key, list[ParkedRow]] = {}
        self._letters: dict[str, DeadLetterRow] = {}

    def load(self, keys: Iterable[Key]) -> None:
        """Read all these aggregates and what is parked for them, in two statements."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._states]
        rows = self.read.states(missing)
        for key in missing:
            self._states[key] = Staged(key.kind, rows.get(key, _ABSENT))
            self._parked[key] = []
        waiting = [key for key in missing if self._states[key].sequence or self._states[key].body is not None]
        for row in self.read.parked(waiting):
            self._parked[row.key].append(row)

    def state(self, key: Key) -> Staged:
        """An aggregate as it stands now."""
        if key not in self._states:
            self.load((key,))
        return self._states[key]

    def park(self, row: ParkedRow) -> None:
        """Keep an early message for its key."""
        self.state(row.key)
        self._parked[row.key].append(row)

    def release(self, key: Key, waits: frozenset[str] | None = None) -> list[ParkedRow]:
        """Take up what waited at this key for one of `waits` (None: for anything), oldest first."""
        self.state(key)
        if not self._parked[key]:
            return []
        rows = [row for row in self._parked[key] if waits is None or row.waits_for in waits]
        self._parked[key] = [row for row in self._parked[key] if row not in rows]
        self.write.unparked.extend(row.seq for row in rows if row.seq)
        return rows

    def still_parked(self, key: Key, message: bytes) -> ParkedRow | None:
        """The parked row of a message, if it still waits."""
        self.state(key)
        return next((row for row in self._parked[key] if row.cargo.message == message), None)

    def dead_letter(self, id_: str) -> DeadLetterRow | None:
        """A dead letter as it stands now."""
        return self._letters.get(id_) or self.read.dead_letter(id_)

    def keep_letter(self, row: DeadLetterRow) -> None:
        """Store a dead letter; one that is known is open again, or closed, as its row says."""
        self._letters[row.id] = row

    def decision(self) -> int:
        """The next decision's number."""
        number = self.next_decision
        self.next_decision += 1
        return number

    def finish(self, lanes: int) -> ChunkWrite:
        """All rows, ready to be written."""
        self.write.parked = [row for rows in self._parked.values() for row in rows if not row.seq]
        self.write.dead_letters = list(self._letters.values())
        self.write.states = self._changed(lanes)
        return self.write

    def _changed(self, lanes: int) -> list[StateWrite]:
        """The rows of all aggregates that changed."""
        return [staged.row(key, lane_of(key, lanes)) for key, staged in self._states.items() if staged.changed]
