"""Operations: what people who run the hub ask of it and are told (X-15)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.common import END, Fact, Id, Instant, Message, Minor, OptionalId, Refused, Text, Word


class Operate(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`approval.grant`, `approval.deny`, `dead_letter.replay`, `dead_letter.discard`, `payouts.stop`, `payouts.start`,
    `person.forget`: `subject` is the effect, dead letter or person (empty for payouts: the tenant's)."""

    subject: OptionalId = ""
    reason: Text = ""


class EffectSettle(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`effect.settle`: a person says how an effect ended: `confirmed` or `refused`, with the provider's record if known."""

    subject: Id
    result: Annotated[str, Meta(pattern="^(confirmed|refused)" + END)]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    provider_record: OptionalId = ""


class PayoutAlarm(Fact, frozen=True, kw_only=True):
    """`payout.alarm` (X-27): a brake holds payouts back: `brake` is day_sum, velocity or stopped."""

    brake: str
    effect: str
    amount: int
    currency: str
    limit: int


class ApprovalRequested(Fact, frozen=True, kw_only=True):
    """`approval.requested`: `subject` (an effect) waits for a second person, other than `asked_by`."""

    subject: str
    amount: int
    currency: str
    reason: str
    asked_by: str = ""


class ApprovalDecided(Fact, frozen=True, kw_only=True):
    """`approval.granted` and `approval.denied`."""

    subject: str
    by: str
    reason: str


class OperationRefused(Refused, frozen=True, kw_only=True):
    """`approval.refused`, `effect.refused`, `dead_letter.refused`, `payouts.refused`, `person.refused`."""


class MessageParked(Fact, frozen=True, kw_only=True):
    """`message.parked`: early; `input` waits for `waits_for` since `since`. `alarm`: it has waited too long."""

    input: str
    type: str
    waits_for: str
    alarm: bool = False


class MessageDeadLettered(Fact, frozen=True, kw_only=True):
    """`message.dead_lettered`: `dead_letter` names the kept bytes, `code` and `reason` what was wrong with them."""

    dead_letter: str
    reason: str
    code: str = ""
    field: str = ""
    value: str = ""
    input: str = ""


class FolioBlocked(Fact, frozen=True, kw_only=True):
    """`folio.blocked`: a defect; later messages queue behind `dead_letter`."""

    dead_letter: str
    reason: str


class FolioUnblocked(Fact, frozen=True, kw_only=True):
    """`folio.unblocked`."""

    dead_letter: str


class EffectNeedsPerson(Fact, frozen=True, kw_only=True):
    """`effect.needs_person`: what is known of the effect does not settle it."""

    effect: str
    reason: str
    amount: int
    currency: str


class GuaranteeScrubbed(Fact, frozen=True, kw_only=True):
    """`guarantee.scrubbed` (X-22): card data came in, was removed at the edge, and was never stored."""

    input: str
    fields: tuple[str, ...]


class PayoutsSwitched(Fact, frozen=True, kw_only=True):
    """`payouts.stopped` and `payouts.started`."""

    by: str
    reason: str


class PersonForgotten(Fact, frozen=True, kw_only=True):
    """`person.forgotten` (X-11): the key is destroyed; `person` is the subject's id."""

    person: str


class ReplyArrived(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: what an effect came to. `state` is the effect's new state, `record` PAYID/PAYIDSUB."""

    folio: str
    effect: str
    kind: Word
    state: Word
    minor: Minor
    currency: Word
    payment: OptionalId = ""
    refund: OptionalId = ""
    record: Word = ""
    code: Word = ""
    message: Text = ""
    at: Instant | None = None


class ForeignRecordSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: the provider shows a refund that nobody here waits for: a back office made it, or it is that of `effect`, a request of
    ours that had come to nothing. `captured`: what stands captured there of the whole payment, which may be other bookings' too."""

    folio: str
    provider: Word
    merchant: OptionalId
    payment: OptionalId
    record: Word
    minor: Minor
    currency: Word
    result: Word = "confirmed"
    effect: OptionalId = ""
    captured: Minor = 0


class PaymentRecordSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: the provider shows a capture (a sale is one), or a release, that no reply tells: confirmed, refused or reversed. `first`:
    it is the payment itself, and not a later operation on it. `reference` and `order` name the payment at the provider."""

    folio: str
    provider: Word
    merchant: OptionalId
    payment: OptionalId
    reference: OptionalId
    order: OptionalId
    record: Word
    minor: Minor
    currency: Word
    status: Word
    result: Word
    kind: Word = "capture"
    first: bool = False


class PayoutBraked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: a brake of X-27 holds an effect back; `limit` minor units, or refunds an hour."""

    effect: str
    brake: Word
    minor: Minor
    currency: Word
    limit: int


class TimerFired(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: a timer that a decision set has come due. `name` is unique in its key."""

    name: str
    due: Instant
    kind: Word
    subject: str = ""


class DeadLetterKept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Internal: a door kept bytes that are no message; the tenant is told."""

    dead_letter: str
    reason: str
    code: str = ""
    field: str = ""
    value: str = ""
    input: str = ""
