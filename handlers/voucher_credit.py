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
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, RefundPart
from schemas.folio_voucher import IssuedVoucher
from schemas.operations import EffectNeedsPerson
from schemas.payment import Tender
from schemas.refund import Destination
from schemas.voucher_code import masked
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
        return executed(folio, refund, replace(part, record=f"voucher:{masked(message.key)}"))
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
    again: of the payments that went into it, last first, each back to where it came from; voucher value never.

    X-3: only what a payment still holds, and the booking does not owe, goes back; what was taken back from us, or given back elsewhere, is
    told to a person.
    """
    folio = facts.folio
    if folio is None or folio.issued is None:
        raise Stale(f"voucher {message.key} was not issued for this booking", field="key", value=message.key)
    after, gone_into = _reopened(folio, folio.issued, message.minor)
    owed = sum(minor for _, minor in gone_into)
    gives = _still_here(after, gone_into)
    back = sum(minor for _, minor in gives)
    amount = account.text(back, folio.currency)
    first = Outcome(
        state=account.changed(after),
        facts=_missing(folio, message, back),
        entries=recipes.voucher_unused(folio, message.key, owed)
        + recipes.voucher_expired(message.key, folio.property, message.minor - owed, folio.currency),
        trace=(Step("S0-28", f"voucher {message.key} was not used: {amount} goes back in money"),),
        policy_version=folio.policy,
    )
    asked = open_refund(folio_of(first), back, facts, request=folio.cancelled_by, asked_by="system:voucher", gives=gives)
    out = merge(first, asked)
    final = account.claimed(folio_of(out))
    return replace(out, state=final, facts=(*out.facts, *account.balance_facts(folio, final)))


def _reopened(folio: Folio, issued: IssuedVoucher, minor: int) -> tuple[Folio, list[tuple[str, int]]]:
    """The folio once `minor` of the voucher is no voucher any more, and how much of it each payment gave, last first."""
    into, out_again, gave = _into(folio), dict(issued.unused), []
    for payment in reversed(folio.payments):
        inside = into.get(payment.payment, 0) - out_again.get(payment.payment, 0)
        part = min(minor, inside, payment.refunded)
        if part > 0 and payment.tender is not Tender.VOUCHER:
            minor -= part
            out_again[payment.payment] = out_again.get(payment.payment, 0) + part
            gave.append((payment.payment, part))
            folio = account.replace_payment(folio, replace(payment, refunded=payment.refunded - part))
    return replace(folio, issued=replace(issued, unused=tuple(out_again.items()))), gave


def _still_here(folio: Folio, gave: list[tuple[str, int]]) -> tuple[tuple[FolioPayment, int], ...]:
    """X-3: what of these parts their payments still hold, no more together than the booking does not owe."""
    most, gives = max(0, -account.balance(folio)), []
    for name, part in gave:
        payment = account.payment_of(folio, name)
        assert payment is not None, f"{folio.folio} has no payment {name}"
        minor = min(most, part, payment.refundable())
        most -= minor
        if minor:
            gives.append((payment, minor))
    return tuple(gives)


def _missing(folio: Folio, message: VoucherUnused, back: int) -> tuple[EffectNeedsPerson, ...]:
    """What of an unused voucher cannot go back: its money is not here any more. Nobody but a person knows whether the guest has it."""
    if back == message.minor:
        return ()
    missing = message.minor - back
    reason = (
        f"voucher {message.key} was not used, and {account.text(missing, folio.currency)} of it do not go back: "
        "the money that stood for it is not here any more"
    )
    return (EffectNeedsPerson(effect=message.key, reason=reason, amount=missing, currency=folio.currency),)


def _into(folio: Folio) -> dict[str, int]:
    """What each payment gave into the voucher."""
    result: dict[str, int] = {}
    for refund in folio.refunds:
        for part in refund.parts:
            if part.destination == Destination.VOUCHER and part.status is PartStatus.EXECUTED:
                result[part.payment] = result.get(part.payment, 0) + part.minor
    return result
