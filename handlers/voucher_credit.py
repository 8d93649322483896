"""What a voucher answered to value that goes back to it, and what of an issued one that nobody used goes back in money (S0-28, S0-29)."""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.refund import open_refund
from handlers.refund_parts import refund_of, replace_part
from handlers.refund_reply import executed, manual_required, payment_of
from handlers.voucher_schedule import voucher_of
from ledger import recipes
from schemas.errors import Stale
from schemas.folio import Folio, FolioRefund, PartStatus, RefundPart
from schemas.operations import EffectNeedsPerson
from schemas.refund import Destination
from schemas.voucher_talk import VoucherAnswered, VoucherUnused


def decide_credited(message: VoucherAnswered, facts: Facts) -> Outcome:
    """`voucher.credit_answered` (S0-29): the part of the refund is given back, or a person issues its value again: never in money.

    Raises Stale for a part that is not waited for.
    """
    folio = facts.folio
    if folio is not None and not message.refund and message.reason and not message.minor:
        return _not_wanted(folio, message)
    refund = refund_of(folio, message.refund) if folio is not None else None
    part = _part(refund.parts if refund is not None else (), message)
    if folio is None or refund is None or part is None:
        raise Stale(f"voucher {message.key}: no refund waits for it", field="refund", value=message.refund)
    if message.minor == part.minor:
        return executed(folio, refund, replace(part, record=f"voucher:{message.key}"))
    return by_hand(folio, refund, part, f"voucher {message.key}: {message.reason}")


def by_hand(folio: Folio, refund: FolioRefund, part: RefundPart, reason: str) -> Outcome:
    """S0-29: a person issues the value of this part again: it is no value of its voucher any more, and never money."""
    manual = replace(part, status=PartStatus.MANUAL)
    elsewhere = account.replace_payment(folio, replace(payment_of(folio, part), book=""))
    return Outcome(
        state=replace_part(elsewhere, refund, manual),
        facts=(manual_required(folio, refund.refund, manual, reason),),
        trace=(Step("S0-29", f"refund {refund.refund}: {reason}"),),
        policy_version=folio.policy,
    )


def _not_wanted(folio: Folio, message: VoucherAnswered) -> Outcome:
    """What a voucher had given for a booking that was cancelled meanwhile, and cannot take back: a person is told, never in silence."""
    voucher = voucher_of(folio, message.key)
    reason = f"voucher {message.key} was taken for a booking that is cancelled: {message.reason}"
    told = EffectNeedsPerson(
        effect=message.key, reason=reason, amount=voucher.take if voucher is not None else 0, currency=folio.currency
    )
    return Outcome(facts=(told,), trace=(Step("S0-29", reason),), policy_version=folio.policy)


def _part(parts: tuple[RefundPart, ...], message: VoucherAnswered) -> RefundPart | None:
    for part in parts:
        if part.payment == message.payment and part.status is PartStatus.REQUESTED and part.destination == Destination.VOUCHER:
            return part
    return None


def decide_unused(message: VoucherUnused, facts: Facts) -> Outcome:
    """`voucher.unused` (S0-28, `refund_on_expiry`): what nobody used of the voucher, and money stood for, is owed to the guest
    again: of the payments that went into it, last first, each back to where it came from; voucher value never."""
    folio = facts.folio
    if folio is None or folio.issued is None:
        raise Stale(f"voucher {message.key} was not issued for this booking", field="key", value=message.key)
    into = _into(folio)
    left, after = message.minor, folio
    for payment in reversed(folio.payments):
        minor = min(left, into.get(payment.payment, 0), payment.refunded)
        if minor and not payment.voucher:
            left -= minor
            after = account.replace_payment(after, replace(payment, refunded=payment.refunded - minor))
    owed = message.minor - left
    amount = account.text(owed, folio.currency)
    first = Outcome(
        state=account.changed(after),
        entries=recipes.voucher_unused(folio, message.key, owed),
        trace=(Step("S0-28", f"voucher {message.key} was not used: {amount} goes back in money"),),
        policy_version=folio.policy,
    )
    return merge(first, open_refund(folio_of(first), owed, facts, request=folio.cancelled_by, asked_by="system:voucher"))


def _into(folio: Folio) -> dict[str, int]:
    """What each payment gave into the voucher."""
    result: dict[str, int] = {}
    for refund in folio.refunds:
        for part in refund.parts:
            if part.destination == Destination.VOUCHER and part.status is PartStatus.EXECUTED:
                result[part.payment] = result.get(part.payment, 0) + part.minor
    return result
