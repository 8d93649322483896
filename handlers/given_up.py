"""What is given up of what lines keep: a penalty that arrhes do not claim, what a capture did not bring, a claim that the house lets go
(S4-34, S4-46, X-23).

`waived` of a folio says how much in all, `given_up` of a line that stands aside how much of it is that line's. Money covers the fee first,
then the penalties, last what stands aside: tourist tax and insurance are in no deposit and come with the second payment. What nobody has
paid is therefore owed to no municipality and no insurer, and no penalty bears it. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from handlers import account
from handlers.quote_lines import ASIDE
from ledger import recipes
from ledger.recipes import Transfers
from schemas.folio import Folio, FolioLine, Waiver
from schemas.money import allocate


def given_up(folio: Folio, minor: int, lines: Sequence[str] | None = None) -> Folio:
    """S4-34, X-23: the folio that gives up so much more, of what stands aside first, exact by largest remainder (X-5). `lines`: only of
    these, where others live on; None: of the whole booking."""
    named = [line for line in folio.lines if line.kind in ASIDE and (lines is None or line.line in lines)]
    rooms = [line.kept - line.given_up for line in named]
    return _moved(folio, minor, named, allocate(min(minor, sum(rooms)), rooms) if any(rooms) else ())


def taken_up(folio: Folio, minor: int, waivers: tuple[Waiver, ...]) -> Folio:
    """X-16, X-23: the folio that gives up so much less, since money is there after all: of what stands aside last, in what is still given
    up with some lines (`waivers`), then in the rest, which the whole booking's cancellation gave up."""
    named = [line for line in folio.lines if line.given_up]
    stays = dict.fromkeys([line.line for line in named], 0)
    rest = folio.waived - minor - sum([one.minor for one in waivers])
    for most, lines in (*[(one.minor, one.aside) for one in waivers], (rest, tuple(stays))):
        here = [line for line in named if line.line in lines]
        rooms = [line.kept - stays[line.line] for line in here]
        parts = allocate(min(most, sum(rooms)), rooms) if any(rooms) else ()
        stays |= {line.line: stays[line.line] + part for line, part in zip(here, parts, strict=False)}
    left = replace(folio, waivers=waivers)
    return _moved(left, -minor, named, [min(0, stays[line.line] - line.given_up) for line in named])


def more_aside(before: Folio, after: Folio) -> tuple[str, ...]:
    """X-23: the lines that stand aside of which more is given up than before."""
    known = {line.line: line.given_up for line in before.lines}
    return tuple([line.line for line in after.lines if line.given_up > known.get(line.line, 0)])


def aside(folio: Folio) -> int:
    """What is given up of tourist tax and insurance (X-23)."""
    return sum([line.given_up for line in folio.lines])


def entries(before: Folio, after: Folio, subject: str = "claim") -> Transfers:
    """X-4, X-23: what is given up more, or less, than before: from the account of a line that stands aside, else from the penalties."""
    result: Transfers = ()
    more = after.waived - before.waived
    for line in after.lines:
        was = account.line_of(before, line.line)
        part = line.given_up - (was.given_up if was is not None else 0)
        more -= part
        result += recipes.line_given_back(after, line, part) if part > 0 else recipes.line_taken_again(after, line, -part)
    return result + (recipes.claim_waived(after, more, subject) if more > 0 else recipes.claim_restored(after, -more, subject))


def _moved(folio: Folio, minor: int, named: Sequence[FolioLine], parts: Sequence[int]) -> Folio:
    now = {line.line: replace(line, given_up=line.given_up + part) for line, part in zip(named, parts, strict=False) if part}
    lines = tuple([now.get(line.line, line) for line in folio.lines]) if now else folio.lines
    return replace(folio, waived=folio.waived + minor, lines=lines)
