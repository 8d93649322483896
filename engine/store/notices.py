"""Rows of notices as their sender reads them, one shape for every store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

from engine.store.rows import InternalRow

OPEN: Final = "state IN ('planned', 'sending')"
BOUNCED: Final = "state = 'bounced'"
"""In these words, since by them the indexes of what is open, and of what came back, are found."""


class Notice(NamedTuple):
    """One notice; instants in microseconds. `attempt` is the decision's, `tries` are the sender's; `doubts`: silences after which the
    server may have had it. While it is `sending`, `next_at` is when the lease is over."""

    id: str
    tenant: str
    folio: str
    lane: int
    kind: str
    attempt: int
    audience: str
    language: str
    property: str
    body: bytes
    created_at: int
    correlation: str
    traceparent: str
    next_at: int
    state: str
    code: str
    reason: str
    tries: int
    doubts: int
    fence: int
    sent_at: int


COLUMNS: Final = ", ".join(Notice._fields)
MOVE: Final = (
    "UPDATE notice SET state = ?, code = ?, reason = ?, next_at = ?, tries = ?, doubts = ?, fence = ?, sent_at = ?"
    " WHERE id = ? AND fence = ? AND state = ?"
)


def moved(before: Notice, after: Notice) -> tuple[object, ...]:
    """As MOVE is told: what the row is to say, then what it says now."""
    return (
        after.state, after.code, after.reason, after.next_at, after.tries, after.doubts, after.fence, after.sent_at,
        before.id, before.fence, before.state,
    )  # fmt: skip


class Sealed(NamedTuple):
    """How a guest is reached, sealed; `subject` of what names no person."""

    subject: str
    body: bytes


class NoticeTransaction(Protocol):
    """One transaction of the sender: reads first, `write` last and once."""

    def due(self, now: int, limit: int) -> Sequence[Notice]:
        """What may be sent, or whose sender fell silent, oldest first; nobody else gets these until the transaction ends."""

    def write(self, before: Notice, after: Notice, told: Sequence[InternalRow]) -> None:
        """The notice moves, if it is as it was read, and its folio is told. Raises Fenced."""


class NoticeStore(Protocol):
    """The part of a store that sends notices."""

    def transaction(self) -> AbstractContextManager[NoticeTransaction]:
        """Durable when the block has ended, nothing of it when it raises. Raises StoreAway."""

    def next_due(self) -> int | None:
        """When the next one may be sent."""

    def waiting(self) -> int:
        """How many are open."""

    def contact(self, tenant: str, folio: str) -> Sealed | None:
        """How the guest of a booking is reached; None: nobody said."""

    def folio(self, tenant: str, folio: str) -> bytes | None:
        """What is known of a booking; None: nothing."""

    def new_generation(self, now: int) -> int:
        """A restored or moved store: each notice that is open may have been sent since, as if its sender had died. How many."""
