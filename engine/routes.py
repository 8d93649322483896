"""The map of the system: which decision each message meets, and which outcomes answer it for a caller that waits.

A message that knows its booking by another name meets the reference aggregate first (`engine.deciding`); what operators say of the
engine's own affairs is carried out by `engine.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from handlers import (
    booking,
    cancellation,
    cancellation_record,
    effect,
    force_majeure,
    payment,
    refund,
    refund_elsewhere,
    refund_reply,
)
from handlers.outcome import Facts, Outcome

Decision = Callable[[Any, Facts], Outcome]

ROUTES: Final[Mapping[str, Decision]] = {
    "booking.requested": booking.decide,
    "booking.confirmed": booking.decide,
    "booking.changed": booking.decide,
    "booking.cancelled": cancellation_record.decide_record,
    "payment.authorised": payment.decide,
    "payment.received": payment.decide,
    "payment.reversed": payment.decide,
    "refund.executed_externally": refund_elsewhere.decide_external,
    "cancellation.request": cancellation.decide_request,
    "cancellation.confirm": cancellation.decide_confirm,
    "cancellation.withdraw": cancellation.decide_withdraw,
    "force_majeure.declare": force_majeure.decide_declare,
    "provider.notified": effect.decide_notified,
    "approval.grant": effect.decide_approval,
    "approval.deny": effect.decide_approval,
    "effect.settle": effect.decide_settle,
    "reply.arrived": refund.decide_reply,
    "foreign_record.seen": refund_elsewhere.decide_foreign,
    f"timer.fired/{booking.SECOND_PAYMENT}": booking.decide_second_payment_due,
    f"timer.fired/{cancellation.EXPIRY}": cancellation.decide_expired,
    f"timer.fired/{refund_reply.OVERDUE}": refund.decide_overdue,
}

ANSWERS: Final[Mapping[str, frozenset[str]]] = {
    "booking.requested": frozenset({"booking.accepted", "booking.refused"}),
    "booking.confirmed": frozenset({"booking.accepted", "booking.refused"}),
    "booking.changed": frozenset({"booking.accepted", "booking.refused", "message.parked"}),
    "booking.cancelled": frozenset({"cancellation.confirmed", "booking.refused", "message.parked"}),
    "payment.authorised": frozenset({"folio.balance_changed", "payment.refused", "receipt.unapplied", "message.parked"}),
    "payment.received": frozenset({"payment.captured", "payment.refused", "receipt.unapplied", "message.parked"}),
    "payment.reversed": frozenset({"folio.balance_changed", "payment.refused", "message.parked"}),
    "refund.executed_externally": frozenset({"refund.executed", "refund.refused", "message.parked"}),
    "cancellation.request": frozenset({"cancellation.quoted", "cancellation.confirmed", "cancellation.refused"}),
    "cancellation.confirm": frozenset({"cancellation.confirmed", "cancellation.refused"}),
    "cancellation.withdraw": frozenset({"cancellation.withdrawn", "cancellation.refused"}),
    "force_majeure.declare": frozenset({"force_majeure.declared", "force_majeure.refused"}),
    "approval.grant": frozenset({"approval.granted", "approval.refused"}),
    "approval.deny": frozenset({"approval.denied", "approval.refused"}),
    "effect.settle": frozenset({"refund.executed", "refund.refused_by_provider", "effect.refused"}),
    "dead_letter.replay": frozenset({"folio.unblocked", "dead_letter.refused"}),
    "dead_letter.discard": frozenset({"folio.unblocked", "dead_letter.refused"}),
    "payouts.stop": frozenset({"payouts.stopped"}),
    "payouts.start": frozenset({"payouts.started"}),
    "person.forget": frozenset({"person.forgotten", "person.refused"}),
}

READS_AREAS: Final = frozenset({"cancellation.request", "cancellation.confirm"})
"""Decisions that are shown what is declared for the areas of the folio's property."""

READS_EFFECTS: Final = frozenset(
    {"approval.grant", "approval.deny", "effect.settle", "foreign_record.seen", "refund.executed_externally"}
)
"""Decisions that are shown where each effect of the folio stands in the store."""


def decision_of(name: str, message: Any) -> Decision:
    """The decision that a message meets. KeyError for a name without route: a defect of ours."""
    return ROUTES[f"{name}/{message.kind}" if name == "timer.fired" else name]
