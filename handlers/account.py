"""A folio's sums and small next values: ordered, collected, balance, and the folio with one payment or line replaced.

Every decision reads these here, so that the guest account of the ledger and the folio can never say two things.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

import msgspec

from schemas.booking import BalanceChanged, CollectedBy, Overpaid
from schemas.common import Fact
from schemas.effect import EffectKind
from schemas.folio import Folio, FolioLine, FolioPayment, PaymentStatus
from schemas.money import major

_PENDING = PaymentStatus.PENDING  # an enum looks its members up by name at every mention


@lru_cache(maxsize=4096)  # one decision writes the same few amounts again and again
def text(minor: int, currency: str) -> str:
    """An amount as a trace writes it: `120.00 EUR`."""
    return f"{major(minor, currency)} {currency}"


def live_lines(folio: Folio) -> tuple[FolioLine, ...]:
    """Lines that are not cancelled."""
    return tuple([line for line in folio.lines if not line.cancelled])


def fee_charged(folio: Folio) -> int:
    """The service fee still charged, minor units."""
    return folio.service_fee - folio.fee_returned


def ordered(folio: Folio) -> int:
    """S4-22, S4-37: live lines, what lines keep of what was cancelled, and the fee, less what is waived or given as goodwill, minor
    units."""
    owed = folio.service_fee - folio.fee_returned - folio.waived - folio.goodwill
    for line in folio.lines:
        owed += line.kept if line.cancelled else line.kept + line.price
    return owed


def collected(folio: Folio) -> int:
    """S4-22, X-17: captured less given back or promised back, of payments that have a home, minor units."""
    here = 0
    for payment in folio.payments:
        if not payment.unapplied:
            here += payment.collected()
    return here


def collected_then(folio: Folio) -> int:
    """Of what is collected, what had moved when some lines or nights were last cancelled (X-16, S4-37), minor units."""
    return sum(payment.collected() for payment in folio.payments if not payment.unapplied and before_reduction(folio, payment))


def balance(folio: Folio) -> int:
    """S4-22: ordered less collected, minor units; negative is overpaid. Equals the folio's guest account in the ledger."""
    return ordered(folio) - collected(folio)


def under_way(folio: Folio) -> int:
    """X-17: what captures that were asked for are to bring, minor units."""
    return sum(known.minor for known in folio.effects if known.kind == EffectKind.CAPTURE)


def claimed(folio: Folio) -> Folio:
    """S4-34: the folio whose claim is no more than what is owed, after the balance fell."""
    if not folio.claim or folio.claim <= (owed := balance(folio)):
        return folio
    return msgspec.structs.replace(folio, claim=max(0, owed))


def balance_facts(before: Folio | None, after: Folio) -> tuple[Fact, ...]:
    """`folio.balance_changed` if any of the three sums moved, then `folio.overpaid` (S1-33) if the balance moved below zero."""
    was = (ordered(before), collected(before)) if before is not None else None
    return moved(was, (ordered(after), collected(after)), after.currency)


def moved(was: tuple[int, int] | None, now: tuple[int, int], currency: str) -> tuple[Fact, ...]:
    """The same of what was ordered and collected before (None: nothing is known), and is now."""
    if was == now:
        return ()
    owed = now[0] - now[1]
    changed = BalanceChanged(ordered=now[0], collected=now[1], balance=owed, currency=currency)
    if owed >= 0 or (was is not None and was[0] - was[1] == owed):
        return (changed,)
    return changed, Overpaid(amount=-owed, currency=currency)


def payment_of(folio: Folio, payment: str) -> FolioPayment | None:
    """The payment of that id, or None; one that was reported of a balance has the id of its message too."""
    for known in folio.payments:
        if known.payment == payment or (known.told_as and known.told_as == payment):
            return known
    return None


def payment_at(folio: Folio, provider: str, merchant: str, reference: str, other_than: str) -> FolioPayment | None:
    """The payment, other than that one, which has this id at its provider; a provider or merchant that is not known may be any."""
    for known in folio.payments:
        there = provider in ("", known.provider or provider) and merchant in ("", known.merchant or merchant)
        if there and known.reference == reference and known.payment != other_than:
            return known
    return None


def replace_payment(folio: Folio, payment: FolioPayment) -> Folio:
    """The folio with this payment in place of the one of its id, or added last."""
    return msgspec.structs.replace(folio, payments=with_payment(folio.payments, payment))


def with_payment(payments: tuple[FolioPayment, ...], payment: FolioPayment) -> tuple[FolioPayment, ...]:
    """These payments with this one in place of the one of its id, or added last."""
    for place, known in enumerate(payments):
        if known.payment == payment.payment:
            return (*payments[:place], payment, *payments[place + 1 :])
    return (*payments, payment)


def payments_kept_by(folio: Folio, collector: CollectedBy) -> tuple[FolioPayment, ...]:
    """X-20: the payments of a folio that `collector` collects from now on: those of before stay with who took them."""
    if collector is folio.collected_by:
        return folio.payments
    return tuple([msgspec.structs.replace(one, taken_by=one.taken_by or folio.collected_by) for one in folio.payments])


def line_of(folio: Folio, line: str) -> FolioLine | None:
    """The line of that id, or None."""
    for known in folio.lines:
        if known.line == line:
            return known
    return None


def arrival_of(folio: Folio, line: FolioLine) -> date | None:
    """The day from which a line's notice counts: its own arrival, or for a line without dates the folio's earliest."""
    return line.arrival or min((other.arrival for other in folio.lines if other.arrival is not None), default=None)


def replace_line(folio: Folio, line: FolioLine) -> Folio:
    """The folio with this line in place of the one of its id, or added last."""
    lines = [line if known.line == line.line else known for known in folio.lines]
    if line not in lines:
        lines.append(line)
    return msgspec.structs.replace(folio, lines=tuple(lines))


def changed(folio: Folio) -> Folio:
    """The folio with one more change: every quote made before is bound to an older one."""
    return msgspec.structs.replace(folio, changes=folio.changes + 1)


def pending(folio: Folio) -> tuple[FolioPayment, ...]:
    """Payments that are not final at their provider (X-17)."""
    return tuple([payment for payment in folio.payments if payment.status is _PENDING])


def pending_minor(folio: Folio) -> int:
    """What they may bring, minor units."""
    return sum([payment.authorised for payment in folio.payments if payment.status is _PENDING])


def before_reduction(folio: Folio, payment: FolioPayment) -> bool:
    """Whether this money moved before, or when, some lines or nights of a booking that lives on were cancelled (X-16, S4-37)."""
    at = payment.occurred_at
    return folio.cancelled_at is None and folio.reduced_at is not None and at is not None and at <= folio.reduced_at


def cancelled_before(folio: Folio, instant: datetime) -> bool:
    """Whether the whole booking was cancelled before `instant` (X-16)."""
    return folio.cancelled_at is not None and folio.cancelled_at < instant
