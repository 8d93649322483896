"""Rows of what decisions ask of the outside, as the engine stages them: requests to providers, their histories, mail.

Instants are microseconds since 1970 UTC, amounts minor units.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class EffectRow(NamedTuple):
    """A request to the outside, before it is a call."""

    id: str
    tenant: str
    folio: str
    lane: int
    business_key: str
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
    needs_approval: int
    state: str
    decision: int
    created_at: int
    next_at: int
    correlation: str
    traceparent: str


class MoveRow(NamedTuple):
    """What a person's word did to an effect: its new state, if it still is in one of those `allowed` (words between blanks)."""

    effect: str
    state: str
    reason: str
    record: str
    at: int
    allowed: str


BY_ORDER: Final = "order:"
"""Begins the reference of a payment that is known by our order alone, so that two of a merchant are not taken for one."""


class QueryRow(NamedTuple):
    """A payment whose history is to be asked for."""

    merchant: str
    reference: str
    provider: str
    order_ref: str
    tenant: str
    folio: str
    lane: int
    payment: str
    due: int


class NoticeRow(NamedTuple):
    """A notice, before it is a mail."""

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
    decision: int
    created_at: int
    correlation: str
    traceparent: str
    next_at: int


class BounceRow(NamedTuple):
    """A notice that came back, with its enhanced status; whoever was sending it meanwhile is too late."""

    code: str
    id: str


class ContactRow(NamedTuple):
    """How the guest of a booking is reached; `subject` sealed what names no person."""

    tenant: str
    folio: str
    subject: str
    body: bytes
