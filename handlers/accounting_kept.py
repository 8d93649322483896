"""What a line knows of what it keeps: why, what of it is let go again, and how much of the rest bears VAT (X-23).

Each cancellation has a part of its own, for one reason; what is let go again is taken of that which was kept last. Pure arithmetic on
a folio before and after a decision; `handlers.accounting` tells it. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from msgspec.structs import replace

from handlers.given_up import aside
from handlers.quote_lines import ASIDE
from schemas.accounting import PenaltyReason, VatTreatment
from schemas.cancellation import Cause
from schemas.folio import Folio, FolioLine, KeptPart
from schemas.money import allocate
from schemas.policy import PenaltyVat


def kept_of(
    before: Folio | None, after: Folio, old: Mapping[str, FolioLine], cause: Cause | None, policy: PenaltyVat, act: datetime
) -> Folio:
    """X-23: the folio whose lines know why they keep what they keep, what of it is let go, and what of the rest bears VAT."""
    services = [line for line in after.lines if line.kind not in ASIDE and line.kept]
    if not services:
        return after
    now = {line.line for line in services if line.kept != before_of(old, line).kept}
    grown = {line.line: _grown(before_of(old, line), line, cause, policy, act) for line in services}
    parts = _let_go(before, after, grown, now)
    lines = [
        replace(line, kept_parts=tuple([_whole(part, policy) for part in parts[line.line]])) if line.line in parts else line
        for line in after.lines
    ]
    return replace(after, lines=tuple(lines))


def before_of(old: Mapping[str, FolioLine], line: FolioLine) -> FolioLine:
    """The line as it was; one that is new was ordered for nothing and kept nothing."""
    return old.get(line.line) or replace(line, price=0, kept=0, cancelled=False, kept_parts=())


def parts_of(line: FolioLine) -> tuple[KeptPart, ...]:
    """What it keeps, by reason; what was kept while nobody knew VAT of it stands for the deposit."""
    if line.kept_parts or not line.kept:
        return line.kept_parts
    return (KeptPart(reason=PenaltyReason.KEPT_DEPOSIT, minor=line.kept),)


def _grown(was: FolioLine, line: FolioLine, cause: Cause | None, policy: PenaltyVat, act: datetime) -> tuple[KeptPart, ...]:
    """With what is kept more: each cancellation has a part of its own, which money that is told late joins (X-16)."""
    parts, more = parts_of(was), line.kept - was.kept
    if not more:
        return parts
    cancelled = (0 if was.cancelled else was.price) - (0 if line.cancelled else line.price)
    if parts and not cancelled:
        return (*parts[:-1], replace(parts[-1], minor=parts[-1].minor + more))
    reason = PenaltyReason.NO_SHOW if cause is Cause.NO_SHOW else PenaltyReason.KEPT_DEPOSIT
    return (*parts, KeptPart(reason=reason, minor=more, price=cancelled or line.price, at=act, taxed=_taxed(reason, policy)))


def _whole(part: KeptPart, policy: PenaltyVat) -> KeptPart:
    """What stands for the deposit (S4-12), unless all of what was cancelled is kept: then it is the price, once the last cent of it is
    there (X-16)."""
    if part.reason is not PenaltyReason.KEPT_DEPOSIT or not 0 < part.price <= part.rest():
        return part
    return replace(part, reason=PenaltyReason.PRICE_KEPT, taxed=_taxed(PenaltyReason.PRICE_KEPT, policy))


def _taxed(reason: PenaltyReason, policy: PenaltyVat) -> bool:
    return policy.of(reason) is VatTreatment.TAXABLE


def _let_go(
    before: Folio | None, after: Folio, parts: Mapping[str, tuple[KeptPart, ...]], now: Set[str]
) -> dict[str, tuple[KeptPart, ...]]:
    """The parts of each line, with what of them is waived or goodwill, exact by largest remainder (X-5): as much of both as the lines
    keep; the fee is given up last. More: of those lines first that keep more now. Less: of the cancellations that the money covers."""
    given = _given(after)
    moved = given - (_given(before) if before is not None else 0)
    kept = {line: sum(part.minor for part in own) for line, own in parts.items()}
    let_go = {line: sum(part.let_go for part in own) for line, own in parts.items()}
    missing, found = min(given, sum(kept.values())) - sum(let_go.values()), dict(parts)
    if missing > 0 and moved > 0:
        left = min(missing, moved)
        for first in (True, False):
            room = {line: kept[line] - let_go[line] for line in parts if (line in now) is first}
            more = min(left, sum(room.values()))
            left -= more
            for line, part in zip(room, allocate(more, list(room.values())) if more else (), strict=False):
                found[line] = _off(found[line], part)
    elif missing < 0 and moved < 0 and before is not None:
        left = min(-missing, -moved)
        for at, covered in _covered(before, after, left):
            found, back = _back(found, at, min(left, covered))
            left -= back
    return found


def _off(parts: Sequence[KeptPart], minor: int) -> tuple[KeptPart, ...]:
    """So much more of them is let go: of what was kept last first."""
    found = list(parts)
    for n in reversed(range(len(found))):
        more = min(minor, found[n].rest())
        found[n], minor = replace(found[n], let_go=found[n].let_go + more), minor - more
    return tuple(found)


def _covered(before: Folio, after: Folio, minor: int) -> list[tuple[datetime | None, int]]:
    """X-16: the cancellations whose penalties are given up less, and how much less, as their waivers say; the rest is of the one that
    ended the booking, and what not even that had given up of any (None)."""
    left = dict.fromkeys([one.at for one in before.waivers], 0)
    for sign, folio in ((1, before), (-1, after)):
        for one in folio.waivers:
            left[one.at] = left.get(one.at, 0) + sign * one.minor
    return [*left.items(), (after.cancelled_at, minor), (None, minor)]


def _back(
    parts: Mapping[str, tuple[KeptPart, ...]], at: datetime | None, minor: int
) -> tuple[dict[str, tuple[KeptPart, ...]], int]:
    """The parts, with so much less let go of those of the cancellation at `at` (None: of all), and how much that could be: the rest of
    it stays spread by what they keep, as if it had never been more (X-5)."""
    of = [
        (line, n, part)
        for line, own in parts.items()
        for n, part in enumerate(own)
        if (part.let_go if at is None else part.at == at)
    ]
    let_go = sum(part.let_go for _, _, part in of)
    back = min(minor, let_go)
    if not back:
        return dict(parts), 0
    found = {line: list(own) for line, own in parts.items()}
    for (line, n, part), rest in zip(of, allocate(let_go - back, [part.minor for _, _, part in of]), strict=True):
        found[line][n] = replace(part, let_go=rest)
    return {line: tuple(own) for line, own in found.items()}, back


def _given(folio: Folio) -> int:
    """What is not kept of services and fee: what is given up of tourist tax and insurance is neither's (X-23)."""
    return folio.waived - aside(folio) + folio.goodwill


def taxed_of(line: FolioLine) -> int:
    """What of the rest of its `kept` bears VAT."""
    return sum(part.rest() for part in line.kept_parts if part.taxed)
