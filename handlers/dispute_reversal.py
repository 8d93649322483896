"""`payment.reversed` of a payment that is, or was, disputed: the same money, told in two ways (X-1, X-13). It is counted once.

Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.capture_records import told_so_far
from handlers.dispute_record import at_stake, named, open_disputes, with_dispute
from handlers.outcome import Outcome, Step
from ledger import recipes
from schemas.dispute import Ruling
from schemas.folio import Folio, FolioPayment


def told_already(folio: Folio, payment: FolioPayment, minor: int) -> Outcome | None:
    """What a reversal changes that tells again what a dispute has lost: nothing. None: it tells something else."""
    for known in folio.disputes:
        told = known.lost - known.reversed
        if known.payment == payment.payment and known.ruling is Ruling.LOST and told == minor and not known.told_again:
            after = with_dispute(folio, replace(known, told_again=True))
            text = f"{named(known)} has told already that {account.text(minor, folio.currency)} were taken back"
            return Outcome(state=after, trace=(Step("X-13", text),))
    return None


def reversed_while_open(folio: Folio, payment: FolioPayment, minor: int) -> tuple[Folio, recipes.Transfers | None]:
    """The folio whose open disputes know what of their money was reversed, oldest first, and how that is booked: out of what the provider
    has taken, as far as it has. No entries: none of it is disputed."""
    entries: recipes.Transfers = ()
    rest = minor
    for known in open_disputes(folio, payment.payment):
        part = min(rest, known.minor - known.reversed)
        rest -= part
        entries += recipes.charged_back(folio, payment, min(part, at_stake(known)))
        if not known.taken:
            entries += _taken_back(folio, payment, part)
        folio = with_dispute(folio, replace(known, reversed=known.reversed + part))
    if rest == minor:
        return folio, None
    return folio, entries + _taken_back(folio, payment, rest)


def reversed_before(folio: Folio, payment: FolioPayment, minor: int) -> int:
    """X-2: what was reversed before a dispute over `minor` was told, and belongs to no other one: it is this one's money, told in the other
    order."""
    of_others = sum(
        known.reversed if known.ruling is None else known.lost for known in folio.disputes if known.payment == payment.payment
    )
    return min(minor, max(0, told_so_far(payment) - of_others))


def _taken_back(folio: Folio, payment: FolioPayment, minor: int) -> recipes.Transfers:
    recipe = recipes.unapplied_reversed if payment.unapplied else recipes.capture_reversed
    return recipe(folio, payment, minor)
