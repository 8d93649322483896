"""Rows of effects as the runner reads them, one shape for every store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from engine.reconcile import Known
from engine.store.rows import InternalRow
from schemas.effect import EffectState, ProviderRecord


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


class EffectStore(Protocol):
    """The part of a store that the effects runner uses. Each call is one short transaction, or a part of the one around it."""

    def transaction(self) -> AbstractContextManager[object]:
        """All calls inside are one commit; what a call that raises has done is undone alone."""

    def due(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[Effect]:
        """Effects to send or to ask about, by (next_at, id), but for merchants `without`."""

    def asks(self, now: int, limit: int, without: Collection[str] = ()) -> Sequence[PaymentAsk]:
        """Payments to ask about, by (due, merchant, reference), but for merchants `without`."""

    def next_due(self) -> int | None:
        """When the next of either is due."""

    def claim_ask(self, id_: str, now: int, lease_until: int) -> int | None:
        """A fence if this effect may be asked about by us."""

    def claim_payment(self, merchant: str, reference: str, now: int, lease_until: int) -> bool: ...

    def doubt_abandoned(self, id_: str, now: int, next_at: int, told: InternalRow) -> None: ...

    def mark_sending(self, id_: str, fence: int, now: int, lease_until: int) -> int | None:
        """The fence under which this planned effect may be sent by us: one request in flight per provider payment."""

    def put_off(
        self, id_: str, fence: int, next_at: int, reason: str, told: InternalRow | None = None, *, queried: int = 0
    ) -> None: ...

    def settle(
        self,
        effect: Effect,
        fence: int,
        state: EffectState,
        *,
        next_at: int,
        reason: str,
        record: ProviderRecord | None,
        evidence: Evidence,
        told: Sequence[InternalRow],
        now: int,
    ) -> bool: ...

    def known_records(self, merchant: str, reference: str) -> Mapping[str, Known]: ...

    def effects_on(self, merchant: str, reference: str) -> Sequence[Effect]: ...

    def learn(
        self,
        merchant: str,
        provider: str,
        reference: str,
        *,
        owners: Sequence[tuple[ProviderRecord, str]],
        moves: Sequence[Learned],
        evidence: Evidence,
        told: Sequence[InternalRow],
        now: int,
        asked: int | None,
    ) -> None:
        """What a query showed: `owners` of records that are no effect's. `asked`: the lease under which the payment was asked for;
        its wish is done, unless it was renewed meanwhile."""

    def ask_again(self, merchant: str, reference: str, due: int, evidence: Evidence) -> None: ...

    def asked_since(self, merchant: str, reference: str, began: int) -> bool:
        """Whether a whole history of this payment is stored that was asked for after `began`."""

    def keep_evidence(self, evidence: Evidence) -> None: ...

    def spent(self, tenant: str, property_: str, day_start: int, now: int) -> Spent: ...
