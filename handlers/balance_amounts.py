"""How much a balance request asks for, and which requests a folio has (S1-17, S1-33, S1-34, S1-39).

The rule is one difference: what is ordered less what came, or less what is due at purchase while that is not paid. Vouchers come as well,
those that the merchant has not accepted yet too (S0-11). Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from handlers import account
from handlers.balance_dates import counted, deadline_of, inside
from handlers.balance_record import LIVE, last_of
from handlers.voucher_schedule import planned as without_vouchers
from handlers.voucher_schedule import waiting
from schemas.folio import Folio, FolioLine
from schemas.money import allocate
from schemas.policy import BalancePolicy


class Wanted(NamedTuple):
    """A request as the folio now wants it. `left`: what was left open on purpose; `clamped`: an operator wants more than is owed."""

    accommodation: str  # empty: the whole booking's
    planned: date
    amount: int
    left: int = 0
    clamped: bool = False


def came(folio: Folio) -> int:
    """What is collected, and what the vouchers stand for that nobody has accepted yet: nobody is asked for that (S0-11, S0-19)."""
    return account.collected(folio) + sum([voucher.counts for voucher in waiting(folio)])


def first(folio: Folio) -> int:
    """What came, or at least the deposit, which is due at purchase, by vouchers or beside them (S0-7, S0-8): the balance comes on top."""
    return max(came(folio), without_vouchers(folio).deposit)


def open_later(folio: Folio) -> int:
    """S0-11: total − max(deposit, what came), never negative (S0-10, S1-33)."""
    return max(0, account.ordered(folio) - first(folio))


def owed_later(folio: Folio) -> int:
    """The same without what others gave back without the hub: why they did is not known here, so it is not asked for."""
    elsewhere = sum([payment.foreign for payment in folio.payments if not payment.unapplied])
    return max(0, account.ordered(folio) - max(came(folio) + elsewhere, first(folio)))


def wanted(folio: Folio, policy: BalancePolicy, zone: ZoneInfo) -> tuple[Wanted, ...]:
    """S1-39: one for the whole booking at its earliest deadline; with `per_accommodation` one for each. None without an arrival."""
    lines = counted(folio)
    if policy.per_accommodation:
        return _each(folio, lines, policy, zone)
    planned = deadline_of(folio, lines, policy)
    return () if planned is None else (_whole(folio, planned),)


def _whole(folio: Folio, planned: date) -> Wanted:
    """S1-17, S1-34: an amount that an operator set wins, up to what is owed; else all that is owed later but what such an amount left."""
    last = last_of(folio, "")
    if last is not None and last.status in LIVE and last.fixed_to is not None:
        have = max(came(folio), last.fixed_from)
        full, owed = last.fixed_to - have, account.ordered(folio) - have
        return Wanted("", planned, max(0, min(full, owed)), clamped=full > owed)
    left = last.left if last is not None else 0
    return Wanted("", planned, max(0, owed_later(folio) - left), left)


def _each(folio: Folio, lines: tuple[FolioLine, ...], policy: BalancePolicy, zone: ZoneInfo) -> tuple[Wanted, ...]:
    """S1-39: what is owed later, split by price over the accommodations that were not bought inside their deadline; money that came pays
    the earliest first. What is no accommodation is asked for with the first."""
    groups: dict[str, list[FolioLine]] = {}
    for line in lines:
        groups.setdefault(line.accommodation or line.line, []).append(line)
    bought = folio.booked_at.astimezone(zone).date()
    dated = [(deadline_of(folio, group, policy), name, group) for name, group in groups.items()]
    known = [(planned, name, group) for planned, name, group in dated if planned is not None]
    later = sorted([(planned, name, group) for planned, name, group in known if not inside(bought, planned)] or known, key=_order)
    prices = [sum(line.price for line in group) for _, _, group in later]
    if not sum(prices):
        return ()
    prices[0] += sum(line.price for line in account.live_lines(folio) if line not in lines)
    shares = allocate(max(0, account.ordered(folio) - without_vouchers(folio).deposit), prices)
    rest, amounts = owed_later(folio), []
    for share in reversed(shares):
        amounts.append(min(share, rest))
        rest -= amounts[-1]
    return tuple([Wanted(name, planned, amount) for (planned, name, _), amount in zip(later, reversed(amounts), strict=True)])


def _order(group: tuple[date, str, list[FolioLine]]) -> tuple[date, str]:
    return group[0], group[1]


def fixed(amount: int, folio: Folio) -> tuple[int, int]:
    """S1-17: from and up to which sum collected an operator's `amount` is asked for: on top of what is due at purchase, or of what
    came where that is too much."""
    base = first(folio)
    start = base if base + amount <= account.ordered(folio) else came(folio)
    return start, start + amount
