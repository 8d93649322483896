"""Rebuilds everything that decisions made, from the log alone, in a scratch store by the very same code, and compares.

Each decision is taken again in its order, under the configuration of its day, at its instant. What the log does not hold (the
effects a decision was shown) its record does. Messages are replayed as they are stored, sealed: it agrees also after people were
forgotten. Memory is bounded by one batch; the scratch store lies in a temporary file.

A decision says by which rules it was taken (`engine.settled.RULES`). What those of another release decided is decided again by ours too,
and not held against it: where they part, the aggregate is named, and those that were decided together with it since (decision 0021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any
from uuid import UUID

import msgspec

from engine.chunk import Chunk, timer_message
from engine.clock import ManualClock
from engine.lane import Lanes
from engine.settled import RULES, FrozenPolicy, Settled, as_settled_before
from engine.staging import SHAPES
from engine.store.contract import Connection, Store
from engine.store.log import SIDES, Led, Log, Root, Side, side_rows
from engine.store.rows import Key, TimerRow
from engine.store.shelf import Shelf
from engine.store.sqlite.database import Database
from engine.store.sqlite.former import Former, Otherwise
from engine.store.sqlite.lanes import SqliteLanes
from engine.store.sqlite.replaying import ReplayChunk, scratch
from schemas.errors import HubError

BATCH = 500
SHOWN = 20  # differences that are told
_REPEATED = frozenset({"duplicate", "conflict"})


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where the store and what the log makes of it part: `stored` is in the store, `rebuilt` comes from the log."""

    table: str
    row: str
    field: str
    stored: str
    rebuilt: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, rows by table, and the first differences; none means that the store is what its log makes of it. `otherwise`:
    how many aggregates other rules decided otherwise than ours would, and the first of them."""

    decisions: int
    compared: dict[str, int]
    differences: tuple[Difference, ...]
    otherwise: int = 0
    parted: tuple[Otherwise, ...] = ()

    @property
    def agrees(self) -> bool:
        """No difference was found."""
        return not self.differences


class _Parted(Exception):
    def __init__(self, difference: Difference) -> None:
        super().__init__()
        self.difference = difference


def verify(store: Store, *, shown: int = SHOWN, batch: int = BATCH) -> Verified:
    """Replay the log of `store` and compare; a hub may go on beside it. `batch` decisions are in memory at once.

    Raises HubError for a store that cannot be read.
    """
    found: list[Difference] = []
    compared: dict[str, int] = {}
    former = Former()
    with store.read() as connection:
        log = Log(store, connection)
        for lane, offset in islice(log.lost(), shown):
            found.append(_difference("intake", f"lane {lane} offset {offset}", "decision", "passed over", "decided"))
        rebuilt = scratch(store.lanes)
        try:
            decisions = _Replay(store, log, rebuilt, batch, former).run(found)
            if not found:  # what was passed over, or where the replay could not go on: what follows from it would hide it
                with rebuilt.read() as other:
                    found += islice(_sides(store, connection, rebuilt, other, former, compared), shown)
            return Verified(
                decisions=decisions,
                compared=compared,
                differences=tuple(found),
                otherwise=former.count(),
                parted=tuple(former.first(shown)),
            )
        finally:
            rebuilt.close()
            former.close()


def _sides(
    store: Store, connection: Connection, rebuilt: Database, other: Connection, former: Former, compared: dict[str, int]
) -> Iterator[Difference]:
    """Every table on both sides; what other rules decided is noted, and no difference."""
    for side in SIDES:
        compared[side.table] = 0
        stored, made = side_rows(store, connection, side), side_rows(rebuilt, other, side)
        for row, difference in _compare(side, stored, made, compared):
            owner = side.owner(row)
            if owner is None or not former.differs(owner):
                yield difference


class _Replay:
    """Takes every decision again."""

    def __init__(self, store: Store, log: Log, rebuilt: Database, batch: int, former: Former) -> None:
        self._size = batch
        self._gapless, self._last = store.gapless, 0
        self._log = log
        self._rebuilt = rebuilt
        self._former = former
        self._shelf = _Shelf(Shelf(store))
        self._settled: dict[int, Settled] = {}
        self._lanes: Lanes | None = None

    def run(self, found: list[Difference]) -> int:
        """How many decisions were taken again; where the replay cannot go on, the reason is added to `found`."""
        roots = self._log.roots()
        taken = 0
        while batch := list(islice(roots, self._size)):
            for part in _parts(batch):
                try:
                    taken += self._batch(part)
                except _Parted as parted:
                    found.append(parted.difference)
                    return taken
                except HubError as error:
                    place = f"seq {part[0].seq} to {part[-1].seq}"
                    found.append(_difference("decision", place, "replay", "decided", f"{error.code}: {error.message}"))
                    return taken
        return taken

    def _batch(self, batch: Sequence[Root]) -> int:
        lanes = self._owner(batch[0])
        with self._rebuilt.write() as connection:
            transaction = ReplayChunk(connection, self._log, lanes.claim.epochs)
            chunk = lanes.new_chunk(transaction)
            led_to = self._log.led_to(batch)
            chunk.defects = self._log.defects([led.seq for root in batch for led in led_to[root.seq]])
            for root in batch:
                led = led_to[root.seq]
                first = len(chunk.staging.write.decisions)
                transaction.again([one.seq for one in led])
                self._spread(root, led)
                self._again(chunk, transaction, root)
                self._spread(
                    root, [Led(one.seq, Key(one.tenant, one.kind, one.key)) for one in chunk.staging.write.decisions[first:]]
                )
                self._last = led[-1].seq
            write = chunk.staging.finish(self._rebuilt.lanes)
            transaction.write(write)
            return len(write.decisions)

    def _spread(self, root: Root, led: Sequence[Led]) -> None:
        """What other rules decided, and what is decided together with it, is not ours alone from then on."""
        rules = self._of_the_day(root.configuration).rules
        if rules == RULES:
            rules = next((known for one in led if (known := self._former.rules_of(one.owner))), RULES)
        if rules != RULES:
            self._former.take((one.owner for one in led), rules)

    def _owner(self, root: Root) -> Lanes:
        if self._lanes is None:
            self._lanes = Lanes(SqliteLanes(self._rebuilt), self._of_the_day(root.configuration), ManualClock())
        return self._lanes

    def _of_the_day(self, configuration: int) -> Settled:
        if configuration not in self._settled:
            self._settled[configuration] = as_settled_before(self._shelf, configuration)
        return self._settled[configuration]

    def _again(self, chunk: Chunk, transaction: ReplayChunk, root: Root) -> None:
        if self._gapless and root.seq != self._last + 1:
            raise _Parted(_difference("decision", f"seq {root.seq}", "seq", root.seq, self._last + 1))
        chunk.settled = self._of_the_day(root.configuration)
        chunk.now = root.decided_at
        if root.origin == "timer":
            timer = self._timer(chunk, transaction, root)
            if timer is not None:
                chunk.fire(timer._replace(lane=root.lane))  # the lane of that day: the store may have moved
            return
        row = self._log.message(root)
        if row is None or row.message != root.message:
            raise _Parted(_difference("decision", f"seq {root.seq}", "message", UUID(bytes=root.message), "not in the log"))
        if root.origin == "intake":
            known = transaction.seen((row.message,)) if root.result in _REPEATED else transaction.still_known(row.message)
            for message, fingerprint in known.items():
                chunk.knows(message, fingerprint)
        chunk.root(row, chunk.decoded(row))

    def _timer(self, chunk: Chunk, transaction: ReplayChunk, root: Root) -> TimerRow | None:
        """The timer that fired then, as the replay has set it; None: other rules had set it, and ours have not."""
        staged = chunk.staging.write.timers
        candidates = [timer for timer in staged.values() if timer is not None and timer.due == root.place]
        candidates += [timer for timer in transaction.timers(root) if (*timer[:4],) not in staged]
        for timer in candidates:
            if timer_message(timer) == root.message:
                return timer
        if self._former.differs(root.owner):
            return None
        raise _Parted(_difference("timer", f"{root.kind} {root.key}", "due", f"fired as seq {root.seq}", "never set"))


def _parts(batch: Sequence[Root]) -> Iterator[Sequence[Root]]:
    """A batch, cut before each message that is decided after it came before, in whatever way: whether its identity was still known is
    asked of the store, and not of what the replay remembers since."""
    first = 0
    came: set[bytes] = set()
    for place, root in enumerate(batch):
        if root.origin != "intake":
            continue
        if root.message in came and root.result not in _REPEATED:
            yield batch[first:place]
            first = place
            came.clear()
        came.add(root.message)
    yield batch[first:]


class _Shelf:
    """Policies and configurations of a store, read once."""

    def __init__(self, shelf: Shelf) -> None:
        self._policies = list(shelf.policies())
        self._configurations = dict(shelf.configurations())

    def policies(self) -> list[FrozenPolicy]:
        return self._policies

    def configurations(self) -> dict[int, bytes]:
        return self._configurations

    def keep_policies(self, rows: object) -> None:
        raise NotImplementedError("verification writes nothing")

    def keep_configuration(self, hash_: str, body: bytes, at: int) -> int:
        raise NotImplementedError("verification writes nothing")


def _compare(
    side: Side, stored: Iterator[tuple[Any, ...]], rebuilt: Iterator[tuple[Any, ...]], compared: dict[str, int]
) -> Iterator[tuple[tuple[Any, ...], Difference]]:
    """Two ordered streams side by side: each difference with its row."""
    width = len(side.names)
    left, right = next(stored, None), next(rebuilt, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[:width] < right[:width]):
            assert left is not None
            yield left, _difference(side.table, _name(side, left), "row", "there", "not there")
            left = next(stored, None)
        elif left is None or right[:width] < left[:width]:
            yield right, _difference(side.table, _name(side, right), "row", "not there", "there")
            right = next(rebuilt, None)
        else:
            compared[side.table] += 1
            for difference in _fields(side, left, right):
                yield left, difference
            left, right = next(stored, None), next(rebuilt, None)


def _fields(side: Side, left: tuple[Any, ...], right: tuple[Any, ...]) -> Iterator[Difference]:
    width = len(side.names)
    for name, one, other in zip(side.values, left[width:], right[width:], strict=True):
        if one == other or (side.table == "state" and name == "shape" and min(one, other) > 0):  # only says who wrote it last
            continue
        if side.table == "state" and name == "body":
            yield from _state_fields(side, left, one, other)
        else:
            yield _difference(side.table, _name(side, left), name, one, other)


def _state_fields(side: Side, row: tuple[Any, ...], stored: bytes | None, rebuilt: bytes | None) -> Iterator[Difference]:
    """Which fields of an aggregate differ; none when only the writing does (an earlier release wrote it)."""
    try:
        kind = SHAPES[row[1]][1]
        one, other = (None if body is None else msgspec.json.decode(body, type=kind) for body in (stored, rebuilt))
    except (msgspec.DecodeError, KeyError):
        yield _difference(side.table, _name(side, row), "body", stored, rebuilt)
        return
    if one is None or other is None:
        yield _difference(side.table, _name(side, row), "body", stored, rebuilt)
        return
    for name in one.__struct_fields__:
        if getattr(one, name) != getattr(other, name):
            yield _difference(
                side.table, _name(side, row), f"body.{name}", _plain(getattr(one, name)), _plain(getattr(other, name))
            )


def _plain(value: object) -> bytes:
    return msgspec.json.encode(value)


def _name(side: Side, row: tuple[Any, ...]) -> str:
    return " ".join(f"{name}={_text(value)}" for name, value in zip_longest(side.names, row[: len(side.names)]))


def _difference(table: str, row: str, field: str, stored: object, rebuilt: object) -> Difference:
    return Difference(table=table, row=row, field=field, stored=_text(stored), rebuilt=_text(rebuilt))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = str(UUID(bytes=value)) if len(value) == 16 else value.decode(errors="replace")
    text = str(value).replace("\x1f", "/")
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"
