"""Requests to the outside and what comes back: the words that decisions, effects runner and provider connectors share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class EffectKind(StrEnum):
    """What a provider is asked to do with a payment that it already holds."""

    REFUND = "refund"
    CAPTURE = "capture"
    VOID = "void"


class EffectState(StrEnum):
    """Where a request stands; the moves between them are `handlers.effect.NEXT`."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NEEDS_PERSON = "needs_person"
    REVERSED = "reversed"


class Result(StrEnum):
    """What an answer, or silence, says. Only the provider's explicit yes or no is CONFIRMED or REFUSED."""

    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"  # pending at the provider: ask again later
    REFUSED = "refused"
    UNKNOWN = "unknown"  # may have happened: query, never repeat
    NOT_SENT = "not_sent"  # nothing was written to the wire: may be sent again
    REVERSED = "reversed"  # success that later turned into failure


class RecordKind(StrEnum):
    """What one operation in a provider's history of a payment was."""

    AUTHORISATION = "authorisation"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    OTHER = "other"


class ProviderRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One operation as the provider's history shows it. `reference` is its payment id (Ogone PAYID), `level` the operation's
    own number (PAYIDSUB), `minor` the amount of this operation alone (None: it did not say), `status` its raw word."""

    reference: str
    level: str
    kind: RecordKind
    result: Result
    status: str
    currency: str = ""
    minor: int | None = None


class EffectOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a connector is asked to send, once. `key` goes to providers that have idempotency keys; `order` is our ORDERID,
    `reference` the provider's payment id, `minor` > 0 in `currency`; `last`: nothing more will follow on this payment."""

    effect: str
    key: str
    kind: EffectKind
    provider: str
    merchant: str
    reference: str
    order: str
    minor: int
    currency: str
    last: bool = False


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What came back from `send` or `query`; `request` and `answer` are kept as evidence, scrubbed of secrets and cards.

    `record`: the operation that `send` was told of. `records`: the whole history that `query` read, oldest first.
    """

    result: Result
    code: str = ""
    message: str = ""
    record: ProviderRecord | None = None
    records: tuple[ProviderRecord, ...] = ()
    request: str = ""
    answer: str = ""


class EffectRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A decision's wish: becomes one row before it becomes a call. `business_key` is unique per tenant: one row for one
    business refund. `needs_approval`: stays planned until a second person grants it (X-27)."""

    effect: str
    business_key: str
    kind: EffectKind
    provider: str
    merchant: str
    payment: str
    reference: str
    order: str
    minor: int
    currency: str
    refund: str = ""
    property: str = ""
    last: bool = False
    needs_approval: bool = False
    due_by: datetime | None = None


class Move(StrEnum):
    """What a person's word does to a request that stands already."""

    APPROVE = "approve"  # may be sent
    WITHDRAW = "withdraw"  # was never sent and never will be: refused
    CONFIRM = "confirm"  # a person saw at the provider that it happened
    REFUSE = "refuse"  # a person saw that it did not and will not


class EffectMove(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One move of one effect; `record` the provider's own number when a person gave it."""

    effect: str
    move: Move
    reason: str = ""
    record: str = ""


class PaymentQuery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Ask the provider for the whole history of one payment, as soon as it may be asked."""

    provider: str
    merchant: str
    reference: str
    order: str
    folio: str
    payment: str
