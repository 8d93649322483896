"""What a line knows of what it keeps: why, what of it is let go again, and how much of the rest bears VAT (X-23).

Each cancellation has a part of its own, for one reason; what is let go again is taken of that which was kept last. Pure arithmetic on
a folio before and after a decision; `handlers.accounting` tells it. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from handlers.given_up import aside
from handlers.quote_lines import ASIDE
from schemas.accounting import PenaltyReason, VatTreatment
from schemas.cancellation import Cause
from schemas.folio import Folio, FolioLine, KeptPart
from schemas.money import allocate
from schemas.policy import PenaltyVat


def kept_of(before: Folio | None, after: Folio, old: Mapping[str, FolioLine], cause: Cause | None, policy: PenaltyVat) -> Folio:
    """X-23: the folio whose lines know why they keep what they keep, what of it is let go, and what of the rest bears VAT."""
    services = [line for line in after.lines if line.kind not in ASIDE and line.kept]
    if not services:
        return after
    now = {line.line for line in services if line.kept != before_of(old, line).kept}
    let_go = _let_go(before, after, services, old, now)
    lines: dict[str, FolioLine] = {}
    for line in services:
        was = before_of(old, line)
        parts = _let_go_of_parts(_grown(was, line, cause, policy), let_go[line.line] - let_go_of(was))
        lines[line.line] = replace(line, kept_parts=tuple([_whole(part, policy) for part in parts]))
    return replace(after, lines=tuple([lines.get(line.line, line) for line in after.lines]))


def before_of(old: Mapping[str, FolioLine], line: FolioLine) -> FolioLine:
    """The line as it was; one that is new was ordered for nothing and kept nothing."""
    return old.get(line.line) or replace(line, price=0, kept=0, cancelled=False, kept_parts=())


def parts_of(line: FolioLine) -> tuple[KeptPart, ...]:
    """What it keeps, by reason; what was kept while nobody knew VAT of it stands for the deposit."""
    if line.kept_parts or not line.kept:
        return line.kept_parts
    return (KeptPart(reason=PenaltyReason.KEPT_DEPOSIT, minor=line.kept),)


def _grown(was: FolioLine, line: FolioLine, cause: Cause | None, policy: PenaltyVat) -> tuple[KeptPart, ...]:
    """With what is kept more: each cancellation has a part of its own, which money that is told late joins (X-16)."""
    parts, more = parts_of(was), line.kept - was.kept
    if not more:
        return parts
    cancelled = (0 if was.cancelled else was.price) - (0 if line.cancelled else line.price)
    if parts and not cancelled:
        return (*parts[:-1], replace(parts[-1], minor=parts[-1].minor + more))
    reason = PenaltyReason.NO_SHOW if cause is Cause.NO_SHOW else PenaltyReason.KEPT_DEPOSIT
    return (*parts, KeptPart(reason=reason, minor=more, price=cancelled or line.price, taxed=_taxed(reason, policy)))


def _whole(part: KeptPart, policy: PenaltyVat) -> KeptPart:
    """What stands for the deposit (S4-12), unless all of what was cancelled is kept: then it is the price, once the last cent of it is
    there (X-16)."""
    if part.reason is not PenaltyReason.KEPT_DEPOSIT or not 0 < part.price <= part.rest():
        return part
    return replace(part, reason=PenaltyReason.PRICE_KEPT, taxed=_taxed(PenaltyReason.PRICE_KEPT, policy))


def _taxed(reason: PenaltyReason, policy: PenaltyVat) -> bool:
    return policy.of(reason) is VatTreatment.TAXABLE


def _let_go_of_parts(parts: Sequence[KeptPart], off: int) -> tuple[KeptPart, ...]:
    """So much more of them is let go: of what was kept last first. Less: what was let go comes back as it went, the oldest first."""
    found = list(parts)
    for at in reversed(range(len(found))) if off > 0 else range(len(found)):
        moved = min(off, found[at].rest()) if off > 0 else max(off, -found[at].let_go)
        found[at] = replace(found[at], let_go=found[at].let_go + moved)
        off -= moved
    return tuple(found)


def _let_go(
    before: Folio | None, after: Folio, services: Sequence[FolioLine], old: Mapping[str, FolioLine], now: set[str]
) -> dict[str, int]:
    """What of each line's `kept` is waived or goodwill, exact by largest remainder (X-5): as much of both as the lines keep, of those
    first that keep more now; the fee is given up last."""
    given = _given(after)
    moved = given - (_given(before) if before is not None else 0)
    parts = {line.line: min(let_go_of(before_of(old, line)), line.kept) for line in services}
    missing = min(given, sum(line.kept for line in services)) - sum(parts.values())
    if missing > 0 and moved > 0:
        left = min(missing, moved)
        for first in (True, False):
            room = {line.line: line.kept - parts[line.line] for line in services if (line.line in now) is first}
            left -= _spread(parts, min(left, sum(room.values())), room)
    elif missing < 0 and moved < 0:
        _spread(parts, max(missing, moved), dict(parts))
    return parts


def _given(folio: Folio) -> int:
    """What is not kept of services and fee: what is given up of tourist tax and insurance is neither's (X-23)."""
    return folio.waived - aside(folio) + folio.goodwill


def _spread(parts: dict[str, int], minor: int, weights: Mapping[str, int]) -> int:
    """So much more on these parts, by their weights; the same again."""
    if minor:
        shares = allocate(abs(minor), list(weights.values()))
        for line, share in zip(weights, shares, strict=True):
            parts[line] += share if minor > 0 else -share
    return minor


def let_go_of(line: FolioLine) -> int:
    """What of its `kept` is waived or goodwill."""
    return sum(part.let_go for part in line.kept_parts)


def taxed_of(line: FolioLine) -> int:
    """What of the rest of its `kept` bears VAT."""
    return sum(part.rest() for part in line.kept_parts if part.taxed)
