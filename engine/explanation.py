"""What an explanation consists of: the shapes that `engine.explain` fills and `foliohub explain --json` prints.

Amounts are minor units of `currency`, instants RFC 3339 in UTC (empty: never), ids as people write them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.ledger_check import AccountBalance


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer."""

    entry: str
    subject: str
    debit: str
    credit: str
    minor: int
    currency: str


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome."""

    type: str
    topic: str
    id: str
    at: str
    data: dict[str, Any]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: what came in (`input`), how it ended, by which rules and with what arithmetic, and what it led to."""

    seq: int
    parent: int
    name: str
    message: str
    id: str
    source: str
    door: str
    key: str
    result: str
    act: str
    received_at: str
    decided_at: str
    input: dict[str, Any] | None
    trace: tuple[tuple[str, str], ...]
    policies: tuple[str, ...]
    record: dict[str, Any]
    entries: tuple[Booked, ...]
    outcomes: tuple[Published, ...]
    effects: tuple[str, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call to a provider and its answer, scrubbed."""

    at: str
    act: str
    result: str
    code: str
    request: str
    answer: str
    effect: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the outside, all that was asked and answered about its payment, and what the provider shows of it."""

    effect: str
    business_key: str
    kind: str
    provider: str
    merchant: str
    payment: str
    reference: str
    minor: int
    currency: str
    state: str
    reason: str
    needs_approval: bool
    decision: int
    created_at: str
    sent_at: str
    next_at: str
    attempts: int
    queries: int
    record: str
    calls: tuple[Asked, ...]
    records: tuple[dict[str, Any], ...]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of `subject` (`kind`: folio, message, effect or voucher). `waiting`: parked for it, or behind a defect."""

    subject: str
    kind: str
    tenant: str
    folio: dict[str, Any] | None
    sums: dict[str, int]
    policies: dict[str, dict[str, Any]]
    decisions: tuple[Decision, ...]
    requests: tuple[Request, ...]
    waiting: tuple[dict[str, Any], ...]
    balances: tuple[AccountBalance, ...]
