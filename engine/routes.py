"""The map of the system: which decision each message meets. A caller that waits is answered by every outcome that it led to.

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
    notice,
    payment,
    payment_record,
    refund,
    refund_elsewhere,
    refund_reply,
    reply,
)
from handlers.outcome import Facts, Outcome
from schemas.cancellation import Cause

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
    "reply.arrived": reply.decide,
    "foreign_record.seen": refund_elsewhere.decide_foreign,
    "payment_record.seen": payment_record.decide,
    f"timer.fired/{booking.SECOND_PAYMENT}": booking.decide_second_payment_due,
    f"timer.fired/{cancellation.EXPIRY}": cancellation.decide_expired,
    f"timer.fired/{refund_reply.OVERDUE}": refund.decide_overdue,
    "notice.bounced": notice.decide_bounced,
    "notice.carried": notice.decide_carried,
}

READS_AREAS: Final = frozenset({"cancellation.request"})
"""Decisions that are shown what is declared for the areas of the folio's property."""

CAUSES_OF_AREAS: Final = frozenset({Cause.FORCE_MAJEURE})
"""Causes of theirs for which it is read."""

READS_EFFECTS: Final = frozenset(
    {"approval.grant", "approval.deny", "effect.settle", "foreign_record.seen", "refund.executed_externally", "payment.reversed"}
)
"""Decisions that are shown where each effect of the folio stands in the store."""

READS_WAITED: Final = frozenset({"payment.received", "payment_record.seen", "reply.arrived"})
"""Those that are shown it while the folio waits for one."""


def decision_of(name: str, message: Any) -> Decision:
    """The decision that a message meets. KeyError for a name without route: a defect of ours."""
    return ROUTES[f"{name}/{message.kind}" if name == "timer.fired" else name]
