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
from handlers.balance_record import BY_HAND, LIVE, last_of
from handlers.voucher_schedule import planned as without_vouchers
from handlers.voucher_schedule import waiting
from schemas.folio import Folio, FolioLine
from schemas.money import allocate
from schemas.policy import BalancePolicy


class Wanted(NamedTuple):
    """A request as the folio now wants it. `left`: what was left open on purpose; `clamped`: an operator wants more than is owed;
    `share`: with `per_accommodation`, what is asked of one in all, paid or not."""

    accommodation: str  # empty: the whole booking's
    planned: date
    amount: int
    left: int = 0
    clamped: bool = False
    share: int = 0


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
    the earliest first. What is no accommodation is asked for with the first. S1-17, S1-34: of one whose amount an operator set, that, and
    never more in all than is owed."""
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
    deposit, has = without_vouchers(folio).deposit, came(folio)
    shares = allocate(max(0, account.ordered(folio) - deposit), prices)
    asked = [_asked(folio, name, share) for (_, name, _), share in zip(later, shares, strict=True)]
    rest, amounts = max(0, min(owed_later(folio) - sum(shares) + sum(asked), account.ordered(folio) - has)), []
    for most in reversed(asked):
        amounts.append(min(most, rest))
        rest -= amounts[-1]
    beyond = sum(asked) > account.ordered(folio) - min(has, deposit)
    return tuple(
        [
            Wanted(name, planned, amount, max(0, share - most), beyond and _fixed(folio, name) is not None, most)
            for (planned, name, _), amount, share, most in zip(later, reversed(amounts), shares, asked, strict=True)
        ]
    )


def _asked(folio: Folio, accommodation: str, share: int) -> int:
    """What is asked of one accommodation in all: its share, but for what an operator set, left open, or cancelled."""
    last, most = last_of(folio, accommodation), _fixed(folio, accommodation)
    if most is not None or last is None:
        return share if most is None else most
    return 0 if last.status not in LIVE and last.reason == BY_HAND else max(0, share - last.own_left)


def _fixed(folio: Folio, accommodation: str) -> int | None:
    """Up to which sum of its share an operator asks; None: nobody has said."""
    last = last_of(folio, accommodation)
    return last.fixed_to if last is not None and last.status in LIVE else None


def _order(group: tuple[date, str, list[FolioLine]]) -> tuple[date, str]:
    return group[0], group[1]


def fixed(amount: int, folio: Folio, want: Wanted | None) -> tuple[int, int]:
    """S1-17: from and up to which sum collected an operator's `amount` is asked for: on top of what is due at purchase, or of what came
    where that is too much; of one accommodation on top of what came of its share."""
    if want is not None and want.accommodation:
        return want.share - want.amount, want.share - want.amount + amount
    base = first(folio)
    start = base if base + amount <= account.ordered(folio) else came(folio)
    return start, start + amount
