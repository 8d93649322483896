"""What every store gives the engine: SQLite for one machine, PostgreSQL for many. Failures are told apart by type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from engine.store.rows import (
    Arrived,
    BlockedRow,
    ChunkWrite,
    DeadLetterRow,
    InternalRow,
    Key,
    ParkedRow,
    StateRow,
    TimerRow,
    Waiting,
)
from schemas.effect import EffectState
from schemas.errors import HubError, Retryable

SLICE_US = 7 * 24 * 3600 * 1_000_000
"""Length of a time slice of the inbox, which is dropped whole."""


class Fenced(HubError):
    """Somebody else was here: the lane's position or epoch is not ours, or a request is not as it was read. Nothing was written."""

    code = "fenced"


class Constraint(HubError):
    """The database itself refused a row: refunded above captured, a second row for one refund. Nothing was written."""

    code = "constraint"


class StoreAway(Retryable):
    """The store cannot be written: disk full, locked, gone. Roll back, wait, the same again."""

    code = "store_away"


class StoreBusy(StoreAway):
    """Somebody else holds the file's write lock for longer than the store's patience."""


class StoreTaken(HubError):
    """Another hub has this store open."""

    code = "store_taken"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Ownership of the lanes: `positions` next offset by lane; `deaths` how often a process died since the position last moved;
    `suspects` (lane, offset) of messages that were in flight while they were tried alone."""

    epoch: int
    positions: Mapping[int, int]
    deaths: Mapping[int, int]
    suspects: frozenset[tuple[int, int]]


class ChunkTransaction(Protocol):
    """One lane transaction: reads first, `commit` last and once. Nothing else writes to these lanes meanwhile."""

    next_decision: int

    def take(self, positions: Mapping[int, int], limit: int, *, internal: bool = True) -> Sequence[Waiting]:
        """What waits in these lanes, oldest first: internal messages (unless not wanted), then the intake in order of arrival; at
        most `limit` in all."""

    def due(self, until: int, limit: int) -> Sequence[TimerRow]:
        """Timers due at or before `until`, by (due, key, name)."""

    def seen(self, messages: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Fingerprints of those that the inbox knows, by message id."""

    def states(self, ids: Collection[bytes]) -> Mapping[bytes, StateRow]:
        """State rows of all these aggregates at once, by the hash of their key (`Key.digest`); one without row is absent."""

    def parked(self, keys: Collection[Key]) -> Sequence[ParkedRow]:
        """Early messages of these keys, oldest first."""

    def blocked(self, key: Key) -> Sequence[BlockedRow]:
        """Messages behind this key's defect, oldest first."""

    def dead_letter(self, id_: str) -> DeadLetterRow | None: ...

    def effect_states(self, tenant: str, folio: str) -> Mapping[str, EffectState]:
        """Where each effect of a folio stands, by its id."""

    def write(self, chunk: ChunkWrite, epoch: int) -> None:
        """Everything of the chunk, epoch and positions compared and set. Raises Fenced or Constraint."""


class LaneStore(Protocol):
    """The part of a store that intake and lanes use."""

    lanes: int

    def claim(self) -> Claim: ...

    def release(self) -> None:
        """A stop in good order: no death is counted."""

    def try_alone(self, lane: int, offset: int | None) -> None:
        """Remember, durably, that this message is being tried alone (None: no more)."""

    def append(
        self,
        rows: Sequence[Arrived],
        letters: Sequence[DeadLetterRow],
        keys: Sequence[tuple[str, str, bytes]],
        internals: Sequence[InternalRow],
    ) -> None:
        """Durable when it returns. Raises StoreAway."""

    def chunk(self) -> AbstractContextManager[ChunkTransaction]: ...

    def drop_slices(self, before: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Forget identities whose slice of time ended before this instant, a whole slice at a time (X-1). `go_on` is asked between two
        pieces of what is left to do; what is not done then is done by the next call."""

    def waiting_count(self) -> int: ...
