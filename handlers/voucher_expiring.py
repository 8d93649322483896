"""A voucher that was issued here and whose last day is near: who has it is told in time, as often as the policy says (S0-28).

The voucher's own book knows what is free of it, the folio that it was issued for knows whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from handlers import account
from handlers.frozen import Local
from handlers.outcome import Facts, Internal, Outcome, Step, Timer
from handlers.voucher_worth import free, over
from schemas.errors import Stale
from schemas.operations import TimerFired
from schemas.voucher import VoucherExpiring
from schemas.voucher_talk import VoucherUnspent

EXPIRING: Final = "voucher_expiring"
_AT: Final = time(9, 0)


def warnings(expires: date | None, here: Local) -> tuple[tuple[int, datetime], ...]:
    """S0-28: nine in the morning at the property, `voucher_warning_days` before the last day; days that are over are left out."""
    if expires is None:
        return ()
    days = sorted(set(here.policy.voucher_warning_days), reverse=True)
    instants = [(before, datetime.combine(expires - timedelta(days=before), _AT, here.zone).astimezone(UTC)) for before in days]
    return tuple([(before, at) for before, at in instants if at > here.act])


def warning_timers(warn_at: Iterable[tuple[int, datetime]]) -> tuple[Timer, ...]:
    """One for each."""
    return tuple([Timer(name=f"{EXPIRING}:{before}", due=at, kind=EXPIRING, subject=str(before)) for before, at in warn_at])


def decide_expiring(message: TimerFired, facts: Facts) -> Outcome:
    """The voucher's side: its folio is told what is free. Raises Stale where nothing is, or the last day is over."""
    book = facts.voucher
    if book is None or not book.issued_by or free(book) <= 0 or over(book, facts.decided_at or facts.act):
        raise Stale("nothing of this voucher is about to expire", field="subject", value=message.subject)
    minor = free(book)
    body = VoucherUnspent(key=book.key, minor=minor, days_before=int(message.subject))
    text = f"voucher {book.number}: {account.text(minor, book.currency)} are free, it is good until {book.expires}"
    return Outcome(
        messages=(Internal(kind="folio", key=book.issued_by, name="voucher.unspent", body=body),), trace=(Step("S0-28", text),)
    )


def decide_unspent(message: VoucherUnspent, facts: Facts) -> Outcome:
    """`voucher.unspent`, the folio's side: `voucher.expiring`. Raises Stale for a voucher that was not issued for it."""
    folio = facts.folio
    if folio is None or folio.issued is None or folio.issued.expires is None:
        raise Stale(f"voucher {message.key} was not issued for this booking", field="key", value=message.key)
    issued = folio.issued
    told = VoucherExpiring(
        number=issued.number,
        amount=message.minor,
        currency=folio.currency,
        expires=folio.issued.expires,
        days_before=message.days_before,
        refund_on_expiry=issued.refund_on_expiry,
    )
    text = f"voucher {issued.number}: {account.text(message.minor, folio.currency)} are free until {issued.expires}"
    return Outcome(facts=(told,), trace=(Step("S0-28", text),), policy_version=folio.policy)
