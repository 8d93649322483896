"""The vocabulary as tables: which struct a message name stands for, in, out and inside; bytes to structs and back.

Nothing is decided here. What is not in the tables, or does not fit its struct, is `Undecodable` with field and value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from schemas import (
    accounting,
    balance,
    booking,
    cancellation,
    commission,
    dispute,
    notice,
    operations,
    payment,
    refund,
    stock,
    voucher,
    voucher_talk,
)  # fmt: skip
from schemas.cards import scrub_text
from schemas.common import DATES, Fact, Message, Refused
from schemas.dates import beyond_dates
from schemas.errors import Undecodable
from schemas.nul import nul_path
from schemas.personal import is_unshown

IN: Mapping[str, type[Message]] = MappingProxyType(
    {
        "booking.requested": booking.Booking,
        "booking.confirmed": booking.Booking,
        "booking.changed": booking.Booking,
        "booking.cancelled": booking.BookingCancelled,
        "payment.authorised": payment.Payment,
        "payment.received": payment.Payment,
        "payment.reversed": payment.Payment,
        "refund.executed_externally": refund.RefundExecutedExternally,
        "dispute.opened": dispute.DisputeOpened,
        "dispute.closed": dispute.DisputeClosed,
        "cancellation.request": cancellation.CancellationRequest,
        "cancellation.confirm": cancellation.CancellationConfirm,
        "cancellation.withdraw": cancellation.CancellationWithdraw,
        "force_majeure.declare": cancellation.ForceMajeureDeclare,
        "provider.notified": payment.ProviderNotified,
        "approval.grant": operations.Operate,
        "approval.deny": operations.Operate,
        "effect.settle": operations.EffectSettle,
        "dead_letter.replay": operations.Operate,
        "dead_letter.discard": operations.Operate,
        "payouts.stop": operations.Operate,
        "payouts.start": operations.Operate,
        "person.forget": operations.Operate,
        "balance.set_amount": balance.BalanceSetAmount,
        "balance.cancel": balance.BalanceAct,
        "balance.send_now": balance.BalanceAct,
        "balance.resend": balance.BalanceAct,
        "balance.suspend": balance.BalanceSuspend,
        "balance.recreate": balance.BalanceRecreate,
        "balance.choose_method": balance.BalanceChooseMethod,
        "balance.report_collected": balance.BalanceReportCollected,
        "balance.report_disfunction": balance.BalanceReportDisfunction,
        # vouchers
        "voucher.enter": voucher.VoucherEnter,
        "voucher.check": voucher.VoucherCheck,
        "voucher.register": voucher.VoucherRegister,
        "voucher.consent": voucher.VoucherConsent,
        "booking.cancel_with_voucher": voucher.CancelWithVoucher,
        "notice.bounced": notice.NoticeBounced,
        "notice.resend": notice.NoticeResend,
    }
)
"""What may be sent to the hub."""

OPERATORS = frozenset((
    "approval.grant", "approval.deny", "effect.settle", "dead_letter.replay", "dead_letter.discard", "payouts.stop", "payouts.start",
    "person.forget", "provider.notified", "force_majeure.declare",
    "balance.set_amount", "balance.cancel", "balance.send_now", "balance.resend", "balance.suspend", "balance.recreate",
    "notice.resend",
))  # fmt: skip
"""Messages that want an operator's door: an event of an area gives guests of all its properties everything back (S4-35). A provider's
callbacks have a door of their own."""

OUT: Mapping[str, type[Fact]] = MappingProxyType(
    {
        "booking.accepted": booking.BookingAccepted,
        "booking.payment_schedule_set": booking.PaymentScheduleSet,
        "booking.second_payment_overdue": booking.SecondPaymentOverdue,
        "booking.refused": booking.BookingRefused,
        "folio.balance_changed": booking.BalanceChanged,
        "folio.overpaid": booking.Overpaid,
        "folio.blocked": operations.FolioBlocked,
        "folio.unblocked": operations.FolioUnblocked,
        "payment.captured": payment.PaymentCaptured,
        "payment.voided": payment.PaymentVoided,
        "payment.refused": payment.PaymentRefused,
        "payment.flagged": payment.PaymentFlagged,
        "payment.disputed": dispute.PaymentDisputed,
        "payment.dispute_ended": dispute.PaymentDisputeEnded,
        "dispute.refused": dispute.DisputeRefused,
        "provider.refused": payment.ProviderRefused,
        "receipt.unapplied": payment.UnappliedReceipt,
        "cancellation.quoted": cancellation.CancellationQuoted,
        "cancellation.confirmed": cancellation.CancellationConfirmed,
        "cancellation.withdrawn": cancellation.CancellationWithdrawn,
        "cancellation.quote_expired": cancellation.QuoteExpired,
        "cancellation.refused": cancellation.CancellationRefused,
        "force_majeure.declared": cancellation.ForceMajeureDeclared,
        "force_majeure.refused": cancellation.ForceMajeureRefused,
        "stock.released": stock.StockReleased,
        "commission.credit_note_requested": commission.CommissionCreditNoteRequested,
        "accounting.sale_stated": accounting.SaleStated,
        "accounting.penalty_stated": accounting.PenaltyStated,
        "accounting.credit_note_requested": accounting.CreditNoteRequested,
        "channel.balance_changed": commission.ChannelBalanceChanged,
        "refund.decided": refund.RefundDecided,
        "refund.requested": refund.RefundRequested,
        "refund.held": dispute.RefundHeld,
        "refund.executed": refund.RefundExecuted,
        "refund.refused_by_provider": refund.RefundRefusedByProvider,
        "refund.unknown": refund.RefundUnknown,
        "refund.reversed": refund.RefundReversed,
        "refund.manual_required": refund.RefundManualRequired,
        "refund.overdue": refund.RefundOverdue,
        "refund.refused": refund.RefundRefused,
        "payout.alarm": operations.PayoutAlarm,
        "approval.requested": operations.ApprovalRequested,
        "approval.granted": operations.ApprovalDecided,
        "approval.denied": operations.ApprovalDecided,
        "approval.refused": operations.OperationRefused,
        "effect.needs_person": operations.EffectNeedsPerson,
        "effect.refused": operations.OperationRefused,
        "dead_letter.refused": operations.OperationRefused,
        "payouts.stopped": operations.PayoutsSwitched,
        "payouts.started": operations.PayoutsSwitched,
        "payouts.refused": operations.OperationRefused,
        "person.forgotten": operations.PersonForgotten,
        "person.refused": operations.OperationRefused,
        "message.parked": operations.MessageParked,
        "message.dead_lettered": operations.MessageDeadLettered,
        "guarantee.scrubbed": operations.GuaranteeScrubbed,
        "balance.scheduled": balance.BalanceScheduled,
        "balance.sent": balance.BalanceSent,
        "balance.replied": balance.BalanceReplied,
        "balance.paid": balance.BalancePaid,
        "balance.cancelled": balance.BalanceCancelled,
        "balance.suspended": balance.BalanceSuspended,
        "balance.overdue": balance.BalanceOverdue,
        "balance.disfunction": balance.BalanceDisfunction,
        "balance.collection_unreported": balance.CollectionUnreported,
        "balance.refused": balance.BalanceRefused,
        # vouchers
        "booking.declined": voucher.BookingDeclined,
        "voucher.declined": voucher.VoucherDeclined,
        "voucher.issued": voucher.VoucherIssued,
        "voucher.registered": voucher.VoucherRegistered,
        "voucher.consented": voucher.VoucherConsented,
        "voucher.check_requested": voucher.VoucherCheckRequested,
        "voucher.top_up_awaited": voucher.VoucherTopUpAwaited,
        "voucher.duplicate_flagged": voucher.VoucherDuplicateFlagged,
        "voucher.held": voucher.VoucherHeld,
        "voucher.consumed": voucher.VoucherConsumed,
        "voucher.released": voucher.VoucherReleased,
        "voucher.expiring": voucher.VoucherExpiring,
        "voucher.expired": voucher.VoucherExpired,
        "voucher.refused": voucher.VoucherRefused,
        "notice.requested": notice.NoticeRequested,
        "notice.sent": notice.NoticeSent,
        "notice.failed": notice.NoticeFailed,
        "notice.refused": notice.NoticeRefused,
    }
)
"""What the hub publishes."""

INTERNAL: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {
        "reply.arrived": operations.ReplyArrived,
        "foreign_record.seen": operations.ForeignRecordSeen,
        "payment_record.seen": operations.PaymentRecordSeen,
        "timer.fired": operations.TimerFired,
        "payout.braked": operations.PayoutBraked,
        "dead_letter.kept": operations.DeadLetterKept,
        # vouchers
        "voucher.hold_asked": voucher_talk.VoucherAsked,
        "voucher.settle_asked": voucher_talk.VoucherAsked,
        "voucher.release_asked": voucher_talk.VoucherAsked,
        "voucher.credit_asked": voucher_talk.VoucherAsked,
        "voucher.hold_answered": voucher_talk.VoucherAnswered,
        "voucher.settle_answered": voucher_talk.VoucherAnswered,
        "voucher.credit_answered": voucher_talk.VoucherAnswered,
        "voucher.issue_asked": voucher_talk.VoucherIssue,
        "voucher.unspent": voucher_talk.VoucherUnspent,
        "voucher.unused": voucher_talk.VoucherUnused,
        "voucher.money_gone": voucher_talk.VoucherMoneyGone,
        "notice.carried": notice.NoticeCarried,
    }
)
"""What aggregates, timers and effects tell one another; never accepted at a door."""

# Facts whose struct serves several names: the input that caused the fact says which.
_BY_CAUSE: Mapping[tuple[type[Fact], str], str] = MappingProxyType(
    {
        (operations.ApprovalDecided, "approval.grant"): "approval.granted",
        (operations.ApprovalDecided, "approval.deny"): "approval.denied",
        (operations.ApprovalDecided, "timer.fired"): "approval.denied",
        (operations.PayoutsSwitched, "payouts.stop"): "payouts.stopped",
        (operations.PayoutsSwitched, "payouts.start"): "payouts.started",
    }
)
_NAMES: Mapping[type[Fact], tuple[str, ...]] = MappingProxyType(
    {kind: tuple(name for name, other in OUT.items() if other is kind) for kind in dict.fromkeys(OUT.values())}
)
_ENCODER = msgspec.json.Encoder()
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_SHOWN = 100  # characters of a wrong value


def family(name: str) -> str:
    """`booking.confirmed` is of the family `booking`."""
    return name.partition(".")[0]


def refusal_of(name: str) -> tuple[str, type[Refused]]:
    """The outcome that refuses an input: its name `<family>.refused` and its struct. KeyError for a family that has none."""
    refused = f"{family(name)}.refused"
    kind = OUT[refused]
    if not issubclass(kind, Refused):
        raise KeyError(refused)
    return refused, kind


def fact_name(kind: type[Fact], caused_by: str = "") -> str:
    """The name under which a fact is published; `caused_by` is the input's name, which tells apart what shares a struct.

    Raises KeyError for a fact that is not in OUT or that its cause cannot have.
    """
    names = _NAMES[kind]
    if len(names) == 1:
        return names[0]
    if issubclass(kind, Refused):
        return refusal_of(caused_by)[0]
    return _BY_CAUSE[kind, caused_by]


def struct_of(name: str) -> type[msgspec.Struct]:
    """The struct of a message name, wherever it is listed. Raises Undecodable for a name that no table lists."""
    kind = IN.get(name) or OUT.get(name) or INTERNAL.get(name)
    if kind is None:
        raise Undecodable(f"message type {name[:120]!r} is not known", field="type", value=name)
    return kind


@lru_cache(maxsize=256)
def _decode(name: str) -> Callable[[bytes], Any]:
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct_of(name)).decode
    return decode


def decode_data(name: str, data: bytes) -> Any:
    """The struct that `data`, a JSON object, holds for a message of this name.

    Raises Undecodable with the path of the field (`lines[0].price`) and the offending value; values of personal fields, numbers of
    vouchers and of cards are not shown (X-10, X-11).
    """
    decode = _decode(name)
    try:
        return decode(data)
    except msgspec.ValidationError as wrong:
        text, _, path = str(wrong).partition(" - at `")
        raise _wrong(name, struct_of(name), data, text, path.removesuffix("`").removeprefix("$").removeprefix(".")) from None
    except msgspec.DecodeError as wrong:
        raise Undecodable(f"{name}: not JSON: {wrong}", field="data") from None
    except UnicodeDecodeError as wrong:
        raise Undecodable(f"{name}: not UTF-8 at byte {wrong.start} of a text", field="data") from None
    except RecursionError:
        raise Undecodable(f"{name}: nested too deeply", field="data") from None


def read_data(name: str, data: bytes) -> Any:
    """As `decode_data`, for what comes from outside: its days and instants are bounded too (`schemas.common.DATES`), and no text has a NUL.

    Raises Undecodable.
    """
    message = decode_data(name, data)
    if (place := nul_path(data)) is not None:
        raise Undecodable(f"{name}: {place or 'data'} has a NUL in it, which no text has: leave it out", field=place or "data")
    if path := beyond_dates(message):
        shown = _value_at(data, path).strip('"')
        raise Undecodable(f"{name}: {path}: {shown} is not {DATES}", field=path, value=shown)
    return message


def encode(value: msgspec.Struct) -> bytes:
    """A message's data as JSON; the same value always gives the same bytes."""
    return _ENCODER.encode(value)


def _wrong(name: str, kind: type[msgspec.Struct], data: bytes, text: str, path: str) -> Undecodable:
    missing = _MISSING.match(text)
    if missing is not None:
        field = f"{path}.{missing[1]}" if path else missing[1]
        return Undecodable(f"{name}: {field} is missing", field=field)
    shown = "" if is_unshown(kind, path) else _value_at(data, path)
    text = text[:1].lower() + text[1:] if not text.startswith("Invalid RFC") else text
    detail = f", it is {shown}" if shown and shown not in text else ""
    return Undecodable(f"{name}: {path or 'data'}: {scrub_text(text)[0]}{detail}", field=path or "data", value=shown.strip('"'))


def _value_at(data: bytes, path: str) -> str:
    """The scalar at a path, as JSON text cut short; empty for objects, arrays, and paths through map keys."""
    try:
        value: Any = msgspec.json.decode(data)
        for part in re.findall(r"[^.\[\]]+", path):
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError, ValueError):
        return ""
    if isinstance(value, dict | list):
        return ""
    return scrub_text(msgspec.json.encode(value).decode())[0][:_SHOWN]
