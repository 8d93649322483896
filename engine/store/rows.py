"""Rows as the engine stages them and a store writes them; one shape for every database engine.

Instants are microseconds since 1970 UTC, amounts minor units, message ids 16 bytes, bodies JSON with personal fields sealed.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

from schemas.envelope import derived


class Key(NamedTuple):
    """An aggregate: `kind` is folio, reference, area or tenant."""

    tenant: str
    kind: str
    key: str

    def digest(self) -> bytes:
        """Its 16 bytes in the store."""
        return blake2b("\x1f".join(self).encode(), digest_size=16).digest()


class Cargo(NamedTuple):
    """A message as it is carried from one key or table to another, whole."""

    message: bytes
    source: str
    id: str
    name: str
    act: int
    received_at: int
    correlation: str
    traceparent: str
    body: bytes


class Waiting(NamedTuple):
    """A message to decide. `origin` is intake, internal, timer or inline; `place` its offset, seq, due instant or number."""

    origin: str
    lane: int
    place: int
    message: bytes
    tenant: str
    source: str
    id: str
    name: str
    kind: str
    key: str
    act: int
    received_at: int
    correlation: str
    traceparent: str
    body: bytes
    fingerprint: bytes = b""
    scrubbed: str = ""
    seq: int = 0

    @property
    def owner(self) -> Key:
        """The aggregate that decides it."""
        return Key(self.tenant, self.kind, self.key)

    @property
    def cargo(self) -> Cargo:
        """What is kept of it when it has to wait."""
        return Cargo(
            self.message, self.source, self.id, self.name, self.act, self.received_at, self.correlation, self.traceparent, self.body
        )


def inline(key: Key, cargo: Cargo) -> Waiting:
    """A kept message, to be decided now for `key`."""
    message, source, id_, name, act, received_at, correlation, traceparent, body = cargo
    return Waiting(
        "inline", 0, 0, message, key.tenant, source, id_, name, key.kind, key.key, act, received_at, correlation, traceparent, body
    )


class Arrived(NamedTuple):
    """An intake row before it has its offset."""

    lane: int
    message: bytes
    fingerprint: bytes
    tenant: str
    source: str
    id: str
    name: str
    kind: str
    key: str
    act: int
    received_at: int
    correlation: str
    traceparent: str
    door: str
    scrubbed: str
    body: bytes


class StateRow(NamedTuple):
    """An aggregate as stored; `body` None: it has only published so far. `blocked` names the dead letter it waits behind, `since` its
    first decision, under which all of its decisions are found; `shape` is the version of what `body` holds."""

    version: int
    sequence: int
    blocked: str
    since: int
    body: bytes | None
    shape: int


class StateWrite(NamedTuple):
    """An aggregate's next row."""

    id: bytes
    lane: int
    tenant: str
    kind: str
    key: str
    version: int
    sequence: int
    shape: int
    blocked: str
    since: int
    body: bytes | None


class Relied(NamedTuple):
    """An aggregate that decisions have read and left as it was; version 0: there was none."""

    id: bytes
    lane: int
    tenant: str
    kind: str
    key: str
    version: int


class DecisionRow(NamedTuple):
    """What was decided, and the record that explains it."""

    seq: int
    parent: int
    since: int
    origin: str
    lane: int
    place: int
    message: bytes
    tenant: str
    kind: str
    key: str
    name: str
    result: str
    act: int
    received_at: int
    decided_at: int
    configuration: int
    correlation: str
    traceparent: str
    record: bytes


NUMBERED = 20
"""Rows of a decision (transfers, outcomes) are numbered `decision << NUMBERED | number`."""


class TransferRow(NamedTuple):
    """One ledger row; tenant and folio are its decision's."""

    seq: int
    entry: str
    subject: str
    debit: str
    credit: str
    minor: int
    currency: str


class OutboxRow(NamedTuple):
    """One outcome to publish; `published` 1 when no broker is to get it. `cause` is the message that was decided, `sequence` counts
    the outcomes of the key."""

    seq: int
    decision: int
    tenant: str
    kind: str
    key: str
    name: str
    sequence: int
    cause: bytes
    correlation: str
    traceparent: str
    at: int
    body: bytes
    published: int

    @property
    def id(self) -> bytes:
        """Its own, which derives from its cause and its sequence: one message may have several fates (parked twice, a defect and then
        decided), a timer may come due twice."""
        return derived(self.cause, f"{self.kind}:{self.key}:{self.sequence}")


class TimerRow(NamedTuple):
    """A key to wake at `due`."""

    tenant: str
    kind: str
    key: str
    name: str
    lane: int
    due: int
    what: str
    subject: str


class ParkedRow(NamedTuple):
    """An early message, kept whole under the key that it waits at."""

    key: Key
    waits_for: str
    since: int
    decision: int
    cargo: Cargo
    seq: int = 0


class BlockedRow(NamedTuple):
    """A message behind a defect, kept whole."""

    key: Key
    dead_letter: str
    cargo: Cargo
    seq: int = 0


class DeadLetterRow(NamedTuple):
    """What could not be used, with the reason; `bytes_` sealed."""

    id: str
    at: int
    tenant: str
    kind: str
    key: str
    why: str
    code: str
    field: str
    value: str
    reason: str
    door: str
    attributes: str
    bytes_: bytes
    message: bytes | None
    name: str
    received_at: int
    status: str = "open"


LETTER: Final = (
    "id, at, tenant, kind, key, why, code, field, value, reason, door, attributes, bytes, message, name, received_at, status"
)
"""The columns of a dead letter's table, in the order of its row."""


class InternalRow(NamedTuple):
    """A message from inside, for a lane's owner."""

    lane: int
    message: bytes
    tenant: str
    source: str
    id: str
    name: str
    kind: str
    key: str
    act: int
    received_at: int
    correlation: str
    traceparent: str
    cause: int
    body: bytes


class SwitchRow(NamedTuple):
    """Payouts of a tenant stopped (1) or not."""

    tenant: str
    stopped: int
    by: str
    reason: str
    at: int
