"""What moved on a folio, as people read it: payments, vouchers, refunds, what moved elsewhere, each with its instant and its state; and
what could be given back now. Nothing is decided here. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.clock import micros
from engine.cloudevents import time_of
from engine.store.rows import OutboxRow
from handlers import account
from schemas.folio import Folio, FolioPayment, PaymentStatus

ELSEWHERE: Final[Mapping[str, str]] = {
    "foreign_refund": "external_refund",
    "unapplied_foreign_refund": "external_refund",
    "foreign_refund_reversed": "external_refund_reversed",
    "unapplied_foreign_refund_reversed": "external_refund_reversed",
    "capture_reversed": "reversal",
    "unapplied_reversed": "reversal",
}
"""Ledger entries of money that others moved, by what they are called here (X-3, X-19)."""
_TAKEN: Final = frozenset({PaymentStatus.CAPTURED, PaymentStatus.REVERSED})


class Transaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One movement of one payment. `kind`: payment, voucher, refund, or one of ELSEWHERE; `at` is when the money moved, or when the hub
    heard of it, RFC 3339 in UTC (absent: not yet); `decided_at` and `due_by` of refunds. `unapplied`: it has no home (X-16)."""

    kind: str
    payment: str
    tender: str
    amount: int
    state: str
    at: str = ""
    provider: str = ""
    merchant: str = ""
    reference: str = ""
    unapplied: bool = False
    voucher: str = ""
    refund: str = ""
    destination: str = ""
    decided_at: str = ""
    due_by: str = ""
    record: str = ""


class Recoverable(msgspec.Struct, frozen=True, kw_only=True):
    """What could be given back now: captured − reversed − refunded − in flight − given back elsewhere − what a dispute holds (X-3, X-13),
    of one payment, or of all of one tender (`payment` empty)."""

    payment: str
    tender: str
    captured: int
    reversed: int
    refunded: int
    in_flight: int
    external: int
    disputed: int
    recoverable: int


def transactions(folio: Folio, outcomes: Sequence[OutboxRow], booked: Iterable[Mapping[str, Any]]) -> list[Transaction]:
    """Everything that moved, by instant; what has none stands last. `outcomes` and `booked`: what the folio's decisions told and booked."""
    found = [*map(_payment, folio.payments), *_refunds(folio, outcomes), *_elsewhere(folio, booked)]
    return sorted(found, key=lambda one: (one.at == "", one.at or one.decided_at))


def _payment(payment: FolioPayment) -> Transaction:
    return Transaction(
        kind="voucher" if payment.voucher else "payment",
        payment=payment.payment,
        tender=payment.tender.value,
        amount=payment.captured if payment.status in _TAKEN else payment.authorised,
        state=payment.status.value,
        at=time_of(micros(payment.occurred_at)) if payment.occurred_at is not None else "",
        provider=payment.provider,
        merchant=payment.merchant,
        reference=payment.reference,
        unapplied=payment.unapplied,
        voucher=payment.voucher,
    )


def _refunds(folio: Folio, outcomes: Sequence[OutboxRow]) -> Iterator[Transaction]:
    decided: dict[str, str] = {}
    executed: dict[tuple[str, str], str] = {}
    for row in outcomes:
        if row.name in ("refund.decided", "refund.executed"):
            said = msgspec.json.decode(row.body)
            if row.name == "refund.decided":
                decided[said["refund"]] = time_of(row.at)
            else:
                executed[said["refund"], said["payment"]] = time_of(row.at)
    for refund in folio.refunds:
        for part in refund.parts:
            yield Transaction(
                kind="refund",
                payment=part.payment,
                tender=part.tender.value,
                amount=part.minor,
                state=part.status.value,
                at=executed.get((refund.refund, part.payment), ""),
                refund=refund.refund,
                destination=part.destination,
                decided_at=decided.get(refund.refund, ""),
                due_by=time_of(micros(refund.due_by)),
                record=part.record,
            )


def _elsewhere(folio: Folio, booked: Iterable[Mapping[str, Any]]) -> Iterator[Transaction]:
    tenders = {payment.payment: payment.tender.value for payment in folio.payments}
    for row in booked:
        kind = ELSEWHERE.get(row["entry"])
        if kind is not None:
            yield Transaction(
                kind=kind, payment=row["subject"], tender=tenders.get(row["subject"], ""), amount=row["minor"], state="booked",
                at=time_of(row["received_at"]),
            )  # fmt: skip


def moved_elsewhere(folio: Folio) -> bool:
    """Whether the ledger has anything to tell of that the payments' own states do not date."""
    return any(payment.foreign or payment.reversed or payment.foreign_records for payment in folio.payments)


def recoverable_now(folio: Folio) -> dict[str, Any]:
    """S4-22, X-3: what could be given back at this moment, by payment, by tender and in all."""
    payments = [_recoverable(payment) for payment in folio.payments]
    by_tender: dict[str, list[Recoverable]] = defaultdict(list)
    for one in payments:
        by_tender[one.tender].append(one)
    return {
        "payments": payments,
        "tenders": [_sum(tender, some) for tender, some in by_tender.items()],
        "total": sum(one.recoverable for one in payments),
    }


def _recoverable(payment: FolioPayment) -> Recoverable:
    return Recoverable(
        payment=payment.payment,
        tender=payment.tender.value,
        captured=payment.captured,
        reversed=payment.reversed,
        refunded=payment.refunded,
        in_flight=payment.refunding,
        external=payment.foreign,
        disputed=max(0, payment.collected()) - payment.refundable(),
        recoverable=payment.refundable(),
    )


def _sum(tender: str, some: Sequence[Recoverable]) -> Recoverable:
    names = ("captured", "reversed", "refunded", "in_flight", "external", "disputed", "recoverable")
    return Recoverable(payment="", tender=tender, **{name: sum(getattr(one, name) for one in some) for name in names})


def not_yet_collected(folio: Folio) -> dict[str, int]:
    """X-17: what is authorised and may be captured, and what is taken and not final; neither is collected."""
    authorised = [payment.authorised for payment in folio.payments if payment.status is PaymentStatus.AUTHORISED]
    return {"authorised": sum(authorised), "pending": account.pending_minor(folio)}
