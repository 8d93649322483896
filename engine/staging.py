"""What a chunk has read and will write: aggregates as they stand after each decision, and the rows staged so far.

What the owner of the lanes has stored last it remembers, so that a folio that is busy is not read and decoded for each chunk.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from engine import listed_rows, newer
from engine.address import lane_of
from engine.newer import Newer
from engine.store.chunk_write import ChunkWrite
from engine.store.contract import ChunkTransaction
from engine.store.rows import DeadLetterRow, Key, ParkedRow, Relied, StateRow, StateWrite
from schemas.folio import Area, Folio, ReferenceState, State
from schemas.property_settings import PropertySettings
from schemas.voucher_book import Voucher

SHAPES: Final[dict[str, tuple[int, type[State]]]] = {
    "folio": (3, Folio),
    "area": (1, Area),
    "property": (1, PropertySettings),
    "reference": (1, ReferenceState),
    "tenant": (1, State),
    "voucher": (2, Voucher),
}
"""What each kind of aggregate keeps, and the version of its shape."""

_DECODERS = {kind: msgspec.json.Decoder(type_) for kind, (_, type_) in SHAPES.items()}
_ENCODER = msgspec.json.Encoder()
_ABSENT = StateRow(0, 0, "", 0, None, 0)
_REMEMBERED = 4096  # aggregates


class Kept(NamedTuple):
    """An aggregate as the store has it, its body read; `id` is the hash of its key, `newer` what of it is not ours."""

    id: bytes
    version: int
    sequence: int
    blocked: str
    since: int
    body: State | None
    newer: Newer | None = None


class Remembered:
    """Aggregates as the store has them, the latest used: each commit proves that nobody else has stored them since. A key with early
    messages is not here."""

    def __init__(self) -> None:
        self._kept: dict[Key, Kept] = {}

    def take(self, key: Key) -> Kept | None:
        """What is remembered; `keep` brings it back as it is then."""
        return self._kept.pop(key, None)

    def keep(self, kept: Iterable[tuple[Key, Kept]]) -> None:
        """After the commit that stored them."""
        self._kept.update(kept)
        for key in list(islice(self._kept, max(0, len(self._kept) - _REMEMBERED))):
            del self._kept[key]

    def forget(self) -> None:
        """After a transaction of which it is not known what it stored."""
        self._kept.clear()


class Staged:
    """One aggregate inside a chunk. `body` None: nothing is known of it yet."""

    __slots__ = ("before", "blocked", "body", "changed", "id", "key", "newer", "sequence", "since", "version")

    def __init__(self, key: Key, kept: Kept) -> None:
        self.key = key
        self.id, self.version, self.sequence, self.blocked, self.since, self.body, self.newer = kept
        self.before, self.changed = kept.body, False

    def row(self, lane: int) -> StateWrite:
        """As it is stored next."""
        tenant, kind, name = self.key
        shape, body = SHAPES[kind][0], None if self.body is None else _ENCODER.encode(self.body)
        if self.newer is not None and self.body is not None:
            shape, body = self.newer.shape, newer.written(self.body, self.newer)
        return StateWrite(self.id, lane, tenant, kind, name, self.version + 1, self.sequence, shape, self.blocked, self.since, body)

    def kept(self) -> Kept:
        """As the store has it after the commit."""
        return Kept(self.id, self.version + self.changed, self.sequence, self.blocked, self.since, self.body, self.newer)


class Staging:
    """All that one transaction reads at once and writes at once. `remembered`: what need not be read."""

    def __init__(self, transaction: ChunkTransaction, remembered: Remembered | None = None) -> None:
        self.read = transaction
        self.write = ChunkWrite()
        self._remembered = remembered if remembered is not None else Remembered()
        self._states: dict[Key, Staged] = {}
        self._parked: dict[Key, list[ParkedRow]] = {}
        self._letters: dict[str, DeadLetterRow] = {}

    def load(self, keys: Iterable[Key]) -> None:
        """Read all these aggregates and what is parked for them, in two statements. Raises StateNewer."""
        strange: dict[bytes, Key] = {}
        for key in dict.fromkeys(keys):
            if key not in self._states:
                self._parked[key] = []
                kept = self._remembered.take(key)
                if kept is None:
                    strange[key.digest()] = key
                else:
                    self._states[key] = Staged(key, kept)
        if not strange:
            return
        rows = self.read.states(strange)
        for id_, key in strange.items():
            version, sequence, blocked, since, body, shape = rows.get(id_, _ABSENT)
            read, more = None, None
            if body is not None and shape > SHAPES[key.kind][0]:
                read, more = newer.read(body, shape, _DECODERS[key.kind], f"{key.kind} {key.key}")
            elif body is not None:
                read = _DECODERS[key.kind].decode(body)
            self._states[key] = Staged(key, Kept(id_, version, sequence, blocked, since, read, more))
        waiting = [key for key in strange.values() if self._states[key].sequence or self._states[key].body is not None]
        for row in self.read.parked(waiting):
            self._parked[row.key].append(row)

    def state(self, key: Key) -> Staged:
        """An aggregate as it stands now."""
        if key not in self._states:
            self.load((key,))
        return self._states[key]

    def park(self, row: ParkedRow) -> None:
        """Keep an early message for its key."""
        self.state(row.key).changed = True  # who else has read it has not seen this
        self._parked[row.key].append(row)

    def release(self, key: Key, waits: frozenset[str] | None = None) -> list[ParkedRow]:
        """Take up what waited at this key for one of `waits` (None: for anything), oldest first."""
        staged = self.state(key)
        rows = [row for row in self._parked[key] if waits is None or row.waits_for in waits]
        if not rows:
            return []
        staged.changed = True
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
        return self.read.number()

    def finish(self, lanes: int) -> ChunkWrite:
        """All rows, ready to be written."""
        self.write.parked = [row for rows in self._parked.values() for row in rows if not row.seq]
        self.write.dead_letters = list(self._letters.values())
        self.write.states = self._changed(lanes)
        self.write.relied = self._relied(lanes)
        self._list()
        return self.write

    def _changed(self, lanes: int) -> list[StateWrite]:
        """The rows of all aggregates that changed."""
        return [staged.row(lane_of(key, lanes)) for key, staged in self._states.items() if staged.changed]

    def _list(self) -> None:
        """What the new states change in the lists of balance requests and vouchers."""
        for staged in self._states.values():
            if staged.body is not staged.before:
                listed, unlisted = listed_rows.changes(staged.key.tenant, staged.before, staged.body)
                self.write.listed += listed
                self.write.unlisted += unlisted

    def _relied(self, lanes: int) -> list[Relied]:
        """All others; but what a bound name says is so for ever."""
        return [
            Relied(staged.id, lane_of(key, lanes), *key, staged.version)
            for key, staged in self._states.items()
            if not staged.changed and not (isinstance(staged.body, ReferenceState) and staged.body.folio)
        ]

    def kept(self) -> Iterable[tuple[Key, Kept]]:
        """Everything that the chunk knows, as it stands after its commit."""
        return ((key, staged.kept()) for key, staged in self._states.items() if not self._parked[key])
