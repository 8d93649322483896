"""Rows of effects as the runner reads them, one shape for every store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from engine.reconcile import Known
from engine.store.rows import InternalRow
from schemas.effect import EffectState, ProviderRecord

HOUR_US: Final = 3_600_000_000
Payment = tuple[str, str]
"""A payment at its provider: merchant and reference."""


class Effect(NamedTuple):
    """One request to the outside; instants in microseconds, `minor` in minor units of `currency`."""

    id: str
    tenant: str
    folio: str
    lane: int
    kind: str
    provider: str
    merchant: str
    payment: str
    reference: str
    order_ref: str
    minor: int
    currency: str
    refund: str
    property: str
    last: int
    state: str
    reason: str
    next_at: int
    attempts: int
    queries: int
    fence: int
    lease_until: int
    sent_at: int
    record: str
    correlation: str
    traceparent: str
    needs_approval: int = 0


class PaymentAsk(NamedTuple):
    """A payment whose history a callback made us ask for."""

    merchant: str
    reference: str
    provider: str
    order_ref: str
    tenant: str
    folio: str
    lane: int
    payment: str
    attempts: int


class Wish(NamedTuple):
    """How the wish to ask about a payment stands: when it is due, how often it was in vain, and until when somebody asks."""

    due: int
    attempts: int
    lease_until: int


class Evidence(NamedTuple):
    """What was asked and answered, scrubbed. `act`: send, query, or late: others had gone on meanwhile, it changed nothing. `at`: when
    it was stored; a history: when it was asked for."""

    at: int
    effect: str
    merchant: str
    reference: str
    act: str
    result: str
    code: str
    request: str
    answer: str


class Spent(NamedTuple):
    """Minor units that left today, and refunds of the last hour."""

    tenant_today: int
    property_today: int
    last_hour: int


class Learned(NamedTuple):
    """What a history means for one effect: its move from one state to another (or the same), the record that is its own, and the
    message that tells its folio."""

    id: str
    from_: EffectState
    to: EffectState
    reason: str
    record: ProviderRecord | None
    next_at: int
    told: InternalRow | None


class Moved(NamedTuple):
    """One effect as it was read and as it is to stand; what was asked and answered when it was sent, None: as it stands."""

    before: Effect
    after: Effect
    request: str | None = None
    answer: str | None = None

    def moved(self) -> tuple[object, ...]:
        """As the statement of a move is told: what the row is to say, then what it says now."""
        before, after = self.before, self.after
        return (
            after.state, after.reason, after.next_at, after.queries, after.fence, after.lease_until, after.record, self.request,
            self.answer, before.id, before.fence, before.state,
        )  # fmt: skip

    def marked(self) -> tuple[object, ...]:
        """The same for the mark before it is sent."""
        before, after = self.before, self.after
        return (after.sent_at, after.attempts, after.lease_until, after.next_at, after.fence, before.id, before.fence)


class Owned(NamedTuple):
    """A provider's record and whose it is: `effect:<id>`, `payment` or `foreign`; `now`: when it is seen."""

    merchant: str
    provider: str
    record: ProviderRecord
    owner: str
    now: int

    def row(self) -> tuple[object, ...]:
        """As its table has it."""
        record = self.record
        return (
            self.merchant, record.reference, record.level, self.provider, record.kind, record.result, record.status, record.minor,
            record.currency, self.owner, self.now,
        )  # fmt: skip


@dataclass(slots=True)
class EffectWrite:
    """Everything one transaction of the effects runner stores."""

    moves: list[Moved] = field(default_factory=list)
    marks: list[Moved] = field(default_factory=list)  # planned effects that may be sent now
    records: list[Owned] = field(default_factory=list)
    wishes: list[tuple[Payment, Wish, Wish | None]] = field(default_factory=list)  # as it was read, as it is to stand; None: done
    evidence: list[Evidence] = field(default_factory=list)
    told: list[InternalRow] = field(default_factory=list)


class EffectTransaction(Protocol):
    """One transaction of the effects runner: reads first, `write` last and once. Nothing else writes to the store meanwhile."""

    def effects(self, payments: Collection[Payment]) -> Iterable[tuple[Effect, bool]]:
        """All effects on these payments, by id, and whether their folio has yet to hear something."""

    def records(self, payments: Collection[Payment]) -> Mapping[Payment, Mapping[str, Known]]:
        """What is known of these payments at their providers, by level; a payment of which nothing is known is absent."""

    def asked(self, payments: Collection[Payment]) -> Mapping[Payment, int]:
        """When the newest whole history of each that is stored was asked for; absent: none is."""

    def wishes(self, payments: Collection[Payment]) -> Mapping[Payment, Wish]:
        """Those of these payments that are to be asked about."""

    def stopped(self) -> Collection[str]:
        """Tenants whose payouts are stopped."""

    def spent(self, tenant: str, property_: str, day_start: int, now: int) -> Spent:
        """X-27: what has left since the day began, for the tenant and the property, and how many refunds in the last hour."""

    def folio(self, tenant: str, folio: str) -> bytes | None:
        """A folio as it is stored; None: there is none."""

    def write(self, write: EffectWrite) -> None:
        """All of it. Each row is compared with what was read and then set, and a mark is made only where nothing is in the way: no
        other request of its payment, no news that its folio has yet to hear, no stopped payouts, no approval that is missing.

        Raises Fenced for a row that is not as it was read, Constraint for a record that is another one's.
        """


class EffectStore(Protocol):
    """The part of a store that the effects runner uses."""

    def due(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[Effect]:
        """Effects to send or to ask about, by (next_at, id), but for merchants `without`."""

    def asks(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[PaymentAsk]:
        """Payments to ask about, by (due, merchant, reference), but for merchants `without`."""

    def next_due(self) -> int | None:
        """When the next of either is due."""

    def stopped(self, tenant: str) -> bool:
        """Whether a tenant's payouts are stopped at this moment. Any thread may ask."""

    def new_generation(
        self, tenants: Iterable[str], reason: str, epoch: int, now: int, told: Callable[[Effect], InternalRow]
    ) -> int:
        """A restored or moved store: payouts stand still, and every request that is not final is in doubt until it was asked about.

        Its epochs go on from `epoch`, so that the store that it replaces is an older copy from now on. How many are in doubt.
        """

    def transaction(self) -> AbstractContextManager[EffectTransaction]:
        """Durable when the block has ended, nothing of it when it raises. Raises StoreAway."""
