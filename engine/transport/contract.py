"""What a transport gives the engine, and what the engine gives a transport.

A transport brings arrivals to `Intake.append` and acknowledges them only after it returned; it publishes what the relay hands
it and says which of it the broker has confirmed. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes at a door. `door` names it for people (`amqp:pms.thais`), `attributes` are the CloudEvents attributes without prefix
    (`id`, `source`, `type`, `time`, `tenant`, ...), `body` the JSON message alone (binary mode) or the whole event when
    `content_type` is `application/cloudevents+json`. `tenants`: those the door's key may speak for; empty means all. `operator`:
    whether operators' words may come this way."""

    door: str
    body: bytes
    attributes: Mapping[str, str] = msgspec.field(default_factory=dict)
    content_type: str = "application/json"
    tenants: frozenset[str] = frozenset()
    operator: bool = True


class Taken(StrEnum):
    """What became of an arrival. All of them are durable and may be acknowledged."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"  # same identity, same fingerprint: the stored first answer stands
    CONFLICT = "conflict"  # same identity, another body: kept and shown, never merged
    DEAD = "dead_lettered"  # undecodable: kept with the reason


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of a durable append. `id` is the message's own id, `message` the hub's id of it (uuid5 of tenant, source, id).

    What was dead-lettered says why: `code` is a stable word, `field` and `value` say where, `dead_letter` names the kept bytes.
    """

    taken: Taken
    id: str
    message: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()
    code: str = ""
    field: str = ""
    value: str = ""
    dead_letter: str = ""


class Intake(Protocol):
    """The engine's door for every transport: one durable commit for all arrivals, receipts in their order. Thread-safe.

    Raises Retryable when the store is away: acknowledge nothing, deliver again.
    """

    def append(self, arrivals: Sequence[Arrival]) -> Sequence[Receipt]: ...


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message to publish: `row` is the outbox's own number, `attributes` CloudEvents attributes without prefix."""

    row: int
    topic: str
    key: str
    attributes: Mapping[str, str]
    body: bytes


class Publisher(Protocol):
    """Publishes in order; returns the rows that the broker confirmed and routed. What is not in it stays in the outbox.

    Raises Retryable when the broker is away.
    """

    def publish(self, messages: Sequence[Outgoing]) -> Sequence[int]: ...
