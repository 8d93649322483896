"""What every store gives the engine: SQLite for one machine, PostgreSQL for many. Failures are told apart by type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec

from engine.store.chunk_write import ChunkWrite
from engine.store.rows import (
    Arrived,
    BlockedRow,
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


class Contended(StoreAway):
    """Somebody else changed what was read, before this was written. Nothing was written: read it again."""

    code = "contended"


class StoreBusy(StoreAway):
    """Somebody else holds the file's write lock for longer than the store's patience."""


class StoreTaken(HubError):
    """Another hub has this store open."""

    code = "store_taken"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Ownership of lanes: `epochs` and `positions` (next offset) by lane; `deaths` how often a process died since the position last moved;
    `suspects` (lane, offset) of messages that were in flight while they were tried alone."""

    epochs: Mapping[int, int]
    positions: Mapping[int, int]
    deaths: Mapping[int, int]
    suspects: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> Claim:
        """Of the lanes' rows: lane, epoch, next offset, deaths, the offset that was being tried alone."""
        return cls(
            epochs={row[0]: row[1] for row in rows},
            positions={row[0]: row[2] for row in rows},
            deaths={row[0]: row[3] for row in rows},
            suspects=frozenset((row[0], row[4]) for row in rows if row[4] is not None),
        )


class Identity(NamedTuple):
    """What is known of a message that was taken: its keyed hash, and its place in the log."""

    fingerprint: bytes
    lane: int
    offset: int


class News(NamedTuple):
    """What another process, or another thread of this one, has stored: something that waits in a lane, messages that were decided (the
    first 16 hexadecimal digits of their ids; None: look at all that you wait for)."""

    waiting: bool
    decided: frozenset[str] | None

    def tells_of(self, message: bytes) -> bool:
        """Whether this message may be decided now."""
        return self.decided is None or short(message) in self.decided


def short(message: bytes) -> str:
    """How a message is called in the news."""
    return message.hex()[:16]


class Cursor(Protocol):
    """The rows of one statement."""

    @property
    def description(self) -> Any: ...

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What the statements that every engine understands run on: values are bound to question marks, in order."""

    def execute(self, statement: str, parameters: Any = (), /) -> Cursor: ...

    def executemany(self, statement: str, parameters: Any, /) -> Cursor: ...


class Store(Protocol):
    """An open store of either engine: a file, or a database."""

    lanes: int
    memory: bool
    by_arrival: str
    """The expression that orders the rows of a table as they were written, where no column does."""
    by_decision: str
    """The columns that order decisions as they were taken."""
    gapless: bool
    """Whether decisions are numbered without gaps."""
    log_elsewhere: bool
    """Whether its log is a broker's."""
    unpublished: str
    """The question for the numbers of outcomes that a broker has yet to confirm."""
    confirm: str
    """The statement, but for which ones, by which they are so no more."""

    @property
    def name(self) -> str:
        """Where it is, for people: a path, or an address without its password."""

    def read(self) -> AbstractContextManager[Connection]:
        """One consistent view, beside those who write. Inside another `read` of the same thread it is the same view."""

    def write(self) -> AbstractContextManager[Connection]:
        """One write transaction: committed when the block ends, rolled back when it raises. Raises StoreAway or Constraint."""

    def each(self, connection: Connection, statement: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a long read, memory flat."""

    def identities(self, messages: Sequence[bytes]) -> Mapping[bytes, Identity]:
        """What the inbox knows of these messages."""

    def members(self) -> Sequence[str]:
        """Processes of several that are at work on it."""

    def settled_to(self) -> int:
        """Every decision up to this number that is not stored when a later `read` begins never will be: who follows what is decided
        goes no further, or passes over what somebody else is about to store. Asked outside of a `read`."""

    def renewed(self) -> tuple[str, int]:
        """Why this store is a new generation (empty: it is not), and the last epoch that was known beside it; asked before the lanes
        are claimed. Raises HubError."""

    def listen(self, heard: Callable[[News], None]) -> Callable[[], None]:
        """Call `heard`, from another thread, for what others store from now on; the function returned ends it. A store that one process
        has alone tells nothing: it knows."""

    def probe(self) -> None:
        """One small durable write. Raises StoreAway when nothing can be written."""

    def shred(self) -> bool:
        """After keys were destroyed: leave no copy of them beside the store. False while a reader is in the way."""

    def close(self) -> None: ...


class Tended(NamedTuple):
    """Lanes under a lease of ours, and those among them that are more than our share."""

    held: frozenset[int]
    surplus: frozenset[int]


class ChunkTransaction(Protocol):
    """One lane transaction: reads first, `write` last and once. Nobody else moves the claimed lanes meanwhile; whoever else changed
    what it read is told apart by `Contended`."""

    def number(self) -> int:
        """The next decision's own, greater than all that this one may know of."""

    def take(self, positions: Mapping[int, int], limit: int, *, internal: bool = True) -> Sequence[Waiting]:
        """What waits in these lanes, oldest first: internal messages (unless not wanted), then the intake in order of arrival; at
        most `limit` in all."""

    def due(self, until: int, limit: int) -> Sequence[TimerRow]:
        """Timers due at or before `until`, by (due, key, name)."""

    def due_of(self, keys: Collection[Key], until: int) -> Sequence[TimerRow]:
        """Timers of these keys that `due` does not tell, since their lanes are others'."""

    def others_wait(self) -> int | None:
        """When the oldest message was received that waits in a lane of others'."""

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

    def notice(self, tenant: str, folio: str, notice: str) -> bytes | None:
        """What a notice of a folio was to say."""

    def write(self, chunk: ChunkWrite) -> None:
        """Everything of the chunk; the claim's epochs and the positions are compared and set. Raises Fenced, Contended or Constraint."""


class LaneStore(Protocol):
    """The part of a store that intake and lanes use."""

    lanes: int

    def claim(self, lanes: Collection[int] | None = None) -> Claim:
        """Own these lanes (None: all) from now on; whoever had them is fenced."""

    def release(self, lanes: Collection[int] | None = None) -> None:
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

    def chunk(self, claim: Claim) -> AbstractContextManager[ChunkTransaction]:
        """A transaction of who owns these lanes. Raises StoreAway or Contended."""

    def drop_slices(self, before: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Forget identities whose slice of time ended before this instant, a whole slice at a time (X-1). `go_on` is asked between two
        pieces of what is left to do; what is not done then is done by the next call."""

    def waiting_count(self) -> int: ...
