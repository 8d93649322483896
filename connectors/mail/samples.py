"""A made-up notice of each kind, for those who look at a text before anybody gets it. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.notice import NoticeKind

BOOKING: Final[Mapping[str, Any]] = {
    "folio": "B-1001",
    "property": "camp-azur",
    "currency": "EUR",
    "arrival": "2026-07-24",
    "departure": "2026-07-31",
    "ordered": 120_500,
    "collected": 60_500,
    "balance": 60_000,
    "due_now": 60_500,
    "second_payment": 60_000,
    "second_payment_on": "2026-07-20",
}
"""What every text may say of its booking."""

_OWN: Final[Mapping[NoticeKind, Mapping[str, Any]]] = {
    NoticeKind.BOOKING_CONFIRMED: {"revision": 1, "service_fee": 500, "terms": {"1": "outdoor/flexible/1"}},
    NoticeKind.SECOND_PAYMENT_OVERDUE: {"due_on": "2026-07-20"},
    NoticeKind.CANCELLATION_CONFIRMED: {
        "request": "C-1",
        "quote": "q-1",
        "lines": [{"line": "1", "refund_rate": "50 %", "penalty": 60_000}],
        "penalty": 60_000,
        "refund": 60_000,
        "claim": 0,
        "kept": 60_500,
    },
    NoticeKind.REFUND_EXECUTED: {"refund": "R-1", "payment": "P1", "amount": 60_000, "provider_record": "3014726/1"},
    NoticeKind.REFUND_MANUAL_REQUIRED: {
        "refund": "R-1",
        "payment": "P1",
        "tender": "cash",
        "amount": 60_000,
        "reason": "paid in cash",
    },
    NoticeKind.REFUND_OVERDUE: {"refund": "R-1", "amount": 60_000},
    NoticeKind.EFFECT_NEEDS_PERSON: {"effect": "e-1", "reason": "nothing was heard for a day", "amount": 60_000},
    NoticeKind.RECEIPT_UNAPPLIED: {"payment": "P2", "amount": 60_000, "reason": "the booking is cancelled"},
    NoticeKind.NOTICE_FAILED: {
        "notice": "n-1",
        "kind": "refund_executed",
        "audience": "guest",
        "attempt": 1,
        "code": "refused_by_server",
        "reason": "550 5.1.1",
    },
}

SAMPLES: Final[Mapping[NoticeKind, Mapping[str, Any]]] = {kind: {**BOOKING, **own} for kind, own in _OWN.items()}
"""Every variable that a text of a kind may name, with a value; `name` and `property_name` are said when it is sent."""
