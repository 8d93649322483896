"""What has to wait and what ends the wait: early messages under a name or a folio, messages behind a defect, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.address import reference_key, references_of
from engine.store.rows import Key, ParkedRow, TimerRow, Waiting, inline
from schemas.folio import ReferenceState

if TYPE_CHECKING:
    from engine.chunk import Chunk

_HOUR_US = 3_600_000_000


def park(chunk: Chunk, row: Waiting, message: Any, seq: int, waits_for: str) -> None:
    """Keep an early message, with an age alarm (X-2). Under a name, its other names are asked to tell when they are bound."""
    chunk.staging.park(ParkedRow(row.owner, waits_for, chunk.now, seq, row.cargo))
    due = row.received_at + chunk.settled.tenants[row.tenant].parked_alarm_hours * _HOUR_US
    set_timer(chunk, row.owner, _alarm(row.message), due, "parked_alarm", row.message.hex())
    if row.kind == "reference":
        first, *others = references_of(row.name, message)
        for other in others:
            watch(chunk, reference_key(row.tenant, other), (first.namespace, first.value))


def watch(chunk: Chunk, key: Key, watcher: tuple[str, str]) -> None:
    """`watcher` is told when this name is bound."""
    staged = chunk.staging.state(key)
    body = _reference(key, staged.body)
    if watcher not in body.watchers:
        staged.body, staged.changed = msgspec.structs.replace(body, watchers=(*body.watchers, watcher)), True


def bind(chunk: Chunk, key: Key, folio: str) -> list[Waiting]:
    """This name is the folio's from now on; what waited for it goes on to the folio. A bound name stays with its folio."""
    staged = chunk.staging.state(key)
    body = _reference(key, staged.body)
    if body.folio:
        return []
    staged.body, staged.changed = msgspec.structs.replace(body, folio=folio, watchers=()), True
    children = released(chunk, key, folio)
    for watcher in body.watchers:
        children += bind(chunk, Key(key.tenant, "reference", "\x1f".join(watcher)), folio)
    return children


def released(chunk: Chunk, key: Key, folio: str, waits: frozenset[str] | None = None) -> list[Waiting]:
    """What was parked at this key (for one of `waits`, or for anything), to be decided by the folio now, oldest first."""
    rows = chunk.staging.release(key, waits)
    for row in rows:
        chunk.staging.write.timers[(*key, _alarm(row.cargo.message))] = None
    return [inline(Key(key.tenant, "folio", folio), row.cargo) for row in rows]


def drained(chunk: Chunk, key: Key) -> list[Waiting]:
    """Everything that queued behind a defect, oldest first, before anything newer; not what this chunk has let go before."""
    write = chunk.staging.write
    here = [row for row in write.blocked if row.key == key]
    write.blocked = [row for row in write.blocked if row.key != key]
    rows = [*(row for row in chunk.staging.read.blocked(key) if row.seq not in write.unblocked), *here]
    write.unblocked.extend(row.seq for row in rows if row.seq)
    return [inline(key, row.cargo) for row in rows]


def set_timer(chunk: Chunk, key: Key, name: str, due: int, what: str, subject: str) -> None:
    """Set or move a timer; one that falls due inside this chunk fires in it."""
    timer = TimerRow(*key, name, chunk.lane_of(key), due, what, subject)
    chunk.staging.write.timers[(*key, name)] = timer
    chunk.push(timer)


def _alarm(message: bytes) -> str:
    return f"parked:{message.hex()}"


def _reference(key: Key, body: object) -> ReferenceState:
    if isinstance(body, ReferenceState):
        return body
    namespace, _, value = key.key.partition("\x1f")
    return ReferenceState(namespace=namespace, value=value)
