"""The map of the system: which decision each message meets. A caller that waits is answered by every outcome that it led to.

A message that knows its booking by another name meets the reference aggregate first (`engine.deciding`); what operators say of the
engine's own affairs is carried out by `engine.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from handlers import (
    approval,
    approval_decided,
    balance,
    balance_reply,
    balance_suspension,
    balance_timers,
    booking,
    cancellation,
    cancellation_record,
    dispute,
    effect,
    force_majeure,
    notice,
    notice_resend,
    payment,
    payment_record,
    refund,
    refund_elsewhere,
    refund_reply,
    reply,
    voucher,
    voucher_accept,
    voucher_book,
    voucher_credit,
    voucher_enter,
    voucher_expiring,
    voucher_issue,
    voucher_known,
    voucher_release,
)
from handlers.balance_record import COLLECTION, OVERDUE, SEND
from handlers.balance_request import follows
from handlers.channel import owes
from handlers.outcome import Facts, Outcome
from schemas.balance import BalanceSuspend, Scope
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
    "dispute.opened": dispute.decide_opened,
    "dispute.closed": dispute.decide_closed,
    "cancellation.request": cancellation.decide_request,
    "cancellation.confirm": cancellation.decide_confirm,
    "cancellation.withdraw": cancellation.decide_withdraw,
    "force_majeure.declare": force_majeure.decide_declare,
    "provider.notified": effect.decide_notified,
    "approval.grant": approval_decided.decide,
    "approval.deny": approval_decided.decide,
    f"timer.fired/{approval.APPROVAL}": approval.decide_reminded,
    "effect.settle": effect.decide_settle,
    "reply.arrived": reply.decide,
    "foreign_record.seen": refund_elsewhere.decide_foreign,
    "payment_record.seen": payment_record.decide,
    f"timer.fired/{booking.SECOND_PAYMENT}": booking.decide_second_payment_due,
    f"timer.fired/{cancellation.EXPIRY}": cancellation.decide_expired,
    f"timer.fired/{refund_reply.OVERDUE}": refund.decide_overdue,
    "balance.set_amount": balance.decide_set_amount,
    "balance.cancel": balance.decide_cancel,
    "balance.send_now": balance.decide_send_now,
    "balance.resend": balance.decide_resend,
    "balance.suspend": balance.decide_suspend,
    "balance.recreate": balance.decide_recreate,
    "balance.choose_method": balance_reply.decide_choose_method,
    "balance.report_collected": balance_reply.decide_report_collected,
    "balance.report_disfunction": balance_reply.decide_report_disfunction,
    f"timer.fired/{SEND}": balance_timers.decide_send,
    f"timer.fired/{OVERDUE}": balance_timers.decide_overdue,
    f"timer.fired/{COLLECTION}": balance_timers.decide_collection,
    # vouchers
    "voucher.enter": voucher_enter.decide_enter,
    "voucher.check": voucher.decide_check,
    "voucher.register": voucher_known.decide_register,
    "voucher.consent": voucher.decide_consent,
    "booking.cancel_with_voucher": voucher_issue.decide,
    "voucher.hold_asked": voucher_book.decide_asked,
    "voucher.settle_asked": voucher_book.decide_asked,
    "voucher.release_asked": voucher_book.decide_asked,
    "voucher.credit_asked": voucher_book.decide_asked,
    "voucher.issue_asked": voucher_known.decide_issue,
    "voucher.hold_answered": voucher.decide_held,
    "voucher.settle_answered": voucher_accept.decide_settled,
    "voucher.credit_answered": voucher_credit.decide_credited,
    "voucher.unspent": voucher_expiring.decide_unspent,
    "voucher.unused": voucher_credit.decide_unused,
    "voucher.money_gone": voucher_book.decide_money_gone,
    f"timer.fired/{voucher_release.VOUCHER_CHECK}": voucher.decide_reminded,
    f"timer.fired/{voucher_release.TOP_UP}": voucher.decide_top_up_ended,
    f"timer.fired/{voucher_book.EXPIRY}": voucher_book.decide_expired,
    f"timer.fired/{voucher_expiring.EXPIRING}": voucher_expiring.decide_expiring,
    f"timer.fired/{voucher_book.HOLD_EXPIRY}": voucher_book.decide_hold_expired,
    "notice.bounced": notice.decide_bounced,
    "notice.resend": notice_resend.decide_resend,
    "notice.carried": notice.decide_carried,
}

READS_AREAS: Final = frozenset({"cancellation.request"})
"""Decisions that are shown what is declared for the areas of the folio's property."""

CAUSES_OF_AREAS: Final = frozenset({Cause.FORCE_MAJEURE})
"""Causes of theirs for which it is read."""

TELLS_VOUCHERS: Final = frozenset({"payment.authorised", "payment.received", "balance.report_collected"})
"""Decisions of a folio whose message may tell a voucher as a payment (S0-20), and that are shown its book."""

READS_VOUCHERS: Final = TELLS_VOUCHERS | {"voucher.enter", "booking.cancel_with_voucher", "approval.grant"}
"""Decisions of a folio that are shown the book of the voucher that their message numbers, tells as a payment, or would issue."""

READS_NOTICES: Final = frozenset({"notice.resend"})
"""Decisions that are shown what the notice that their message names was to say."""

READS_EFFECTS: Final = frozenset(
    {
        "approval.grant",
        "approval.deny",
        "effect.settle",
        "foreign_record.seen",
        "refund.executed_externally",
        "payment.reversed",
        "dispute.opened",
        "dispute.closed",
    }
)
"""Decisions that are shown where each effect of the folio stands in the store."""

READS_WAITED: Final = frozenset({"payment.received", "payment_record.seen", "reply.arrived"})
"""Those that are shown it while the folio waits for one."""


OF_BALANCES: Final = frozenset(name for name in ROUTES if name.startswith("balance."))
"""Refused at once when nobody knows their booking."""

READS_SUSPENSIONS: Final = frozenset({SEND, OVERDUE})
"""Kinds of timers whose decision is shown what is suspended at the folio's property."""

MOVES_BALANCE: Final = frozenset(ROUTES) - {
    "cancellation.withdraw",
    "force_majeure.declare",
    "provider.notified",
    f"timer.fired/{booking.SECOND_PAYMENT}",
    f"timer.fired/{cancellation.EXPIRY}",
    f"timer.fired/{refund_reply.OVERDUE}",
    f"timer.fired/{approval.APPROVAL}",
}
"""Decisions after which something else may be owed: the folio's balance requests follow (S1-34, S1-42), and what a
channel owes (X-20)."""


def decision_of(name: str, message: Any) -> Decision:
    """The decision that a message meets. KeyError for a name without route: a defect of ours."""
    if name == "balance.suspend" and isinstance(message, BalanceSuspend) and message.scope is not Scope.BOOKING:
        return balance_suspension.decide_suspend
    route = f"{name}/{message.kind}" if name == "timer.fired" else name
    decision = ROUTES[route]
    return owes(follows(decision)) if route in MOVES_BALANCE else decision
