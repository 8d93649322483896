"""What a channel that collects for itself owes, or is owed (X-20): the commission that it keeps, and what is told of both.

The folio's own entries stand on the channel's account in place of the guest's (`ledger.recipes`); every decision is followed by this one.
Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final

from msgspec.structs import replace

from handlers import account
from handlers.commission import of_line, rate_of
from handlers.frozen import WITH_TERMS
from handlers.outcome import Facts, Outcome, Step
from ledger import recipes
from schemas.booking import CollectedBy
from schemas.commission import ChannelBalanceChanged, CommissionCreditNoteRequested
from schemas.folio import Folio

CHANNEL: Final = CollectedBy.CHANNEL
_BOOKED: Final = frozenset({"booking.requested", "booking.confirmed", "booking.changed"})


Decision = Callable[[Any, Facts], Outcome]


@cache
def owes(decide: Decision) -> Decision:
    """That decision, and what it means for the channel that collected; made once of each, since every message asks."""

    @wraps(decide)
    def decided(message: Any, facts: Facts) -> Outcome:
        return _followed(decide(message, facts), facts)

    return decided


def _followed(out: Outcome, facts: Facts) -> Outcome:
    """X-20: what was owed goes with who collects, commission stands beside it, and what both come to is told when it moves."""
    before, after = facts.folio, out.state if out.state is not None else facts.folio
    if not isinstance(after, Folio) or (
        after.collected_by is not CHANNEL and (before is None or before.collected_by is not CHANNEL)
    ):
        return out
    commission = _commission(before, after, out, facts)
    final = replace(after, commission=commission) if commission != after.commission else after
    more = commission - after.commission
    entries = _moved(before, after) + (recipes.commission_kept if more > 0 else recipes.commission_returned)(after, abs(more))
    was, now = _stands(before), _stands(final)
    if was == now:
        return replace(out, state=final, entries=out.entries + entries) if entries else out
    owed, net = now[0], now[0] - now[1]
    told = ChannelBalanceChanged(owed=owed, commission=now[1], net=net, currency=final.currency)
    sums = [account.text(minor, final.currency) for minor in (owed, now[1], net)]
    step = Step("X-20", f"the channel owes {sums[0]} − {sums[1]} commission = {sums[2]}")
    return replace(
        out,
        state=final,
        facts=(*out.facts, told),
        entries=out.entries + entries,
        trace=(*out.trace, step),
        policy_version=out.policy_version or final.policy,
    )


def _stands(folio: Folio | None) -> tuple[int, int]:
    return (account.balance(folio), folio.commission) if folio is not None and folio.collected_by is CHANNEL else (0, 0)


def _moved(before: Folio | None, after: Folio) -> recipes.Transfers:
    """What was owed before goes from one account to the other."""
    if before is None or (before.collected_by is CHANNEL) == (after.collected_by is CHANNEL):
        return ()
    owed = account.balance(before)
    to_channel = (owed > 0) is (after.collected_by is CHANNEL)
    return (recipes.owed_by_channel if to_channel else recipes.owed_by_guest)(after, abs(owed))


def _commission(before: Folio | None, after: Folio, out: Outcome, facts: Facts) -> int:
    """What the channel keeps: of what is sold and of penalties, less what it gives back by a credit note (X-20); nothing where it
    collects no more."""
    if after.collected_by is not CHANNEL:
        return 0
    if before is None or before.collected_by is not CHANNEL:
        return _due(after)
    if facts.name in _BOOKED:
        return max(0, after.commission + _due(after) - _due(before))
    return after.commission - sum(fact.amount for fact in out.facts if isinstance(fact, CommissionCreditNoteRequested))


def _due(folio: Folio) -> int:
    """The commission of each service, with what is kept of it."""
    rate = rate_of(folio)
    return sum(of_line(line, rate) for line in folio.lines if line.kind in WITH_TERMS)
