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
    "open_now": 0,
    "open_later": 60_000,
    "open_later_by": "2026-07-20",
    "goodwill": 0,
}
"""What every text may say of its booking."""

_OF_CARD: Final[Mapping[str, Any]] = {"tender": "card", "typed": None}
_REQUEST: Final[Mapping[str, Any]] = {"request": "b-1", "amount": 60_000}
_METHODS: Final = ["card", "bank_transfer", "cheque"]
_CHECK: Final[Mapping[str, Any]] = {
    "number": "MER-77 B",
    "voucher": 1,
    "amount": 10_000,
    "origin": "unknown",
    "flags": [],
    "known_value": None,
    "again": None,
    "payment": "",
    "tender": "",
    "typed": None,
}

_OWN: Final[Mapping[NoticeKind, Mapping[str, Any]]] = {
    NoticeKind.BOOKING_CONFIRMED: {"revision": 1, "service_fee": 500, "terms": {"1": "outdoor/flexible/1"}},
    NoticeKind.SECOND_PAYMENT_OVERDUE: {"due_on": "2026-07-20", "remind": True},
    NoticeKind.SECOND_PAYMENT_UNPAID: {"due_on": "2026-07-20", "remind": True},
    NoticeKind.CANCELLATION_CONFIRMED: {
        "request": "C-1",
        "quote": "q-1",
        "lines": [{"line": "1", "refund_rate": "50 %", "penalty": 60_000}],
        "penalty": 60_000,
        "refund": 60_000,
        "claim": 0,
        "kept": 60_500,
    },
    NoticeKind.REFUND_EXECUTED: {**_OF_CARD, "refund": "R-1", "payment": "P1", "amount": 60_000, "provider_record": "3014726/1"},
    NoticeKind.REFUND_MANUAL_REQUIRED: {
        "refund": "R-1",
        "payment": "P1",
        "tender": "cash",
        "typed": None,
        "amount": 60_000,
        "reason": "paid by cash: no provider gives it back",
    },
    NoticeKind.REFUND_OVERDUE: {"refund": "R-1", "amount": 60_000},
    NoticeKind.EFFECT_NEEDS_PERSON: {"effect": "e-1", "reason": "capture needs_person: no answer for a day", "amount": 60_000},
    NoticeKind.RECEIPT_UNAPPLIED: {
        **_OF_CARD,
        "payment": "P2",
        "amount": 60_000,
        "reason": "happened 2026-06-02, after the booking was cancelled 2026-06-01",
    },
    NoticeKind.NOTICE_FAILED: {
        "notice": "n-1",
        "kind": "refund_executed",
        "audience": "guest",
        "attempt": 1,
        "code": "refused_by_server",
        "reason": "550 5.1.1",
    },
    NoticeKind.BALANCE_ASKED: {**_REQUEST, "link": 1, "attempt": 1, "deadline": "2026-07-10", "methods": _METHODS, "again": False},
    NoticeKind.BALANCE_ASKED_AGAIN: {
        **_REQUEST,
        "link": 1,
        "attempt": 2,
        "deadline": "2026-07-10",
        "methods": _METHODS,
        "again": True,
    },
    NoticeKind.BALANCE_OVERDUE: {**_REQUEST, "link": 1, "deadline": "2026-07-10", "asked": True, "remind": True},
    NoticeKind.BALANCE_NOT_COLLECTED: {
        **_REQUEST,
        "link": 2,
        "attempt": 1,
        "method": "card",
        "reason": "card_data_invalid",
        "said": "card_data_invalid",
        "deadline": "2026-07-10",
        "methods": _METHODS,
    },
    NoticeKind.BALANCE_PAID: {**_REQUEST, "balance": 0, "collected": 120_500, "on_time": True},
    NoticeKind.BALANCE_REPLIED: {**_REQUEST, "attempt": 1, "method": "card", "initiation": "moto", "deadline": "2026-07-10"},
    NoticeKind.BALANCE_UNPAID: {**_REQUEST, "link": 1, "deadline": "2026-07-10", "asked": True, "remind": True},
    NoticeKind.COLLECTION_UNREPORTED: {**_REQUEST, "attempt": 1, "method": "cheque", "chosen_at": "2026-07-02T10:00:00+02:00"},
    NoticeKind.VOUCHER_CHECK: {**_CHECK, "stage": "asked"},
    NoticeKind.VOUCHER_CHECK_REMINDER: {**_CHECK, "stage": "reminder"},
    NoticeKind.VOUCHER_CHECK_ESCALATION: {**_CHECK, "stage": "escalation"},
    NoticeKind.AUTHORISATION_EXPIRES: {**_CHECK, "stage": "authorisation_expires", "payment": "P1", "tender": "card"},
    NoticeKind.VOUCHER_DUPLICATE: {**_CHECK, "stage": "asked", "flags": ["voucher_duplicate"]},
    NoticeKind.VOUCHER_ACCEPTED: {"payment": "V1", "tender": "voucher", "amount": 10_000, "typed": 10_000},
    NoticeKind.VOUCHER_GOODWILL: {"payment": "G1", "tender": "voucher", "amount": 10_000, "typed": 10_000, "goodwill": 10_000},
    NoticeKind.VOUCHER_TOP_UP_AWAITED: {
        "number": "MER-77 B",
        "voucher": 1,
        "value": 6_000,
        "due_now": 19_000,
        "missing": 4_000,
        "until": "2026-05-04T11:00:00+02:00",
    },
    NoticeKind.VOUCHER_DECLINED: {
        "number": "MER-77 B",
        "voucher": 1,
        "amount": 10_000,
        "reason": "voucher refused",
        "open_now": 10_000,
    },
    NoticeKind.BOOKING_DECLINED: {"number": "MER-77 B", "voucher": 1, "reason": "voucher refused"},
    NoticeKind.VOUCHER_ISSUED: {
        "number": "EG6V-H4Y5-NFC4",
        "voucher": 0,
        "value": 60_000,
        "expires": "2027-12-10",
        "bonus": 0,
        "issuer_entity": "azur",
        "vat_kind": "mpv",
        "vat_rate": "",
        "refund_on_expiry": False,
        "state": "good",
        "left": None,
    },
    NoticeKind.VOUCHER_CREDITED: {
        "refund": "R-1",
        "payment": "V1",
        "tender": "voucher",
        "typed": 10_000,
        "amount": 10_000,
        "provider_record": "voucher:…NFC4",
    },
    NoticeKind.VOUCHER_EXPIRING: {
        "number": "EG6V-H4Y5-NFC4",
        "voucher": 0,
        "amount": 60_000,
        "expires": "2027-12-10",
        "days_before": 30,
        "refund_on_expiry": False,
    },
}

SAMPLES: Final[Mapping[NoticeKind, Mapping[str, Any]]] = {kind: {**BOOKING, **own} for kind, own in _OWN.items()}
"""Every variable that a text of a kind may name, with a value; `name` and `property_name` are said when it is sent."""
